"""Scenes to the page that shows them: each finding and each error with a real file that leads to it.

``python -m tests.gallery`` plays all of them and writes ``docs/reference/gallery.md`` anew.
"""

import contextlib
import io
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import plugline
from plugline.cli import main
from plugline.codes import CODES
from tests.scenes import ERRORS, SCENES, Scene, start

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "gallery.md"


def play(scene: Scene, folder: Path) -> str:
    """Play a scene in an empty folder, and return all that was said."""
    # As a careful user has them, whatever the umask is.
    folder.chmod(0o755)
    for name, content in scene.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.parent.chmod(0o755)
        path.chmod(0o644)
    if scene.prepare is not None:
        scene.prepare(folder)
    said = _said_alone(scene, folder) if scene.program or scene.meanwhile else _said_here(scene, folder)
    # The page is the same wherever it is built.
    said = said.replace(str(folder), ".").replace(str(Path(os.__file__).parent), "/usr/lib/python3")
    return said.replace(repr(platform.node()), "'worker-7'")


def _said_here(scene: Scene, folder: Path) -> str:
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if scene.host is None:
            main(scene.words)
        else:
            names: dict[str, object] = {"plugline": plugline}
            try:
                exec(scene.host, names)  # noqa: S102 - written in tests/scenes.py
            finally:
                if isinstance(host := names.get("host"), plugline.Host):
                    host.close()
    return said.getvalue()


def _said_alone(scene: Scene, folder: Path) -> str:
    if scene.program is not None:
        done = subprocess.run(
            [sys.executable, "-c", scene.program],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout
    assert scene.meanwhile is not None
    with start(*scene.words, folder=folder) as process:
        try:
            said = scene.meanwhile(process, folder)
            return said + process.communicate(timeout=60)[1]
        finally:
            process.kill()


def finding_in(said: str, code: str) -> str:
    """Return the finding with a code from what was said, with the lines that belong to it; empty if it was not."""
    # Frameworks have words of their own before it, and Django another way to write the code.
    begins = re.compile(rf"(?:error|warning)\[{code}\] .*|\?: \(plugline\.{code}\) .*")
    lines = said.split("\n")
    begin = next((at for at, line in enumerate(lines) if begins.search(line)), None)
    if begin is None:
        return ""
    end = next((at for at in range(begin + 1, len(lines)) if lines[at][:1] not in {" ", "\t"}), len(lines))
    first = begins.search(lines[begin])
    assert first is not None
    return "\n".join(line.rstrip() for line in [first[0], *lines[begin + 1 : end]])


HEADER = """# Gallery of findings and errors

Each finding as it is shown, with the files that lead to it, and then each error that a program can meet.
This page is written by the tests, which play every scene; [finding codes](findings.md) has what each code means.
"""


def _played(scene: Scene) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return play(scene, Path(folder).resolve())


def _shown(scene: Scene, said: str) -> Iterator[str]:
    """Yield the paragraphs of a scene."""
    for name, content in scene.files.items():
        if scene.shown is not None and name not in scene.shown:
            continue
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        # Without a language: most of it is wrong on purpose.
        yield f"`{name}`\n\n```text\n{text.rstrip()}\n```\n"
    code = scene.program or scene.host
    if scene.about is not None:
        yield f"{scene.about}\n"
    if code is None:
        yield f"```text\n$ plugline {shlex.join(scene.words)}\n{said}\n```\n"
    else:
        imported = "" if scene.program else "import plugline\n\n"
        yield f"<!-- not run: played from tests/scenes.py -->\n```python\n{imported}{code.rstrip()}\n```\n"
        yield f"prints\n\n```text\n{said}\n```\n"


def page() -> str:
    """Return the page, for which all scenes are played."""
    parts = [HEADER]
    for code, about in CODES.items():
        if code in SCENES:
            said = finding_in(_played(SCENES[code]), code)
            parts += [f"## {code}: {about.title}\n", *_shown(SCENES[code], said)]
    parts.append("## Errors\n\nWhat a program catches: [the tree](modules.md) is `plugline.errors`.\n")
    for name, scene in ERRORS.items():
        parts += [f"### {name}\n", *_shown(scene, _played(scene).strip())]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
