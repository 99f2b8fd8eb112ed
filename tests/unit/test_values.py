import copy
import pickle

import pytest

from plugline.findings import Finding, Place
from plugline.values import Value


def finding(message: str = "is wrong") -> Finding:
    return Finding("P201", message, Place("plugins/a.py", 3, 5), hint="mend it")


def test_values_with_equal_fields_are_equal_and_hash_alike() -> None:
    assert finding() == finding()
    assert hash(finding()) == hash(finding())
    assert finding() != finding("is right")


def test_a_value_is_not_equal_to_one_of_another_class_with_the_same_fields() -> None:
    class Spot(Place):
        __slots__ = ()

    assert Spot("a.py", 1, 1) != Place("a.py", 1, 1)


def test_a_value_survives_pickling_and_copying() -> None:
    assert pickle.loads(pickle.dumps(finding())) == finding()  # noqa: S301 - its own
    assert copy.deepcopy(finding()) == finding()


def test_no_field_of_a_value_can_be_set_or_deleted() -> None:
    place = Place("a.py")
    with pytest.raises(AttributeError, match="'line' cannot be set"):
        place.line = 3
    with pytest.raises(AttributeError, match="'path' cannot be deleted"):
        del place.path
    assert place == Place("a.py")


def test_a_value_has_no_room_for_other_names() -> None:
    with pytest.raises(AttributeError):
        Place("a.py").note = "x"


def test_the_repr_of_a_value_names_every_field() -> None:
    assert repr(Place("a.py", 1)) == "Place(column=None, line=1, path='a.py')"


def test_a_value_is_true_whatever_it_holds() -> None:
    assert bool(Value())
