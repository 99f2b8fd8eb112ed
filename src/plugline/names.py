"""Plugin names, the module names they become, and the nearest of the known ones."""

from plugline.typed import Iterable, MutableSet

# Set by the import system, and by whatever runs a module.
OF_EACH_MODULE = frozenset(
    [
        "__builtins__",
        "__cached__",
        "__file__",
        "__loader__",
        "__name__",
        "__package__",
        "__path__",
        "__spec__",
    ]
)


class PluginName(str):
    """A plugin's name that passed :func:`plugin_name`: not empty, printable, without a path separator."""

    __slots__ = ()


def plugin_name(text: str) -> PluginName:
    r"""Check a name that an author gave, or a file has.

    Spaces, hyphens and keywords are fine: a name is for people and configurations, not for ``import``.

    Raises:
        ValueError: It is empty, has a control character, a ``/`` or a ``\``, or white space at an end.
    """
    if not text or text != text.strip() or not text.isprintable() or "/" in text or "\\" in text:
        raise ValueError(f"{text!r} is not a plugin name: printable characters without '/' and '\\' were expected")
    return PluginName(composed(text))


def composed(text: str) -> str:
    """Return a name with each accent in one character with its letter (NFC), as keyboards and configurations have it.

    Names of files that come from macOS often have them apart: they look the same, and are no equal strings.
    """
    if text.isascii():
        return text
    from unicodedata import normalize  # few names need it

    return normalize("NFC", text)


def module_part(stem: str, taken: MutableSet[str] | None = None) -> str:
    """Return the last part of the dotted module name for a file's stem.

    Only dots are replaced: a dot would make a parent package of what stands before it. Anything else
    is a valid key of ``sys.modules``, and pickle and tracebacks show the file's own name.

    Args:
        stem: The file's name without ``.py``.
        taken: Parts that others have already; what a stem with dots becomes avoids them, and joins them.
    """
    if "." not in stem:
        return stem
    part = stem.replace(".", "_")
    while taken is not None and part in taken:
        part += "_"
    if taken is not None:
        taken.add(part)
    return part


def is_plugin_file_name(name: str) -> bool:
    """Whether a directory entry may be a plugin at all: names that begin with ``_`` or ``.`` are not."""
    return not name.startswith(("_", "."))


def is_public(name: str) -> bool:
    """Whether a class of this name may be a plugin: one that begins with ``_`` is for its file alone.

    ``_4chan`` is not meant so: an identifier cannot begin with a digit.
    """
    return not name.startswith("_") or name[1:2].isdigit()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, or ``None`` when none is like it."""
    # difflib costs as much to import as listing a folder, and is needed only for a message.
    from difflib import SequenceMatcher, get_close_matches

    folded = {candidate.casefold(): candidate for candidate in known}
    word = name.casefold()
    found = get_close_matches(word, folded, n=5, cutoff=0.6)
    # Of equally near ones that of the same letters: "==" for "=", and not ">=".
    order = lambda one: (-SequenceMatcher(None, one, word).ratio(), set(one) != set(word))  # noqa: E731
    return folded[min(found, key=order)] if found else None


def nearest_file(path: str, suffix: str = "") -> str | None:
    """Return the file beside a path that is not there whose name is most like its own, or ``None`` when none is like it."""
    import os  # as the above: for a message, and names are made without it

    folder, name = os.path.split(path)
    try:
        beside = [one for one in os.listdir(folder or os.curdir) if one.endswith(suffix)]
    except (OSError, ValueError):
        return None
    near = nearest(name, beside)
    return os.path.join(folder, near) if near is not None else None


def did_you_mean(name: str, known: Iterable[str], *, kind: str) -> str:
    """Return a hint that names the nearest known name, then the known ones (at most twelve of them); of a file its plugins."""
    ordered = sorted(known)
    classes = [one for one in ordered if one.rpartition(":")[0] == name]
    if classes:
        return f"name the one that is meant: {', '.join(classes)}"
    near = nearest(name, ordered)
    shown = ", ".join(ordered[:12]) + (f" and {len(ordered) - 12} more" if len(ordered) > 12 else "")
    question = f"did you mean {near!r}? " if near is not None else ""
    return f"{question}known {kind} are {shown}" if ordered else f"{question}there are no known {kind}"


def shell_word(text: str) -> str:
    """Return a text as a shell takes it for one word: hints get pasted."""
    if text.startswith("-") and "/" in text:
        text = f"./{text}"  # a path, which would be an option
    if text and not text.strip(_NEVER_QUOTED):
        return text  # most paths: the folders on the way to each plugin that is judged
    from shlex import quote  # it imports re, and only a message needs it

    return quote(text)


_NEVER_QUOTED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-"  # as shlex has it
