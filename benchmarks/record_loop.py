"""Claim: the record loop takes at most 1.15 times a hand-written loop that makes the same checks for None and dict.

The hand-written loop has no guard, no counts and no dead letters. Decoder, steps and encoder are the same in both,
small, so that the loop itself weighs as much as it ever does. Run: ``python benchmarks/record_loop.py``.
"""

import sys

import orjson
from harness import Claim, measure_calls, report

from plugline.records.loop import Failure, RecordLoop, StepCall

Record = dict[str, object]
_BATCH_RECORDS = 230  # 64 KiB of records of about 280 bytes
_BATCHES = 128


def _trim(record: Record) -> Record:
    for key, value in record.items():
        if isinstance(value, str):
            record[key] = value.strip()
    return record


def _upper(record: Record) -> Record:
    for key, value in record.items():
        if isinstance(value, str):
            record[key] = value.upper()
    return record


def _paid(record: Record) -> Record | None:
    return record if record["paid"] else None


def _tagged(record: Record) -> Record:
    record["tag"] = "order"
    return record


_STEPS = (_trim, _upper, _paid, _tagged)


def _raws() -> list[object]:
    return [
        orjson.dumps(
            {
                "id": number,
                "name": f" Customer {number} ",
                "city": " Ghent ",
                "lines": [{"article": number * 7 % 1000, "count": number % 5, "price": 9.95}] * 3,
                "total": number / 7,
                "paid": number % 10 != 0,
            }
        )
        for number in range(_BATCH_RECORDS)
    ]


def _by_hand(raws: list[object], out: list[object]) -> int:  # noqa: C901 (as a hand would write it)
    dropped = 0
    loads, dumps, append = orjson.loads, orjson.dumps, out.append
    trim, upper, paid, tagged = _STEPS
    for raw in raws:
        record = loads(raw)
        if record.__class__ is not dict:
            raise TypeError
        record = trim(record)
        if record.__class__ is not dict:
            if record is None:
                dropped += 1
                continue
            raise TypeError
        record = upper(record)
        if record.__class__ is not dict:
            if record is None:
                dropped += 1
                continue
            raise TypeError
        record = paid(record)
        if record.__class__ is not dict:
            if record is None:
                dropped += 1
                continue
            raise TypeError
        record = tagged(record)
        if record.__class__ is not dict:
            if record is None:
                dropped += 1
                continue
            raise TypeError
        append(dumps(record))
    return dropped


def _claims() -> list[Claim]:
    raws = _raws()
    steps = [StepCall(name=step.__name__, call=step) for step in _STEPS]

    def by_hand() -> list[object]:
        for _ in range(_BATCHES):
            out: list[object] = []
            _by_hand(raws, out)
        return out

    def record_loop(failing: int = 0) -> list[object]:
        batch = [b"{" if failing and number % failing == 0 else raw for number, raw in enumerate(raws)]
        loop = RecordLoop(orjson.loads, steps, orjson.dumps)
        for _ in range(_BATCHES):
            out: list[object] = []
            failures: list[Failure] = []
            loop.run(batch, out, failures)
        assert all(count.balanced for count in loop.counts())
        return out

    def clock_always() -> list[object]:
        loop = RecordLoop(orjson.loads, steps, orjson.dumps)
        for _ in range(_BATCHES):
            loop._clock._batches = 0  # noqa: SLF001 (what the clock would cost if it always ran)
            out: list[object] = []
            loop.run(raws, out, [])
        return out

    assert by_hand() == record_loop() == clock_always()
    seconds = measure_calls(
        {
            "by hand": by_hand,
            "record loop": record_loop,
            "1 % broken": lambda: record_loop(100),
            "10 % broken": lambda: record_loop(10),
            "clock always on": clock_always,
        }
    )
    return [
        Claim(name="orjson, four steps", side="record loop", base="by hand", limit=1.15, seconds=seconds),
        Claim(name="1 % of the records broken", side="1 % broken", base="record loop", limit=1.05, seconds=seconds),
        Claim(name="10 % of the records broken", side="10 % broken", base="record loop", limit=1.25, seconds=seconds),
    ]


if __name__ == "__main__":
    sys.exit(report("record_loop", _claims()))
