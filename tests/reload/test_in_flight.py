"""A call that is running while plugins are reloaded sees one version, whatever it calls."""

import gc
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from plugline import Host
from tests.soaks.reload_threads import soak, write


class Pausing:
    """A count that is asked for in the middle of a call."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __index__(self) -> int:
        self.asked.set()
        assert self.go.wait(10)
        return 3


@pytest.mark.slow
@pytest.mark.usefixtures("long_calls")
def test_a_call_that_is_running_sees_one_version(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, 2)
    with Host(folder, interface=["transform"]) as host:
        module = host["x"].load()
        for version in range(3, 13):
            pausing, found = Pausing(), []
            call = threading.Thread(target=lambda: found.extend(module.transform({"count": pausing})))  # type: ignore[attr-defined] # noqa: B023
            call.start()
            assert pausing.asked.wait(10)
            write(folder, version)
            assert host["x"].reload().how in ("grafted", "adopted")
            pausing.go.set()
            call.join()
            assert set(found) == {version - 1}
            assert set(module.transform({"count": 1})) == {version}  # type: ignore[attr-defined]


@pytest.mark.usefixtures("long_calls")
def test_reloads_in_the_middle_of_calls_leave_no_functions_behind(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, 0)
    counts = []
    with Host(folder, interface=["transform"]) as host:
        module = host["x"].load()
        gc.collect()
        gc.disable()  # what only the collector would find is found by the next reload too, and doubled each time
        try:
            for version in range(1, 7):
                pausing = Pausing()
                call = threading.Thread(target=module.transform, args=({"count": pausing},))  # type: ignore[attr-defined]
                call.start()
                assert pausing.asked.wait(10)
                write(folder, version)
                host["x"].reload()
                pausing.go.set()
                call.join()
                host["x"].reload()  # with nothing to do but to end what is over
                counts.append(len(_functions_on(module.first.__code__)))  # type: ignore[attr-defined]
        finally:
            gc.enable()
    assert counts == [1] * 6


def _functions_on(code: CodeType) -> list[FunctionType]:
    return [one for one in gc.get_objects() if type(one) is FunctionType and one.__code__ is code]


@pytest.mark.slow
@pytest.mark.usefixtures("long_calls")
def test_threads_that_are_busy_see_no_error_and_no_mixture(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    calls, faults = soak(folder, 12)
    assert calls > 1000
    assert not faults


_LISTENING = """
import json
import sys
from pathlib import Path

from plugline import Host
from plugline.reloading.plan import Plan
from tests.soaks.reload_threads import write

folder = Path(sys.argv[1])
events, versions, inside = [], [], []
run = Plan.run


def marked(self):
    inside.append(self)
    try:
        run(self)
    finally:
        inside.clear()


def listen(event, arguments):
    if inside:
        plan = inside.pop()
        events.append(event)
        versions.append(len(set(module.transform({"count": 3}))))
        inside.append(plan)


Plan.run = marked
write(folder, 2)
with Host(folder, interface=["transform"]) as host:
    module = host["x"].load()
    sys.addaudithook(listen)
    how = []
    for version in range(3, 8):
        write(folder, version)
        source = folder / "x.py"
        source.write_text(source.read_text().replace("class Worker:", f'class Worker:\\n    "Text {version > 5}."'))
        how.append(host["x"].reload().how)
        versions.append(len(set(module.transform({"count": 3}))))
        assert module.Worker.__doc__ == f"Text {version > 5}." and module.transform({"count": 1})[0] == version
print(json.dumps([sorted(set(how)), sorted(set(events)), sorted(set(versions))]))
"""


_ANOTHER_THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.mark.parametrize("first", ["", _ANOTHER_THREAD], ids=["alone", "with another thread"])
def test_who_listens_to_audit_events_sees_no_half_of_a_commit(tmp_path: Path, first: str) -> None:
    command = [sys.executable, "-c", first + _LISTENING, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [["adopted", "grafted"], ["sys._current_frames"], [1]]


_RESTLESS = """
VALUE = {version}
table = {{}}


class Box:
    def get(self): return VALUE
    {inside}


box = Box()


def work(stopped):
    number = 0
    while not stopped.is_set():
        number = (number + 1) % 997
        globals()[f"g{{number}}"] = table[number] = number
        setattr(box, f"a{{number}}", number)
        setattr(Box, f"c{{number}}", number)
        for owner, name in ((globals(), "g"), (vars(box), "a"), (table, "")):
            owner.pop(f"{{name}}{{number * 7 % 997}}", None)
        try:
            delattr(Box, f"c{{number * 5 % 997}}")
        except AttributeError:
            pass


def transform(record):
    return VALUE
"""


@pytest.mark.slow
def test_threads_that_set_attributes_of_what_is_reloaded_keep_no_reload_from_its_end(tmp_path: Path) -> None:
    def save(version: int) -> None:
        inside = f"at{version} = 1" if version % 2 else "pass"
        (tmp_path / "plugins" / "x.py").write_text(_RESTLESS.format(version=version, inside=inside), "utf-8")

    (tmp_path / "plugins").mkdir()
    save(0)
    before = sys.getswitchinterval()
    stopped = threading.Event()
    with Host(tmp_path / "plugins", interface=["transform"]) as host:
        module = host["x"].load()
        threads = [threading.Thread(target=vars(module)["work"], args=(stopped,)) for _ in range(2)]
        try:
            sys.setswitchinterval(1e-5)
            for thread in threads:
                thread.start()
            for version in range(1, 60):
                save(version)
                report = host.reload("x")
                assert report.how == "adopted", str(report)
                assert vars(module)["transform"]({}) == version
        finally:
            sys.setswitchinterval(before)
            stopped.set()
            for thread in threads:
                thread.join(10)
