"""What came of a plugin that was run."""

from plugline.contract.interface import Interface
from plugline.findings import Finding
from plugline.typed import FunctionType, ModuleType, Sequence
from plugline.values import Value


class Target(Value):
    """What of a module provides the interface.

    Attributes:
        value: The module itself, or a class.
    """

    __slots__ = ("interface", "value")
    value: object
    interface: Interface

    def __init__(self, value: object, interface: Interface) -> None:
        put = object.__setattr__  # one is made for each plugin that is loaded
        put(self, "value", value)
        put(self, "interface", interface)


class Declined(Value):
    """A plugin's own word that it does not apply here."""

    __slots__ = ("reason",)
    reason: str

    def __init__(self, reason: str) -> None:
        self._set(reason=reason)


class Vanished(Value):
    """A class that its source made out to be a plugin, and of which nothing is told unless somebody asks for it.

    Attributes:
        findings: What it lacks, or what its file does.
        whole_file: Whether these are the file's, and were told of another class in it.
    """

    __slots__ = ("findings", "whole_file")
    findings: tuple[Finding, ...]
    whole_file: bool

    def __init__(self, findings: tuple[Finding, ...], *, whole_file: bool = False) -> None:
        self._set(findings=findings, whole_file=whole_file)


class Faulty(Value):
    """What is wrong with one class of a file whose other classes may be plugins all the same."""

    __slots__ = ("findings",)
    findings: tuple[Finding, ...]

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self._set(findings=findings)


def quick_target(module: object, interfaces: Sequence[Interface], name: str) -> Target | None:
    """Return a module that was run where it plainly provides the only interface; looking at it runs none of its code.

    ``None`` says nothing: then all of :func:`~plugline.loading.binding.find_target` is asked.

    Args:
        name: The module's full name.
    """
    if type(module) is not ModuleType or len(interfaces) != 1:
        return None
    interface = interfaces[0]
    attributes = module.__dict__
    if interface.base is not None or not interface.members or "available" in attributes:
        return None
    for member in interface.members:
        function = attributes.get(member.name)
        if type(function) is not FunctionType or function.__module__ != name:
            return None
        if member.shape is not None or member.kind is not None:
            return None
    return Target(module, interface)
