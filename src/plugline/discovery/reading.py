"""The bytes of a dropped file to a spec, its outline and its code: compiled once, for inspecting and for running."""

from plugline.contract.interface import Interface
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.compiling import crashes_compiler, find_fault
from plugline.discovery.known import Outline, PluginSpec, Read, Said, Unread
from plugline.discovery.outline import BLOCK, may_have_block, outline_of
from plugline.discovery.trees import MemoryTree, real_path
from plugline.files import SourceFile, digest_of
from plugline.findings import Finding, Place
from plugline.names import plugin_name
from plugline.typed import CodeType, Sequence


class Reading:
    """What one file gave.

    Attributes:
        outline: What its code shows plainly; ``None`` where not all of that was looked at.
        code: What to run; ``None`` where it cannot be compiled, or where compiling it gave warnings, which are to
            be given again when it is loaded.
    """

    __slots__ = ("code", "outline", "read")

    def __init__(self, read: Read, code: CodeType | None, outline: Outline | None = None) -> None:
        self.read = read
        self.outline = outline
        self.code = code


class Compiled:
    """What the compiler makes of one file.

    Attributes:
        code: ``None`` where there is none.
        refused: What the compiler says instead.
        findings: What is told where the compiler would not survive the file.
    """

    __slots__ = ("code", "findings", "is_quiet", "refused")

    def __init__(
        self,
        code: CodeType | None = None,
        refused: SyntaxError | None = None,
        findings: tuple[Finding, ...] = (),
        *,
        is_quiet: bool = True,
    ) -> None:
        self.code, self.refused, self.findings, self.is_quiet = code, refused, findings, is_quiet


def compile_file(candidate: FileCandidate, source: SourceFile, warned: list[object]) -> Compiled:
    """Compile a file, if it is text.

    Args:
        warned: Where warnings go meanwhile: what :class:`warnings.catch_warnings` records.
    """
    if find_fault(source.content) is not None:
        return Compiled()
    if crashes_compiler(source.content):
        from plugline.discovery.source import too_deep  # as in _read_tree

        return Compiled(findings=(too_deep(source.path),))
    before = len(warned)
    try:
        code = compile(source.content, real_path(candidate.tree, candidate.entry), "exec", dont_inherit=True)
    except SyntaxError as error:
        return Compiled(refused=error)
    except (ValueError, RecursionError, MemoryError):
        return Compiled()  # the syntax tree tells what it is; where that can be had, the fault shows when it is loaded
    return Compiled(code, is_quiet=len(warned) == before)


def read_compiled(
    candidate: FileCandidate,
    source: SourceFile,
    digest: bytes,
    compiled: Compiled,
    interfaces: Sequence[Interface] = (),
) -> Reading:
    """Read a file by its code where that is plain, by its syntax tree where it is not.

    Args:
        interfaces: What a host asks for. Where that is one interface, and it is plainly provided, nothing else is looked at.
    """
    code = compiled.code
    if compiled.findings:
        return Reading(Read(None, compiled.findings), None)
    if code is not None:
        # Of several interfaces somebody may want to know all that it provides.
        asked = interfaces if len(interfaces) == 1 else ()
        outline = outline_of(code, asked)
        read = _by_outline(candidate, source, digest, outline)
        return Reading(
            read or _read_tree(candidate, source), code if compiled.is_quiet else None, outline if not asked else None
        )
    read = _read_tree(candidate, source)
    if compiled.refused is not None and not read.findings:
        from plugline.discovery.source import syntax_finding  # as in _read_tree

        # What only the compiler sees: a return outside a function, two parameters of one name.
        read = Read(read.spec, (syntax_finding(compiled.refused, source.path),))
    return Reading(read, None)


def _read_tree(candidate: FileCandidate, source: SourceFile) -> Read:
    # What reads syntax trees is imported for the first file that is not plain: after an edit there is most often none.
    from plugline.discovery.spec import read_file

    return read_file(candidate, source)


def _by_outline(candidate: FileCandidate, source: SourceFile, digest: bytes, outline: Outline) -> Read | None:
    said = outline[0]
    if said is None or may_have_block(source.content):
        return None
    try:
        name = plugin_name(said[1] if said[1] is not None else candidate.name)
    except ValueError:
        return None
    return Read(_spec(name, said, candidate, Place(source.path), digest, outline), ())


def _spec(name: str, said: Said, candidate: FileCandidate, place: Place, digest: bytes, outline: Outline) -> PluginSpec:
    summary, _, version, dunder_version, api = said
    return PluginSpec(
        name,
        version or dunder_version,
        summary,
        api,
        None,
        (),
        place,
        digest.hex(),
        candidate.module,
        None,
        {},
        Unread(candidate, outline),
    )


def read_code(
    candidate: FileCandidate, source: SourceFile, digest: bytes, code: CodeType, interfaces: Sequence[Interface]
) -> Read:
    """Turn the bytes of a dropped file, and what they were compiled to, into a spec that is held against these interfaces."""
    if find_fault(source.content) is not None:  # the compiler does not look into comments
        return _read_tree(candidate, source)
    return _by_outline(candidate, source, digest, outline_of(code, interfaces)) or _read_tree(candidate, source)


def edited_spec(
    spec: PluginSpec, candidate: FileCandidate, before: bytes, source: SourceFile, digest: bytes
) -> PluginSpec | None:
    """Return the spec of a version in which nothing but bodies of functions is other than in the version before it.

    A spec is made of what stands at the top of a module, and of a comment; and of what ``describe`` returns, which is for
    the caller to look at.

    Args:
        spec: That of the version before.
        before: The bytes of the version before.
        source: The new version.

    Returns:
        ``None`` where the comment is another, or there is what is no text, so that the new version has to be read.
    """
    if find_fault(source.content) is not None:
        return None
    line = None
    if may_have_block(before) or may_have_block(source.content):
        block, _ = _block_of(before)
        same, line = _block_of(source.content)
        if block is None or same != block:
            return None
    return spec.edited(candidate, digest.hex(), line)


def _block_of(content: bytes) -> tuple[bytes | None, int | None]:
    """Return the comment that a PEP 723 block stands in, from there on, with its line; ``None`` where that is not plain."""
    at = content.find(BLOCK)
    if at < 0 or content.find(BLOCK, at + 1) >= 0 or content[at - 1 : at] not in (b"", b"\n"):
        return None, None
    end = at
    while content.startswith(b"#", end):
        end = content.find(b"\n", end) + 1 or len(content)
    return content[at:end], content.count(b"\n", 0, at) + 1


def read_and_forget(candidate: FileCandidate, source: SourceFile | Finding) -> Read:
    """Turn the bytes of a dropped file into a spec; its code is not kept, but by a tree that is all in memory."""
    if isinstance(source, Finding):
        return Read(None, (source,))
    # warnings is imported by whoever reads sources; a remembered listing reads none.
    import warnings

    with warnings.catch_warnings(record=True) as warned:
        compiled = compile_file(candidate, source, warned)  # type: ignore[arg-type]
        reading = read_compiled(candidate, source, digest_of(source.content), compiled)
    if reading.code is not None and isinstance(candidate.tree, MemoryTree):
        candidate.tree.codes[candidate.entry] = reading.code
    return reading.read
