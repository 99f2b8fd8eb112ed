"""A loaded isolated plugin to an object with the methods of the interface, as a host calls them."""

from collections.abc import Callable
from types import MethodType
from typing import cast
from weakref import finalize

from plugline.contract.interface import Interface
from plugline.isolation.isolated import IsolatedPlugin


class Proxy:
    """Stands in the host for a plugin, or an instance of its class, that lives in a worker.

    It has every public function of the plugin. Arguments and results are copies (docs/reference/wire.md says of what),
    a generator arrives as a list. Other attributes are asked for each time; none can be set.
    """

    __slots__ = ("__weakref__", "_number", "_plugin")
    _number: int
    _plugin: IsolatedPlugin

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        if name in self._plugin.functions:  # of a later generation than this proxy's
            return MethodType(_method(name), self)
        return self._plugin.get(self._number, name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name!r} of {self!r} cannot be set from the host; give it as a setting: load(settings)")

    def __repr__(self) -> str:
        return f"<plugin {self._plugin.name!r} in a {self._plugin.confinement.level} worker>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(f"{self!r} cannot be pickled: it is one end of a pipe")


def is_stateful(proxy: object) -> bool:
    """Whether what a proxy stands for says ``STATEFUL = True``."""
    assert isinstance(proxy, Proxy)  # noqa: S101 - the caller asked
    return proxy._plugin.is_stateful(proxy._number)  # noqa: SLF001 - its other half


def _method(name: str) -> Callable[..., object]:
    def call(self: Proxy, /, *arguments: object, **keywords: object) -> object:
        return self._plugin.call(self._number, name, arguments, keywords)

    call.__name__ = name
    call.__qualname__ = f"Proxy.{name}"
    return call


def make_proxy(plugin: IsolatedPlugin, number: int) -> object:
    """Return the object that a host gets.

    Where the interface is a base class, it is an instance of it, made without calling any constructor.
    """
    interface = cast(Interface, plugin.interface)
    names = {*plugin.functions, *(member.name for member in interface.members if member.is_function)}
    body: dict[str, object] = {name: _method(name) for name in sorted(names)}
    made: object = object.__new__(_class_for(plugin, interface, body))
    object.__setattr__(made, "_plugin", plugin)
    object.__setattr__(made, "_number", number)
    finalize(made, plugin.drop, number).atexit = False
    return made


def _class_for(plugin: IsolatedPlugin, interface: Interface, body: dict[str, object]) -> type:
    body = {**body, "__module__": __name__, "__doc__": f"Plugin {plugin.name!r}, in a worker."}
    if interface.base is not None:
        try:
            # __getattribute__ of an ordinary class: what the base has and the plugin does not override is the base's.
            made: type = type(plugin.name, (Proxy, interface.base), {**body, "__slots__": ()})
            made.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
        except TypeError:
            pass  # its layout or its metaclass does not allow it
        else:
            return made
    return type(plugin.name, (Proxy,), {**body, "__slots__": ()})
