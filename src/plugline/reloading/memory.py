"""The few pointers inside CPython's objects that a reload has to move and that Python cannot reach.

What is moved is exchanged between two living objects (see :mod:`plugline.reloading.plan`), so no count of references
changes, and doing it again undoes it:

- the dict of a module, by which every ``module.name`` in the process leads to the new generation at once;
- globals, builtins and closure of a function, by which a function that somebody holds becomes the new one, with
  nothing in between: no call more, no frame more in tracebacks, and :func:`inspect.getsource` and its like just work.

The offsets are looked for, not assumed: where an object of a known shape does not show the pointers where they
are expected, :data:`POSSIBLE` is false, and an edit beyond the bodies of functions needs a restart of the program.
Everything here is one slice of the global interpreter lock or less.
"""

import ctypes
import gc
import sys
from operator import setitem
from types import FrameType, FunctionType, MemberDescriptorType, ModuleType

from plugline.kinds import is_a

_WORD = ctypes.sizeof(ctypes.c_void_p)
HEAD_BYTES = object.__basicsize__
# A function's fields, in words after the head: globals, builtins, name, qualified name, code, defaults, keyword defaults,
# closure, doc, dict; then the list of weak references, which stays; then module, annotations, from 3.14 on what makes them,
# and type parameters (in 3.11 the entry point of a call, the same for all).
FUNCTION_FIELDS = ((0, 10), (11, 15 if sys.version_info >= (3, 14) else 14))
CODE_FIELD = 4
_TYPE = HEAD_BYTES - _WORD


def _read(address: int) -> int:
    return ctypes.c_void_p.from_address(address).value or 0


def _write(address: int, value: int) -> None:
    ctypes.c_void_p.from_address(address).value = value


def _probe() -> bool:
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False  # without the lock other threads run in the middle of it
    cell = object()

    def sample(one: object = 1, *, two: object = 2) -> object:
        """Of a known shape."""
        return cell

    sample.__dict__["known"] = True
    module = ModuleType("sample")
    first = ("__globals__", "__builtins__", "__name__", "__qualname__", "__code__", "__defaults__", "__kwdefaults__")
    fields = {index: getattr(sample, name) for index, name in enumerate((*first, "__closure__", "__doc__", "__dict__"))}
    fields |= {11: sample.__module__, 12: sample.__annotations__}
    return (
        _read(id(module) + HEAD_BYTES) == id(module.__dict__)
        and all(_read(id(sample) + HEAD_BYTES + index * _WORD) == id(value) for index, value in fields.items())
        and _read(id(module) + _TYPE) == id(ModuleType)
        and _offset_in_type("__base__") > 0
        and _offset_in_type("__bases__") > 0
        and _offset_in_type("__mro__") > 0
        and _place_in_frame() >= 0
    )


def _place_in_frame() -> int:
    """Return where a call keeps the function that is called, in words; -1 where it is not found."""

    def sample() -> FrameType:
        return sys._getframe()  # noqa: SLF001 - documented, for looking at calls

    frame = sample()
    inside = _read(id(frame) + HEAD_BYTES + _WORD)
    found = [index for index in range(4) if inside and _read(inside + index * _WORD) == id(sample)]
    return found[0] if found else -1


_SIZE_OF_TYPE: int = vars(type)["__basicsize__"].__get__(type)


def _offset_in_type(name: str) -> int:
    """Return where a class keeps what one of its attributes is: the first word after the head that is it; 0 where there is none."""

    class Above:
        __slots__ = ()

    class Below(Above):
        __slots__ = ()

    wanted = id(getattr(Below, name))
    words = _SIZE_OF_TYPE // _WORD
    found = [index for index in range(2, words) if _read(id(Below) + index * _WORD) == wanted]
    return found[0] * _WORD if found else 0


POSSIBLE = _probe()
_CALLED = _place_in_frame() if POSSIBLE else -1
_BASE, _BASES, _MRO = map(_offset_in_type, ("__base__", "__bases__", "__mro__")) if POSSIBLE else (0, 0, 0)


def clone_function(function: FunctionType) -> FunctionType:
    """Return another function with the same content."""
    clone = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    clone.__kwdefaults__ = function.__kwdefaults__
    clone.__qualname__ = function.__qualname__
    clone.__module__ = function.__module__
    clone.__doc__ = function.__doc__
    copy_annotations(function, clone)
    if function.__dict__:
        clone.__dict__.update(function.__dict__)
    parameters = getattr(function, "__type_params__", ())
    if parameters:
        clone.__type_params__ = parameters  # type: ignore[attr-defined]
    return clone


def copy_annotations(function: FunctionType, other: FunctionType) -> None:
    """Let a function have the annotations of another one, without evaluating them where nobody has yet (from 3.14 on)."""
    made_by = getattr(function, "__annotate__", None)
    if made_by is not None:
        other.__annotate__ = made_by  # type: ignore[attr-defined]  # of 3.14
    else:
        other.__annotations__ = function.__annotations__


def replace_called(frame: FrameType, displaced: dict[int, FunctionType]) -> None:
    """Let a call that began before hold the function that it is a call of by now.

    A call holds its function, and counts on that for its globals. When the function has become another one, what it was is
    in another place, and so may be its globals.

    Args:
        frame: The call, be it running, suspended or over.
        displaced: Where the content of a function is now, by the ``id`` of the function.
    """
    place = _read(id(frame) + HEAD_BYTES + _WORD) + _CALLED * _WORD
    before = _read(place)
    after = displaced.get(before)
    if after is None or after.__globals__ is not frame.f_globals:
        return
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(after))
    _write(place, id(after))
    ctypes.pythonapi.Py_DecRef(ctypes.cast(before, ctypes.py_object))


def replace_words(holder: object, wanted: dict[int, object], *, items: int = 0) -> int:
    """Let an object that cannot be changed (a tuple, a partial, a bound method) hold other objects.

    Args:
        holder: What holds them directly, as the garbage collector tells.
        wanted: What to hold instead, by the ``id`` of what is held now.
        items: For objects of variable size, how many items there are.

    Returns:
        How many were replaced.
    """
    kind = type(holder)
    size = kind.__basicsize__ + kind.__itemsize__ * items
    words = (ctypes.c_size_t * (size // _WORD)).from_address(id(holder))
    count = 0
    for index in range(HEAD_BYTES // _WORD, len(words)):
        new = wanted.get(words[index])
        if new is not None:
            old = ctypes.cast(words[index], ctypes.py_object)
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(new))
            words[index] = id(new)
            ctypes.pythonapi.Py_DecRef(old)
            count += 1
    return count


class STAND_IN:  # noqa: N801 - one value of its kind
    """Stands in for ``object`` where a class that has no other base gets one: CPython refuses to let go of ``object``."""


class BARE_STAND_IN:  # noqa: N801 - as above
    """The same beside bases that add nothing to an instance, such as ``abc.ABC`` and ``typing.Generic``."""

    __slots__ = ()


STAND_INS = ((STAND_IN,), (BARE_STAND_IN,))
"""The bases of classes that are about to have no other base than ``object``."""


def _adds_nothing(base: type) -> bool:
    """Whether instances have no more in memory by this base than those of ``object``."""
    return base.__basicsize__ == object.__basicsize__ and not base.__dictoffset__ and not base.__weakrefoffset__


def _adds_what_any_does(base: type) -> bool:
    """Whether instances have no more by this base than a dict and a place for weak references."""
    return (base.__basicsize__, base.__dictoffset__, base.__weakrefoffset__) == (
        STAND_IN.__basicsize__,
        STAND_IN.__dictoffset__,
        STAND_IN.__weakrefoffset__,
    )


def slots_of(owner: type) -> list[str]:
    """Return the names of the slots of a class, in the order of their places."""
    return [
        name
        for ancestor in reversed(owner.__mro__)
        if ancestor.__flags__ & _HEAP and "__slots__" in vars(ancestor)
        for name, value in sorted(vars(ancestor).copy().items())
        if type(value) is MemberDescriptorType and value.__objclass__.__flags__ & _HEAP
    ]


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


def solid_base(owner: type) -> type:
    """Return the nearest ancestor that is written in C: what decides what an instance is made of."""
    return next(one for one in owner.__mro__ if not one.__flags__ & _HEAP)


def bases_assigned(
    owner: type, bases: tuple[type, ...], best: type, *, is_same_shape: bool = False
) -> list[tuple[object, ...]]:
    """Return the calls of C functions that give a class other bases: see :func:`assign_bases`.

    Args:
        owner: The class.
        bases: Its bases from then on.
        best: Which of them its ``__base__`` is going to be.
        is_same_shape: Whether instances are known to stay what they are in memory.
    """
    before = owner.__base__
    assert before is not None  # noqa: S101 - only object has none
    if bases == (object,):
        best = BARE_STAND_IN if _adds_nothing(before) else STAND_IN
        bases = (best,)
    assigned = (type.__setattr__, owner, "__bases__", bases)
    # CPython compares the two, and takes some for different by which instances have the same.
    plain = all(_adds_nothing(one) or (is_same_shape and _adds_what_any_does(one)) for one in (before, best)) or (
        # What has no slots of its own adds a dict and a place for weak references, and these are known to be the same.
        is_same_shape and solid_base(before) is solid_base(best) and not slots_of(before) and not slots_of(best)
    )
    if plain:
        seen = best
    elif before is object:
        seen = STAND_IN
    else:
        return [assigned]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(seen))
    return [(setitem, _base_of(owner), 0, id(seen)), assigned]


def _base_of(owner: type) -> "ctypes.Array[ctypes.c_size_t]":
    return (ctypes.c_size_t * 1).from_address(id(owner) + _BASE)


def base_restored(owner: type) -> tuple[object, ...]:
    """Return the call of a C function that lets a class have the ``__base__`` that it has now."""
    return (setitem, _base_of(owner), 0, id(owner.__base__))


# Not by the name: a class may define an attribute __class__ of its own.
_set_class = object.__dict__["__class__"].__set__


def class_assigned(value: object, kind: type, was: type | None = None) -> list[tuple[object, ...]]:
    """Return the calls of C functions that let an object be of another class: see :func:`assign_class`.

    Args:
        value: The object.
        kind: Its class from then on.
        was: Its class until then, where that is another one than now.
    """
    if not (is_a(value, type) and type in (was or type(value), kind)):
        return [(_set_class, value, kind)]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kind))
    word = (ctypes.c_size_t * 1).from_address(id(value) + _TYPE)
    return [(setitem, word, 0, id(kind)), (ctypes.pythonapi.PyType_Modified, ctypes.py_object(value))]


def assign_bases(owner: type, bases: tuple[type, ...], *, is_same_shape: bool = False) -> None:
    """Give a class other bases, also where it had none but ``object``, or is to have none.

    Raises:
        TypeError: Instances would have another shape in memory.
    """
    *first, last = bases_assigned(owner, bases, bases[0], is_same_shape=is_same_shape)
    restored = base_restored(owner)
    for function, *arguments in first:
        function(*arguments)  # type: ignore[operator]
    try:
        last[0](*last[1:])  # type: ignore[operator]
    except TypeError:
        restored[0](*restored[1:])  # type: ignore[operator]
        raise


def hide_stand_in(owner: type) -> None:
    """Let a class whose only base is what stands in for ``object`` have ``object`` itself, and those below it likewise.

    To be called when all bases are assigned: Python works out the order of resolution anew with each of them.
    """
    if owner.__bases__ not in STAND_INS:
        return
    if owner.__dictoffset__ and "__dict__" not in vars(owner):
        # It had that from the base that it has no more.
        names_of(owner)["__dict__"] = _make_descriptor(owner, ctypes.byref(_DICT))
    _hold(owner, _BASES, (object,))
    _hold(owner, _BASE, object)
    pending: list[type] = [owner]
    for one in pending:
        if any(stand_ins in one.__mro__ for (stand_ins,) in STAND_INS):
            _hold(one, _MRO, tuple(above for above in one.__mro__ if (above,) not in STAND_INS))
            forget_lookups(one)
            pending += type.__subclasses__(one)


class _GetSet(ctypes.Structure):
    """CPython's ``PyGetSetDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("get", ctypes.c_void_p),
        ("set", ctypes.c_void_p),
        ("doc", ctypes.c_char_p),
        ("closure", ctypes.c_void_p),
    )


def _address(name: str) -> int | None:
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value


# As ``type`` makes it for a class without bases that has instances with a dict.
_DICT = _GetSet(b"__dict__", _address("PyObject_GenericGetDict"), _address("PyObject_GenericSetDict"), None, None)
_make_descriptor = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(
    ("PyDescr_NewGetSet", ctypes.pythonapi)
)


def names_of(owner: type) -> dict[str, object]:
    """Return the dict of a class itself, and not a view of it."""
    return gc.get_referents(vars(owner))[0]  # type: ignore[no-any-return]


def _hold(owner: type, offset: int, value: object) -> None:
    """Let a class hold something else in one of its fields."""
    before = ctypes.cast(_read(id(owner) + offset), ctypes.py_object)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    _write(id(owner) + offset, id(value))
    ctypes.pythonapi.Py_DecRef(before)


def clear_class(owner: type) -> None:
    """Let go of what a class holds, as the collector does with one that nobody has, so that it does not hold itself."""
    modified(owner)
    names_of(owner).clear()
    word = ctypes.c_size_t.from_address(id(owner) + _MRO)
    before = word.value
    _take_hold(())
    word.value = id(())
    _let_go(before)


modified = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("PyType_Modified", ctypes.pythonapi))
_take_hold = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))
_let_go = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("Py_DecRef", ctypes.pythonapi))


def assign_class(value: object, kind: type) -> None:
    """Let an object be of another class, also where Python refuses because one of the two is ``type`` itself.

    It also refuses where both have slots of their own and bases that are no more than alike: then it is shown one base.

    Raises:
        TypeError: Objects of the two classes have another shape in memory.
    """
    try:
        _set_class(value, kind)
    except TypeError:
        before = type(value)
        if not issubclass(before, type) and slots_of(before) == slots_of(kind):
            restored = base_restored(before)
            _base_of(before)[0] = id(kind.__base__)
            try:
                _set_class(value, kind)
            finally:
                restored[0](*restored[1:])  # type: ignore[operator]
            return
        if not (issubclass(before, type) and issubclass(kind, type)) or before.__basicsize__ != kind.__basicsize__:
            raise
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kind))
        _write(id(value) + _TYPE, id(kind))
        forget_lookups(value)  # type: ignore[arg-type]


def forget_lookups(owner: type) -> None:
    """Make the interpreter look up the attributes of a class anew."""
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
