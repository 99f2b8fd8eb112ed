"""Immutable values without ``dataclasses``, whose import costs more than listing a folder of plugins."""


class Value:
    """A base for immutable values: equal when their fields are, hashable, picklable, shown by their fields.

    A subclass lists its fields in ``__slots__`` and calls :meth:`_set` once, in its ``__init__``, whose
    keyword parameters have the names of the fields. Elsewhere than on the path of a warm listing,
    frozen dataclasses are the habit (docs/decisions/0002).
    """

    __slots__: tuple[str, ...] = ()

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(tuple(self._fields().values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({fields})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self._fields())


def _rebuild(kind: type[Value], fields: dict[str, object]) -> Value:
    return kind(**fields)
