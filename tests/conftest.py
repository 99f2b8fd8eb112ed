"""What holds for every test: it leaves nothing behind."""

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

try:
    import hypothesis
except ModuleNotFoundError:
    pass  # the tests against other programs have environments of their own, and do without
else:
    # How fast a machine makes examples, and runs one, says nothing of plugline; tests have a timeout of their own.
    hypothesis.settings.register_profile(
        "plugline", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("plugline")

# Who starts the tests in the background of a shell script has them ignore Ctrl-C, which is what some of them press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = ["plugins", "typing"]  # other people's files, and files for type checkers

_GRACE_SECONDS = 20.0  # what was told to end may need a moment, and some seconds where the machine has much else to do
_PROC_SELF = Path("/proc/self")

Leftovers = dict[str, set[str]]


def _threads() -> set[str]:
    return {f"{thread.name} ({thread.ident})" for thread in threading.enumerate()}


def _child_processes() -> set[str]:
    """Children that run, and those that ended but were not waited for."""
    children: set[str] = set()
    for task in _PROC_SELF.glob("task/*/children"):
        try:
            children.update(task.read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
            continue
    return children


def _file_descriptors() -> set[str]:
    if not _PROC_SELF.exists():  # not Linux
        return set()
    found: set[str] = set()
    for descriptor in (_PROC_SELF / "fd").iterdir():
        try:
            found.add(f"{descriptor.name} -> {descriptor.readlink()}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def _path_finders() -> set[str]:
    # That of six stays when somebody imports it, as Arrow does when it first makes Python values.
    finders = (finder for finder in sys.meta_path if type(finder).__name__ != "_SixMetaPathImporter")
    return {f"{finder!r} ({id(finder)})" for finder in finders}


def _private_packages() -> set[str]:
    """Those that are reserved: a host that was neither closed nor collected keeps its name from the next test."""
    loaded = sys.modules.get("plugline.loading.namespace")
    return {f"{namespace.name} ({id(namespace)})" for namespace in loaded.namespaces()} if loaded is not None else set()


def is_private_module(module: ModuleType) -> bool:
    """Tell whether a module lives in one of plugline's private namespaces: one of our loaders made it."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return type(loader).__module__.partition(".")[0] == "plugline"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests have remembered out of the user's cache folder, in the programs that they start too."""
    folder = tmp_path_factory.mktemp("cache") / "plugline"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUGLINE_CACHE", str(folder))
        yield folder


@pytest.fixture
def private_modules() -> Callable[[], set[str]]:
    """Return what lists the private modules that are loaded now; a folder of tests may override it."""

    def list_them() -> set[str]:
        return {name for name, module in list(sys.modules.items()) if is_private_module(module)}

    return list_them


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest, private_modules: Callable[[], set[str]]) -> Iterator[None]:
    """Fail the test that leaves a thread, process, file descriptor, private module or import finder."""
    if request.node.get_closest_marker("foreign") is not None:
        yield
        return
    kinds: dict[str, Callable[[], set[str]]] = {
        "threads": _threads,
        "child processes": _child_processes,
        "file descriptors": _file_descriptors,
        "private modules": private_modules,
        "import finders": _path_finders,
        "private packages": _private_packages,
        "folders on sys.path": lambda: set(sys.path),
    }
    before = {kind: look() for kind, look in kinds.items()}

    def leftovers() -> Leftovers:
        more = {kind: look() - before[kind] for kind, look in kinds.items()}
        return {kind: names for kind, names in more.items() if names}

    yield
    left = leftovers()
    if left:
        # What only a cycle of references holds is no leak; collecting after every test would be slow.
        gc.collect()
        deadline = time.monotonic() + _GRACE_SECONDS
        while (left := leftovers()) and time.monotonic() < deadline:
            time.sleep(0.01)
    if left:
        pytest.fail("the test left behind " + "; ".join(f"{kind}: {sorted(names)}" for kind, names in left.items()))
