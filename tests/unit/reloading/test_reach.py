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


_REGISTRY: dict[str, type] = {}
_DATA: list[list[object]] = [[[] for _ in range(100)] for _ in range(300)]


def register(name: str, one: type) -> None:
    if _REGISTRY.setdefault(name, one) is not one:
        message = "another one is registered"
        raise ValueError(message)


def test_a_registry_is_met_however_much_data_the_program_has_beside_it(tmp_path: Path) -> None:
    names = [f"part_{number}" for number in range(30)]
    shared = dict(zip(names, (_DATA[number::30] for number in range(30)), strict=True))
    text = f"class Mine: pass\nregister('mine', Mine)\ndef answer(): return {', '.join(names)}\n"
    folder = write(tmp_path / "plugins", {"one.py": text})
    _REGISTRY.clear()
    with Host(folder, interface=["answer"], inject={"register": register, **shared}) as host:
        host["one"].load()
        write(folder, {"one.py": text + "more = 1\n"})
        report = host.reload("one")
        assert report.how == "adopted", report
