"""Claim: a chain of five steps of about a microsecond takes at most 1.10 times the nested calls written by hand.

The steps here are shorter than that, so that the chain itself weighs more. Also the fan-out over 20 functions (1.2 times a loop that collects into a dict, without any guard) and one guarded
call (2.3 times the call of an empty function). Run: ``python benchmarks/chain.py``.
"""

import sys
from collections.abc import Callable

from harness import Claim, measure_calls, report

from plugline.dispatch.calls import Link, build_call, build_call_all, build_chain

_CALLS = 10_000


def _trim(record: dict[str, object]) -> dict[str, object]:
    return {key: value.strip() if isinstance(value, str) else value for key, value in record.items()}


def _upper(record: dict[str, object]) -> dict[str, object]:
    return {key: value.upper() if isinstance(value, str) else value for key, value in record.items()}


def _scored(record: dict[str, object]) -> dict[str, object]:
    return {**record, "score": len(record) * 10, "grade": "A" if len(record) > 2 else "B", "known": "name" in record}


def _named(record: dict[str, object]) -> dict[str, object]:
    return {**record, "label": f"{record['name']} ({record['role']}) with {record['score']} points, {record['grade']}"}


def _lower(record: dict[str, object]) -> dict[str, object]:
    return {key: value.lower() if isinstance(value, str) else value for key, value in record.items()}


def _empty(_value: object) -> None:
    pass


def _repeat(call: Callable[[object], object], argument: object) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(_CALLS):
            call(argument)

    return repeated


def _chain_claim() -> Claim:
    record: dict[str, object] = {"name": " Alice ", "role": " admin ", "score": 95}
    steps = (_trim, _upper, _scored, _named, _lower)
    chain = build_chain([Link(step.__name__, step) for step in steps])

    def by_hand() -> None:
        for _ in range(_CALLS):
            _lower(_named(_scored(_upper(_trim(record)))))

    def generated() -> None:
        for _ in range(_CALLS):
            chain(record)

    assert chain(record) == _lower(_named(_scored(_upper(_trim(record)))))
    seconds = measure_calls({"nested by hand": by_hand, "chain": generated})
    return Claim(name="a chain of five steps", side="chain", base="nested by hand", limit=1.10, seconds=seconds)


def _call_all_claim() -> Claim:
    functions = {f"plugin_{number}": eval("lambda value: value") for number in range(20)}  # noqa: S307
    call_all = build_call_all([Link(name, call) for name, call in functions.items()])

    def by_hand(value: object) -> dict[str, object]:
        results = {}
        for name, call in functions.items():
            results[name] = call(value)
        return results

    assert call_all(1).results == by_hand(1)
    seconds = measure_calls({"loop by hand": _repeat(by_hand, 1), "call_all": _repeat(call_all, 1)})
    return Claim(name="20 empty functions called", side="call_all", base="loop by hand", limit=1.2, seconds=seconds)


def _call_claim() -> Claim:
    guarded = build_call(Link("empty", _empty))

    def direct() -> None:
        for _ in range(_CALLS):
            _empty(1)

    def by_guard() -> None:
        for _ in range(_CALLS):
            guarded(1)

    seconds = measure_calls({"direct call": direct, "guarded call": by_guard})
    return Claim(name="an empty function called", side="guarded call", base="direct call", limit=2.3, seconds=seconds)


if __name__ == "__main__":
    sys.exit(report("chain", [_chain_claim(), _call_all_claim(), _call_claim()]))
