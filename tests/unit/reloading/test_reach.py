from pathlib import Path

from plugline import Host
from tests.plugin_folders import write

PLUGIN = """
class Unwilling:
    '''Raises for whatever it is asked.'''

    def __getattr__(self, name):
        raise ValueError(name)

    @property
    def __dict__(self):
        raise KeyError("__dict__")


class Holder:
    inner = Unwilling()


HELD = [Unwilling(), Holder(), Holder]


def answer():
    return {answer}


TWICE = [{answer}] * 2
"""


def test_objects_that_raise_whatever_they_are_asked_for_do_not_disturb_a_reload(tmp_path: Path) -> None:
    folder = write(tmp_path / "plugins", {"one.py": PLUGIN.format(answer=1)})
    with Host(folder, interface=["answer"]) as host:
        module = host["one"].load()
        held = module.HELD  # type: ignore[attr-defined]
        write(folder, {"one.py": PLUGIN.format(answer=22)})
        report = host.reload("one")
        assert report.how == "adopted", report
        assert module.answer() == 22  # type: ignore[attr-defined]
        assert type(held[1]) is module.Holder  # type: ignore[attr-defined]
