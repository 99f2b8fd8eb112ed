"""Random edits that fail, of plugins that have registered themselves everywhere: afterwards everything is as it was.

Usage: python -m tests.soaks.reload_failures [EDITS] [SEED]

Each round writes a version that differs from the one in force and has one fault: a syntax error, an exception after a random
statement, an interface or a signature that the host cannot call, a file that the policy denies, a helper that fails, an
``on_load`` that raises. All that can be seen of the process (the modules' names, functions and classes, what the
program has in its registries, handlers of signals and loggers, functions to call at exit, patched names, descriptors, threads, the
plugin's open port) is written down before and after. Now and then a good edit follows, so that what is to be kept varies.
"""

import atexit
import gc
import inspect
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import textwrap
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Protocol

from plugline import Host

PROGRAM = """
import abc, collections, functools, types, weakref

registry, callbacks, names, recent, routes, classes = {}, [], set(), collections.deque(), {}, []
counts, buffer, current = collections.Counter(), bytearray(), None
live, options, patched = weakref.WeakSet(), types.SimpleNamespace(mode="plain", handlers=[]), {}

def register(name):
    def deco(function):
        registry[name] = function
        return function
    return deco

def install(function):
    global current
    current = function

def hook():
    return "original"

class Base:
    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        classes.append(cls)

class Tool:
    mode = "plain"
    def run(self):
        return "original"

class Bus:
    def __init__(self):
        self.handlers = collections.defaultdict(list)
        self.last = None
    def on(self, name):
        def deco(function):
            self.handlers[name].append(function)
            self.last = name
            return function
        return deco

class Slotted:
    __slots__ = ("items", "mode")
    def __init__(self):
        self.items, self.mode = [], "plain"

bus, slotted = Bus(), Slotted()

@functools.singledispatch
def render(value):
    return "other"
"""

# What a version may consist of; {v} is a number of its own.
BLOCKS = [
    "@app.register('r{v}')\ndef r{v}(record):\n    return {v}\n",
    "@app.register('always')\ndef always(record):\n    return {v}\n",
    "def cb():\n    return {v}\napp.callbacks.append(cb)\n",
    "app.callbacks.append(lambda: {v})\n",
    "app.callbacks.insert(0, functools.partial(print, {v}))\n",
    "app.callbacks.clear()\n",
    "app.registry.pop('always', None)\n",
    "app.names.add(('x', {v}))\n",
    "app.names.clear()\n",
    "app.recent.appendleft({v})\n",
    "app.routes.setdefault('a', {{}}).setdefault('b', []).append({v})\n",
    "app.counts['x'] += {v}\n",
    "app.buffer.extend(b'{v}')\n",
    "class Sub(app.Base):\n    value = {v}\n",
    "class Sub{v}(app.Base):\n    def m(self):\n        return {v}\n",
    "@app.install\ndef installed():\n    return {v}\n",
    "app.hook = lambda: {v}\n",
    "def hook():\n    return {v}\napp.hook = hook\n",
    "app.Tool.run = lambda self: {v}\n",
    "app.Tool.mode = {v}\n",
    "@app.bus.on('event')\ndef on_event():\n    return {v}\n",
    "app.slotted.items.append({v})\n",
    "app.slotted.mode = {v}\n",
    "app.options.mode = {v}\n",
    "app.hook.calls = {v}\n",
    "app.install.__dict__.setdefault('handlers', []).append({v})\n",
    "app.options.handlers.append({v})\n",
    "class Live:\n    pass\napp.live.add(Live)\n",
    "@app.render.register\ndef _(value: int):\n    return {v}\n",
    "signal.signal(signal.SIGUSR1, lambda *_: {v})\n",
    "def handler(*_):\n    return {v}\nsignal.signal(signal.SIGUSR2, handler)\n",
    "atexit.register(print, {v})\n",
    "@atexit.register\ndef bye():\n    return {v}\n",
    "logging.getLogger('app.x').addHandler(logging.NullHandler())\n",
    "logging.getLogger('app.x').addFilter(lambda record: {v})\n",
    "logging.getLogger('app.x').handlers.clear()\n",
    "warnings.filterwarnings('ignore', 'nothing {v}')\n",
    "textwrap.dedent = lambda text: text\n",
    "sys.path.insert(0, '/nowhere/{v}')\n",
    "helper.SEEN.append({v})\n",
    "helper.COUNT = {v}\n",
    "helper.Shared.mode = {v}\n",
    "K = plugline.keep('K', dict)\nK['n'] = {v}\nK.setdefault('list', []).append({v})\n",
    "COUNT = {v}\nCACHE = {{'a': [{v}]}}\n",
    "class C:\n    value = {v}\n    def m(self):\n        return {v}\nc = C()\n",
    "class E(enum.Enum):\n    A = {v}\n    B = 2\n",
    "@dataclasses.dataclass\nclass D:\n    a: int = {v}\nd = D()\n",
    "@functools.lru_cache\ndef cached(n):\n    return n + {v}\ncached(1)\n",
    "from . import fresh\n",
    "def outer():\n    def inner():\n        return {v}\n    return inner\nmade = outer()\n",
]

HEAD = """
import atexit, dataclasses, enum, functools, logging, os, signal, socket, sys, textwrap, threading, warnings
import app, plugline
from . import helper
"""

TAIL = """
OWNED = {{}}

def on_load(context):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", app.port))
    server.listen()
    OWNED["port"] = server
    {fault}
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="x's own")
    thread.start()
    OWNED.update(stop=stop, thread=thread)

def on_unload():
    OWNED.pop("port").close()
    OWNED.pop("stop").set()
    OWNED.pop("thread").join()

def transform(record{parameters}):
    COUNTS[0] += 1
    return {v}, helper.shared()

COUNTS = [0]
"""

HELPER = "SEEN = []\nCOUNT = 0\nclass Shared:\n    mode = 'plain'\ndef shared():\n    return {v}\n"


class Processor(Protocol):
    """What the host calls."""

    def transform(self, record: object) -> object: ...


def version(chance: random.Random, *, fault: str = "") -> str:
    """Return a version of the plugin, with a fault."""
    number = chance.randrange(1000)
    blocks = [block.format(v=chance.randrange(1000)) for block in chance.sample(BLOCKS, chance.randint(2, 14))]
    tail = TAIL.format(
        v=number,
        fault="raise OSError('no')" if fault == "on_load" else "pass",
        parameters=", other" if fault == "signature" else "",
    )
    if fault == "interface":
        tail = tail.replace("def transform", "def other")
    pieces = [*blocks, tail]
    chance.shuffle(pieces)
    wrong = {
        "syntax": "def wrong(:\n",
        "raises": "1 / 0\n",
        "in a class": "class Wrong:\n    a = 1\n    b = a.nothing\n",
        "exits": "sys.exit(3)\n",
        "import": "import no_such_module_of_anybody\n",
        "encoding": "# \udcff\n",
        "declines": "def available():\n    return 'not today'\n",
        "late": "def deep(n):\n    return deep(n - 1) if n else 1 / 0\ndeep(5)\n",
    }.get(fault)
    if wrong is not None:
        pieces.insert(chance.randint(0, len(pieces)), wrong)
    return HEAD + "".join(pieces)


FAULTS = (
    *("syntax", "raises", "raises", "raises", "in a class", "exits", "import", "encoding", "declines", "late"),
    *("interface", "signature", "on_load", "on_load", "policy", "large", "helper", "helper raises late", "symlink"),
)


class Seen:
    """All that can be seen of some objects, written down as a text a line.

    Args:
        holds: Whether the objects are held, so that another one cannot have the identity of one that is gone. Where they are
            not, a reload finds them held by nobody else.
    """

    def __init__(self, *, holds: bool) -> None:
        self.lines: dict[str, str] = {}
        self._seen: set[int] = set()
        self._held: list[object] | None = [] if holds else None

    def look(self, path: str, value: object) -> None:
        """Write down an object and all that it consists of."""
        pending: list[tuple[str, object]] = [(path, value)]
        while pending:
            where, one = pending.pop()
            self.lines[where] = _shown(one)
            if id(one) in self._seen or isinstance(one, (str, int, float, bytes, type(None))):
                continue
            self._seen.add(id(one))
            if self._held is not None:
                self._held.append(one)
            pending += ((f"{where}{name}", part) for name, part in _parts(one))

    def look_all(self, path: str, values: Mapping[str, object]) -> None:
        """Write down several objects."""
        self.look(path, ", ".join(values))
        for name, value in values.items():
            self.look(f"{path}[{name}]", value)


def _shown(value: object) -> str:
    if isinstance(value, (str, int, float, bytes, bytearray, type(None))):
        return f"{type(value).__name__} {value!r}"
    return f"{type(value).__name__} at {id(value)}, of the class at {id(type(value))}"


def _parts(value: object) -> Iterator[tuple[str, object]]:  # noqa: C901, PLR0912 - a table
    match value:
        case FunctionType():
            yield ".__code__", value.__code__
            yield ".__globals__ is", str(id(value.__globals__))
            yield ".__defaults__", value.__defaults__
            yield ".__closure__", value.__closure__
            if value.__dict__:
                yield ".__dict__", value.__dict__
        case CellType():
            yield ".cell_contents", value.cell_contents
        case MethodType():
            yield ".__self__", value.__self__
            yield ".__func__", value.__func__
        case dict():
            yield " in order", ", ".join(map(_shown, value))
            for key, one in value.items():
                yield f"[{_key(key)}]", one
        case list() | tuple() | deque():
            yield " has", str(len(value))
            for index, one in enumerate(value):
                yield f"[{index}]", one
        case set() | frozenset():
            yield " has", str(sorted(map(_key, value)))
        case ModuleType():
            if value.__name__.startswith(("plugins", "app")):
                yield ".__dict__", vars(value)
        case type():
            if value.__module__.startswith(("plugins", "app")):
                yield ".__bases__", value.__bases__
                yield " below", str(sorted(map(id, type.__subclasses__(value))))
                names = {name: one for name, one in vars(value).items() if name not in {"__weakref__", "__dict__"}}
                yield " names", str(list(names))
                for name, one in names.items():
                    yield f".{name}", one
        case staticmethod() | classmethod():
            yield ".__func__", value.__func__
        case _ if type(value).__module__.startswith(("plugins", "app", "types", "weakref", "_weakrefset")):
            yield from ((f".{name}", one) for name, one in vars(value).items()) if hasattr(value, "__dict__") else ()
            slots: tuple[object, ...] = getattr(type(value), "__slots__", ())
            for slot in slots:
                if isinstance(slot, str) and slot != "__weakref__" and hasattr(value, slot):
                    yield f".{slot}", getattr(value, slot)


def _key(key: object) -> str:
    return repr(key) if isinstance(key, (str, int, tuple)) else _shown(key)


def _called_at_exit() -> list[str]:
    found: list[object] = []

    class Probe:
        def __eq__(self, other: object) -> bool:
            found.append(other)
            return False

        __hash__ = None  # type: ignore[assignment]

    atexit.unregister(Probe())  # type: ignore[arg-type]
    return [_shown(one) for one in found]


def snapshot(program: ModuleType, *, holds: bool) -> Seen:
    """Write down all that a reload could change."""
    seen = Seen(holds=holds)
    modules = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "plugins"}
    owned = vars(modules["plugins.x"]).pop("OWNED")  # what is closed and opened again need not be the same object
    try:
        seen.look_all("sys.modules", modules)
        seen.look("app", program)
    finally:
        vars(modules["plugins.x"])["OWNED"] = owned
    seen.look("OWNED", str(id(owned)))
    for name in ("plugins.x", "plugins.helper"):
        seen.look(f"source of {name}", inspect.getsource(sys.modules[name]))
    logger = logging.getLogger("app.x")
    handlers = {str(number): signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    seen.look_all("signal handlers", handlers)
    seen.look_all("logging handlers", {str(id(one)): one for one in (*logger.handlers, *logging.getLogger().handlers)})
    seen.look_all("logging filters", {str(id(one)): one for one in logger.filters})
    seen.look("called at exit", ", ".join(_called_at_exit()))
    seen.look("warnings", ", ".join(map(str, warnings.filters)))
    seen.look("textwrap", vars(textwrap))
    seen.look("sys.path", ", ".join(sys.path))
    seen.look("open", ", ".join(sorted(_descriptors())))
    seen.look("threads", ", ".join(sorted(thread.name for thread in threading.enumerate())))
    seen.look("the port", _listens(program.port))
    return seen


def _descriptors() -> Iterator[str]:
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that lists
        yield target.partition(":")[0]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Round:
    """One plugin, in one program.

    Args:
        folder: Where the plugins are; empty.
        chance: Decides.
    """

    def __init__(self, folder: Path, chance: random.Random, program: ModuleType) -> None:
        self._folder = folder
        self._chance = chance
        self._program = program
        self._write("helper", HELPER.format(v=1))
        self._write("fresh", "NEW = 1\n")
        self._good = version(chance)
        self._write("x", self._good)
        self._helper = HELPER.format(v=1)

    def _write(self, name: str, text: str) -> None:
        (self._folder / f"{name}.py").write_bytes(text.encode("utf-8", "surrogateescape"))

    def fail(self, host: Host[Processor], fault: str) -> list[str]:
        """Make an edit that fails; returns what is not as it was."""
        path = self._folder / "x.py"
        holds = self._chance.random() < 0.5
        gc.collect()  # what earlier versions left for the collector is not of this edit
        before = snapshot(self._program, holds=holds)
        self._break(path, fault)
        report = host.reload("x")
        after = snapshot(self._program, holds=holds)
        different = [f"{report}, expected it to be refused"] if report.how != "refused" else []
        if report.how == "refused" and not report.refused[0].place.path:
            different.append(f"{report} has no place")
        for line in {**before.lines, **after.lines}:
            was, is_now = before.lines.get(line, "not there"), after.lines.get(line, "not there")
            if was != is_now:
                different.append(f"{line}: {was}, then {is_now}")
        self._mend(path)
        return different

    def _break(self, path: Path, fault: str) -> None:
        match fault:
            case "policy":
                self._write("x", version(self._chance))
                path.chmod(0o666)
            case "large":
                self._write("x", version(self._chance) + "#" * 2**20)
            case "symlink":
                aside = self._folder.parent / "aside.py"
                aside.write_text(version(self._chance))
                path.unlink()
                path.symlink_to(aside)
            case "helper":
                self._write("helper", HELPER.format(v=2) + "import app\napp.callbacks.append(shared)\n1 / 0\n")
            case "helper raises late":
                self._write("helper", HELPER.format(v=2) + "del SEEN\n")
                self._write("x", version(self._chance) + "helper.SEEN\n")
            case _:
                self._write("x", version(self._chance, fault=fault))

    def _mend(self, path: Path) -> None:
        if path.is_symlink():
            path.unlink()
        self._write("x", self._good)
        path.chmod(0o644)
        self._write("helper", self._helper)

    def go_on(self, host: Host[Processor]) -> list[str]:
        """Let time pass: calls, what the host registers itself, and a good edit now and then."""
        chance, program = self._chance, self._program
        plugin = host["x"].load()
        plugin.transform({})
        if chance.random() < 0.3:
            program.callbacks.append(plugin.transform)
        if chance.random() < 0.2:
            self._good = version(chance)
            self._write("x", self._good)
            report = host.reload("x")
            if report.how not in ("adopted", "grafted"):
                return [f"a good edit was {report}"]
        return []


def soak(folder: Path, edits: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Make so many failing edits; returns how many there were of each kind, and what was not as it was."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    program = ModuleType("app")
    sys.modules["app"] = program
    exec(PROGRAM, program.__dict__)  # noqa: S102 - a module that no file is needed for
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        program.port = probe.getsockname()[1]  # type: ignore[attr-defined]
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    with restored():
        edited = Round(folder, chance, program)
        with Host(folder, interface=Processor) as host:
            host["x"].load()
            for number in range(edits):
                fault = chance.choice(FAULTS)
                kinds[fault] += 1
                wrong += [f"edit {number} ({fault}): {one}" for one in edited.fail(host, fault)]
                wrong += [f"after edit {number}: {one}" for one in edited.go_on(host)]
                if wrong:
                    break
        del sys.modules["app"]
        for name in list(vars(program)):
            delattr(program, name)
    gc.collect()
    return kinds, wrong


@contextmanager
def restored() -> Iterator[None]:
    """Put the process's own state back at the end: the last good version leaves it, as it may."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    filters, dedent, path = [*warnings.filters], textwrap.dedent, [*sys.path]
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        warnings.filters[:] = filters  # type: ignore[index]
        textwrap.dedent = dedent
        sys.path[:] = path
        logging.getLogger("app.x").handlers.clear()
        logging.getLogger("app.x").filters.clear()


def main() -> None:
    """Run it, and say what came of it."""
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PLUGLINE_CACHE"] = str(Path(temporary) / "cache")
        folder = Path(temporary) / "plugins"
        folder.mkdir()
        kinds, wrong = soak(folder, edits, seed)
    print(f"{sum(kinds.values()):,} failing edits, seed {seed}, {time.perf_counter() - start:.0f} s")
    for kind, count in kinds.most_common():
        print(f"  {count:5} {kind}")
    for one in wrong[:40]:
        print(one[:2000])
    print("nothing was different" if not wrong else f"{len(wrong)} differences")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
