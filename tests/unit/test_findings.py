import pytest

from plugline.findings import Finding, Place, printable, printable_lines, short_repr


@pytest.mark.parametrize(
    ("place", "text"),
    [(Place("a.py"), "a.py"), (Place("a.py", 3), "a.py:3"), (Place("a.py", 3, 5), "a.py:3:5")],
)
def test_a_place_is_shown_as_far_as_it_is_known(place: Place, text: str) -> None:
    assert str(place) == text


def test_a_finding_is_shown_with_its_line_a_caret_and_its_hint() -> None:
    found = Finding("P106", "invalid", Place("a.py", 10, 5), hint="close it", source_line="x = (")
    assert str(found).splitlines() == [
        "error[P106] a.py:10:5: invalid",
        "  | 10 | x = (",
        "  |    |     ^",
        "  hint: close it",
    ]


def test_the_caret_stands_under_its_column_where_the_line_has_tabs() -> None:
    found = Finding("P106", "invalid", Place("a.py", 1, 3), source_line="\t\tx")
    assert str(found).splitlines()[2] == "  |   | \t\t^"


def test_a_message_of_several_lines_takes_one_line() -> None:
    found = Finding("P301", "raised ValueError: one\ntwo\x1b[2Jthree", Place("a\nb.py"), hint="a\rb", source_line=None)
    assert str(found).splitlines() == [
        "error[P301] a\\nb.py: raised ValueError: one\\ntwo\\x1b[2Jthree",
        "  hint: a\\rb",
    ]


def test_what_is_shown_can_be_encoded() -> None:
    printable("half a pair \ud800").encode()


def test_the_repr_of_a_value_in_a_message_is_short_whatever_the_value() -> None:
    class Evil:
        def __repr__(self) -> str:
            raise RuntimeError

    assert short_repr(3) == "3"
    assert len(short_repr("x" * 1000)) == 60
    assert short_repr(Evil()) == "a Evil whose repr raises RuntimeError"
    assert short_repr(16**5000) == "a int whose repr raises ValueError"


def test_a_text_of_several_lines_keeps_them_and_its_tabs_and_nothing_else_that_moves_a_cursor() -> None:
    assert printable_lines("a\tb\n  c\x1b[2J\r\x00\n") == "a\tb\n  c\\x1b[2J\\r\\x00\n"
    assert printable_lines("plain") == "plain"


@pytest.mark.parametrize("column", [1, 79, 2_000, 4_000])
def test_of_a_long_line_the_part_around_the_caret_is_shown(column: int) -> None:
    line = "".join(chr(ord("a") + at % 26) for at in range(4_000))
    _, shown, caret, _ = str(Finding("P106", "invalid", Place("a.py", 1, column), source_line=line)).splitlines()
    assert len(shown) < 200
    assert shown[len(caret) - 1] == line[column - 1]
