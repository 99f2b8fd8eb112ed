"""Claims: what calling plugins through a host costs, as ratios to the same calls by hand.

*One*: a function of ``host[name].function(method)`` that does nothing, at most 2.3 times the direct call. *Chain*: five steps of about a
microsecond, at most 1.10 times the nested calls. *All*: ``host.call_all`` over 20 functions that do nothing, at most 1.2 times a loop that
collects into a dict without any guard. The plugins are files in a folder, loaded by a host; all guards are on.

pluggy and stevedore run beside us where they are installed (``pip install pluggy stevedore``), in the way that their own documentation has
it. They do other things as well: pluggy matches arguments by name and wraps, stevedore logs what fails.

Run: ``python benchmarks/dispatch.py``.
"""

import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from harness import Claim, measure_calls, report

from plugline import Host

_CALLS = 5_000
_EMPTY = "def nothing(value):\n    pass\n\n\ndef step(value):\n    return value\n"
_STEPS = (
    "{key: value.strip() if isinstance(value, str) else value for key, value in record.items()}",
    "{key: value.upper() if isinstance(value, str) else value for key, value in record.items()}",
    "{**record, 'score': len(record) * 10, 'grade': 'A' if len(record) > 2 else 'B', 'known': 'name' in record}",
    "{**record, 'label': f\"{record['name']} ({record['role']}) with {record['score']} points, {record['grade']}\"}",
    "{key: value.lower() if isinstance(value, str) else value for key, value in record.items()}",
)
_RECORD = {"name": " Alice ", "role": " admin ", "score": 95}


def _folder(sources: list[str]) -> str:
    folder = Path(tempfile.mkdtemp())
    for number, source in enumerate(sources):
        (folder / f"plugin_{number:02d}.py").write_text(source, encoding="utf-8")
    return str(folder)


def _repeat(call: Callable[..., object], *arguments: object) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(_CALLS):
            call(*arguments)

    return repeated


def _pluggy(modules: list[object], method: str, argument: object) -> Callable[[], None]:
    import pluggy

    specification, implementation = pluggy.HookspecMarker("bench"), pluggy.HookimplMarker("bench")
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(SimpleNamespace(**{method: specification(eval(f"lambda value: None"))}))  # noqa: F541, S307
    for module in modules:
        manager.register(SimpleNamespace(**{method: implementation(getattr(module, method))}))
    hook = getattr(manager.hook, method)

    def repeated() -> None:
        for _ in range(_CALLS):
            hook(value=argument)

    return repeated


def _stevedore(modules: list[object], method: str, argument: object) -> Callable[[], None]:
    from stevedore.extension import Extension, ExtensionManager

    extensions = [Extension(f"plugin_{number:02d}", None, module, module) for number, module in enumerate(modules)]
    manager = ExtensionManager.make_test_instance(extensions)
    return _repeat(manager.map_method, method, argument)


def _peers(modules: list[object], method: str, argument: object) -> dict[str, Callable[[], None]]:
    makers = {"pluggy": _pluggy, "stevedore": _stevedore}
    found = {}
    for name, make in makers.items():
        if find_spec(name) is None:
            print(f"  {name} is not installed: left out")
        else:
            found[name] = make(modules, method, argument)
    return found


def _one_claims(host: Host[object]) -> list[Claim]:
    module = host["plugin_00"].load()
    direct: Callable[[object], object] = module.nothing  # type: ignore[attr-defined]
    guarded = host["plugin_00"].function("nothing")

    def directly() -> None:
        for _ in range(_CALLS):
            direct(1)

    def by_handle() -> None:
        for _ in range(_CALLS):
            guarded(1)

    sides = {"direct call": directly, "through the handle": by_handle, **_peers([module], "nothing", 1)}
    return _claims("an empty function called", "through the handle", "direct call", 2.3, sides)


def _all_claims(host: Host[object]) -> list[Claim]:
    modules = {plugin.name: plugin.load() for plugin in host}
    functions: dict[str, Callable[[object], object]] = {
        name: module.step  # type: ignore[attr-defined]
        for name, module in modules.items()
    }

    def by_hand(value: object) -> dict[str, object]:
        results = {}
        for name, call in functions.items():
            results[name] = call(value)
        return results

    assert host.call_all("step", 1).results == by_hand(1)
    sides = {
        "loop by hand": _repeat(by_hand, 1),
        "host.call_all": _repeat(host.call_all, "step", 1),
        **_peers(list(modules.values()), "step", 1),
    }
    return _claims(f"{len(functions)} functions called", "host.call_all", "loop by hand", 1.2, sides)


def _chain_claims() -> list[Claim]:
    sources = [f"def step(record):\n    return {body}\n" for body in _STEPS]
    with Host(_folder(sources), interface=["step"]) as host:
        calls = [plugin.load().step for plugin in host]  # type: ignore[attr-defined]
        first, second, third, fourth, fifth = calls
        chain = host.chain("step")
        assert chain(_RECORD) == fifth(fourth(third(second(first(_RECORD)))))

        def by_hand() -> None:
            for _ in range(_CALLS):
                fifth(fourth(third(second(first(_RECORD)))))

        def chained() -> None:
            for _ in range(_CALLS):
                chain(_RECORD)

        return _claims(
            "a chain of five", "chain", "nested by hand", 1.10, {"nested by hand": by_hand, "chain": chained}
        )


def _claims(name: str, side: str, base: str, limit: float, sides: dict[str, Callable[[], None]]) -> list[Claim]:
    seconds = measure_calls(sides)
    others = [
        Claim(name=f"{name}, by {other}", side=other, base=base, limit=float("inf"), seconds=seconds)
        for other in sides
        if other not in (side, base)
    ]
    return [Claim(name=name, side=side, base=base, limit=limit, seconds=seconds), *others]


if __name__ == "__main__":
    with Host(_folder([_EMPTY] * 20), interface=["nothing", "step"]) as opened:
        claims = [*_one_claims(opened), *_chain_claims(), *_all_claims(opened)]
    sys.exit(report("dispatch", claims))
