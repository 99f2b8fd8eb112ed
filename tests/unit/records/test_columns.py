"""Steps that take tables; laws 1 to 3 are those at the top of plugline.records.columns, the others those of the record loop."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pyarrow
import pyarrow.compute
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.records.columns import TableLoop, table_of
from plugline.records.loop import Failure, RecordLoop, StepCall, StopRun, loop_for
from plugline.records.protocols import Record

OnError = Literal["dead-letter", "drop", "pass", "stop"]


def rows(name: str, call: Callable[[Record], object], on_error: OnError = "dead-letter") -> StepCall:
    return StepCall(name=name, call=call, on_error=on_error)


def tables(name: str, call: Callable[[Any], object], on_error: OnError = "dead-letter") -> StepCall:
    return StepCall(name=name, table=call, on_error=on_error)


def as_it_is(value: Any) -> Any:
    return value


class Ran:
    """What became of records that passed through steps, whose counts add up."""

    def __init__(self, records: Sequence[object], *steps: StepCall, encode: Callable[[Any], object] = as_it_is) -> None:
        self.loop = loop_for(as_it_is, steps, encode)
        self.out: list[object] = []
        self.failures: list[Failure] = []
        self.loop.run([dict(one) if isinstance(one, dict) else one for one in records], self.out, self.failures)
        self.counts = self.loop.counts()
        assert all(count.balanced for count in self.counts), self.counts
        for before, after in zip(self.counts, self.counts[1:], strict=False):
            assert before.out == after.entered
        assert self.counts[-1].out == len(self.out)
        assert sum(count.failed for count in self.counts) == len(self.failures)

    def told(self) -> list[tuple[int, str, str]]:
        return [(one.index, one.name, one.error.message) for one in self.failures]


def doubled(table: Any) -> Any:
    return table.set_column(0, "n", pyarrow.compute.multiply(table.column("n"), 2))


def refuses(*numbers: int) -> Callable[[Any], Any]:
    def step(table: Any) -> Any:
        found = set(table.column("n").to_pylist()) & set(numbers)
        if found:
            raise ValueError(f"refused one of {table.num_rows}")
        return table

    return step


def numbered(count: int) -> list[Record]:
    return [{"n": n} for n in range(count)]


def test_a_table_step_stands_among_steps_that_take_records() -> None:
    ran = Ran(
        numbered(3),
        rows("more", lambda record: {"n": record["n"] + 1}),  # type: ignore[operator]
        tables("double", doubled),
        rows("text", lambda record: {"n": str(record["n"])}),
    )
    assert ran.out == [{"n": "2"}, {"n": "4"}, {"n": "6"}]


def test_without_a_step_that_takes_tables_there_is_no_table_loop() -> None:
    assert type(loop_for(as_it_is, [rows("a", as_it_is)], as_it_is)) is RecordLoop


def test_between_table_steps_no_record_is_made() -> None:  # law 1
    class Batch:
        table = pyarrow.table({"n": [1, 2, 3]})

        @property
        def raws(self) -> list[object]:
            raise AssertionError("a record was made")

    def no_record(record: Any) -> object:
        raise AssertionError("a record was made")

    loop = TableLoop(no_record, [tables("a", doubled), tables("b", doubled)], no_record, as_it_is)
    out: list[Any] = []
    assert loop.takes_tables
    loop.run_table(Batch(), out, [])
    assert [table.to_pydict() for table in out] == [{"n": [4, 8, 12]}]
    assert [(count.entered, count.out) for count in loop.counts()] == [(3, 3)] * 4


def test_the_rows_that_a_step_raises_for_fail_alone_and_it_sees_all_others_together() -> None:  # law 2
    seen: list[int] = []

    def step(table: Any) -> Any:
        made = refuses(3, 70)(table)
        seen.append(table.num_rows)
        return made

    ran = Ran(numbered(100), tables("t", step))
    assert [one.index for one in ran.failures] == [3, 70]
    assert [record["n"] for record in ran.out if isinstance(record, dict)] == [
        n for n in range(100) if n not in {3, 70}
    ]
    assert seen[-1] == 98


@given(bad=st.sets(st.integers(0, 40)), count=st.integers(0, 41))
def test_whatever_rows_a_step_raises_for_all_are_accounted_for(bad: set[int], count: int) -> None:  # law 2
    ran = Ran(numbered(count), tables("t", refuses(*bad)))
    assert [one.index for one in ran.failures] == sorted(n for n in bad if n < count)
    assert len(ran.out) + len(ran.failures) == count
    assert len(ran.loop.errors) == bool(ran.failures)


def test_where_only_the_whole_is_refused_what_became_of_the_halves_counts() -> None:  # law 2
    def step(table: Any) -> Any:
        if table.num_rows > 3:
            raise ValueError("too many")
        return table.slice(0, 1)

    ran = Ran(numbered(10), tables("t", step))
    assert ran.failures == []
    assert [record["n"] for record in ran.out if isinstance(record, dict)] == [0, 2, 5, 7]


def test_behind_a_table_step_a_dead_letter_holds_the_record_as_it_was_there() -> None:  # law 3
    def picky(record: Record) -> Record:
        if record["n"] == 4:
            raise ValueError("four")
        return record

    ran = Ran(numbered(4), tables("double", doubled), rows("picky", picky))
    (failure,) = ran.failures
    assert (failure.index, failure.record, failure.name) == (-1, {"n": 4}, "picky")
    assert ran.out == [{"n": 0}, {"n": 2}, {"n": 6}]


def test_before_a_table_step_a_dead_letter_is_the_record_as_it_came_in() -> None:
    ran = Ran(
        numbered(4),
        rows("drop", lambda record: None if record["n"] == 0 else record),
        rows("fan", lambda record: [{"n": record["n"]}, {"n": record["n"] * 10}]),  # type: ignore[operator]
        tables("t", refuses(20)),
    )
    assert ran.told() == [(2, "t", "refused one of 1")]
    assert ran.failures[0].record is None
    assert ran.out == [{"n": 1}, {"n": 10}, {"n": 3}, {"n": 30}], "a fan-out counts as a whole"


def test_fewer_rows_are_dropped_and_more_are_created() -> None:
    ran = Ran(
        numbered(4),
        tables("less", lambda table: table.slice(1)),
        tables("more", lambda table: pyarrow.concat_tables([table] * 3)),
    )
    assert [(one.created, one.dropped) for one in ran.counts] == [(0, 0), (0, 1), (6, 0), (0, 0)]
    assert len(ran.out) == 9


@pytest.mark.parametrize("nothing", [lambda table: None, lambda table: table.slice(0, 0)], ids=["none", "empty"])
def test_nothing_drops_all_rows(nothing: Callable[[Any], object]) -> None:
    ran = Ran(numbered(4), tables("none", nothing), tables("double", doubled), rows("r", as_it_is))
    assert ran.out == []
    assert ran.counts[1].dropped == 4


@pytest.mark.parametrize(
    ("on_error", "numbers", "dropped", "failed"),
    [("dead-letter", [0, 2], 0, 1), ("drop", [0, 2], 1, 0), ("pass", [0, 1, 2], 0, 0)],
)
def test_what_becomes_of_a_row_that_fails_is_said_by_on_error(
    on_error: OnError, numbers: list[int], dropped: int, failed: int
) -> None:
    ran = Ran(numbered(3), tables("t", refuses(1), on_error))
    assert ran.out == [{"n": n} for n in numbers]
    assert (ran.counts[1].dropped, ran.counts[1].failed) == (dropped, failed)
    assert sum(ran.loop.errors.values()) == 1


def test_stop_ends_the_run_at_the_first_row_that_fails() -> None:
    loop = loop_for(as_it_is, [tables("t", refuses(5, 2), "stop")], as_it_is)
    out: list[object] = []
    with pytest.raises(StopRun) as caught:
        loop.run(list(numbered(8)), out, [])
    assert caught.value.failure.index == 2
    assert out == []
    assert all(count.balanced for count in loop.counts())


def test_a_record_that_fits_into_no_table_fails_at_the_step_that_wants_one() -> None:
    ran = Ran([{"n": 1}, {"n": "x"}, {"m": 1}, {"n": 1.5}, {"n": "\ud800"}, {"n": object()}], tables("t", as_it_is))
    assert [one.index for one in ran.failures] == [1, 2, 4, 5]
    assert ran.out == [{"n": 1.0}, {"n": 1.5}]


def test_types_are_those_of_all_batches_before() -> None:
    seen: list[str] = []

    def step(table: Any) -> Any:
        seen.append(str(table.schema.field("n").type))
        return table

    loop = loop_for(as_it_is, [tables("t", step)], as_it_is)
    for record in ({"n": None}, {"n": 1}, {"n": None}, {"n": 1.5}):
        loop.run([record], [], [])
    assert seen == ["null", "int64", "int64", "double"]


@pytest.mark.parametrize("value", [1, "text", {"n": [1]}, [1], object()], ids=["int", "str", "dict", "list", "object"])
def test_what_is_no_table_is_refused(value: object) -> None:
    ran = Ran(numbered(2), tables("t", lambda table: value))
    assert len(ran.failures) == 2
    assert "expected a table of Arrow, Polars, DuckDB or pandas" in ran.failures[0].error.message


def test_a_table_with_two_columns_of_one_name_is_refused() -> None:
    twice = pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["n", "n"])
    ran = Ran(numbered(1), tables("t", lambda table: twice))
    assert "expected each name once" in ran.failures[0].error.message


def test_rows_that_the_sink_refuses_fail_alone() -> None:
    def encode_table(table: Any) -> Any:
        raise ValueError("not as a whole")

    def encode(record: Any) -> object:
        if record["n"] == 2:
            raise ValueError("not two")
        return record

    loop = TableLoop(as_it_is, [tables("t", as_it_is)], encode, encode_table)
    out: list[object] = []
    failures: list[Failure] = []
    loop.run(list(numbered(4)), out, failures)
    assert out == [{"n": 0}, {"n": 1}, {"n": 3}]
    assert [(one.record, one.error.message) for one in failures] == [({"n": 2}, "not two")]


@pytest.mark.skipif(not hasattr(pyarrow, "string_view"), reason="this pyarrow knows no views")
def test_texts_of_the_newest_kind_become_plain_ones_wherever_they_stand() -> None:
    texts, data = pyarrow.string_view(), pyarrow.binary_view()
    kinds = {
        "text": (texts, ["a", None]),
        "list": (pyarrow.list_(texts), [["a"], None]),
        "large": (pyarrow.large_list(pyarrow.struct({"b": data})), [[{"b": b"1"}], []]),
        "pair": (pyarrow.list_(texts, 1), [["a"], ["b"]]),
        "table": (pyarrow.struct({"x": pyarrow.struct({"y": texts})}), [{"x": {"y": "z"}}, None]),
        "map": (pyarrow.map_(texts, texts), [[("a", "b")], []]),
        "plain": (pyarrow.list_(pyarrow.string()), [["a"], None]),
    }
    table = pyarrow.table({name: pyarrow.array(values, kind) for name, (kind, values) in kinds.items()})
    found = table_of(table)
    assert "view" not in str(found.schema)
    assert found.schema.field("plain") == table.schema.field("plain")
    assert found.to_pylist() == table.to_pylist()


class _OfPandas:
    """Hands over a table as a frame of pandas does, with the numbers of its rows as a column."""

    def __init__(self, table: Any) -> None:
        self._table = table.replace_schema_metadata({"pandas": "{}"})

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def test_the_numbers_of_rows_in_a_frame_of_pandas_are_no_column() -> None:
    def filtered(table: Any) -> object:
        return _OfPandas(table.slice(1, 2).append_column("__index_level_0__", [[1, 2]]))

    assert Ran(numbered(3), tables("t", filtered)).out == [{"n": 1}, {"n": 2}]
    # What came in under this name is data, as in a file that pandas wrote.
    came = [{"n": 1, "__index_level_0__": 7}]
    assert Ran(came, tables("t", _OfPandas)).out == came


def test_a_column_in_the_place_of_a_table_is_named() -> None:
    polars = pytest.importorskip("polars")
    ran = Ran(numbered(1), tables("t", lambda table: polars.Series([1])))
    assert "type 'Series', expected a table" in ran.failures[0].error.message
