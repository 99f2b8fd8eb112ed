"""Changes to living objects, made all at once: between the first and the last of them no other thread runs.

The interpreter passes its lock on between the instructions of Python code, and nowhere else. So a commit is planned in Python,
as calls of functions that are written in C and do not wait, and then made by one instruction that calls them all. Raising
the switch interval instead was tried: it holds until the operating system takes the processor away for a moment.

Where somebody listens to audit events with a function in Python, that is run right there, and other threads with it. So none
of these functions raises one, but for those that give a class other bases or another metaclass, for which there is no other way.
"""

import ctypes
import gc
import sys
from collections import deque
from collections.abc import Callable
from itertools import starmap
from operator import call, delitem, setitem
from types import CellType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from plugline.reloading.memory import CODE_FIELD, FUNCTION_FIELDS, HEAD_BYTES, modified, names_of

_WORD_BYTES = ctypes.sizeof(ctypes.c_size_t)
_WORDS = FUNCTION_FIELDS[-1][1]
_Words = ctypes.c_size_t * _WORDS
_Word = ctypes.c_size_t * 1

_set_defaults = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.py_object)(
    ("PyFunction_SetDefaults", ctypes.pythonapi)
)
_set_attribute, _delete_attribute = type.__setattr__, type.__delattr__

Operation = tuple[Callable[..., object], *tuple[Any, ...]]


def _bytes_of(words: ctypes.Array[ctypes.c_size_t]) -> memoryview:
    return memoryview(words).cast("B")


class Plan:
    """What is to be done at once, with what undoes it.

    Every value that is replaced is held until :meth:`drop`, so that nothing is finalized in the middle.
    """

    def __init__(self) -> None:
        # What each thread was doing in that very moment is a part of it.
        self._operations: list[Operation] = [(sys._current_frames,)]  # noqa: SLF001 - documented, for looking at threads
        self._undos: list[tuple[Operation, ...]] = [()]
        self._done: list[object] = []
        self._touched: set[int] = set()
        self._exchanged: list[tuple[FunctionType, FunctionType]] = []
        self._cells: list[CellType] = []

    @property
    def tops(self) -> dict[int, FrameType] | None:
        """What each thread was doing when it was done; ``None`` before that."""
        return self._done[0] if self._done else None  # type: ignore[return-value]

    def add(self, operation: Operation, *undo: Operation) -> None:
        """Add the call of a function that is written in C, with the calls that undo it."""
        self._operations.append(operation)
        self._undos.append(undo)

    def set_code(self, function: FunctionType, code: CodeType) -> None:
        """Let a function run other code."""
        cell = CellType(code)
        self._cells.append(cell)
        self._forget_specialised(function)
        mine = _Word.from_address(id(function) + HEAD_BYTES + CODE_FIELD * _WORD_BYTES)
        its = _Word.from_address(id(cell) + HEAD_BYTES)
        self._exchange(_bytes_of(mine), _bytes_of(its), _bytes_of(_Word()), ((0, 1),))

    def set_item(self, holder: Any, key: object, value: object) -> None:
        """Let ``holder[key]``, a dict's, be a value."""
        undo = (setitem, holder, key, holder[key]) if key in holder else (delitem, holder, key)
        self.add((setitem, holder, key, value), undo)

    def set_attribute(self, owner: type, name: str, value: object) -> None:
        """Let a class have an attribute, whatever its metaclass says."""
        had = vars(owner)
        if name == "__doc__":  # raises an audit event
            self.set_item(names_of(owner), name, value)
            self.add((modified, owner), (modified, owner))
            return
        undo: Operation = (_set_attribute, owner, name, had[name]) if name in had else (_delete_attribute, owner, name)
        self._operations.append((_set_attribute, owner, name, value))  # as add, which is as much again
        self._undos.append((undo,))

    def delete_attribute(self, owner: type, name: str) -> None:
        """Take an attribute from a class."""
        self.add((_delete_attribute, owner, name), (_set_attribute, owner, name, vars(owner)[name]))

    def exchange_functions(self, one: FunctionType, other: FunctionType) -> None:
        """Let each of two functions be what the other is by then."""
        self._exchanged.append((one, other))
        for function in (one, other):
            self._forget_specialised(function)
        mine, its = (_bytes_of(_Words.from_address(id(function) + HEAD_BYTES)) for function in (one, other))
        self._exchange(mine, its, _bytes_of(_Words()), FUNCTION_FIELDS)

    def _forget_specialised(self, function: FunctionType) -> None:
        if id(function) not in self._touched:
            self._touched.add(id(function))
            # Its own: setting the code does the same, and raises an audit event.
            self.add((_set_defaults, function, function.__defaults__))

    def exchange_namespaces(self, one: ModuleType, other: ModuleType) -> None:
        """Let each of two modules have the dict of the other."""
        mine, its = (_bytes_of(_Word.from_address(id(module) + HEAD_BYTES)) for module in (one, other))
        self._exchange(mine, its, _bytes_of(_Word()), ((0, 1),))

    def _exchange(
        self, mine: memoryview, its: memoryview, between: memoryview, fields: tuple[tuple[int, int], ...]
    ) -> None:
        for begin, end in fields:
            part = slice(begin * _WORD_BYTES, end * _WORD_BYTES)
            # Views are given, not contents: they are read when it is done.
            moves: tuple[Operation, ...] = (
                (setitem, between, part, mine[part]),
                (setitem, mine, part, its[part]),
                (setitem, its, part, between[part]),
            )
            self.add(moves[0])
            self.add(moves[1])
            self.add(moves[2], *moves)

    @property
    def displaced(self) -> dict[int, FunctionType]:
        """Where the content of each function is that was exchanged, by the ``id`` of the function, until :meth:`drop`."""
        return {
            id(one): other for one, other in reversed(self._exchanged)
        }  # the first exchange has what was there before

    def run(self) -> None:
        """Do all of it; what one of the calls raises passes, and then none was made."""
        collects = gc.isenabled()
        gc.disable()
        done = self._done
        try:
            done.extend(starmap(call, self._operations))
        except BaseException:
            undos = [operation for undo in reversed(self._undos[: len(done)]) for operation in undo]
            deque(starmap(call, undos), maxlen=0)
            self.drop()
            raise
        finally:
            if collects:
                gc.enable()

    def drop(self) -> None:
        """Let go of what was replaced, and of what the threads were doing.

        To be called when both are of no more use: among the frames are those that hold this plan, and functions in a
        circle that only the collector breaks would be found, and followed, by the next reload.
        """
        self._operations.clear()
        self._exchanged.clear()
        self._cells.clear()
        self._undos.clear()
        self._done.clear()
