"""Scenarios about what plugins leave with others over several edits: registrations, patches, places of the standard library."""

# One row a line: it is a table.
# fmt: off
from tests.reload.scenarios import row, swap

IDENTITY, TRANSACTION, REACH = "identity", "transaction", "reach"

TWO = "from app import register, callbacks\n@register('a')\ndef a():\n    return 'old'\n@register('b')\ndef b():\n    return 'old'\ncallbacks.append(a)\n"
K1, K2 = TWO + "K = 1\n", TWO + "K = 2\n"
NONE = "K = 3\n"

row(IDENTITY, "what was registered again by one version is gone with the next that registers nothing", TWO, K1, "", "assert not app.registry; assert not app.callbacks", edits=(NONE,))
row(IDENTITY, "what came back after a version without it is gone with the next", TWO, NONE, "", "assert not app.registry; assert not app.callbacks", edits=(TWO, NONE))
row(IDENTITY, "what came back after a version without it is there once", TWO, NONE, "", "assert sorted(app.registry) == ['a', 'b']; assert len(app.callbacks) == 1", edits=(TWO, K1, K2))

# ------------------------------------------------------------------ patches

WRAP = "import app, functools\nCALLS = []\ndef wrap(f):\n    @functools.wraps(f)\n    def wrapped():\n        CALLS.append('old')\n        return f()\n    return wrapped\napp.hook = wrap(app.hook)\n"
BY_NAME = "import app\n_hook = app.hook\ndef hook():\n    return 'old ' + _hook()\napp.hook = hook\n"

row(IDENTITY, "a function of the program that is wrapped is wrapped once", BY_NAME, swap(BY_NAME, ("old", "new")) + "K = 1\n", "", "assert app.hook() == 'new original'")
row(IDENTITY, "a function of the program that a decorator wraps is wrapped once", WRAP, swap(WRAP, ("old", "new")) + "K = 1\n", "", "assert app.hook() == 'original'; assert x.CALLS == ['new'], x.CALLS")
row(IDENTITY, "a function of the program that was wrapped twice is itself again", WRAP, WRAP + "K = 1\n", "hook = app.hook.__wrapped__", "assert app.hook is hook", edits=(NONE,))
row(IDENTITY, "two plugins that wrap one function stay one above the other", {"x": BY_NAME, "y": swap(BY_NAME, ("old", "above"))}, {"x": swap(BY_NAME, ("old", "new")) + "K = 1\n"}, "assert app.hook() == 'above old original'", "assert app.hook() == 'above new original', app.hook()")
row(IDENTITY, "a failing version leaves what was wrapped", WRAP, WRAP + "1 / 0\n", "", "assert app.hook() == 'original'; assert x.CALLS == ['old'], x.CALLS", refused=True)
row(IDENTITY, "a method of the program's class that is patched is the program's again", "from app import Desk\ndef total(self):\n    return 'old'\nDesk.total = total\n", NONE, "desk = app.desk; assert desk.total() == 'old'", "assert not hasattr(desk, 'total')")
row(IDENTITY, "a method of the program's class that is replaced is the program's again", "import app\ndef hello(self):\n    return 'old'\napp.Service.hello = hello\n", "import app\ndef hello(self):\n    return 'new'\napp.Service.hello = hello\nK = 1\n", "s = app.Service(); assert s.hello() == 'old'", "assert s.hello() == 'original'", edits=(NONE,))
row(IDENTITY, "an attribute of the program's object that is set is what it was", "from app import service\ndef failed():\n    return 'old'\nservice.on_error = failed\nservice.debug = True\n", NONE, "assert app.service.debug", "assert app.service.on_error is None; assert app.service.debug is False")
row(IDENTITY, "a number of the program's that is set again stays set", "import app\napp.LIMIT = 5\n", "import app\napp.LIMIT = 5\nK = 1\n", "", "assert app.LIMIT == 5")
row(IDENTITY, "a number of the program's that is no longer set is what it was", "import app\napp.LIMIT = 5\n", "import app\napp.LIMIT = 5\nK = 1\n", "", "assert app.LIMIT == 1", edits=(NONE,))
row(IDENTITY, "what the program notes of itself while a plugin is loaded stays", "import app\napp.set_up()\nclass C:\n    def __init__(self):\n        self.x = 1\n", "import app\napp.set_up()\nclass C:\n    def __init__(self):\n        self.x = 2\nK = 1\n", "", "assert app.READY")
row(IDENTITY, "a signal that is ignored stays ignored", "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n", "import signal\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\nK = 1\n", "", "import signal; assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN")
row(IDENTITY, "a filter of warnings that is set again is there once", "import warnings\nwarnings.filterwarnings('ignore', 'of x')\n", "import warnings\nwarnings.filterwarnings('ignore', 'of x')\nK = 1\n", "import warnings; count = lambda: sum(1 for f in warnings.filters if f[1] is not None and 'of x' in f[1].pattern)", "assert count() == 1")

# ------------------------------------------------------------------ classes

CUSTOM = "class Custom(Exception): pass\nclass Mine(Exception): pass\ndef f():\n    raise Mine('old')\n"
row(IDENTITY, "an exception that gets a base of the plugin's own", CUSTOM, swap(CUSTOM, ("Mine(Exception)", "Mine(Custom)")), "M = x.Mine; e = M('1'); f = x.f", "assert isinstance(e, x.Custom)\ntry:\n    f()\nexcept x.Custom as error:\n    assert isinstance(error, M) and type(error) is M is x.Mine")
row(IDENTITY, "an exception that gets a base of the plugin's own and loses it again", CUSTOM, swap(CUSTOM, ("Mine(Exception)", "Mine(Custom)")), "M = x.Mine; e = M('1')", "assert not isinstance(e, x.Custom); assert M.__bases__ == (Exception,); assert x.Mine is M", edits=(CUSTOM,))
FROZEN = "from dataclasses import dataclass\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass P:\n    a: int = 1\n"
row(IDENTITY, "a field with a default added to a frozen dataclass with slots", FROZEN, FROZEN + "    b: int = 7\n", "kept = [x.P(a=5)]; by = {kept[0]: 'value'}; several = {kept[0]}", "assert kept[0].b == 7 and kept[0].a == 5; assert by[x.P(a=5)] == 'value'; assert x.P(a=5) in several")
row(IDENTITY, "a field with a factory added to a dataclass with slots", "from dataclasses import dataclass, field\n@dataclass(slots=True)\nclass P:\n    a: int = 1\n", "from dataclasses import dataclass, field\n@dataclass(slots=True)\nclass P:\n    a: int = 1\n    b: list = field(default_factory=list)\n", "kept = [x.P(), x.P()]", "kept[0].b.append(1); assert kept[1].b == []")

FUNCTION, CLASS = "def f(v):\n    return ('function', v)\n", "class f:\n    def __init__(self, v):\n        self.v = v\n"
row(IDENTITY, "a function that is a class for a while", FUNCTION, CLASS, "f = x.f", "assert f(1) == ('function', 1); assert x.f is f", edits=(CLASS + "K = 1\n", FUNCTION))
row(IDENTITY, "a class that is a function for a while", CLASS, FUNCTION, "C = x.f; c = C(1)", "assert x.f is C; assert isinstance(c, x.f)", edits=(FUNCTION + "K = 1\n", CLASS))
row(TRANSACTION, "what is registered with an abstract class is as it was after a failure", "from app import Countable\nclass C: pass\nCountable.register(C)\n", "from app import Countable\nclass C: pass\nCountable.register(C)\nCountable.register(int)\n1 / 0\n", "c = x.C()", "assert isinstance(c, app.Countable); assert not isinstance(1, app.Countable)", refused=True)

# ------------------------------------------------------------------ files

row(REACH, "a plugin that was only imported by another one is reloaded by its name", {"y": "from .x import f, K\ndef g():\n    return f(), K\n", "x": "K = 1\ndef f():\n    return 'old'\n"}, {"x": "K = 2\ndef f():\n    return 'new'\n"}, "", "assert y.g() == ('new', 2)", only="plugline:imported")
PACKAGE = {"x/__init__": "from .a import f\nfrom .b import K\n", "x/a": "def f():\n    return 'old'\n", "x/b": "K = 1\n"}
row(REACH, "a submodule that nobody imports any more may be deleted", PACKAGE, {"x/__init__": "from .a import f\n", "x/b": None}, "import sys; f = x.f", "assert f() == 'old'; assert not hasattr(x, 'K'); assert not hasattr(x, 'b'); assert x.__name__ + '.b' not in sys.modules")
row(REACH, "a submodule that is imported still and deleted leaves the old version", PACKAGE, {"x/b": None}, "import sys", "assert x.K == 1; assert x.__name__ + '.b' in sys.modules", refused=True)

# ------------------------------------------------------------------ registries of all shapes

TABLE = "from app import table\ndef f():\n    return 'old'\ntable['f'] = f\n"
row(IDENTITY, "a table of the program's whose methods take something else", TABLE, swap(TABLE, ("old", "new")) + "K = 1\n", "f = app.table['f']", "assert app.table['f']() == 'new' and f() == 'new'; assert [*app.table] == ['f']")
row(IDENTITY, "what is gone from a table of the program's whose methods take something else", TABLE, NONE, "", "assert not app.table")
row(TRANSACTION, "a table of the program's whose methods take something else, and a failure", TABLE, swap(TABLE, ("old", "new")) + "table['g'] = f\n1 / 0\n", "", "assert app.table['f']() == 'old'; assert [*app.table] == ['f']; assert app.table.names == {'f'}", refused=True)
HOOKS = "from app import hooks, service\ndef f():\n    return 'old'\nhooks['start'].append(f)\nservice.listen(f)\n"
row(IDENTITY, "a table of lists that the program made keeps its lists", HOOKS, swap(HOOKS, ("old", "new")) + "K = 1\n", "", "assert [f() for f in app.hooks['start']] == ['new']; assert app.hooks['stop'] == []; assert app.service.listener() == 'new'")
row(IDENTITY, "a table of lists that the program made is as it was when nothing is registered any more", HOOKS, NONE, "", "assert app.hooks == {'start': [], 'stop': []}, app.hooks; assert app.service.listener is None")
EVENTS = "from app import on\n@on('a')\ndef f():\n    return 'old'\n@on('a')\ndef g():\n    return 'old'\n@on('b')\ndef h():\n    return 'old'\n"
row(IDENTITY, "lists of listeners by event", EVENTS, swap(EVENTS, ("old", "new")) + "K = 1\n", "", "assert [f() for f in app.events['a']] == ['new', 'new']; assert [f() for f in app.events['b']] == ['new']")
row(IDENTITY, "lists of listeners by event of which some are gone", EVENTS, EVENTS + "K = 1\n", "", "assert [f() for f in app.events['a']] == ['new']; assert not app.events.get('b')", edits=("from app import on\n@on('a')\ndef g():\n    return 'new'\n",))
ROWS_OF = "import app\ndef f():\n    return 'old'\ndef g():\n    return 'old'\nfor one in (f, g):\n    app.callbacks.append({'name': one.__name__, 'run': one})\n    app.registry[one.__name__] = {'run': one}\n    app.pairs.add((one.__name__, one))\n    app.commands.append(app.Command(one))\n"
row(IDENTITY, "tables, rows and objects of the program that functions are registered with", ROWS_OF, swap(ROWS_OF, ("old", "new")) + "K = 1\n", "", "assert [(r['name'], r['run']()) for r in app.callbacks] == [('f', 'new'), ('g', 'new')]; assert app.registry['g']['run']() == 'new'; assert sorted(n for n, _ in app.pairs) == ['f', 'g'] and all(pair in app.pairs for pair in app.pairs); assert [c.run() for c in app.commands] == ['new', 'new']")
row(IDENTITY, "tables, rows and objects of the program of which one is gone", ROWS_OF, ROWS_OF + "K = 1\n", "", "assert [r['name'] for r in app.callbacks] == ['f']; assert [*app.registry] == ['f']; assert [n for n, _ in app.pairs] == ['f']; assert len(app.commands) == 1", edits=(swap(ROWS_OF, ("(f, g)", "(f,)")),))
WEAK = "from app import connect\n@connect\ndef f():\n    return 'old'\n"
row(IDENTITY, "a function that the program knows weakly", WEAK, swap(WEAK, ("old", "new")) + "K = 1\n", "", "import gc; gc.collect(); assert [one()() for one in app.weak] == ['new']")
row(IDENTITY, "a function that the program knew weakly and that is no longer connected", WEAK, WEAK + "K = 1\n", "", "import gc; gc.collect(); assert not [one for one in app.weak if one() is not None]", edits=("def f():\n    return 'new'\n",))
row(IDENTITY, "a method that the program knows weakly", "class C:\n    def m(self):\n        return 'old'\n", "class C:\n    k = 1\n    def m(self):\n        return 'new'\n", "import weakref; c = x.C(); m = weakref.WeakMethod(c.m)", "assert m()() == 'new'")
row(IDENTITY, "a class that is gone is no subclass any more", "from app import Base\nclass A(Base): pass\nclass B(Base):\n    def m(self):\n        return super()\n", "from app import Base\nclass A(Base): pass\n", "", "assert [c.__name__ for c in app.Base.__subclasses__()] == ['A']; assert [c.__name__ for c in app.classes] == ['A']")
row(IDENTITY, "a class of the program below an abstract one that asks for more", "import abc\nclass A(abc.ABC):\n    def m(self): pass\n", "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def m(self): pass\n", "class Mine(x.A): pass\nMine()", "try:\n    Mine()\nexcept TypeError: pass\nelse: assert 0")

ONCE = "from app import once\n@once('a')\ndef f():\n    return 'old'\n@once('b')\ndef g():\n    return 'old'\n"
row(IDENTITY, "a program that refuses what is registered twice", ONCE, swap(ONCE, ("old", "new")) + "K = 1\n", "f = app.registry['a']", "assert app.registry['a']() == 'new' and f() == 'new'; assert [*app.registry] == ['a', 'b']")
row(IDENTITY, "a program that refuses what is registered twice, and what is gone", ONCE, ONCE + "K = 1\n", "", "assert [*app.registry] == ['a'], app.registry", edits=("from app import once\n@once('a')\ndef f():\n    return 'new'\n",))
row(TRANSACTION, "a program that refuses what is registered twice, and a failure", ONCE, ONCE + "1 / 0\n", "f = app.registry['a']", "assert app.registry['a'] is f and f() == 'old'; assert [*app.registry] == ['a', 'b']", refused=True)
row(TRANSACTION, "a new version that registers one name twice is refused", ONCE, ONCE + "@once('a')\ndef h():\n    return 'new'\n", "f = app.registry['a']", "assert app.registry['a'] is f and f() == 'old'; assert [*app.registry] == ['a', 'b']", refused=True)
ABSENT = "import app\ndef f():\n    return 'old'\napp.registry.setdefault('a', f)\nif 'b' not in app.registry:\n    app.registry['b'] = f\n"
row(IDENTITY, "what is registered where nothing is yet", ABSENT, swap(ABSENT, ("old", "new")) + "K = 1\n", "", "assert app.registry['a']() == app.registry['b']() == 'new'")
row(IDENTITY, "what is registered no more though its function is there", "from app import register\n@register('a')\ndef f():\n    return 'old'\n", "from app import register\ndef f():\n    return 'new'\n", "", "assert not app.registry; assert x.f() == 'new'")
ABSENT_ONES = "import app\nclass Check:\n    def __init__(self):\n        self.text = 'old'\none = Check()\nif not any(type(c).__name__ == 'Check' for c in app.callbacks):\n    app.callbacks.append(one)\napp.registry.setdefault('a', one)\n"
row(IDENTITY, "an object that is registered where none of its kind is yet, as checkov has it", ABSENT_ONES, swap(ABSENT_ONES, ("old", "new")) + "K = 1\n", "", "assert [c.text for c in app.callbacks] == ['new']; assert app.registry['a'] is x.one is app.callbacks[0]")
METERS = "from app import Meter\nCALLS = Meter('calls')\ndef f():\n    CALLS.count += 1\n    return 'old'\n"
row(IDENTITY, "objects of the program that it refuses to have twice", METERS, swap(METERS, ("old", "new")) + "K = 1\n", "x.f()", "assert x.f() == 'new'; assert app.meters['calls'] is x.CALLS; assert len(app.meters) == 1")

PARTIAL = "import functools\ndef f(a):\n    return a\np = functools.partial(f, 'old')\n"
row(IDENTITY, "a partial that somebody holds and that is made with something else", PARTIAL, swap(PARTIAL, ("old", "new")), "p = x.p", "assert p() == 'new'; assert x.p is p")
MARK = "MISSING = object()\nclass C:\n    def __init__(self, value=MISSING):\n        self.value = value\n    def is_missing(self):\n        return self.value is MISSING\nK = 1\n"
row(IDENTITY, "a mark that objects hold", MARK, swap(MARK, ("K = 1", "K = 2")), "c = x.C(); m = x.MISSING", "assert c.is_missing() and x.C().is_missing(); assert x.MISSING is m")
BY_ID = "from app import connect_by_id\n@connect_by_id\ndef f():\n    return 'old'\n"
row(IDENTITY, "a function that the program knows weakly by its id", BY_ID, swap(BY_ID, ("old", "new")) + "K = 1\n", "", "import gc; gc.collect(); assert [one()() for one in app.by_id.values()] == ['new']")

# ------------------------------------------------------------------ places of the standard library

LOG = "import logging\nlog = logging.getLogger('app.x')\nif not log.handlers:\n    log.addHandler(logging.StreamHandler())\nlog.setLevel(10)\nlog.propagate = False\n"
row(IDENTITY, "a handler that is added where there is none stays", LOG, LOG + "K = 1\n", "import logging; log = logging.getLogger('app.x')", "assert len(log.handlers) == 1; assert log.level == 10; assert not log.propagate")
row(IDENTITY, "a logger that is no longer set up is as it was", LOG, LOG + "K = 1\n", "import logging; log = logging.getLogger('app.x')", "assert not log.handlers; assert log.level == 0; assert log.propagate", edits=(NONE,))
row(TRANSACTION, "the level of a logger is as it was after a failure", LOG, swap(LOG, ("10", "50")) + "logging.addLevelName(51, 'X51')\n1 / 0\n", "import logging; log = logging.getLogger('app.x')", "assert log.level == 10; assert log.isEnabledFor(20); assert logging.getLevelName(51) == 'Level 51'", refused=True)
CODEC = "import codecs\ndef find(name):\n    return codecs.lookup('utf-8') if name == 'app_old' else None\ncodecs.register(find)\n"
FOUND = "def found(name):\n    try: return bool('a'.encode(name))\n    except LookupError: return False\n"
row(IDENTITY, "a codec", CODEC, swap(CODEC, ("old", "new")) + "K = 1\n", FOUND, "assert found('app_new'); assert not found('app_old')")
row(IDENTITY, "a codec that is gone", CODEC, NONE, FOUND, "assert not found('app_old')")
row(TRANSACTION, "codecs are as they were after a failure", CODEC, swap(CODEC, ("old", "new")) + "1 / 0\n", FOUND, "assert not found('app_new'); assert found('app_old')", refused=True)
ENVIRON = "import os\nos.environ.setdefault('APP_X', 'old')\nos.environ['APP_Y'] = 'old'\n"
row(IDENTITY, "variables of the environment", ENVIRON, swap(ENVIRON, ("old", "new")) + "K = 1\n", "import os", "assert os.environ['APP_X'] == 'old'; assert os.environ['APP_Y'] == 'new'; del os.environ['APP_X'], os.environ['APP_Y']", only="plugline")
row(IDENTITY, "variables of the environment that are no longer set", ENVIRON, ENVIRON + "K = 1\n", "import os", "assert 'APP_X' not in os.environ; assert 'APP_Y' not in os.environ", edits=(NONE,))
row(TRANSACTION, "the environment is as it was after a failure", "K = 1\n", ENVIRON + "1 / 0\n", "import os", "assert 'APP_X' not in os.environ; assert 'APP_Y' not in os.environ", refused=True)
COPY = "import copyreg, gc\nclass C: pass\ndef reduce(c):\n    return C, ()\ncopyreg.pickle(C, reduce)\ndef collected(phase, info): pass\ngc.callbacks.append(collected)\n"
COUNTS = "import copyreg, gc\nC, collected = x.C, x.collected\ndef counts():\n    return (C in copyreg.dispatch_table, gc.callbacks.count(collected), len(gc.callbacks) - others)\nothers = len(gc.callbacks) - 1\nassert counts() == (True, 1, 1)"
PUT_BACK = "; gc.callbacks.remove(collected); del copyreg.dispatch_table[C]"
row(IDENTITY, "ways of pickling, and what the collector calls", COPY, COPY + "K = 1\n", COUNTS, "assert counts() == (True, 1, 1), counts()" + PUT_BACK)
row(IDENTITY, "ways of pickling, and what the collector calls, that are gone", COPY, NONE, COUNTS, "assert counts() == (False, 0, 0), counts()")
row(TRANSACTION, "ways of pickling, and what the collector calls, are as they were after a failure", COPY, COPY + "copyreg.pickle(type('D', (), {}), reduce)\ngc.callbacks.append(reduce)\n1 / 0\n", COUNTS, "assert counts() == (True, 1, 1), counts()" + PUT_BACK, refused=True)

# ------------------------------------------------------------------ what is lost

STATE = "state"
NESTED = "from collections import defaultdict, deque\nTABLE = {'a': []}\nLISTS = defaultdict(list)\nLAST = deque()\nclass Box:\n    count = 0\n    seen = {}\n    fine = [1]\n    def __init__(self):\n        self.items = {'x': []}\nBOX = Box()\nFINE = {'a': [1]}\nK = 1\n"
row(STATE, "what is lost is named, however deep it is", NESTED, swap(NESTED, ("K = 1", "K = 2")), "x.TABLE['a'].append(1); x.LISTS['b'].append(1); x.LAST.append(1); x.BOX.items['x'].append(1); x.Box.count = 3; x.Box.seen['y'] = 1", "assert set(report.lost) == {'TABLE', 'LISTS', 'LAST', 'BOX', 'Box.count', 'Box.seen'}, report.lost", only="plugline")
row(STATE, "what was not changed is not said to be lost", NESTED, swap(NESTED, ("K = 1", "K = 2")), "", "assert not report.lost, report.lost", edits=(swap(NESTED, ("K = 1", "K = 3")),), only="plugline")
row(STATE, "variables of classes that are lost are named where nothing is called", "class Box:\n    count = 0\n    seen = {}\nK = 1\n", "class Box:\n    count = 0\n    seen = {}\nK = 2\n", "x.Box.count = 3; x.Box.seen['y'] = 1", "assert set(report.lost) == {'Box.count', 'Box.seen'}, report.lost", only="plugline")
row(STATE, "a field without a default that older instances lack is named", "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n", "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n    b: int\n", "p = x.P(1)", "assert report.lost == ('P.b on instances made before',), report.lost", only="plugline")
