import copy
import dataclasses
import inspect
import pickle
from dataclasses import field

import pytest

from plugline.frozen import frozen


@frozen(kw_only=True)
class Order:
    """An order."""

    number: int
    items: list[str] = field(default_factory=list)
    note: str = ""
    aside: str = field(default="x", repr=False, compare=False)

    @property
    def size(self) -> int:
        return len(self.items)


@frozen()
class Spot:
    line: int
    column: int = 1


def test_fields_are_given_by_name_or_by_position_as_the_class_says() -> None:
    assert Order(number=1).note == ""
    assert Spot(3, 4).column == 4
    with pytest.raises(TypeError, match="positional"):
        Order(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="number"):
        Order()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nothing"):
        Order(number=1, nothing=2)  # type: ignore[call-arg]


def test_each_instance_has_a_default_of_its_own_where_a_factory_makes_it() -> None:
    first, second = Order(number=1), Order(number=1)
    first.items.append("pen")
    assert second.items == []
    assert first.size == 1


def test_no_field_can_be_set_or_deleted_and_there_is_no_room_for_others() -> None:
    order = Order(number=1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        order.number = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        del order.number
    with pytest.raises(AttributeError):
        order.other = 2  # type: ignore[attr-defined]
    assert not hasattr(order, "__dict__")


def test_equality_hash_and_repr_follow_the_fields_that_count() -> None:
    assert Spot(1) == Spot(1, 1)
    assert Spot(1) != Spot(2)
    assert Spot(1) != (1, 1)  # type: ignore[comparison-overlap]
    assert hash(Spot(1)) == hash(Spot(1, 1))
    assert Order(number=1, aside="a") == Order(number=1, aside="b")
    assert repr(Order(number=1)) == "Order(number=1, items=[], note='')"


def test_it_is_a_dataclass_to_whoever_asks() -> None:
    assert dataclasses.is_dataclass(Order)
    assert [one.name for one in dataclasses.fields(Order)] == ["number", "items", "note", "aside"]
    assert dataclasses.replace(Spot(1), column=5) == Spot(1, 5)
    assert dataclasses.asdict(Spot(1)) == {"line": 1, "column": 1}
    match Spot(7, 8):
        case Spot(line, column):
            assert (line, column) == (7, 8)


def test_its_signature_is_that_of_its_fields_before_and_after_the_first_instance() -> None:
    @frozen(kw_only=True)
    class Late:
        one: int
        other: str = "o"

    before = inspect.signature(Late)
    assert str(before) == "(*, one: int, other: str = 'o') -> None"
    Late(one=1)
    assert inspect.signature(Late) == before


def test_it_survives_pickling_and_copying() -> None:
    order = Order(number=1, items=["pen"], aside="s")
    again = pickle.loads(pickle.dumps(order))  # noqa: S301 - its own
    assert (again, again.aside) == (order, "s")
    assert copy.deepcopy(order) == order


def test_what_a_class_says_itself_counts() -> None:
    @frozen()
    class Shown:
        text: str

        def __repr__(self) -> str:
            return f"<{self.text}>"

    assert repr(Shown("a")) == "<a>"


def test_a_subclass_has_the_fields_of_its_base_first() -> None:
    @frozen(kw_only=True)
    class Parcel(Order):
        weight: float = 1.0

    parcel = Parcel(number=2, weight=0.5)
    assert (parcel.number, parcel.weight, parcel.note) == (2, 0.5, "")
    assert parcel != Order(number=2)
