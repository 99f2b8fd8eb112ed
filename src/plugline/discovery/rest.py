"""The bytes at the end of a row to what of a candidate only some need, and back.

What every listing needs stands at the front of a row. The rest is marshalled by itself, so that a listing copies it without looking at it.
"""

import marshal

from plugline.discovery.recall import REST, Encoded, Row

Owners = tuple[tuple[int, int, int], ...]
"""Owner, group and mode of a file, and of the folders between it and the root that was looked at."""

Part = tuple[str, str | None, str | None]
"""The class that is meant, empty where none is; the plugin's name and summary, ``None`` where they are the file's."""

EncodedVerdict = tuple[()] | tuple[tuple[Encoded, ...], tuple[Encoded, ...], tuple[Part, ...]]


class Rest:
    """What of a row only some need.

    Attributes:
        where: Where its code is in the bundle; length 0 where it is not.
        findings: What is wrong with it whatever the host, encoded.
        order: What it requires, what it comes after, its priority.
        verdicts: What hosts made of it, by the number of their circumstances, where that is more than the bit says.
    """

    __slots__ = (
        "api",
        "dependencies",
        "digest",
        "findings",
        "module",
        "name",
        "order",
        "owners",
        "python",
        "settings",
        "verdicts",
        "where",
    )

    def __init__(
        self,
        name: str,
        module: str,
        digest: bytes,
        where: tuple[int, int],
        api: str | None,
        python: str | None,
        dependencies: tuple[str, ...],
        settings: dict[str, object],
        order: tuple[tuple[str, ...], tuple[str, ...], int],
        findings: tuple[Encoded, ...],
        owners: Owners,
        verdicts: dict[int, EncodedVerdict],
    ) -> None:
        self.name, self.module, self.digest, self.where = name, module, digest, where
        self.api, self.python, self.dependencies, self.settings = api, python, dependencies, settings
        self.order = order
        self.findings, self.owners, self.verdicts = findings, owners, verdicts

    def dump(self) -> bytes:
        """Return it as it stands in a row.

        Raises:
            ValueError: The ``[tool.plugline]`` table holds something that cannot be marshalled, a date for one.
        """
        front = (self.name, self.module, self.digest, self.where)
        spec = (self.api, self.python, self.dependencies, self.settings, self.order)
        return marshal.dumps((*front, *spec, self.findings, self.owners, self.verdicts))


def rest_of(row: Row) -> Rest:
    """Return what only some need."""
    return Rest(*marshal.loads(row[REST]))  # noqa: S302 - from a file that only we can write, with its digest checked
