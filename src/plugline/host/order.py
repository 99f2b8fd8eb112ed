"""What plugins say of one another to the order in which they are used, or to what keeps them from being used."""

from collections.abc import Callable, Collection, Iterable, Mapping

from plugline.discovery.spec import PluginSpec
from plugline.findings import Finding, Place
from plugline.names import did_you_mean
from plugline.values import Value


class Order(Value):
    """The plugins of a host in the order in which they are used.

    Attributes:
        names: Those that can be used, in order.
        findings: By name, what keeps the others from being used.
        needs: By name, what is loaded before a plugin is; only where there is something.
    """

    __slots__ = ("findings", "names", "needs")
    names: tuple[str, ...]
    findings: Mapping[str, tuple[Finding, ...]]
    needs: Mapping[str, tuple[str, ...]]

    def __init__(
        self,
        names: tuple[str, ...],
        findings: Mapping[str, tuple[Finding, ...]] | None = None,
        needs: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._set(names=names, findings=findings or {}, needs=needs or {})


def put_in_order(
    specs: Mapping[str, PluginSpec],
    unusable: Mapping[str, str],
    carried: Callable[[], Collection[str]] = tuple,
) -> Order:
    """Return the order of plugins: after what they require, and after what they ask to come after.

    Of plugins between which that leaves the choice, the one with the higher ``priority`` comes first, then the one
    whose name does. So the order follows from what is there alone, and not from where or when it was found.

    Args:
        specs: Plugins that may be used, by name.
        unusable: Why others, which are there as well, may not be: ``"was rejected"``.
        carried: Returns the names among ``specs`` of which it was found out elsewhere that what they require is there.
    """
    if not any(spec.requires or spec.after for spec in specs.values()):
        return Order(tuple(sorted(specs, key=lambda name: (-specs[name].priority, name))))
    return _Sorting(specs, unusable, carried()).order()


class _Sorting:
    """Plugins of which at least one says something of another."""

    def __init__(self, specs: Mapping[str, PluginSpec], unusable: Mapping[str, str], carried: Collection[str]) -> None:
        self._specs = {name: specs[name] for name in sorted(specs)}
        self._unusable = unusable
        self._carried = carried
        self._members = _by_file((*specs, *unusable))
        self._findings: dict[str, list[Finding]] = {}
        self._needs = {name: self._led_to(name, spec.requires) for name, spec in self._specs.items()}
        self._before = {name: self._led_to(name, spec.after) for name, spec in self._specs.items()}

    def order(self) -> Order:
        self._find_missing()
        self._find_cycles()
        self._find_dependents()
        usable = [name for name in self._specs if name not in self._findings]
        return Order(
            tuple(self._sorted(usable)),
            {name: tuple(findings) for name, findings in self._findings.items()},
            {name: self._needs[name] for name in usable if self._needs[name]},
        )

    def _led_to(self, name: str, wanted: Iterable[str]) -> tuple[str, ...]:
        """Return the plugins that names mean: those of the names, or all classes of a file of the name.

        Other classes of the plugin's own file say the same of each other, and so nothing.
        """
        siblings = self._siblings(name)
        found = (one for want in wanted for one in ((want,) if want in self._specs else self._members.get(want, ())))
        return tuple(dict.fromkeys(one for one in found if one in self._specs and one not in siblings))

    def _siblings(self, name: str) -> tuple[str, ...]:
        """Return the plugins of a file that has several, and the file's own name; empty for any other plugin."""
        file = name if name in self._members else name.rpartition(":")[0]
        return (file, *self._members[file]) if file in self._members else ()

    def _find_missing(self) -> None:
        for name, spec in self._specs.items():
            for want in spec.requires if name not in self._carried else ():
                if want in self._specs or want in self._siblings(name):
                    continue
                members = self._members.get(want, ())
                broken = next((one for one in (want, *members) if one in self._unusable), None)
                if broken is not None:
                    self._add(name, unusable_finding(spec, broken, self._unusable[broken]))
                elif not members:
                    known = [one for one in (*self._specs, *self._unusable) if one != name]
                    hint = did_you_mean(want, known, kind="plugins") if known else f"put {want!r} beside it"
                    place = Place(spec.place.path, spec.line_of("requires", "REQUIRES"))
                    self._add(name, Finding("P112", f"requires the plugin {want!r}, which is not there", place, hint))

    def _find_cycles(self) -> None:
        # Few plugins say anything of others, and those that do not need no module for it.
        from graphlib import CycleError, TopologicalSorter

        while True:
            graph = {name: self._edges(name) for name in self._specs if name not in self._findings}
            try:
                TopologicalSorter(graph).prepare()
            except CycleError as error:
                self._reject_cycle(error.args[1][:0:-1])  # told from what is asked for; we tell from who asks
            else:
                return

    def _edges(self, name: str) -> list[str]:
        return [one for one in (*self._needs[name], *self._before[name]) if one not in self._findings]

    def _reject_cycle(self, names: list[str]) -> None:
        least = names.index(min(names))
        names = names[least:] + names[:least]
        shown = " -> ".join([*names, names[0]])
        for name, wanted in zip(names, (*names[1:], names[0]), strict=True):
            spec = self._specs[name]
            requires = wanted in self._needs[name]
            place = Place(
                spec.place.path, spec.line_of(*(("requires", "REQUIRES") if requires else ("after", "AFTER")))
            )
            word = "requires" if requires else "is to come after"
            message = f"{word} {wanted!r}, which leads back to it: {shown}"
            self._add(name, Finding("P114", message, place, hint="take one of these names out of requires or after"))

    def _find_dependents(self) -> None:
        """Reject what requires a plugin that is rejected for what it says of others, and what requires that."""
        todo = list(self._findings)
        while todo:
            broken = todo.pop()
            for name, needs in self._needs.items():
                if broken in needs and name not in self._carried:
                    if name not in self._findings:
                        todo.append(name)
                    if all(finding.code != "P114" for finding in self._findings.get(name, ())):
                        self._add(name, unusable_finding(self._specs[name], broken, "was rejected"))

    def _add(self, name: str, finding: Finding) -> None:
        found = self._findings.setdefault(name, [])
        if finding not in found:
            found.append(finding)

    def _sorted(self, usable: list[str]) -> Iterable[str]:
        from graphlib import TopologicalSorter
        from heapq import heappop, heappush

        sorter = TopologicalSorter({name: self._edges(name) for name in usable})
        sorter.prepare()
        ready: list[tuple[int, str]] = []
        while sorter.is_active():
            for name in sorter.get_ready():
                heappush(ready, (-self._specs[name].priority, name))
            # One by one, so that what becomes ready takes its place among what is.
            _, name = heappop(ready)
            yield name
            sorter.done(name)


def unusable_finding(spec: PluginSpec, wanted: str, why: str) -> Finding:
    """Return the finding for a plugin that requires one which cannot be used."""
    place = Place(spec.place.path, spec.line_of("requires", "REQUIRES"))
    return Finding("P113", f"requires the plugin {wanted!r}, which {why}", place)


def _by_file(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the plugins that are classes, by the names of their files."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        file = name.rpartition(":")[0]
        if file:
            found[file] = (*found.get(file, ()), name)
    return found
