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

# ------------------------------------------------------------------ files

row(REACH, "a plugin that was only imported by another one is reloaded by its name", {"y": "from .x import f, K\ndef g():\n    return f(), K\n", "x": "K = 1\ndef f():\n    return 'old'\n"}, {"x": "K = 2\ndef f():\n    return 'new'\n"}, "", "assert y.g() == ('new', 2)", only="plugline:imported")
PACKAGE = {"x/__init__": "from .a import f\nfrom .b import K\n", "x/a": "def f():\n    return 'old'\n", "x/b": "K = 1\n"}
row(REACH, "a submodule that nobody imports any more may be deleted", PACKAGE, {"x/__init__": "from .a import f\n", "x/b": None}, "import sys; f = x.f", "assert f() == 'old'; assert not hasattr(x, 'K'); assert not hasattr(x, 'b'); assert x.__name__ + '.b' not in sys.modules")
row(REACH, "a submodule that is imported still and deleted leaves the old version", PACKAGE, {"x/b": None}, "import sys", "assert x.K == 1; assert x.__name__ + '.b' in sys.modules", refused=True)
