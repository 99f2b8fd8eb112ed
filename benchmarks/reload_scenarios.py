"""Claim: of what a reasonable person expects of a reload, plugline does all, and each other tool some.

The rows of ``tests/reload``, each in a process of its own, with plugline, ``importlib.reload``, IPython's autoreload and jurigged.
A row passes where what it says afterwards holds. The others are asked as their documentation has it, after every edit: ``importlib.reload``
for each changed module and then for the plugin, autoreload with ``%autoreload 2``, jurigged's refresh for each changed file. Rows that
speak of plugline's own things (its report, kept variables, moments, interfaces) are not asked of them.

Unfair to the others: the rows were thought up beside plugline. They are not made for replacing whole programs, and a row that must be
refused passes with them where the failed reload happens to leave what was there.

``python benchmarks/reload_scenarios.py [--all]``; IPython and jurigged are installed into a temporary environment, and left out, with
a word, where that is not possible. ``--all`` names the rows that each tool does not pass.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 20  # for one row; whoever takes longer hangs
_TOOLS = {"plugline": "", "importlib.reload": "", "IPython autoreload": "ipython", "jurigged": "jurigged"}
Reload = Callable[[dict[str, Path]], object]


# ----------------------------------------------------------------------------- in the process that runs the rows


def _plugline(folder: Path, names: dict[str, Any], files: list[str]) -> Reload:
    from plugline import Host

    host = Host(folder)
    for name in files:
        host[name].load()
        names[name] = sys.modules[f"plugins.{name}"]
    return lambda changed: host.reload("x")


def _imported(folder: Path, names: dict[str, Any], files: list[str]) -> None:
    import importlib

    sys.path.insert(0, str(folder.parent))
    sys.dont_write_bytecode = True
    for name in files:
        names[name] = importlib.import_module(f"plugins.{name}")


def _importlib(folder: Path, names: dict[str, Any], files: list[str]) -> Reload:
    import importlib

    _imported(folder, names, files)

    def reload(changed: dict[str, Path]) -> None:
        importlib.invalidate_caches()
        for name in [*(name for name in changed if name != "x"), "x"]:
            module = sys.modules.get(f"plugins.{name.replace('/', '.').removesuffix('.__init__')}")
            if module is not None:
                importlib.reload(module)

    return reload


def _autoreload(folder: Path, names: dict[str, Any], files: list[str]) -> Reload:
    from IPython.extensions.autoreload import ModuleReloader  # type: ignore[import-not-found]

    _imported(folder, names, files)
    reloader = ModuleReloader()
    reloader.check(check_all=True)
    return lambda changed: reloader.check(check_all=True)


def _jurigged(folder: Path, names: dict[str, Any], files: list[str]) -> Reload:
    import jurigged  # type: ignore[import-not-found]

    watcher = jurigged.watch(pattern=str(folder / "*.py"), autostart=False, logger=lambda event: None)
    _imported(folder, names, files)
    return lambda changed: [watcher.refresh(str(path)) for path in changed.values() if path.exists()]


_ASKED = {
    "plugline": _plugline,
    "importlib.reload": _importlib,
    "IPython autoreload": _autoreload,
    "jurigged": _jurigged,
}


_IMPORTED_BEFORE = {
    "plugline": ["plugline.host.host", "plugline.host.reloads"],
    "importlib.reload": ["importlib"],
    "IPython autoreload": ["IPython.extensions.autoreload"],
    "jurigged": ["jurigged"],
}


def _run_rows(tool: str) -> None:
    """Run all rows, and print what became of each as a line of JSON."""
    import tests.reload.rows_identity
    import tests.reload.rows_odd
    import tests.reload.rows_registered
    import tests.reload.rows_rest  # noqa: F401 - likewise
    from tests.reload.scenarios import ROWS

    for module in _IMPORTED_BEFORE[tool]:  # once, and not in each row's process
        __import__(module)
    for index, row in enumerate(ROWS):
        if row.only and (tool != "plugline" or ":" in row.only):
            continue
        print(json.dumps([index, row.group, row.name, _passes(tool, row)]), flush=True)


def _passes(tool: str, row: Any) -> bool:
    child = os.fork()
    if not child:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            signal.alarm(_SECONDS)
            _run_row(tool, row)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _run_row(tool: str, row: Any) -> None:
    from tests.reload.program import SOURCE

    program = ModuleType("app")
    sys.modules["app"] = program
    exec(SOURCE, program.__dict__)  # noqa: S102 - the rows are text
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "plugins"
        folder.mkdir()
        if tool != "plugline":
            (folder / "__init__.py").touch()
        _write(folder, row.before)
        names: dict[str, Any] = {"app": program}
        reload = _ASKED[tool](folder, names, [*dict.fromkeys(one.partition("/")[0] for one in row.before)])
        exec(row.hold, names)  # noqa: S102 - as above
        for edit in (row.after, *row.edits):
            changed = _write(folder, edit)
            try:
                names["report"] = reload(changed)
            except BaseException:  # noqa: BLE001 - a refusal, or not: the row tells
                names["report"] = None
        exec(row.then, names)  # noqa: S102 - as above


_ticks = iter(range(1, 1_000))


def _write(folder: Path, files: Any) -> dict[str, Path]:
    written = {}
    stamp = time.time() + 2 * next(_ticks)  # two edits never look like one
    for name, text in files.items():
        path = written[name] = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            os.utime(path, (stamp, stamp))
    return written


# ----------------------------------------------------------------------------- in the process that prints


def _environment(folder: Path) -> Path | None:
    """Make an environment with the other tools; ``None`` where that is not possible."""
    uv = shutil.which("uv")
    python = folder / "bin" / "python"
    commands = (
        [[uv, "venv", "-q", "-p", sys.executable, str(folder)], [uv, "pip", "install", "-q", "--python", str(python)]]
        if uv
        else [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q"]]
    )
    commands[1] += [name for name in _TOOLS.values() if name]
    try:
        for command in commands:
            subprocess.run(command, check=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"the other tools are left out, they could not be installed: {error}")
        return None
    return python


def _results(python: str, tool: str) -> Iterator[tuple[int, str, str, bool]]:
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"}
    command = [python, __file__, "--tool", tool]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout:
        print(f"{tool} is left out: {done.stderr.strip()[-200:]}")
    for line in done.stdout.splitlines():
        index, group, name, passed = json.loads(line)
        yield index, group, name, passed


def main() -> None:
    """Run them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help="name the rows that are not passed")
    given = parser.parse_args()
    if given.tool:
        _run_rows(given.tool)
        return
    found: dict[str, dict[int, tuple[str, str, bool]]] = {}
    with tempfile.TemporaryDirectory() as name:
        others = _environment(Path(name) / "env")
        for tool, needs in _TOOLS.items():
            python = str(others) if needs and others else sys.executable if not needs else None
            rows = {index: rest for index, *rest in _results(python, tool)} if python else {}
            if rows:
                found[tool] = rows  # type: ignore[assignment]
    _print(found, everything=given.all)


def _print(found: dict[str, dict[int, tuple[str, str, bool]]], *, everything: bool) -> None:
    asked = set.intersection(*(set(rows) for rows in found.values()))
    groups = dict.fromkeys(group for rows in found.values() for group, _, _ in rows.values())
    width = max(map(len, found))
    print(f"{'rows asked of all':{width}}", *(f"{group:>12}" for group in groups), f"{'all':>10}")
    for tool, rows in found.items():
        cells = []
        for group in (*groups, None):
            passed = [rows[index][2] for index in asked if group in (None, rows[index][0])]
            cells.append(f"{sum(passed)}/{len(passed)}")
        print(f"{tool:{width}}", *(f"{cell:>12}" for cell in cells[:-1]), f"{cells[-1]:>10}")
    ours = found.get("plugline", {})
    own = [passed for index, (_, _, passed) in ours.items() if index not in asked]
    print(f"asked of plugline alone: {sum(own)}/{len(own)}")
    if everything:
        for tool, rows in found.items():
            for index in sorted(asked):
                if not rows[index][2]:
                    print(f"{tool} does not pass: {rows[index][0]}: {rows[index][1]}")


if __name__ == "__main__":
    main()
