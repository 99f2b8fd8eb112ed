"""What a reload did, as data and as a line for people."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from plugline.findings import Finding

How: TypeAlias = Literal["unchanged", "loaded", "grafted", "adopted", "refused", "removed"]
"""What was done: see :class:`ReloadReport`."""

_SHOWN_NAMES = 6  # a line for people; the whole lists are in the fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """What one reload did.

    Names are those of the plugin's source: ``transform``, ``Upper.transform``; those of other modules that ran again
    have their module before them: ``_shared.clean``.

    Attributes:
        plugin: The plugin's name.
        generation: The one that is in force now.
        how: ``"unchanged"``: the source is what is running. ``"loaded"``: it was not loaded before. ``"grafted"``: only
            bodies of functions had changed, and nothing was run. ``"adopted"``: the new version was run beside the
            old one and then took its place. ``"refused"``: everything is as it was before, :attr:`refused` says why.
            ``"removed"``: its file, or its class, is gone; the old generation goes on for those who hold it.
        added: Names that only the new version has.
        changed: Names that are something else now.
        removed: Names that only the old version had.
        kept: Variables that came along: those declared with :func:`plugline.keep`, and all of them in a graft.
        refused: Why the new version was not taken; where it was, what of it could not be followed.
        lost: Variables whose values had changed since the load and are as in the source again, because
            nobody declared them to be kept; and what else could not be carried over.
        dependents: The full names of other modules that were run again because they import what changed, in order.
        in_flight: Calls, generators and tasks that had begun before and go on with the old version.
        restart_needed: Modules that changed and cannot be replaced in a living process.
        seconds: How long all of it took.
    """

    plugin: str
    generation: int
    how: How
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: tuple[Finding, ...] = ()
    lost: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    in_flight: tuple[str, ...] = ()
    restart_needed: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether what is running is what the source says."""
        return self.how != "refused" and not self.restart_needed

    def __str__(self) -> str:
        """Return the line for people; of a refused reload the findings follow it."""
        return "\n".join([f"{self._said()}{self._details()}, {self._took()}", *map(str, self.refused)])

    def _said(self) -> str:
        match self.how:
            case "unchanged":
                return f"{self.plugin} is unchanged (generation {self.generation})"
            case "refused" if self.generation:
                return f"{self.plugin} not reloaded, generation {self.generation} stays in force"
            case "refused":
                return f"{self.plugin} not loaded"
            case "removed":
                return f"{self.plugin} removed, generation {self.generation} was the last"
            case "loaded":
                return f"{self.plugin} loaded (generation {self.generation})"
            case _:
                return f"{self.plugin} reloaded (generation {self.generation})"

    def _details(self) -> str:
        parts = [
            _named(self.changed, "changed"),
            _named(self.added, "added"),
            _named(self.removed, "removed"),
            _named(self.lost, "lost"),
            _named(self.dependents, "run again"),
            f"{len(self.in_flight)} still on the old version" if self.in_flight else "",
            f"restart needed for {', '.join(self.restart_needed)}" if self.restart_needed else "",
        ]
        told = ", ".join(part for part in parts if part)
        return f": {told}" if told else ""

    def _took(self) -> str:
        milliseconds = self.seconds * 1000
        return f"{milliseconds:.0f} ms" if milliseconds >= 1 else f"{milliseconds:.1f} ms"


def _named(names: tuple[str, ...], what: str) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{shown}{more} {what}"
