"""Values in values: a copy of them, and which of them cannot be held."""

_SHOWN = 60  # characters of a value


class Refused(Exception):
    """A value that a format cannot hold.

    Attributes:
        where: The keys and numbers that lead to it, the outermost last.

    Args:
        said: What is held, and what was expected.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self._said = said
        self.where: list[object] = []

    def __str__(self) -> str:
        path = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in reversed(self.where))
        where = f"field {path.removeprefix('.')!r}" if path else "the record"
        return f"{where} holds {self._said}"


def refused(value: object, expected: str) -> Refused:
    """Return what is said of a value in the place of which something else was expected."""
    return Refused(f"{shown(value)} ({type(value).__name__}): expected {expected}")


def shown(value: object) -> str:
    """Return a value as messages show it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def copied(value: object) -> object:
    """Return a value of its own, so that a step which changes it changes nothing else."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value
