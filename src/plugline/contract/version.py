"""Whether the versions that a plugin requires, of the API and of Python, are those that the host has."""

import sys


def api_version_problem(required: str, offered: str) -> str | None:
    """Return why ``offered`` does not satisfy ``required``, naming both versions, or ``None`` when it does.

    ``"1.2"`` means the same major version and at least that minor one (``>=1.2,<2``), as semantic versioning
    has it; ``"1"`` means ``>=1.0,<2``. Anything with an operator is a PEP 440 range.

    Raises:
        ValueError: ``required`` is neither; the message says what was expected.
    """
    wanted = _parse_plain(required)
    if wanted is None:
        satisfied = _in_range(required, offered)
    else:
        have = _parse_plain(offered)
        satisfied = (
            have[0] == wanted[0] and have[1] >= wanted[1]
            if have is not None
            else _in_range(f">={wanted[0]}.{wanted[1]},<{wanted[0] + 1}", offered)
        )
    if satisfied:
        return None
    meaning = f" (>={wanted[0]}.{wanted[1]},<{wanted[0] + 1})" if wanted is not None else ""
    return f"requires the plugin API {required!r}{meaning}, this host has {offered!r}"


def check_api_version(offered: object) -> None:
    """Check what a host offers.

    Raises:
        TypeError: It is no string; 1.10 as a number would be 1.1.
        ValueError: It is no version.
    """
    if not isinstance(offered, str):
        raise TypeError(f"api_version is {offered!r}, a string such as '1.2' was expected")
    if _parse_plain(offered) is not None:
        return
    from packaging.version import InvalidVersion, Version  # see below

    try:
        Version(offered)
    except InvalidVersion as error:
        raise ValueError(f"api_version is {offered!r}, a version such as '1.2' was expected") from error


def running_python() -> str:
    """Return the version of the Python that runs: ``"3.11.7"``."""
    return ".".join(str(part) for part in sys.version_info[:3])


def runs_here(requires_python: str) -> bool:
    """Whether the Python that runs is one of a ``requires-python``.

    Raises:
        ValueError: It is no range of versions.
    """
    least = _parse_plain(requires_python.strip().removeprefix(">="))
    if least is not None and requires_python.strip().startswith(">="):
        return sys.version_info[:2] >= least  # what nearly all say; packaging costs 2.7 interpreter starts to import
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python).contains(running_python(), prereleases=True)
    except InvalidSpecifier as error:
        raise ValueError(f"requires-python is {requires_python!r}, a range such as '>=3.11' was expected") from error


def _parse_plain(text: str) -> tuple[int, int] | None:
    parts = text.strip().split(".")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else 0


def _in_range(required: str, offered: str) -> bool:
    # packaging costs 2.7 interpreter starts to import, and only a range or an odd version needs it.
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    # Three plain numbers, or a pre-release, mean the same as X.Y: compatible from there on.
    text = required.strip()
    try:
        if text[:1].isdigit() or not text:  # an empty range would allow everything
            lowest = Version(text)
            text = f">={lowest},<{lowest.major + 1}"
        return SpecifierSet(text).contains(offered, prereleases=True)
    except ValueError as error:  # the base of packaging's own, and of numbers that are too long
        message = f"{required!r:.60} is not an API version: '1.2' or a range such as '>=1.2,<2' was expected"
        raise ValueError(message) from error
