from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from plugline.dispatch.copies import structural_copy

leaves = st.none() | st.integers() | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def containers(value: object) -> list[int]:
    if isinstance(value, dict):
        return [id(value), *(number for item in value.values() for number in containers(item))]
    if isinstance(value, list):
        return [id(value), *(number for item in value for number in containers(item))]
    return []


@given(values)
def test_a_copy_is_equal_and_shares_no_container(value: object) -> None:
    copied = structural_copy(value)
    assert copied == value
    assert not set(containers(copied)) & set(containers(value))


def test_no_depth_is_too_deep() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    depth = 0
    copied = structural_copy(value)
    while isinstance(copied, list) and copied:
        (copied,) = copied
        depth += 1
    assert depth == 100_000


def test_a_cycle_stays_a_cycle() -> None:
    value: dict[str, object] = {}
    value["self"] = value
    copied = structural_copy(value)
    assert isinstance(copied, dict)
    assert copied["self"] is copied
    assert copied is not value


def test_what_is_neither_dict_nor_list_is_shared() -> None:
    ordered = OrderedDict(a=[1])
    copied = structural_copy({"ordered": ordered, "pair": ([],)})
    assert isinstance(copied, dict)
    assert copied["ordered"] is ordered
