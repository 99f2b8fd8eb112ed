"""What a host gives, typed by the interface that it was given."""

from abc import ABC, abstractmethod
from typing import Protocol, assert_type

from plugline import Folder, Host, Modules, Plugin, Zip, load_path


class Processor(Protocol):
    def transform(self, record: dict[str, object]) -> dict[str, object]: ...


class Base(ABC):
    @abstractmethod
    def run(self) -> int: ...


class Plain:
    def run(self) -> str:
        return ""


host = Host("plugins", interface=Processor, api_version="1.2")
assert_type(host, Host[Processor])
assert_type(host["x"], Plugin[Processor])
assert_type(host["x"].load(), Processor)
assert_type(host["x"].load({"limit": 3}), Processor)
assert_type(host["x"].load().transform({}), dict[str, object])
assert_type([plugin.load() for plugin in host], list[Processor])
assert_type(host.load_all(), list[Plugin[Processor]])
assert_type(host["x"].version, str | None)
host["x"].load().absent()  # type: ignore[attr-defined]

assert_type(Host("plugins", "more", interface=Base), Host[Base])
assert_type(Host("plugins", interface=Base)["x"].load().run(), int)
assert_type(Host("plugins", interface=Base)["x"].load_type(), type[Base])
assert_type(Host("plugins", interface=Base, package="notes.plugins", inject={"app": 3}), Host[Base])
assert_type(Host(Zip("plugins.zip", inside="plugins"), Folder("more", nested=True), interface=Base), Host[Base])
assert_type(Host(Modules({"json": "json"}), interface=Plain)["json"].load(), Plain)

assert_type(Host("plugins", interface=["transform", "describe"]), Host[object])
assert_type(Host("plugins", interface=(Processor, Base)), Host[object])
assert_type(Host("plugins"), Host[object])

with Host("plugins", interface=Processor) as opened:
    assert_type(opened, Host[Processor])

assert_type(load_path("a.py", interface=Processor), Processor)
assert_type(load_path("a.py", interface=Base), Base)
assert_type(load_path("a.py"), object)
assert_type(load_path("a.py", interface=["transform"]), object)
