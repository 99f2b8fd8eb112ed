"""A dict or list to a copy that its owner's changes do not reach."""

from plugline.typed import Iterable


def structural_copy(value: object) -> object:
    """Copy dicts and lists at every depth; everything else, their subclasses included, is shared.

    Unlike ``copy.deepcopy`` it runs no foreign code and does not recurse, so no depth is too deep. What stood
    in two places stands in two places of the copy; a cycle stays one.
    """
    if value.__class__ is not dict and value.__class__ is not list:
        return value
    top = _shallow(value)
    copies = {id(value): top}
    pending = [top]
    while pending:
        container = pending.pop()
        for key, item in _items(container):
            if item.__class__ is dict or item.__class__ is list:
                copied = copies.get(id(item))
                if copied is None:
                    copied = copies[id(item)] = _shallow(item)
                    pending.append(copied)
                # Assigning to a key that is there does not disturb the iteration.
                container[key] = copied  # type: ignore[call-overload]
    return top


def _items(container: dict[object, object] | list[object]) -> Iterable[tuple[object, object]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def _shallow(value: object) -> dict[object, object] | list[object]:
    if isinstance(value, dict):
        return value.copy()
    return list(value)  # type: ignore[call-overload, no-any-return]
