"""The entries of a plugin folder to the files that they need of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from plugline.discovery.trees import Tree
from plugline.files import SourceFile
from plugline.findings import Finding


def carry(tree: Tree, entries: Sequence[str], namespace: str) -> Mapping[str, bytes]:
    """Return the plugins' own files, and those of the folder that they import, by relative path.

    They may import relatively, or by the name of the private package: ``from plugins._shared import X``. Of a package
    every ``.py`` file goes along. Not promised: files that a plugin finds by computing their names.
    """
    files: dict[str, bytes] = {}
    todo = list(entries)
    while todo:
        relative = todo.pop()
        if relative in files:
            continue
        source = tree.read(relative)
        if isinstance(source, Finding):
            continue  # what a plugin cannot import is its own failure, when it is loaded
        files[relative] = source.content
        todo += _needed(tree, relative, source, namespace)
    return dict(sorted(files.items()))


def _needed(tree: Tree, relative: str, source: SourceFile, namespace: str) -> Iterator[str]:
    folder = relative.rpartition("/")[0]
    if relative.endswith("/__init__.py"):
        yield from _python_files(tree, folder)
    if not _may_need(source.content, namespace.encode(errors="surrogateescape")):
        return
    from plugline.discovery.source import parse_source, read_facts  # few may

    parsed = parse_source(source)
    if isinstance(parsed, Finding):
        return
    facts, _ = read_facts(source, parsed)
    for found in facts.imports:
        if found.level:
            yield from _files_of(tree, _above(folder, found.level), found.module, found.names)
        elif f"{found.module}.".startswith(f"{namespace}."):
            yield from _files_of(tree, "", found.module[len(namespace) + 1 :], found.names)


def _may_need(content: bytes, namespace: bytes) -> bool:
    """Whether the syntax tree may hold an import from the folder: it takes ten times as long to make as to look for the words."""
    if not content.isascii() or b"coding" in b"".join(content.split(b"\n", 2)[:2]):
        return True  # it may say so in other characters
    after_from = (piece.lstrip(b" \t\f\\\r\n")[:1] for piece in content.split(b"from")[1:])
    return namespace in content or b"." in after_from


def _above(folder: str, level: int) -> str | None:
    parts = folder.split("/") if folder else []
    return "/".join(parts[: len(parts) - level + 1]) if level - 1 <= len(parts) else None


def _files_of(tree: Tree, folder: str | None, module: str, names: Iterable[str]) -> Iterator[str]:
    if folder is None:
        return
    base = "/".join(part for part in (folder, module.replace(".", "/")) if part)
    candidates = [base] if module else []
    candidates += [f"{base}/{name}" if base else name for name in names]
    for candidate in candidates:
        for path in (f"{candidate}.py", f"{candidate}/__init__.py"):
            if tree.is_file(path):
                yield from (init for init in _packages_around(path) if tree.is_file(init))
                yield path


def _packages_around(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        yield "/".join([*parts[:depth], "__init__.py"])


def _python_files(tree: Tree, folder: str) -> Iterator[str]:
    names = tree.names(folder)
    if isinstance(names, Finding):
        return
    for name, is_folder in names:
        path = f"{folder}/{name}"
        if is_folder and not name.startswith((".", "__pycache__")):
            yield from _python_files(tree, path)
        elif name.endswith(".py"):
            yield path
