"""What running a module left in the process outside of itself, kept so that it can be undone.

Watched are what a module can leave behind by running, and what has no place for an owner's name: handlers of signals,
functions to call at exit, handlers and filters of loggers, filters of warnings, and names that it put into modules of
others. What a plugin does in its ``on_load`` it undoes in its ``on_unload``; here is what it does not.
"""

import _signal  # type: ignore[import-not-found]  # signal itself makes enumerations of its names, which costs more than loading a plugin
import atexit
import codecs
import sys
from _operator import is_
from _thread import get_ident

from plugline.typed import Any, Callable, CodeType, FunctionType, Iterator, ModuleType, Sequence, cast

_ABSENT = object()


class Effect:
    """One thing that was left: a place, what was there before, and what is there since.

    Attributes:
        kind: What sort of place.
        key: Which one of them.
        before: What was there; absent for what was added.
        after: What the module put there.
    """

    __slots__ = ("after", "before", "key", "kind")

    def __init__(self, kind: str, key: object, before: object, after: object) -> None:
        self.kind = kind
        self.key = key
        self.before = before
        self.after = after

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Effects:
    """All that one run of a module left, in order."""

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all: list[Effect] = []

    def undo(self) -> None:
        """Undo all of it, last first; what somebody else has changed since is left to them."""
        while self.all:
            undo_effect(self.all.pop())

    def leave_exits(self) -> None:
        """Undo no more what is to be called at exit: it is called then."""
        self.all = [effect for effect in self.all if effect.kind != "exit"]

    def follow(self, canonical: Callable[[object], object]) -> None:
        """Let what was left lead to other objects than those that left it."""
        for effect in self.all:
            if isinstance(effect.after, _AtExit):
                effect.after.function = cast("Callable[..., object]", canonical(effect.after.function))
                continue
            after = canonical(effect.after)
            if after is effect.after:
                continue
            _FOLLOW.get(effect.kind, _leave)(effect, after)
            effect.after = after

    def succeed(self, old: "Effects", name: str, code: CodeType) -> None:
        """Take the place of an older run: what that one left and this one did not make again is undone.

        Args:
            old: What the older run left.
            code: The module's now. Who puts something of others into a place once more leaves no trace but in its code;
                what is its own is another object with each run.
        """
        mine = {(effect.kind, _key(effect.key)): effect for effect in self.all}
        while old.all:
            effect = old.all.pop()
            same = mine.get((effect.kind, _key(effect.key)))
            if effect.kind == "logging":
                # Many add a handler only where there is none yet.
                if any(one.key == effect.key for one in self.all) or _words(code).isdisjoint(_ADDERS):
                    undo_effect(effect)
                else:
                    self.all.append(effect)
            elif effect.kind not in _PLACES:
                undo_effect(effect)
            elif same is None:
                if _module_of(effect.after) != name and _is_mentioned(effect, code):
                    self.all.append(effect)
                else:
                    undo_effect(effect)
            else:
                if same.before is not effect.after and effect.kind in _NAMED:
                    # Somebody has put something over it, which stays on top: what is below is what it calls.
                    _put_back(same, effect.after)
                same.before = effect.before

    def taken_over(self, old: "Effects", name: str) -> Iterator[tuple[object, object, object]]:
        """Yield what the module with this name put over something in this run, what it met there, and what an older run had met.

        What it meets is what the older run has put there, or what somebody has put over that.
        """
        before = {_key(effect.key): effect for effect in old.all if effect.kind in _NAMED}
        for effect in self.all:
            was = before.get(_key(effect.key)) if effect.kind in _NAMED else None
            if was is not None and was.before is not _ABSENT and _module_of(was.after) == name:
                yield effect.after, effect.before, was.before


_NAMED = frozenset({"name", "attribute"})
# What holds one thing at a time; to the others things are added.
_PLACES = frozenset({"signal", "name", "attribute", "level", "environment"})
_CONFIGURING = frozenset({"basicConfig", "dictConfig", "fileConfig"})
_ADDERS = frozenset({"addHandler", "addFilter", *_CONFIGURING})
_LEVELS = {"level": frozenset({"setLevel"}), "propagate": frozenset({"propagate"}), "disabled": frozenset({"disabled"})}


def _is_mentioned(effect: Effect, code: CodeType) -> bool:
    """Whether some code speaks of the place."""
    words = _words(code)
    if effect.kind == "environment":
        return effect.key in words
    if effect.kind == "level":
        return not words.isdisjoint(_LEVELS[cast("tuple[object, str]", effect.key)[1]] | _CONFIGURING)
    if effect.kind != "signal":
        return cast("tuple[object, str]", effect.key)[1] in words and could_patch(code)
    names = {name for name, number in vars(_signal).items() if number == effect.key and name.startswith("SIG")}
    told = {word for word in words if word.startswith("SIG") and not word.startswith("SIG_")}
    return "signal" in words and (not told or not names.isdisjoint(told))


def _words(code: CodeType) -> set[str]:
    found: set[str] = set()
    pending = [code]
    for one in pending:
        found.update(one.co_names)
        for constant in one.co_consts:
            if constant.__class__ is str:
                found.add(constant)
            elif constant.__class__ is CodeType:
                pending.append(constant)
    return found


def _key(key: object) -> object:
    return tuple(id(part) if not isinstance(part, str) else part for part in key) if isinstance(key, tuple) else key


def undo_effect(effect: Effect) -> None:
    """Undo one effect, unless somebody else has changed the same place since."""
    _UNDO[effect.kind](effect)


def _undo_signal(effect: Effect) -> None:
    if not isinstance(effect.key, int) or _signal.getsignal(effect.key) is not effect.after:
        return
    try:
        _signal.signal(effect.key, effect.before if effect.before is not None else _signal.SIG_DFL)
    except ValueError:  # only the main thread may: the handler stays until a reload from there
        return


def _undo_exit(effect: Effect) -> None:
    cast(_AtExit, effect.after).withdraw()


def _undo_logging(effect: Effect) -> None:
    logger, kind = cast(tuple[Any, str], effect.key)
    if kind == "handlers":
        logger.removeHandler(effect.after)
        effect.after.close()  # type: ignore[attr-defined]
    else:
        logger.removeFilter(effect.after)


def _undo_level(effect: Effect) -> None:
    logger, name = cast("tuple[Any, str]", effect.key)
    if getattr(logger, name) == effect.after:
        setattr(logger, name, effect.before)
        logger.manager._clear_cache()  # noqa: SLF001 - as everything does that sets a level


def _undo_environment(effect: Effect) -> None:
    import os  # it was imported before there was something to undo

    name = cast(str, effect.key)
    if os.environ.get(name, _ABSENT) != effect.after:
        return
    if effect.before is _ABSENT:
        del os.environ[name]
    else:
        os.environ[name] = cast(str, effect.before)


def _undo_codec(effect: Effect) -> None:
    codecs.unregister(effect.after)  # type: ignore[arg-type]


def _undo_warnings(effect: Effect) -> None:
    import warnings  # it was imported before there was something to undo

    # The very one: to set a filter once more puts an equal one in its place.
    left = [one for one in warnings.filters if one is not effect.after]
    if len(left) < len(warnings.filters):
        warnings.filters[:] = left  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001 - as everything does that edits this list


def _undo_name(effect: Effect) -> None:
    owner, name = cast("tuple[object, str]", effect.key)
    names = _names_of(owner)
    now = names.get(name, _ABSENT)
    # It is absent where a registry was put in order before.
    if now is effect.after or (now is _ABSENT and effect.before is not _ABSENT and type(owner) is not ModuleType):
        _set_name(owner, name, effect.before)


def _put_back(effect: Effect, after: object) -> None:
    """Let the place hold what was there before, and the effect be what it would be below that."""
    undo_effect(effect)
    effect.after = after


def _names_of(owner: object) -> dict[str, object]:
    """Return the names of a module, a class, or an object, whatever it answers itself."""
    if issubclass(type(owner), type):
        return _names_of_class(owner)  # type: ignore[no-any-return]
    try:
        names = object.__getattribute__(owner, "__dict__")
    except Exception:  # noqa: BLE001 - it may have none, or a property of that name
        return {}
    return names if type(names) is dict else {}


_names_of_class = type.__dict__["__dict__"].__get__


def _set_name(owner: object, name: str, value: object) -> None:
    if issubclass(type(owner), type):
        try:
            if value is _ABSENT:
                type.__delattr__(cast(type, owner), name)
            else:
                type.__setattr__(cast(type, owner), name, value)
        except (AttributeError, TypeError):  # a class that is written in C, and that was changed in another way
            return
    elif value is _ABSENT:
        del _names_of(owner)[name]
    else:
        _names_of(owner)[name] = value


def _leave(effect: Effect, after: object) -> None:
    """Some places hold what cannot change."""


def _follow_signal(effect: Effect, after: object) -> None:
    if isinstance(effect.key, int) and _signal.getsignal(effect.key) is effect.after:
        try:
            _signal.signal(effect.key, after)
        except ValueError:  # not in the main thread: what is there does the same
            return


def _follow_name(effect: Effect, after: object) -> None:
    owner, name = cast("tuple[object, str]", effect.key)
    if _names_of(owner).get(name) is effect.after:
        _set_name(owner, name, after)


_FOLLOW: dict[str, Callable[[Effect, object], None]] = {
    "signal": _follow_signal,
    "name": _follow_name,
    "attribute": _follow_name,
}

_UNDO: dict[str, Callable[[Effect], None]] = {
    "signal": _undo_signal,
    "exit": _undo_exit,
    "logging": _undo_logging,
    "level": _undo_level,
    "environment": _undo_environment,
    "codec": _undo_codec,
    "warnings": _undo_warnings,
    "name": _undo_name,
    "attribute": _undo_name,
}


# ------------------------------------------------------------------ functions to call at exit

_register = atexit.register
_unregister = atexit.unregister
_registering: dict[int, list[Effect]] = {}


class _AtExit:
    """A function to call at exit that somebody registered while a module was run.

    ``atexit`` can take out what it has by comparing alone, so one that two have registered would go for both.
    This is equal to the function, for who takes that out, until it is to be taken out alone.
    """

    __slots__ = ("__weakref__", "_alone", "function")

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self._alone = False

    def __call__(self, *arguments: object, **keywords: object) -> object:
        return self.function(*arguments, **keywords)

    def __eq__(self, other: object) -> bool:
        return self is other or (not self._alone and bool(self.function == other))

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> object:
        return getattr(self.function, name)

    def withdraw(self) -> None:
        """Be called no more."""
        self._alone = True
        _unregister(self)


def _noted_register(function: Callable[..., object], /, *arguments: object, **keywords: object) -> object:
    collected = _registering.get(get_ident())
    if collected is None or not callable(function):
        return _register(function, *arguments, **keywords)
    noted = _AtExit(function)
    _register(noted, *arguments, **keywords)
    collected.append(Effect("exit", (id(function), len(collected)), _ABSENT, noted))
    return function


_register_codec = codecs.register


def _noted_codec(search: Any, /) -> None:
    _register_codec(search)
    collected = _registering.get(get_ident())
    if collected is not None:
        collected.append(Effect("codec", (id(search), len(collected)), _ABSENT, search))


for _noted, _plain_one in ((_noted_register, _register), (_noted_codec, _register_codec)):
    _noted.__name__ = _noted.__qualname__ = "register"
    _noted.__doc__ = _plain_one.__doc__


# ------------------------------------------------------------------ the rest


class Mentions:
    """Which words stand in a source: what a module does not speak of it does not touch.

    To look a source through for one word takes as long as calling a hundred functions. So it is done once.

    Args:
        before: What is known of the version before it: a word that was not in that can only be where the two differ.
    """

    __slots__ = ("_absent", "_begin", "_content", "_end", "_present", "_unlikely")

    def __init__(self, content: bytes, before: "Mentions | None" = None) -> None:
        self._content = content
        self._present: tuple[bytes, ...] = ()
        self._absent: tuple[bytes, ...] = ()
        self._unlikely: tuple[bytes, ...] = ()
        self._begin, self._end = 0, len(content)
        if before is not None and before._absent:  # noqa: SLF001 - of its own class
            self._unlikely = before._absent  # noqa: SLF001 - likewise
            self._begin, self._end = _edited(before._content, content)  # noqa: SLF001 - likewise

    def has(self, word: bytes) -> bool:
        """Whether a word stands in it, be it as a part of another one."""
        if word in self._absent:
            return False
        if word in self._present:
            return True
        content = self._content
        if word in self._unlikely:
            # A word may begin before what was edited, or end behind it.
            content = content[max(self._begin - len(word) + 1, 0) : self._end + len(word) - 1]
        found = word in content
        if found:
            self._present += (word,)
        else:
            self._absent += (word,)
        return found


def _edited(before: bytes, after: bytes) -> tuple[int, int]:
    """Return from where to where a text is other than the one before it."""
    most = min(len(before), len(after))
    begin = _alike(most, lambda start, stop: before[start:stop] == after[start:stop])
    old, new = len(before), len(after)
    alike = _alike(
        most - begin, lambda start, stop: before[old - stop : old - start] == after[new - stop : new - start]
    )
    return begin, new - alike


def _alike(most: int, is_alike: Callable[[int, int], bool]) -> int:
    """Return how far two texts are alike, which is told of any part of them."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        if is_alike(least, middle):
            least = middle
        else:
            most = middle - 1
    return least


_store_attr: list[int] = []  # the number of that instruction, found out once
_SETTERS = frozenset({"setattr", "delattr", "vars", "__dict__"})


class Watch:
    """Looks at the process before a module is run, and after.

    Args:
        code: The module's, which shows whether it could put names into modules of others.
        may_patch: Whether it could, where that is known; otherwise the code is looked through.
    """

    __slots__ = (
        "_code",
        "_collected",
        "_environment",
        "_filters",
        "_handlers",
        "_levels",
        "_logs",
        "_mentions",
        "_named",
        "_outer",
        "_signals",
    )

    def __init__(self, code: CodeType, mentions: Mentions, *, may_patch: bool | None = None) -> None:
        has = mentions.has
        self._signals = _handlers_of_signals() if has(b"signal") else []
        self._logs = has(_LOGGING)
        self._handlers = _loggers() if self._logs and "logging" in sys.modules else {}
        self._mentions = mentions
        self._levels: dict[object, tuple[object, ...]] | None = None
        if "logging" not in sys.modules:
            self._levels = {} if self._logs else None
        elif any(map(has, _OF_LEVELS)):
            self._levels = _levels()
        self._environment = _environment() if has(b"environ") or has(b"putenv") else None
        self._filters = _filters() if has(_WARNINGS) else None
        self._code = code
        self._named = _patched(code) if may_patch or (may_patch is None and could_patch(code)) else []
        self._collected: list[Effect] = []
        self._outer = _registering.get(get_ident())
        _registering[get_ident()] = self._collected
        atexit.register = _noted_register  # type: ignore[assignment]
        codecs.register = _noted_codec

    def end(self, effects: Effects, name: str) -> None:
        """Add what was left since to ``effects``, as the doing of the module with this name."""
        if self._outer is not None:
            _registering[get_ident()] = self._outer
        else:
            del _registering[get_ident()]
            if not _registering:
                atexit.register = _register
                codecs.register = _register_codec
        effects.all += self._collected
        for number, before in self._signals:
            after = _signal.getsignal(number)
            if after is not before:
                effects.all.append(Effect("signal", number, before, after))
        if self._logs and "logging" in sys.modules:
            effects.all += self._logging_effects()
        if self._levels is not None and "logging" in sys.modules and any(map(self._mentions.has, _OF_LEVELS)):
            effects.all += _level_effects(self._levels)
        effects.all += _environment_effects(self._environment)
        if self._filters is not None:
            known = {id(entry) for entry in self._filters}
            effects.all += [
                Effect("warnings", index, _ABSENT, entry)
                for index, entry in enumerate(_filters())
                if id(entry) not in known
            ]
        words: set[str] = set()
        for owner, names in self._named:
            now = _names_of(owner)
            if len(now) != len(names) or not all(map(is_, now.values(), names.values())):
                words = words or _words(self._code)
                effects.all += _name_effects(owner, names, now, name, words)

    def _logging_effects(self) -> list[Effect]:
        found = []
        for logger, (handlers, filters) in _loggers().items():
            before = self._handlers.get(logger, ((), ()))
            found += [Effect("logging", (logger, "handlers"), _ABSENT, one) for one in handlers if one not in before[0]]
            found += [Effect("logging", (logger, "filters"), _ABSENT, one) for one in filters if one not in before[1]]
        return found


def _handlers_of_signals() -> list[tuple[int, object]]:
    return [(number, _signal.getsignal(number)) for number in sorted(map(int, _signal.valid_signals()))]


def _environment_effects(before: dict[str, str] | None) -> Iterator[Effect]:
    if before is None:
        return
    now = _environment()
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            yield Effect("environment", name, before.get(name, _ABSENT), now.get(name, _ABSENT))


def _environment() -> dict[str, str]:
    import os  # for those who speak of it, who have imported it

    return dict(os.environ)


def _all_loggers() -> list[Any]:
    from logging import Logger, root  # asked for only where somebody has imported it

    return [root, *(one for one in list(root.manager.loggerDict.values()) if isinstance(one, Logger))]


def _levels() -> dict[object, tuple[object, ...]]:
    return {one: tuple(getattr(one, name) for name in _LEVELS) for one in _all_loggers()}


def _level_effects(before: dict[object, tuple[object, ...]]) -> Iterator[Effect]:
    for logger, now in _levels().items():
        new = (_OF_ROOT if getattr(logger, "parent", None) is None else 0, True, False)
        for name, was, value in zip(_LEVELS, before.get(logger, new), now, strict=True):
            if was != value:
                yield Effect("level", (logger, name), was, value)


_OF_ROOT = 30  # logging.WARNING, which is what it has at first
_LOGGING = b"ogg"  # logging, logger, getLogger
_WARNINGS = b"warn"
_OF_LEVELS = (b"setLevel", b"propagate", b"disabled", b"Config")


def _loggers() -> dict[object, tuple[tuple[object, ...], tuple[object, ...]]]:
    loggers = _all_loggers()
    return {one: (tuple(one.handlers), tuple(one.filters)) for one in loggers if one.handlers or one.filters}


def lists_of_handlers(sources: Sequence[Mentions]) -> Iterator[list[object] | dict[object, object]]:
    """Yield the lists and tables that loggers and warnings keep, as far as these sources could change them in a way that is no effect."""
    if "logging" in sys.modules and any(one.has(_LOGGING) for one in sources):
        logging = sys.modules["logging"]
        yield logging._levelToName  # noqa: SLF001 - what addLevelName fills
        yield logging._nameToLevel  # noqa: SLF001 - likewise
        for logger in _all_loggers():
            yield logger.handlers
            yield logger.filters
    if "warnings" in sys.modules and any(one.has(_WARNINGS) for one in sources):
        yield sys.modules["warnings"].filters


def open_registries(sources: Sequence[Mentions]) -> Iterator[list[object] | dict[object, object]]:
    """Yield what the standard library keeps for everybody to register with, as far as these sources speak of it."""
    if any(one.has(b"copyreg") for one in sources):
        import copyreg  # whoever speaks of it has imported it

        yield copyreg.dispatch_table  # type: ignore[misc]
    if any(one.has(b"callbacks") for one in sources):
        import gc

        yield gc.callbacks  # type: ignore[misc]


def _filters() -> tuple[object, ...]:
    return tuple(getattr(sys.modules.get("warnings"), "filters", ()))


def _patched(code: CodeType) -> list[tuple[object, dict[str, object]]]:
    """Return what a module's own code could set attributes of, by what it mentions, each with its names."""
    found: list[tuple[object, dict[str, object]]] = []
    seen: set[int] = set()
    mentioned = frozenset(code.co_names)
    # Classes and objects only where the module's own lines set attributes, since most do it in methods, to what is theirs.
    goes_on = _sets_attributes(code)
    pending: list[object] = [module for name in code.co_names if (module := sys.modules.get(name)) is not None]
    for owner in pending:  # it grows: classes and objects that are in what it mentions, and modules
        kind = type(owner)
        if kind in _PLAIN or id(owner) in seen or not (kind is ModuleType or kind.__flags__ & _HEAP or kind is type):
            continue
        seen.add(id(owner))
        names = dict(_names_of(owner))
        found.append((owner, names))
        if goes_on and len(seen) < _MOST_OWNERS:
            pending += [names[name] for name in names.keys() & mentioned]
    return found


_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_MOST_OWNERS = 200
_PLAIN = frozenset({str, int, float, bool, bytes, tuple, list, dict, set, type(None)})


def could_patch(code: CodeType) -> bool:
    """Whether a module's own code could set attributes of anything."""
    return _sets_attributes(code) or any(
        could_patch(constant) for constant in code.co_consts if constant.__class__ is CodeType
    )


def _sets_attributes(code: CodeType) -> bool:
    """Whether some code could do that by itself, apart from the code in it."""
    if not _store_attr:
        # As the module opcode has it.
        _store_attr.extend(
            {*compile("a.b = a", "", "exec").co_code[::2]} - {*compile("b = a", "", "exec").co_code[::2]}
        )
    return _store_attr[0] in code.co_code[::2] or not _SETTERS.isdisjoint(code.co_names)


def _name_effects(
    owner: object, before: dict[str, object], now: dict[str, object], module: str, words: set[str]
) -> list[Effect]:
    found = []
    kind = "name" if type(owner) is ModuleType else "attribute"
    for name, value in list(now.items()):
        old = before.get(name, _ABSENT)
        # A submodule that was imported, and what a module keeps for itself, are no patches; nor is what others note of themselves.
        if old is value or isinstance(value, ModuleType) or (name.startswith("__") and kind == "name"):
            continue
        if _module_of(value) == module or (old is not _ABSENT and name in words):
            found.append(Effect(kind, (owner, name), old, value))
    return found


def _module_of(value: object) -> object:
    """Return the name of the module that a value is of; of a function that of its code, which may say that it is another's."""
    if type(value) is FunctionType:
        return value.__globals__.get("__name__")
    try:
        return getattr(value, "__module__", None)
    except Exception:  # noqa: BLE001 - the value is foreign, and may raise whatever it is asked
        return None
