"""A module that was run in a worker to what of it provides the interface, however that is written down."""

from typing import cast

from plugline.contract.interface import Interface, Member
from plugline.contract.shape import Shape
from plugline.errors import NameMissing, PluglineError
from plugline.findings import Finding, Place
from plugline.imports import import_object
from plugline.loading.binding import ask_available, find_plugin, find_target
from plugline.loading.target import Declined, Target, Vanished
from plugline.worker.loaded import Bound, Declines, Outcome, Sent


def interface_to_data(interface: Interface) -> dict[str, object]:
    """Return an interface for the wire; of a base class its name goes, and the worker imports it."""
    members = [
        [member.name, member.is_function, None if member.shape is None else list(member.shape._fields().values())]
        for member in interface.members
    ]
    base = interface.base
    return {
        "name": interface.name,
        "members": members,
        "base": "" if base is None else f"{base.__module__}:{base.__qualname__}",
    }


def _interface_of(data: dict[str, object]) -> Interface:
    members = []
    for name, is_function, fields in cast("list[list[object]]", data["members"]):
        shape = None
        if fields is not None:
            values = dict(zip(Shape.__slots__, cast("list[object]", fields), strict=True))
            shape = Shape(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})  # type: ignore[arg-type]
        members.append(Member(str(name), shape, bool(is_function)))
    base = import_object(str(data["base"])) if data["base"] else None
    return Interface(str(data["name"]), tuple(members), cast("type | None", base))


def bind(sent: Sent, module: object, place: Place) -> Outcome:
    """Return what of a module provides one of the interfaces, or what it lacks, or that it declines."""
    try:
        interfaces = [_interface_of(data) for data in sent.interfaces]
    except (PluglineError, ImportError) as error:
        message = f"the interface that it is to provide cannot be imported in a worker: {error}"
        hint = "define the base class in a module that can be imported, and let read of its sandbox cover it"
        return (Finding("P361", message, place, hint=hint),)
    try:
        value = import_object(f"{sent.module}:{sent.attribute}") if sent.attribute else module
    except NameMissing as error:
        return (Finding("P201", str(error).splitlines()[0], place),)
    answer = ask_available(module, sent.path, place)
    if isinstance(answer, Finding):
        return (answer,)
    if isinstance(answer, Declined):
        return Declines(answer.reason)
    if sent.attribute:
        found: object = find_target(value, interfaces, place, defined=sent.bound)
    else:
        found, _ = find_plugin(
            module,
            interfaces,
            place,
            named=lambda: sent.name,
            class_name=sent.class_name,
            defined=sent.bound,
            imported=lambda: sent.imported,
            alone=lambda: sent.alone,
        )
        if isinstance(found, Vanished):
            found = found.findings
    if isinstance(found, tuple):
        return found
    target = cast("Target", found)
    others = tuple(member.name for member in target.interface.members if not member.is_function)
    return Bound(target.value, interfaces.index(target.interface), others)
