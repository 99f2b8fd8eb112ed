"""``plugline new``: a name to a plugin and its test, both working."""

import keyword
import os
from importlib.util import find_spec

import click

from plugline.cli import OK, render
from plugline.cli.app import Misuse
from plugline.cli.options import common
from plugline.cli.settings import Settings
from plugline.discovery.folder import ARCHIVES
from plugline.files import way_to_write
from plugline.names import is_plugin_file_name, plugin_name, shell_word
from plugline.pipeline.plan import DEFAULT_FOLDER

_FUNCTION = '''"""Strip white space from every text of a record: put here what {shown} does."""

VERSION = "0.1.0"


def transform(record):
    """Return the record as it goes on, None to drop it, or several records."""
    return {{key: value.strip() if isinstance(value, str) else value for key, value in record.items()}}


def describe():
    return "{shown}: strips white space from every text"
'''

_CLASS = '''"""Strip white space from texts of a record: put here what {shown} does."""

VERSION = "0.1.0"


class {name_of_class}:
    fields: tuple[str, ...] = ()
    """The fields to change; none means all."""

    def transform(self, record):
        """Return the record as it goes on, None to drop it, or several records."""
        for key in self.fields or list(record):
            if isinstance(record.get(key), str):
                record[key] = record[key].strip()
        return record

    def describe(self):
        return "{shown}: strips white space from texts"
'''

_TEST = '''"""Run them: python -m pytest {test_path}"""

from pathlib import Path

import pytest

from plugline import Host
from plugline.records import Processor

PLUGIN = Path(__file__).parents[1] / "{folder}" / "{file}"


@pytest.fixture
def plugin():
    with Host(PLUGIN, interface=Processor) as host:
        yield host["{shown}"]


def test_white_space_is_stripped(plugin):
    assert plugin.load().transform({{"name": " Alice ", "score": 95}}) == {{"name": "Alice", "score": 95}}


def test_it_says_what_it_does(plugin):
    assert plugin.load().describe().startswith("{shown}: ")
'''

_TEST_OF_SETTINGS = """

def test_only_the_fields_that_are_asked_for_change(plugin):
    processor = plugin.load({{"fields": ["name"]}})
    assert processor.transform({{"name": " Alice ", "role": " admin "}}) == {{"name": "Alice", "role": " admin "}}
"""


_PROJECT = """[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
dynamic = ["version"] # that of the plugin itself
description = "A processor for plugline: {shown}"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["plugline"]

[project.optional-dependencies]
test = ["plugline[tool]", "pytest>=8"]

# By this entry point plugline finds it; no code is run for that.
[project.entry-points."plugline.processors"]
"{shown}" = "{target}"

[tool.hatch.version]
path = "src/{module}.py"
pattern = 'VERSION = "(?P<version>[^"]+)"'

[tool.hatch.build.targets.wheel]
only-include = ["src/{module}.py"]
sources = ["src"]
"""

_README = """# {distribution}

A processor for plugline.

```sh
pip install {distribution}
plugline list
```

`src/{module}.py` works as it is in a plugin folder, too: copy it there. Installed or dropped, it is `use = "{shown}"`.
"""

_WORKFLOW = """name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        python: ["3.11", "3.12", "3.13"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: ${{{{ matrix.python }}}}
      - run: pip install -e .[test]
      - run: python -m pytest
"""


@click.command("new", short_help="Write a plugin and its test.")
@click.argument("name")
@click.option("--folder", help="The plugin folder; made if it is not there; default: plugins.")
@click.option("--class", "as_class", is_flag=True, help="Write a class, whose annotated attributes are its settings.")
@click.option(
    "--package", "as_package", is_flag=True, help="Write a distribution to publish, with an entry point and CI."
)
@common
def command(*, name: str, folder: str | None, as_class: bool, as_package: bool, as_json: bool) -> int:
    """Write FOLDER/NAME.py and, beside the folder, tests/test_NAME.py. Nothing is ever overwritten.

    \b
    plugline new upper
    plugline new upper --class --folder my_plugins
    plugline new upper --package      # a folder plugline-upper, ready for "pip install"
    """
    _check_name(name)
    if as_package:
        return _package(name.removeprefix("plugline-") or name, as_class=as_class, as_json=as_json)
    folder = os.path.normpath(folder or _usual_folder())
    plugin = os.path.join(folder, f"{name}.py")
    beside = os.path.relpath(os.path.dirname(os.path.abspath(folder))) if not os.path.isabs(folder) else None
    beside = os.path.dirname(folder) if beside is None else beside
    test = os.path.normpath(os.path.join(beside, "tests", f"test_{_identifier(name)}.py"))
    words = {
        "shown": name,
        "name_of_class": _class_name(name),
        "folder": os.path.basename(os.path.abspath(folder)),
        "file": f"{name}.py",
        "test_path": test,
    }
    tests = (_TEST + _TEST_OF_SETTINGS if as_class else _TEST).format(**words)
    _write({plugin: (_CLASS if as_class else _FUNCTION).format(**words), test: tests})
    if as_json:
        render.tell_json({"name": name, "files": [plugin, test]})
    else:
        render.tell(render.plain(plugin))
        render.tell(render.plain(test))
        lines = [f"plugline check {render.plain(shell_word(plugin))}"]
        lines += [] if find_spec("pytest") else ["pip install pytest"]
        lines += [f"python -m pytest {render.plain(shell_word(test))}"]
        render.say("try it: " + "\n        ".join(lines))
    return OK


def _usual_folder() -> str:
    """Return the first folder of the settings, in which the other commands will look for the plugin."""
    folders, _ = Settings.load().folders()
    return next((folder for folder in folders if not folder.endswith(ARCHIVES)), DEFAULT_FOLDER)


def _package(name: str, *, as_class: bool, as_json: bool) -> int:
    """Write a distribution whose one module is a plugin that works dropped as well."""
    module = f"plugline_{_identifier(name)}"
    distribution = "plugline-" + "-".join(part for part in _identifier(name).split("_") if part)
    if not module.isascii() or distribution == "plugline-":
        raise Misuse(f"{name!r} cannot be the name of a distribution", "ASCII letters, digits, '_' and '-' are fine")
    words = {
        "shown": name,
        "name_of_class": _class_name(name),
        "folder": "src",
        "file": f"{module}.py",
        "test_path": f"tests/test_{_identifier(name)}.py",
        "module": module,
        "distribution": distribution,
        "target": f"{module}:{_class_name(name)}" if as_class else module,
    }
    # A dropped file has its own name, which is another than that under which it is installed.
    text = (_CLASS if as_class else _FUNCTION).replace("\nVERSION", '\nPLUGIN_NAME = "{shown}"\nVERSION')
    texts = {
        "pyproject.toml": _PROJECT,
        "README.md": _README,
        f"src/{module}.py": text,
        f"tests/test_{_identifier(name)}.py": _TEST + _TEST_OF_SETTINGS if as_class else _TEST,
        ".github/workflows/test.yml": _WORKFLOW,
    }
    files = {os.path.join(distribution, path): text.format(**words) for path, text in texts.items()}
    _write(files)
    if as_json:
        render.tell_json({"name": name, "files": list(files)})
    else:
        for path in files:
            render.tell(render.plain(path))
        render.say(
            f"try it: pip install -e '{distribution}[test]'\n        plugline list\n        python -m pytest {distribution}"
        )
    return OK


def _check_name(name: str) -> None:
    folder, stem = os.path.split(name.removesuffix(".py"))
    if name.endswith(".py") or (folder and stem):
        what = "file name" if name.endswith(".py") else "path"
        words = [stem, "--folder", folder] if folder else [stem]
        raise Misuse(
            f"{name!r} is a {what}, the name of a plugin was expected",
            f"plugline new {' '.join(map(shell_word, words))}",
        )
    if not is_plugin_file_name(name):
        hint = "names that begin with '_' or '.' are not plugins; leave that out"
        raise Misuse(f"{name!r} cannot be the name of a plugin", hint)
    try:
        plugin_name(name)
    except ValueError as error:
        raise Misuse(str(error), "letters, digits, '_' and '-' are fine") from error
    if '"' in name or len(name) > 100:
        raise Misuse(f"{name!r} cannot be the name of a plugin", "letters, digits, '_' and '-' are fine")


def _identifier(name: str) -> str:
    return "".join(character if character.isidentifier() or character.isdigit() else "_" for character in name)


def _class_name(name: str) -> str:
    parts = _identifier(name).split("_")
    made = "".join(part[:1].upper() + part[1:] for part in parts)
    return made if made.isidentifier() and not keyword.iskeyword(made) else f"Plugin{made}"


def _write(files: dict[str, str]) -> None:
    """Write all of the files, or none."""
    for path in files:
        if os.path.lexists(path):
            raise Misuse(f"{path!r} is there already, and nothing is overwritten", "choose another name, or remove it")
    written: list[str] = []
    try:
        for path, text in files.items():
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            # "x": what appeared since it was looked for is not overwritten either.
            with open(path, "x", encoding="utf-8") as stream:
                written.append(path)
                stream.write(text)
    except OSError as error:
        at = error.filename if error.filename is not None else path
        for one in written:
            os.unlink(one)
        is_in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        hint = (
            "move that file away: a folder is to be there"
            if is_in_the_way
            else way_to_write(error, "go where you may write, or choose another --folder")
        )
        raise Misuse(f"{at!r} cannot be written: {error.strerror}", hint) from error
