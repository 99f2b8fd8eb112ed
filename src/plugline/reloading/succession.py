"""A class whose instances have another shape in memory now, and its successor: everybody who holds the one gets the other.

This is for what cannot be done in place: slots that were added, or a base that is written in C. Instances are made anew
with the attributes that the old ones had, and take their places wherever these are held.
"""

import ctypes
import gc
import sys
from contextlib import suppress
from types import FrameType

from plugline.kinds import is_a
from plugline.reloading.classes import pair_members
from plugline.reloading.instances import has_value, values_of_fields
from plugline.reloading.memory import assign_bases, slots_of, solid_base
from plugline.reloading.references import replace_in

_ABSENT = object()


def succeed_class(old: type, new: type) -> list[str]:
    """Put a class and new instances of it in the place of an old class and its instances. Returns what could not follow."""
    # No variable here is one of an inner function too: the cell that holds it would be found as a holder.
    instances = _instances_of(old)
    lost: list[str] = []
    wanted = _successors_of(instances, old, new, lost)
    _derive(type.__subclasses__(old), old, new, lost)
    held = [old, *_followed(instances, wanted)]
    spared = {
        id(instances),
        id(held),
        id(wanted),
        id(old.__mro__),
        *(id(vars(one)) for one in instances if hasattr(one, "__dict__")),
    }
    for holder in gc.get_referrers(*held):
        if id(holder) not in spared and id(holder) not in wanted and type(holder) is not old:
            try:
                replace_in(holder, wanted)
            except Exception:  # noqa: BLE001 - its shape may forbid it, or a key may fail to tell its hash
                lost.append(f"{old.__qualname__} in a {type(holder).__qualname__}")
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, for looking at other threads
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_filename != __file__:
                _replace_in_frame(frame, wanted)
            frame = frame.f_back
    del top  # one of them is this call's own frame, which is not to hold itself
    return lost


def _successors_of(instances: list[object], old: type, new: type, lost: list[str]) -> dict[int, object]:
    """Return what takes the place of the class and of each instance, by the ``id`` of that."""
    wanted: dict[int, object] = {id(old): new}
    members = {id(before): after for before, after in pair_members(old, new)}
    for one in instances:
        successor = members.get(id(one)) if members else _made_anew(one, old, new)
        if successor is None:
            lost.append(f"an instance of {old.__qualname__}")
        else:
            wanted[id(one)] = successor
    return wanted


def _derive(below: list[type], old: type, new: type, lost: list[str]) -> None:
    for one in below:
        try:
            assign_bases(one, tuple(new if base is old else base for base in one.__bases__))
        except TypeError:
            lost.append(f"{one.__qualname__}, which still derives from the old {old.__qualname__}")


def _followed(instances: list[object], wanted: dict[int, object]) -> list[object]:
    return [one for one in instances if id(one) in wanted]


def _instances_of(owner: type) -> list[object]:
    return [one for one in gc.get_referrers(owner) if type(one) is owner]


def _made_anew(instance: object, old: type, new: type) -> object | None:
    try:
        # By the constructor of the part that is written in C: what the class itself says is not to be done again.
        made_of = solid_base(new)
        arguments = instance.args if is_a(instance, BaseException) else ()
        successor: object = made_of.__new__(new, *arguments)
        if is_a(instance, BaseException) and is_a(successor, BaseException):
            successor.__traceback__, successor.__cause__ = instance.__traceback__, instance.__cause__
            successor.__context__, successor.__suppress_context__ = instance.__context__, instance.__suppress_context__
        elif made_of is not object:
            return None  # what it holds in its C part is not known here
    except (AttributeError, TypeError):
        return None
    held = dict(getattr(instance, "__dict__", {}))
    held |= {name: value for name in slots_of(old) if (value := getattr(instance, name, _ABSENT)) is not _ABSENT}
    for name, value in held.items():
        with suppress(AttributeError):  # a slot that is gone
            object.__setattr__(successor, name, value)
    # Before anybody has it: it may be asked for its hash when it takes its place.
    for name, make in values_of_fields(new):
        if not has_value(successor, name):
            with suppress(Exception):  # what makes it is the plugin's own
                object.__setattr__(successor, name, make())
    return successor


def _replace_in_frame(frame: FrameType, wanted: dict[int, object]) -> None:
    names = frame.f_locals
    changed = False
    for name, value in list(names.items()):
        new = wanted.get(id(value))
        if new is not None:
            names[name] = new
            changed = True
    if changed and sys.version_info < (3, 13):  # from there on assigning is enough (PEP 667)
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
