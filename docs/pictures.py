"""Draw the pictures of README.md from real runs: ``python docs/pictures.py``, where plugline[tool] is installed.

A picture is what the command printed, so it is made again whenever that changes.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

STATIC = Path(__file__).parent / "_static"
ROOT = STATIC.parent.parent

PICTURES = {
    "run.svg": ("plugline run examples/flights/pipeline.toml", "."),
    "check.svg": ("plugline check", "examples/broken"),
}


def draw(name: str, command: str, folder: str) -> None:
    """Run a command in a folder of the checkout and draw what it printed."""
    words = [str(Path(sys.executable).with_name("plugline")), *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=ROOT / folder, capture_output=True, text=True, check=False)
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115 - for the life of the script
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(done.stdout + done.stderr))
    picture = console.export_svg(title="plugline", unique_id=Path(name).stem)
    # Without the fonts that rich would have fetched from elsewhere: a page of ours asks nobody for anything.
    (STATIC / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


SESSION = (
    "plugline new upper",
    "python -m pytest -q tests/test_upper.py",
    """printf '{"name": " Ada ", "age": 36}\\n' > sample.ndjson""",
    "plugline preview --use upper sample.ndjson",
    "sed -i 's/def transform(record):/def transform(record)/' plugins/upper.py",
    "plugline check",
    "plugline explain P106",
)


def draw_session(name: str) -> None:
    """Type the commands of the first minutes in an empty folder and draw what a terminal shows."""
    console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115 - for the life of the script
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PLUGLINE_COLOR": "always", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    with TemporaryDirectory() as folder:
        for command in SESSION:
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            console.print(Text(f"$ {command}", style="bold"))
            if shown := (done.stdout + done.stderr).rstrip():
                console.print(Text.from_ansi(shown))
    picture = console.export_svg(title="the first minutes", unique_id=Path(name).stem)
    (STATIC / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


DEV = "plugline dev plugins/ sample.ndjson"
EDITS = (
    ("value.strip()", "value.strip().upper()"),
    ("def transform(record):", "def transform(record)"),
)


def draw_dev(name: str) -> None:
    """Let ``plugline dev`` watch while a plugin is edited, and draw what it showed at each save."""
    program = str(Path(sys.executable).with_name("plugline"))
    environment = {**os.environ, "PLUGLINE_COLOR": "always"}
    with TemporaryDirectory() as folder:
        subprocess.run([program, "new", "upper"], cwd=folder, check=True, capture_output=True)
        Path(folder, "sample.ndjson").write_text('{"name": " Ada ", "age": 36}\n', encoding="utf-8")
        plugin, shown = Path(folder, "plugins/upper.py"), Path(folder, "shown")
        with shown.open("w") as stream:
            command = [program, *shlex.split(DEV)[1:], "--times", str(len(EDITS) + 1)]
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stream, stderr=stream)
            for number, (before, after) in enumerate(EDITS, 1):
                while shown.read_text(encoding="utf-8").count("would be written") < number:
                    time.sleep(0.05)
                plugin.write_text(plugin.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
            process.wait(30)
        console = Console(record=True, width=100, file=open("/dev/null", "w"))  # noqa: SIM115 - for the life of the script
        console.print(Text(f"$ {DEV}", style="bold"))
        console.print(Text.from_ansi(shown.read_text(encoding="utf-8").rstrip()))
    picture = console.export_svg(title="plugline dev", unique_id=Path(name).stem)
    (STATIC / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


def photograph(name: str) -> None:
    """Run the flights with a report, and take a picture of it in a browser, where there is one."""
    browser = shutil.which("chromium")
    if browser is None:
        print("no chromium: report.png stays as it is")
        return
    plugline = str(Path(sys.executable).with_name("plugline"))
    with TemporaryDirectory() as folder:
        # In a place of its own, so that no path of this machine is in the picture.
        shutil.copytree(ROOT / "examples/flights", f"{folder}/flights")
        page = f"{folder}/report.html"
        command = [plugline, "run", "pipeline.toml", "--report", page]
        subprocess.run(command, cwd=f"{folder}/flights", check=False, capture_output=True)
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        command += ["--hide-scrollbars", "--window-size=1180,1900", f"--user-data-dir={folder}/profile"]
        command += [f"--screenshot={STATIC / name}", f"file://{page}"]
        subprocess.run(command, check=True, capture_output=True)


for picture, (line, where) in PICTURES.items():
    draw(picture, line, where)
draw_session("first-minutes.svg")
draw_dev("dev.svg")
photograph("report.png")
