"""Records that JSON has no words for, there and back."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from plugline.pipeline.typed import json_of, restored, types_of

ZONES = [None, UTC, ZoneInfo("Europe/Lisbon"), ZoneInfo("Asia/Kathmandu")]
MOMENTS = st.datetimes(
    min_value=datetime.fromisoformat("1970-01-02"),
    max_value=datetime.fromisoformat("2100-01-01"),
    timezones=st.sampled_from(ZONES),
    allow_imaginary=False,
)


def usual(moment: datetime) -> datetime:
    """Return a moment with a ``fold`` only where that tells two hours apart."""
    zone = moment.tzinfo
    return moment.astimezone(UTC).astimezone(zone) if isinstance(zone, ZoneInfo) else moment.replace(fold=0)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.dates()
    | MOMENTS.map(usual)
    | st.times().map(lambda one: one.replace(fold=0))
    | st.timedeltas()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def there_and_back(record: dict[str, object]) -> dict[str, object]:
    return restored(json.loads(json_of(record)), types_of(record))


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_every_record_comes_back_with_its_types(record: dict[str, object]) -> None:
    assert repr(there_and_back(record)) == repr(record)


def test_what_is_json_needs_no_types() -> None:
    assert types_of({"a": 1, "b": [None, {"c": "x", "d": 1.5}], "e": True, "f": 2**64 - 1}) == {}


def test_types_are_told_by_where_their_values_stand() -> None:
    record = {
        "a/b": Decimal("1.10"),
        "c~": [{"d": b"\xff"}],
        "e": float("nan"),
        "f": timedelta(days=1),
        "g": UUID(int=1),
    }
    assert types_of(record) == {
        "/a~1b": "decimal",
        "/c~0/0/d": "bytes",
        "/e": "nan",
        "/f": "duration",
        "/g": "uuid",
    }


def test_a_value_that_was_mended_takes_the_type_if_it_can() -> None:
    types = {"/a": "decimal", "/b": "decimal", "/c": "nan", "/d": "bytes", "/e": "unknown"}
    mended = {"a": "2.50", "b": 3, "c": 1.5, "d": "no base64!", "e": "x"}
    assert restored(mended, types) == {"a": Decimal("2.50"), "b": 3, "c": 1.5, "d": "no base64!", "e": "x"}
