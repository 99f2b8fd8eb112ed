"""Every example in README.md and docs/ does what the page says; CONTRIBUTING.md tells how to write one.

A page's examples run in order, in one namespace, in a folder of their own that holds a copy of ``examples/``.
A comment on the line before a block says what is special about it.
"""

import codeop
import contextlib
import doctest
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from plugline.loading.namespace import namespaces, release

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMENT = re.compile(r"<!-- (?P<key>file|in|exit|not run|prints)(?:: (?P<value>[^\n]*?))? -->\n\Z")
LEXER = FencedCodeBlockLexer(language=r"[\w.+-]+", mapping={"language": "arguments", "source": "source"})

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def comments_before(document: Document, start: int) -> dict[str, str]:
    """Return the comments on the lines right before a block."""
    found: dict[str, str] = {}
    text = document.text[:start]
    while comment := COMMENT.search(text):
        found[comment["key"]] = comment["value"] or ""
        text = text[: comment.start()]
    return found


def difference(expected: str, got: str, what: str) -> str | None:
    """Compare output line by line; ``...`` stands for anything, as in a doctest."""
    expected, got = expected.rstrip() + "\n", got.rstrip() + "\n"
    # How wide a column is depends on how long a step took on this machine.
    if doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE):
        return None
    return f"{what} gave\n{got}\nbut the page says\n{expected}"


def run_python(example: Example) -> str | None:
    output: io.StringIO = example.namespace["_output"]
    example.namespace["__name__"] = "__main__"
    with contextlib.redirect_stdout(output):
        PythonEvaluator()(example)
    return None


def check_prints(example: Example) -> str | None:
    output: io.StringIO = example.namespace["_output"]
    got = output.getvalue()
    output.seek(0)
    output.truncate()
    return difference(example.parsed, got, "the Python above")


def run_console(example: Example, exit_code: int) -> str | None:
    """Run each line that begins with ``$ ``; what follows it is its whole output, both streams together."""
    commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*(?:\n|\Z))*)", example.parsed, re.MULTILINE)
    if not commands:
        return "a console block has a line that begins with '$ '"
    folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": folder + os.pathsep + os.environ["PATH"], "NO_COLOR": "1", "COLUMNS": "120"}
    for number, (command, expected) in enumerate(commands, 1):
        done = subprocess.run(
            ["sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        wanted = exit_code if number == len(commands) else 0
        if done.returncode != wanted:
            return f"{command!r} ended with {done.returncode}, not {wanted}:\n{done.stdout}"
        if problem := difference(expected, done.stdout, repr(command)):
            return problem
    return None


def run_block(example: Example, language: str, comments: Mapping[str, str]) -> str | None:
    with contextlib.chdir(comments.get("in", ".")):
        match comments:
            case {"file": path}:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(example.parsed, encoding="utf-8")
                return None
            case {"prints": _}:
                return check_prints(example)
        if language == "python":
            return run_python(example)
        return run_console(example, int(comments.get("exit", "0")))


def parse_blocks(document: Document) -> Iterable[Region]:
    for region in LEXER(document):
        language = region.lexemes["arguments"]
        comments = comments_before(document, region.start)
        runs = language in {"python", "console"} or comments.keys() & {"file", "prints"}
        if not runs or "not run" in comments:
            continue
        region.parsed = region.lexemes["source"]
        region.evaluator = lambda example, language=language, comments=comments: run_block(example, language, comments)
        yield region


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a copy of the examples, which is the current one; plugins loaded there are forgotten after."""
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    finders, known, path = list(sys.meta_path), set(namespaces()), list(sys.path)
    modules = set(sys.modules)
    yield tmp_path
    # Examples do not close their hosts, as a program that ends does not; here others come after them.
    for namespace in set(namespaces()) - known:
        release(namespace)
    sys.meta_path[:] = finders
    for folder in set(sys.path) - set(path):
        # "." is remembered as what it was when it was first looked into.
        sys.path_importer_cache.pop(folder, None)
    sys.path[:] = path
    # Modules of a page's own program, whose folder is gone.
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_do_what_it_says(page: Path, page_folder: Path) -> None:
    document = Sybil(parsers=[parse_blocks]).parse(page)
    document.namespace["_output"] = io.StringIO()
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_can_be_pasted_into_an_interpreter(page: Path) -> None:
    for example in Sybil(parsers=[parse_blocks]).parse(page).examples():
        block = page.read_text(encoding="utf-8")[example.start : example.end]
        if not block.startswith("```python") or "file" in comments_before(example.document, example.start):
            continue
        typed: list[str] = []
        for line in [*example.parsed.split("\n"), ""]:
            typed.append(line)
            # An empty line ends a statement that is indented; before Python 3.13 nothing else does.
            if codeop.compile_command("\n".join(typed), symbol="single") is not None:
                typed.clear()


BROKEN = {
    "a wrong output": "```python\nprint(1)\n```\n\n<!-- prints -->\n```text\n2\n```\n",
    "an exception": "```python\n1 / 0\n```\n",
    "a wrong output of a command": "```console\n$ echo one\ntwo\n```\n",
    "an exit code that is not said": "```console\n$ exit 1\n```\n",
    "a command after a good one": "```console\n$ echo one\none\n$ echo two\none\n```\n",
}


@pytest.mark.parametrize("reason", list(BROKEN))
def test_a_page_that_is_wrong_fails(reason: str, page_folder: Path) -> None:
    page = page_folder / "page.md"
    page.write_text(BROKEN[reason], encoding="utf-8")
    with pytest.raises(Exception, match=r"page says|division|ended with"):
        test_the_examples_of_a_page_do_what_it_says(page, page_folder)


def test_a_page_with_every_kind_of_block_runs(page_folder: Path) -> None:
    page = page_folder / "page.md"
    page.write_text(
        "<!-- file: here/name.txt -->\n```text\nAlice\n```\n\n"
        "<!-- in: here -->\n```console\n$ cat name.txt\nAlice\n```\n\n"
        "<!-- in: here -->\n<!-- exit: 3 -->\n```console\n$ echo a b c; exit 3\na ... c\n```\n\n"
        "<!-- not run: it would take too long -->\n```console\n$ exit 4\n```\n\n"
        "```sh\nexit 5\n```\n\n"
        "```python\nimport pathlib\n\nname = pathlib.Path('here/name.txt').read_text().strip()\nprint(name)\n```\n\n"
        "```python\nprint(name.upper())\n```\n\n<!-- prints -->\n```text\nAlice\nALICE\n```\n",
        encoding="utf-8",
    )
    test_the_examples_of_a_page_do_what_it_says(page, page_folder)
    assert (page_folder / "here/name.txt").read_text(encoding="utf-8") == "Alice\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_sees_what_a_file_is_called_and_where_a_block_runs(page: Path) -> None:
    # Comments are for these tests only: who copies one block after the other sees none of them.
    document = Document(page.read_text(encoding="utf-8"), str(page))
    end = 0
    for block in LEXER(document):
        comments = comments_before(document, block.start)
        if path := comments.get("file"):
            assert any(path.endswith(name) for name in visible_names(document.text[end : block.start])), path
        if folder := comments.get("in"):
            assert folder in visible_names(document.text[: block.start]), folder
        end = block.end


def visible_names(text: str) -> set[str]:
    """Return what a reader sees between backticks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"<!--.*?-->", "", text)))


FOLDERS = ("benchmarks", "changelog.d", "examples", "tests")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#([\w-]+))?\)")


def anchors(page: Path) -> set[str]:
    """Return what links to a page may name: its headings as GitHub and MyST write them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    sorted({*PAGES, *ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("README.md"))}),
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_link_to_a_file_of_ours_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in LINK.findall(text):
        path = (page.parent / target).resolve()
        written = path.name == "gallery.md"  # by the build
        assert path.exists() or written, f"{page}: {target}"
        if anchor and path.suffix == ".md" and not written:
            assert anchor in anchors(path), f"{page}: {target}#{anchor}"
