"""Scenarios about transactions, state, reach, calls in flight and tooling."""

# One row a line: it is a table.
# fmt: off
from tests.reload.scenarios import row, swap

TRANSACTION, STATE, REACH, IN_FLIGHT, TOOLING = "transaction", "state", "reach", "in flight", "tooling"

F = "def f():\n    return 'old'\n"
G2 = "ADDED = 1\ndef f():\n    return 'new'\n"
F2_LARGE = "def f():\n    return 'new'\n" + "#" * 2**20

# What is called at exit can be had only by asking each whether it equals something.
AT_EXIT = """
import atexit
def at_exit():
    found = []
    class Probe:
        def __eq__(self, other):
            found.append(other)
            return False
    atexit.unregister(Probe())
    return found
"""

# ------------------------------------------------------------------ transaction

for how, bad in (
    ("a syntax error", "def f(:\n"),
    ("an exception while it runs", "def f():\n    return 'new'\n1 / 0\n"),
    ("sys.exit while it runs", "import sys\ndef f():\n    return 'new'\nsys.exit(3)\n"),
    ("a module that is not there", "import no_such_module_here\ndef f():\n    return 'new'\n"),
    ("a null byte", "def f():\n    return 'new'\n\0"),
    ("bytes that are no text", "def f():\n    return 'new'  # \udcff\n"),
):
    row(TRANSACTION, f"{how} leaves the old code in force", F, bad, "f = x.f; names = sorted(vars(x))", "assert f() == 'old'; assert x.f() == 'old'; assert sorted(vars(x)) == names", refused=True)
row(TRANSACTION, "a function that the host needs and that is gone leaves the old one", "def transform(r):\n    return r\n", "def other(r):\n    return r\n", "", "assert x.transform(1) == 1; assert not hasattr(x, 'other')", refused=True, only="plugline:interface")
row(TRANSACTION, "a signature that the host can't call leaves the old one", "def transform(r):\n    return r\n", "def transform(r, s):\n    return s\n", "", "assert x.transform(1) == 1", refused=True, only="plugline:interface")
row(TRANSACTION, "a class that lost a method that the host needs leaves the old one", "class Upper:\n    def transform(self, r):\n        return 'old'\n    def describe(self):\n        return ''\n", "class Upper:\n    def describe(self):\n        return ''\n", "c = x.Upper()", "assert c.transform(1) == 'old'", refused=True, only="plugline:class")
REG = "from app import register\n@register('a')\ndef a():\n    return 'old'\n"
row(TRANSACTION, "a registry is as it was after a failure", REG, swap(REG, ("'old'", "'new'")) + "@register('b')\ndef b():\n    return 1\n1 / 0\n", "", "assert list(app.registry) == ['a']; assert app.registry['a']() == 'old'", refused=True)
row(TRANSACTION, "a list of callbacks is as it was after a failure", "import app\ndef a():\n    return 'old'\napp.callbacks.append(a)\n", "import app\ndef a():\n    return 'new'\napp.callbacks.append(a)\napp.callbacks.append(len)\n1 / 0\n", "before = list(app.callbacks)", "assert app.callbacks == before; assert before[0]() == 'old'", refused=True)
row(TRANSACTION, "a registry that the new version empties is full after a failure", REG, "from app import registry\nregistry.clear()\n1 / 0\n", "", "assert app.registry['a']() == 'old'", refused=True)
row(TRANSACTION, "a signal handler is as it was after a failure", "import signal\ndef h(*a): pass\nsignal.signal(signal.SIGUSR1, h)\n", "import signal\ndef h2(*a): pass\nsignal.signal(signal.SIGUSR1, h2)\n1 / 0\n", "import signal; h = signal.getsignal(signal.SIGUSR1)", "assert signal.getsignal(signal.SIGUSR1) is h; assert h.__name__ == 'h'", refused=True)
row(TRANSACTION, "functions to call at exit are as they were after a failure", "import atexit\ndef bye(): pass\natexit.register(bye)\n", "import atexit\ndef bye2(): pass\natexit.register(bye2)\n1 / 0\n", AT_EXIT + "n = at_exit()", "assert at_exit() == n", refused=True)
row(TRANSACTION, "handlers of loggers are as they were after a failure", "import logging\nlogging.getLogger('app.x').addHandler(logging.NullHandler())\n", "import logging\nlogging.getLogger('app.x').addHandler(logging.NullHandler())\n1 / 0\n", "import logging; h = list(logging.getLogger('app.x').handlers)", "assert logging.getLogger('app.x').handlers == h", refused=True)
row(TRANSACTION, "a patched name is as it was after a failure", "import app\ndef hook():\n    return 'old'\napp.hook = hook\n", "import app\ndef hook():\n    return 'new'\napp.hook = hook\n1 / 0\n", "h = app.hook", "assert app.hook is h; assert app.hook() == 'old'", refused=True)
row(TRANSACTION, "sys.path is as it was after a failure", F, "import sys\nsys.path.insert(0, '/nowhere')\n1 / 0\n", "import sys; p = list(sys.path)", "assert sys.path == p", refused=True)
row(TRANSACTION, "warnings are filtered as before after a failure", F, "import warnings\nwarnings.simplefilter('ignore')\n1 / 0\n", "import warnings; w = list(warnings.filters)", "assert warnings.filters == w", refused=True)
row(TRANSACTION, "a class is as it was after a failure", "class C:\n    def m(self):\n        return 'old'\n", "class C:\n    k = 1\n    def m(self):\n        return 'new'\n1 / 0\n", "c = x.C(); C = x.C", "assert c.m() == 'old'; assert x.C is C; assert not hasattr(C, 'k')", refused=True)
row(TRANSACTION, "subclasses of a failed version leave no trace", "from app import Base\nclass C(Base): pass\n", "from app import Base\nclass C(Base): pass\nclass D(Base): pass\n1 / 0\n", "n = [c.__name__ for c in app.Base.__subclasses__()]", "assert [c.__name__ for c in app.Base.__subclasses__()] == n", refused=True)
row(TRANSACTION, "a helper's variables are as they were after a failure", {"x": "from . import helper\nhelper.COUNT = 1\n", "helper": "COUNT = 0\nSEEN = []\n"}, "from . import helper\nhelper.COUNT = 2\nhelper.SEEN.append(1)\n1 / 0\n", "", "assert helper.COUNT == 1; assert helper.SEEN == []", refused=True)
row(TRANSACTION, "a helper that is new and a failure leaves no module", {"x": F}, {"x": "from . import fresh\n1 / 0\n", "fresh": "K = 1\n"}, "import sys; n = set(sys.modules)", "assert {m for m in set(sys.modules) - n if m.endswith('.fresh')} == set()", refused=True)
row(TRANSACTION, "state that is kept and changed by a failed version is as it was", "import plugline\nK = plugline.keep('K', dict)\n", "import plugline\nK = plugline.keep('K', dict)\nK['new'] = 1\nK['list'].append(2)\n1 / 0\n", "x.K['list'] = [1]", "assert x.K == {'list': [1]}", refused=True, only="plugline")
row(TRANSACTION, "a failure in one of several modules leaves all as they were", {"x": "K = 1\n", "y": "from .x import K\n1 / (2 - K)\n"}, "K = 2\n", "", "assert x.K == 1; assert y.K == 1", refused=True)
row(TRANSACTION, "a mended file is taken after a failure", F, "1 / 0\n", "f = x.f", "assert f() == 'new'", edits=(G2,))

row(TRANSACTION, "what an object with slots holds is as it was after a failure", "import app\napp.desk.mode = 'old'\n", "import app\napp.desk.mode = 'new'\napp.desk.items.append(1)\n1 / 0\n", "", "assert app.desk.mode == 'old'; assert app.desk.items == []", refused=True)
row(TRANSACTION, "a simple namespace is as it was after a failure", "import app\napp.options.mode = 'old'\n", "import app\napp.options.mode = 'new'\napp.options.more = 1\n1 / 0\n", "", "assert vars(app.options) == {'mode': 'old'}", refused=True)
row(TRANSACTION, "attributes of the program's functions are as they were after a failure", "import app\n", "import app\napp.hook.calls = 5\n1 / 0\n", "", "assert not hasattr(app.hook, 'calls')", refused=True)
row(TRANSACTION, "a logger that a failed version emptied has its handlers", "import logging\nlogging.getLogger('app.x').addHandler(logging.NullHandler())\n", "import logging\nlogging.getLogger('app.x').handlers.clear()\n1 / 0\n", "import logging; h = list(logging.getLogger('app.x').handlers)", "import logging\nassert logging.getLogger('app.x').handlers == h != []", refused=True)
row(TRANSACTION, "a function to call at exit that somebody else registered too is called for them after a failure", "import app\n", "import app, atexit\natexit.register(app.again)\n1 / 0\n", AT_EXIT + "import atexit; atexit.register(app.again)", "assert [f.__name__ for f in at_exit()].count('again') == 1; atexit.unregister(app.again)", refused=True)
row(TRANSACTION, "the source of code that runs is shown after a file was refused unread", F, F2_LARGE, "f = x.f", "import inspect\nassert \"'old'\" in inspect.getsource(f)", refused=True, only="plugline")

# ------------------------------------------------------------------ registrations of a version that is taken

row(TRANSACTION, "a registry leads to the new code", REG, "A = 1\n" + swap(REG, ("'old'", "'new'")), "h = app.registry['a']", "assert app.registry['a']() == 'new'; assert h() == 'new'; assert len(app.registry) == 1")
row(TRANSACTION, "an entry of a registry that is no longer made is gone", REG + "@register('b')\ndef b():\n    return 1\n", REG, "", "assert list(app.registry) == ['a']")
row(TRANSACTION, "the last entry of a registry that is no longer made is gone", REG, "def a():\n    return 'new'\n", "", "assert list(app.registry) == []; assert x.a() == 'new'")
row(TRANSACTION, "an entry under another name takes the place of the old one", REG, swap(REG, ("'a'", "'b'")), "", "assert list(app.registry) == ['b']")
row(TRANSACTION, "a list of callbacks has each of them once", "import app\ndef a():\n    return 'old'\napp.callbacks.append(a)\n", "import app\ndef a():\n    return 'new'\napp.callbacks.append(a)\nA = 1\n", "", "assert len(app.callbacks) == 1; assert app.callbacks[0]() == 'new'")
row(TRANSACTION, "a lambda in a list of callbacks is there once", "import app\napp.callbacks.append(lambda: 'old')\n", "import app\napp.callbacks.append(lambda: 'new')\n", "", "assert [c() for c in app.callbacks] == ['new']")
row(TRANSACTION, "an object in a list of callbacks is there once", "import app\nclass H:\n    def __call__(self):\n        return 'old'\napp.callbacks.append(H())\n", "import app\nclass H:\n    def __call__(self):\n        return 'new'\napp.callbacks.append(H())\n", "", "assert [c() for c in app.callbacks] == ['new']")
row(TRANSACTION, "a callback that the host added itself stays", "def a():\n    return 'old'\n", "A = 1\ndef a():\n    return 'new'\n", "app.callbacks.append(x.a)", "assert [c() for c in app.callbacks] == ['new']")
row(TRANSACTION, "classes that register themselves are there once", "from app import Base\nclass C(Base):\n    def m(self):\n        return 'old'\n", "from app import Base\nclass C(Base):\n    k = 1\n    def m(self):\n        return 'new'\n", "", "assert [c.__name__ for c in app.classes] == ['C']; assert app.classes[0] is x.C; assert app.classes[0]().m() == 'new'")
row(TRANSACTION, "a base class lists each subclass once", "from app import Base\nclass C(Base): pass\n", "from app import Base\nclass C(Base):\n    k = 1\n", "", "assert [c for c in app.Base.__subclasses__() if c.__name__ == 'C'] == [x.C]")
row(TRANSACTION, "a signal handler is the new one", "import signal\ndef h(*a):\n    return 'old'\nsignal.signal(signal.SIGUSR1, h)\n", "import signal\ndef h(*a):\n    return 'new'\nA = 1\nsignal.signal(signal.SIGUSR1, h)\n", "", "import signal\nassert signal.getsignal(signal.SIGUSR1)() == 'new'")
row(TRANSACTION, "a signal handler that is no longer set is taken off", "import signal\ndef h(*a): pass\nsignal.signal(signal.SIGUSR1, h)\n", "import signal\n", "", "import signal\nassert signal.getsignal(signal.SIGUSR1) in (None, signal.SIG_DFL)")
row(TRANSACTION, "a function to call at exit is called once", "import atexit\ndef bye(): pass\natexit.register(bye)\n", "import atexit\nA = 1\ndef bye(): pass\natexit.register(bye)\n", AT_EXIT + "bye = x.bye", "assert [f.__name__ for f in at_exit()].count('bye') == 1; assert bye in at_exit()")
row(TRANSACTION, "a logger has each handler once", "import logging\nlogging.getLogger('app.x').addHandler(logging.NullHandler())\n", "import logging\nA = 1\nlogging.getLogger('app.x').addHandler(logging.NullHandler())\n", "import logging; n = len(logging.getLogger('app.x').handlers)", "assert len(logging.getLogger('app.x').handlers) == n == 1")
row(TRANSACTION, "a patched name leads to the new function", "import app\ndef hook():\n    return 'old'\napp.hook = hook\n", "import app\nA = 1\ndef hook():\n    return 'new'\napp.hook = hook\n", "h = app.hook", "assert app.hook() == 'new'; assert h() == 'new'")
row(TRANSACTION, "a name that is no longer patched is put back", "import app\ndef hook():\n    return 'old'\napp.hook = hook\n", "import app\n", "", "assert app.hook() == 'original'")

row(TRANSACTION, "a function to call at exit that somebody else registered too is called for them", "import app, atexit\natexit.register(app.again)\n", "import app\nA = 1\n", AT_EXIT + "import atexit; atexit.register(app.again)", "assert [f.__name__ for f in at_exit()].count('again') == 1; atexit.unregister(app.again)")
row(TRANSACTION, "a plugin takes its function to call at exit out itself", "import atexit\ndef bye(): pass\natexit.register(bye)\n", "import atexit\nA = 1\ndef bye(): pass\natexit.register(bye)\natexit.unregister(bye)\n", AT_EXIT, "assert [f.__name__ for f in at_exit()].count('bye') == 0")

# ------------------------------------------------------------------ state

row(STATE, "a body edit keeps variables", "COUNT = 0\ndef f():\n    return 'old'\n", "COUNT = 0\ndef f():\n    return 'new'\n", "x.COUNT = 5", "assert x.COUNT == 5; assert x.f() == 'new'")
row(STATE, "a body edit keeps a cache", "CACHE = {}\ndef f(k):\n    return CACHE.setdefault(k, len(CACHE))\n", "CACHE = {}\ndef f(k):\n    return CACHE.setdefault(k, len(CACHE) + 10)\n", "x.f('a'); c = x.CACHE", "assert x.CACHE is c; assert x.f('a') == 0; assert x.f('b') == 11")
row(STATE, "a body edit does not run the module", "import app\napp.runs.append(1)\ndef f():\n    return 'old'\n", "import app\napp.runs.append(1)\ndef f():\n    return 'new'\n", "", "assert app.runs == [1]; assert x.f() == 'new'")
row(STATE, "a comment keeps everything", "COUNT = 0\n" + F, "# a comment\nCOUNT = 0\n" + F, "x.COUNT = 5; f = x.f", "assert x.COUNT == 5; assert x.f is f; assert f.__code__.co_firstlineno == 3")
row(STATE, "a variable that is kept stays the same object", "import plugline\nCACHE = plugline.keep('CACHE', dict)\n", "import plugline\nA = 1\nCACHE = plugline.keep('CACHE', dict)\n", "x.CACHE['a'] = 1; c = x.CACHE", "assert x.CACHE is c; assert x.CACHE == {'a': 1}", only="plugline")
row(STATE, "a variable that is kept can be migrated", "import plugline\nC = plugline.keep('C', list)\n", "import plugline\nC = plugline.keep('C', dict, migrate=lambda old: old if isinstance(old, dict) else dict.fromkeys(old))\n", "x.C.append('a')", "assert x.C == {'a': None}", only="plugline")
row(STATE, "a number that is kept has its last value", "import plugline\nN = plugline.keep('N', int)\n", "import plugline\nA = 1\nN = plugline.keep('N', int)\n", "x.N += 7", "assert x.N == 7", only="plugline")
row(STATE, "instances of an edited class in a kept variable run the new code", "import plugline\nclass C:\n    def m(self):\n        return 'old'\nK = plugline.keep('K', lambda: [C()])\n", "import plugline\nclass C:\n    k = 1\n    def m(self):\n        return 'new'\nK = plugline.keep('K', lambda: [C()])\n", "c = x.K[0]", "assert x.K[0] is c; assert c.m() == 'new'; assert isinstance(c, x.C)", only="plugline")
row(STATE, "a variable that is not kept and had changed is named", "COUNT = 0\n", "COUNT = 0\nA = 1\n", "x.COUNT = 5", "assert 'COUNT' in report.lost", only="plugline")
row(STATE, "a variable that is edited is not called lost", "LIMIT = 1\n", "LIMIT = 2\n", "", "assert report.lost == (); assert 'LIMIT' in report.changed", only="plugline")
MOMENTS = "from app import log\ndef on_load(context):\n    log.append(('load', V))\ndef on_unload():\n    log.append(('unload', V))\n"
row(STATE, "the old version closes before the new one opens", "V = 1\n" + MOMENTS, "V = 2\n" + MOMENTS, "", "assert app.log == [('load', 1), ('unload', 1), ('load', 2)]", only="plugline")
row(STATE, "the old version opens again when the new one cannot", "V = 1\n" + MOMENTS, "V = 2\n" + swap(MOMENTS, ("log.append(('load', V))", "raise OSError('port')")), "", "assert app.log == [('load', 1), ('unload', 1), ('load', 1)]; assert x.V == 1", refused=True, only="plugline")
row(STATE, "a version that fails before it is taken closes nothing", "V = 1\n" + MOMENTS, "V = 2\n" + MOMENTS + "1 / 0\n", "", "assert app.log == [('load', 1)]", refused=True, only="plugline")
row(STATE, "the new version can take over what the old one has", "DATA = []\ndef on_reload(old):\n    global DATA\n    DATA = old.DATA\n", "DATA = []\nA = 1\ndef on_reload(old):\n    global DATA\n    DATA = old.DATA\n", "x.DATA.append(1); d = x.DATA", "assert x.DATA is d", only="plugline")
row(STATE, "a body edit closes and opens nothing", "from app import log\ndef on_load(context):\n    log.append('load')\ndef on_unload():\n    log.append('unload')\ndef f():\n    return 'old'\n", "from app import log\ndef on_load(context):\n    log.append('load')\ndef on_unload():\n    log.append('unload')\ndef f():\n    return 'new'\n", "", "assert app.log == ['load']; assert x.f() == 'new'", only="plugline")

# ------------------------------------------------------------------ reach

row(REACH, "a helper that is edited is seen by who imports the module", {"x": "from . import helper\ndef f():\n    return helper.g()\n", "helper": "def g():\n    return 'old'\n"}, {"helper": "A = 1\ndef g():\n    return 'new'\n"}, "f = x.f", "assert f() == 'new'")
row(REACH, "a helper that is edited is seen by who imports a name", {"x": "from .helper import g\ndef f():\n    return g()\n", "helper": "def g():\n    return 'old'\n"}, {"helper": "A = 1\ndef g():\n    return 'new'\n"}, "f = x.f", "assert f() == 'new'; assert x.g() == 'new'")
row(REACH, "a helper's constant that is edited is seen by who imports the name", {"x": "from .helper import K\ndef f():\n    return K\n", "helper": "K = 'old'\n"}, {"helper": "K = 'new'\n"}, "f = x.f", "assert f() == 'new'; assert x.K == 'new'")
row(REACH, "two plugins see the same new helper", {"x": "from .helper import K\n", "y": "from .helper import K\n", "helper": "K = 'old'\n"}, {"helper": "K = 'new'\n"}, "", "assert x.K == 'new'; assert y.K == 'new'")
row(REACH, "a helper of a helper is followed", {"x": "from .a import K\n", "a": "from .b import K\n", "b": "K = 'old'\n"}, {"b": "K = 'new'\n"}, "", "assert x.K == 'new'; assert a.K == 'new'")
row(REACH, "a value computed at import by an edited function is computed anew", "def make():\n    return 'old'\nK = make()\n", "def make():\n    return 'new'\nK = make()\n", "", "assert x.K == 'new'")
row(REACH, "a value computed at import by a helper's edited function is computed anew", {"x": "from .helper import make\nK = make()\n", "helper": "def make():\n    return 'old'\n"}, {"helper": "def make():\n    return 'new'\n"}, "", "assert x.K == 'new'")
row(REACH, "a value computed by a function that calls an edited one is computed anew", "def inner():\n    return 'old'\ndef make():\n    return inner()\nK = make()\n", "def inner():\n    return 'new'\ndef make():\n    return inner()\nK = make()\n", "", "assert x.K == 'new'")
row(REACH, "a comprehension at the top is computed anew", "def g(i):\n    return ('old', i)\nK = [g(i) for i in range(2)]\n", "def g(i):\n    return ('new', i)\nK = [g(i) for i in range(2)]\n", "", "assert x.K == [('new', 0), ('new', 1)]")
row(REACH, "modules that import each other are reloaded", {"x": "from . import y\nK = 'old'\ndef f():\n    return y.g()\n", "y": "from . import x\ndef g():\n    return x.K\n"}, {"x": "from . import y\nK = 'new'\ndef f():\n    return y.g()\n"}, "f = x.f", "assert f() == 'new'; assert y.g() == 'new'")
row(REACH, "a module of a package with relative imports is reloaded", {"x/__init__": "from .rules import K\nfrom . import rules\ndef f():\n    return K\n", "x/rules": "K = 'old'\n"}, {"x/rules": "K = 'new'\n"}, "f = x.f", "assert f() == 'new'; assert x.rules.K == 'new'")
row(REACH, "a package's own file is reloaded", {"x/__init__": "from .rules import K\ndef f():\n    return 'old'\n", "x/rules": "K = 1\n"}, {"x/__init__": "from .rules import K\nA = 1\ndef f():\n    return 'new'\n"}, "f = x.f", "assert f() == 'new'; assert x.A == 1; assert x.rules.K == 1")
row(REACH, "a deeper module of a package is reloaded", {"x/__init__": "from .a.b import K\n", "x/a/__init__": "", "x/a/b": "from ..c import L\nK = 'old' + L\n", "x/c": "L = '!'\n"}, {"x/c": "L = '?'\n"}, "", "assert x.K == 'old?'")
row(REACH, "an import inside of a function leads to the new helper", {"x": "def f():\n    from .helper import K\n    return K\n", "helper": "K = 'old'\n"}, {"helper": "K = 'new'\n"}, "x.f()", "assert x.f() == 'new'")
row(REACH, "a module that is new is imported", {"x": F}, {"x": "from .fresh import K\ndef f():\n    return K\n", "fresh": "K = 'new'\n"}, "f = x.f", "assert f() == 'new'")
row(REACH, "import_module leads to the new helper", {"x": "import importlib\nhelper = importlib.import_module('.helper', __package__)\nK = helper.K\n", "helper": "K = 'old'\n"}, {"helper": "K = 'new'\n"}, "", "assert x.K == 'new'")
row(REACH, "a subclass's class attributes are computed from the new base", {"x": "class B:\n    k = 1\n", "y": "from .x import B\nclass S(B):\n    d = B.k * 2\n"}, {"x": "class B:\n    k = 5\n"}, "s = y.S()", "assert s.d == 10; assert s.k == 5")
row(REACH, "what imports an edited module runs again in order", {"x": "import app\napp.runs.append('x')\nK = 1\n", "y": "import app\nfrom .x import K\napp.runs.append('y')\n", "z": "import app\nfrom .y import K\napp.runs.append('z')\n"}, {"x": "import app\napp.runs.append('x')\nK = 2\n"}, "app.runs.clear()", "assert app.runs == ['x', 'y', 'z']; assert z.K == 2")
row(REACH, "a plugin that does not import it is left alone", {"x": "K = 1\n", "y": "import app\napp.runs.append('y')\n"}, {"x": "K = 2\n"}, "app.runs.clear()", "assert app.runs == []; assert x.K == 2")

# ------------------------------------------------------------------ in flight

row(IN_FLIGHT, "a generator ends on the code that it began with", "def g():\n    yield 1\n    yield 'old'\n", "def g():\n    yield 1\n    yield 'new'\n", "it = x.g(); next(it)", "assert next(it) == 'old'; assert list(x.g()) == [1, 'new']")
row(IN_FLIGHT, "a generator ends on the code that it began with after an edit at the top", "def g():\n    yield 1\n    yield h()\ndef h():\n    return 'old'\n", "A = 1\ndef g():\n    yield 1\n    yield h()\ndef h():\n    return 'new'\n", "it = x.g(); next(it)", "assert next(it) == 'old'; assert list(x.g()) == [1, 'new']")
row(IN_FLIGHT, "a coroutine ends on the code that it began with", "async def f(e):\n    await e()\n    return 'old'\n", "async def f(e):\n    await e()\n    return 'new'\n", "import types\n@types.coroutine\ndef e():\n    yield\nc = x.f(e); c.send(None)", "try:\n    c.send(None)\nexcept StopIteration as s:\n    assert s.value == 'old'")
row(IN_FLIGHT, "a context manager closes with the code that it opened with", "import contextlib, app\n@contextlib.contextmanager\ndef cm():\n    yield\n    app.log.append('old')\n", "import contextlib, app\n@contextlib.contextmanager\ndef cm():\n    yield\n    app.log.append('new')\n", "c = x.cm(); c.__enter__()", "c.__exit__(None, None, None); assert app.log == ['old']")
THREAD = "def f(begun, go):\n    begun.set()\n    go.wait(10)\n    return h()\ndef h():\n    return 'old'\n"
THREAD_HOLD = "import threading\nbegun, go, out = threading.Event(), threading.Event(), []\nt = threading.Thread(target=lambda: out.append(x.f(begun, go))); t.start(); begun.wait(10)"
THREAD_THEN = "go.set(); t.join(10); assert out == ['old'], out; assert x.h() == 'new'; begun.set(); go.set(); assert x.f(begun, go) == 'new'"
row(IN_FLIGHT, "a call in another thread ends on the code that it began with, after a body edit", THREAD, swap(THREAD, ("'old'", "'new'")), THREAD_HOLD, THREAD_THEN)
row(IN_FLIGHT, "a call in another thread ends on the code that it began with, after an edit at the top", THREAD, "A = 1\n" + swap(THREAD, ("'old'", "'new'")), THREAD_HOLD, THREAD_THEN)
METHOD = "class C:\n    def f(self, begun, go):\n        begun.set()\n        go.wait(10)\n        return self.h()\n    def h(self):\n        return 'old'\nc = C()\nf = c.f\nh = c.h\n"
row(IN_FLIGHT, "a method in another thread ends on the code that it began with, after a body edit", METHOD, swap(METHOD, ("'old'", "'new'")), THREAD_HOLD, THREAD_THEN)
row(IN_FLIGHT, "a method in another thread ends on the code that it began with, after an edit at the top", METHOD, "A = 1\n" + swap(METHOD, ("'old'", "'new'")), THREAD_HOLD, THREAD_THEN)
row(IN_FLIGHT, "the report names calls on the old version", THREAD, "A = 1\n" + swap(THREAD, ("'old'", "'new'")), THREAD_HOLD, "go.set(); t.join(10); assert report.in_flight == ('f',)", only="plugline")
row(IN_FLIGHT, "a plugin that reloads itself goes on with the code that it began with", "import app\ndef f():\n    app.again()\n    return h()\ndef h():\n    return 'old'\n", "import app\nA = 1\ndef f():\n    app.again()\n    return h()\ndef h():\n    return 'new'\n", "", "assert x.f() == 'new'")

# What nobody but the collector could find is gone, and other objects are where it was.
COLLECT = "import gc; gc.collect(); junk = [{str(i): i for i in range(9)} for _ in range(200)]\n"
STATEFUL = "K = ['old']\ndef h():\n    return 'old'\ndef g():\n    yield 1\n    yield K, h()\ndef fail():\n    raise ValueError(K)\nclass C:\n    def g(self):\n        yield 1\n        yield K, h()\nasync def co(e):\n    await e()\n    return K, h()\ndef loop(begun, go):\n    begun.set()\n    go.wait(10)\n    return K[0]\n"
STATEFUL_2 = "A = 1\n" + swap(STATEFUL, ("'old'", "'new'"))
row(IN_FLIGHT, "a generator has its own variables after the collector came", STATEFUL, STATEFUL_2, "g = x.g; it = g(); next(it)", COLLECT + "assert next(it) == (['old'], 'old')")
row(IN_FLIGHT, "a generator has its own variables after two reloads", STATEFUL, STATEFUL_2, "g = x.g; it = g(); next(it)", COLLECT + "assert next(it) == (['old'], 'old')", edits=("B = 2\n" + STATEFUL_2,))
row(IN_FLIGHT, "a method's generator has its own variables after the collector came", STATEFUL, STATEFUL_2, "m = x.C.g; it = m(x.C()); next(it)", COLLECT + "assert next(it) == (['old'], 'old')")
row(IN_FLIGHT, "a coroutine has its own variables after the collector came", STATEFUL, STATEFUL_2, "import types\n@types.coroutine\ndef e():\n    yield\nf = x.co; c = f(e); c.send(None)", COLLECT + "try:\n    c.send(None)\nexcept StopIteration as stop:\n    assert stop.value == (['old'], 'old')")
row(IN_FLIGHT, "a call in another thread has its own variables after the collector came", STATEFUL, STATEFUL_2, "import threading\nbegun, go, out = threading.Event(), threading.Event(), []\nloop = x.loop\nt = threading.Thread(target=lambda: out.append(loop(begun, go))); t.start(); begun.wait(10)", COLLECT + "go.set(); t.join(10); assert out == ['old'], out")
row(IN_FLIGHT, "a call that is over and is held by its exception has its own variables", STATEFUL, STATEFUL_2, "f = x.fail\ntry:\n    f()\nexcept ValueError as e:\n    error = e", COLLECT + "frame = error.__traceback__.tb_next.tb_frame\nassert frame.f_globals['K'] == ['old']\nimport traceback\nassert 'raise ValueError(K)' in ''.join(traceback.format_exception(error))")
for how, after in (("a body edit", swap(STATEFUL, ("return 'old'", "k = 1\n    return 'new'"))), ("an edit at the top", STATEFUL_2)):
    row(TOOLING, f"an old generator shows its own lines for as long as it lives, after {how}", STATEFUL, after, "g = x.g; it = g(); next(it)", COLLECT + "import inspect\nassert inspect.getsource(it.gi_code) == \"def g():\\n    yield 1\\n    yield K, h()\\n\"\nimport traceback\ntry:\n    it.throw(KeyError('now'))\nexcept KeyError:\n    text = traceback.format_exc()\nassert '    yield 1\\n' in text, text")
row(TOOLING, "a form feed in the source ends no line", "def f():\n    return 'old'\n\f\ndef g():\n    raise ValueError('old line')\n", "def f(:\n", "", "import traceback\ntry:\n    x.g()\nexcept ValueError:\n    text = traceback.format_exc()\nassert \"raise ValueError('old line')\" in text, text", refused=True)

# ------------------------------------------------------------------ tooling

RAISES = "def f():\n    raise ValueError('old line')\n"
row(TOOLING, "a traceback shows the line of the new code", RAISES, "# a line more\n\ndef f():\n    x = 1\n    raise ValueError('new line')\n", "", "import traceback\ntry:\n    x.f()\nexcept ValueError:\n    text = traceback.format_exc()\nassert \"raise ValueError('new line')\" in text; assert 'line 5' in text")
row(TOOLING, "a traceback shows the line of a function that was not edited", "def g():\n    return 'old'\ndef f():\n    raise ValueError('here')\n", "def g():\n    k = 1\n    return 'new'\ndef f():\n    raise ValueError('here')\n", "f = x.f", "import traceback\ntry:\n    f()\nexcept ValueError:\n    text = traceback.format_exc()\nassert \"raise ValueError('here')\" in text; assert 'line 5' in text")
row(TOOLING, "the source of a held function is the new one", F, "# more\n" + G2, "f = x.f", "import inspect\nassert inspect.getsource(f) == \"def f():\\n    return 'new'\\n\"")
row(TOOLING, "the source of a held class is the new one", "class C:\n    def m(self):\n        return 'old'\n", "A = 1\nclass C:\n    def m(self):\n        return 'new'\n", "C = x.C", "import inspect\nassert \"'new'\" in inspect.getsource(C); assert \"'new'\" in inspect.getsource(C.m)")
row(TOOLING, "the source of the module is the new one", F, G2, "", "import inspect\nassert 'ADDED' in inspect.getsource(x)")
row(TOOLING, "an old generator's traceback shows its own lines", "def g():\n    yield 1\n    raise ValueError('old line')\n", "A = 1\nB = 2\nC = 3\nD = 4\ndef g():\n    yield 1\n    raise ValueError('new line')\n", "it = x.g(); next(it)", "import traceback\ntry:\n    next(it)\nexcept ValueError:\n    text = traceback.format_exc()\nassert \"raise ValueError('old line')\" in text, text")
row(TOOLING, "after a refused edit tracebacks show the code that runs", RAISES, "# a line more\n\n\ndef f(:\n    raise ValueError('new line')\n", "", "import traceback\ntry:\n    x.f()\nexcept ValueError:\n    text = traceback.format_exc()\nassert \"raise ValueError('old line')\" in text", refused=True)
row(TOOLING, "after a refused edit the source is that of the code that runs", F, "def f(:\n", "f = x.f", "import inspect\nassert \"'old'\" in inspect.getsource(f)", refused=True)
row(TOOLING, "a warning has the place of the new code", "import warnings\ndef f():\n    warnings.warn('w')\n", "import warnings\n\n\n\ndef f():\n    warnings.warn('w')\n", "", "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    warnings.simplefilter('always')\n    x.f()\nassert seen[0].lineno == 6; assert seen[0].filename == x.__file__")
row(TOOLING, "the code has the file's own name", F, G2, "f = x.f", "assert f.__code__.co_filename == x.__file__ == x.f.__code__.co_filename")
row(TOOLING, "a breakpoint in the debugger is met in the new code", F, "def f():\n    k = 1\n    return 'new'\n", "f = x.f", "import pdb, io\nout = io.StringIO()\nd = pdb.Pdb(stdin=io.StringIO('c\\np k\\nc\\n'), stdout=out, nosigint=True, readrc=False)\nd.set_break(x.__file__, 3)\nassert d.runcall(f) == 'new'; d.clear_all_breaks()\nassert '1' in out.getvalue()")
row(TOOLING, "signatures are those of the new code", "def f(a): pass\n", "def f(a, b, *, c=1): pass\n", "f = x.f", "import inspect\nassert str(inspect.signature(f)) == '(a, b, *, c=1)'")
