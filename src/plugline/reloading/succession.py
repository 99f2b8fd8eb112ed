"""A class whose instances have another shape in memory now, and its successor: everybody who holds the one gets the other.

This is for what cannot be done in place: slots that were added, or a base that is written in C. Instances are made anew
with the attributes that the old ones had, and take their places wherever these are held.
"""

import ctypes
import gc
import sys
from types import FrameType

from plugline.reloading.classes import slots_of
from plugline.reloading.memory import assign_bases
from plugline.reloading.references import replace_in

_ABSENT = object()


def succeed_class(old: type, new: type) -> list[str]:
    """Put a class and new instances of it in the place of an old class and its instances. Returns what could not follow."""
    lost: list[str] = []
    wanted: dict[int, object] = {id(old): new}
    instances = [one for one in gc.get_referrers(old) if type(one) is old]
    for one in instances:
        successor = _made_anew(one, old, new)
        if successor is None:
            lost.append(f"an instance of {old.__qualname__}")
        else:
            wanted[id(one)] = successor
    below: type
    for below in type.__subclasses__(old):
        try:
            assign_bases(below, tuple(new if base is old else base for base in below.__bases__))
        except TypeError:
            lost.append(f"{below.__qualname__}, which still derives from the old {old.__qualname__}")
    held = [one for one in (old, *instances) if id(one) in wanted]
    spared = {
        id(instances),
        id(held),
        id(wanted),
        id(old.__mro__),
        *(id(vars(one)) for one in instances if hasattr(one, "__dict__")),
    }
    for holder in gc.get_referrers(*held):
        if id(holder) not in spared and id(holder) not in wanted and type(holder) is not old:
            replace_in(holder, wanted)
    for top in sys._current_frames().values():  # noqa: SLF001 - documented, for looking at other threads
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_filename != __file__:
                _replace_in_frame(frame, wanted)
            frame = frame.f_back
    del top  # one of them is this call's own frame, which is not to hold itself
    return lost


def _made_anew(instance: object, old: type, new: type) -> object | None:
    try:
        successor: object = object.__new__(new)
        for name, value in list(getattr(instance, "__dict__", {}).items()):
            object.__setattr__(successor, name, value)
        for name in slots_of(old):
            value = getattr(instance, name, _ABSENT)
            if value is not _ABSENT:
                object.__setattr__(successor, name, value)
    except (AttributeError, TypeError):
        return None
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
