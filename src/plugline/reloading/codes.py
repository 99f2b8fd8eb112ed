"""Two compiled versions of a module to what became of each function in it.

Code objects are compared and not syntax trees: they are there anyway, and the comparison is made in C.

What counts as the body of a function is what runs when it is called. Everything else (decorators, defaults,
annotations, the bodies of classes, constants) is part of what runs when the module is loaded, so it shows in the code of
the module or of a class in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress, starmap
from opcode import hasconst
from types import CodeType

from plugline.loading.traces import getrefcount

# inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS: what has both is a function, else a module or class.
_OPTIMIZED = 0x01 | 0x02
_KIND = 0x20 | 0x80 | 0x100 | 0x200  # generator, coroutine, iterable coroutine, asynchronous generator


@dataclass(slots=True)
class Comparison:
    """What became of the code of one module.

    Attributes:
        pairs: Old and new code of each function that is in both.
        edited: Of these, the ones that do something else now.
        unfit: Of these, the ``id`` of each old one that is on functions which the new one does not fit.
        bodies_only: Whether nothing but bodies of functions changed.
        same_classes: Whether no class is defined in another way, bodies of its methods apart: of what is loaded only
            constants of the module changed.
        same_words: Whether :func:`words_in` returns the same for both.
        added: Functions that only the new version has.
        removed: Functions that only the old version has.
    """

    pairs: list[tuple[CodeType, CodeType]] = field(default_factory=list)
    edited: list[tuple[CodeType, CodeType]] = field(default_factory=list)
    unfit: set[int] = field(default_factory=set)
    bodies_only: bool = True
    same_classes: bool = True
    same_words: bool = True
    added: list[CodeType] = field(default_factory=list)
    removed: list[CodeType] = field(default_factory=list)


def compare(old: CodeType, new: CodeType) -> Comparison:
    """Compare two versions of a module."""
    comparison = Comparison()
    _compare_bodies(old, new, comparison)
    return comparison


def describes(comparison: Comparison) -> bool:
    """Whether an edited function may say what the plugin does: a summary is taken from what ``describe`` returns."""
    return any(new.co_name == "describe" for _, new in comparison.edited)


def left_behind(comparison: Comparison) -> Iterator[str]:
    """Yield the functions that made others which are still held, and which nothing in the new version follows."""
    for code in comparison.removed:
        # Held by the code that it stood in, the list, the loop and the call.
        if "<locals>" in code.co_qualname and _is_made(code) and getrefcount(code) > 4:
            yield made_before(code)


def made_before(code: CodeType) -> str:
    """Return how a report names functions that calls of the old version made, and that go on as they are."""
    return f"functions that {code.co_qualname.partition('.<locals>')[0]} made before"


def is_function(code: CodeType) -> bool:
    """Whether the code is that of a function (or lambda, comprehension, generator expression), and not of a class body."""
    return code.co_flags & _OPTIMIZED == _OPTIMIZED


def words_in(code: CodeType) -> frozenset[str]:
    """Return the names that some code mentions, and the code in it; ``__class__`` where a method knows the class that it is in."""
    words: set[str] = set()
    pending = [code]
    for one in pending:
        words.update(one.co_names)
        words.update(one.co_cellvars)
        constants = one.co_consts
        kinds = {*map(type, constants)}
        if tuple in kinds:
            tuples = [constant for constant in constants if type(constant) is tuple]
            words.update([part for one in tuples for part in one if type(part) is str])
        if CodeType in kinds:
            pending += [constant for constant in constants if type(constant) is CodeType]
    return frozenset(words)


def _compare_bodies(old: CodeType, new: CodeType, comparison: Comparison) -> None:
    """Compare what runs on load: a module, or a class in one."""
    if old == new and _pair_alike(old, new, comparison):
        return
    if old.co_code != new.co_code or not _same_frame(old, new) or old.co_exceptiontable != new.co_exceptiontable:
        comparison.bodies_only = False
        comparison.same_classes &= old.co_name == "<module>" and _same_but_for_numbers(old, new)
        comparison.same_words &= old.co_names == new.co_names and old.co_cellvars == new.co_cellvars
    _compare_constants(old, new, comparison, inside_function=False)


# From Python 3.14 on annotations are such a function. Whoever asks for them while the module runs, as dataclasses does,
# makes what they say part of it.
_ANNOTATIONS = "__annotate__"


def _same_but_for_numbers(old: CodeType, new: CodeType) -> bool:
    """Whether nothing is other but the numbers of constants: where one has become another, all behind it may have new ones."""
    befores, afters = old.co_code, new.co_code
    operations = befores[::2]
    if operations != afters[::2] or not _same_frame(old, new) or old.co_exceptiontable != new.co_exceptiontable:
        return False
    others = operations.translate(_NO_CONSTANT)
    return [*compress(befores[1::2], others)] == [*compress(afters[1::2], others)]


_NO_CONSTANT = bytes(operation not in hasconst for operation in range(256))


def _pair_alike(old: CodeType, new: CodeType, comparison: Comparison) -> bool:
    """Pair the functions in code that the interpreter's own comparison shows to be the same. Returns whether it is."""
    pending = [(old, new)]
    for one, other in pending:
        # These two are not compared by every version.
        if one.co_exceptiontable != other.co_exceptiontable or one.co_qualname != other.co_qualname:
            return False
        if CodeType in map(type, one.co_consts):
            inside = zip(one.co_consts, other.co_consts, strict=True)
            pending += [pair for pair in inside if type(pair[0]) is CodeType]
    comparison.pairs += [pair for pair in pending if pair[0].co_flags & _OPTIMIZED == _OPTIMIZED]
    return True


def _same_frame(old: CodeType, new: CodeType) -> bool:
    return (
        old.co_names == new.co_names
        and old.co_varnames == new.co_varnames
        and old.co_cellvars == new.co_cellvars
        and old.co_freevars == new.co_freevars
        and old.co_flags == new.co_flags
        and old.co_argcount == new.co_argcount
        and old.co_posonlyargcount == new.co_posonlyargcount
        and old.co_kwonlyargcount == new.co_kwonlyargcount
    )


def _compare_constants(old: CodeType, new: CodeType, comparison: Comparison, *, inside_function: bool) -> bool:
    """Compare constants, code objects among them. Returns whether all but what inner functions do is the same."""
    olds, news = old.co_consts, new.co_consts
    same = _same_values(olds, news)
    if not same:
        _note_constants(old, new, comparison, inside_function=inside_function)
    befores = [one for one in olds if type(one) is CodeType]
    afters = [one for one in news if type(one) is CodeType]
    if not befores and not afters:
        return same
    matched = _matched(befores, afters)
    for before, after in _with_successor(matched) if inside_function else matched:
        if before is None:
            comparison.added += [after] if after is not None else []
            same = comparison.same_words = False
        elif after is None:
            comparison.removed.append(before)
            same = comparison.same_words = False
        elif before.co_flags & after.co_flags & _OPTIMIZED == _OPTIMIZED:
            # What changed in an inner function is its own: those that were made with it take the new code.
            _compare_functions(before, after, comparison, inside_function=inside_function)
            _note_annotations(old, before, after, comparison)
        elif is_function(before) or is_function(after):
            comparison.bodies_only = comparison.same_words = same = False
        elif inside_function:
            # A class that a function makes is made anew at each call: it is part of the function's body.
            same &= _same_class_in_function(before, after, comparison)
        else:
            _compare_bodies(before, after, comparison)
    if not same and not inside_function:
        comparison.bodies_only &= len(befores) == len(afters)
    return same


def _note_annotations(owner: CodeType, old: CodeType, new: CodeType, comparison: Comparison) -> None:
    """Take note of what it means that annotations changed, where some code is that of such."""
    if old.co_name == _ANNOTATIONS and not is_function(owner) and not _alike(old, new):
        comparison.bodies_only = comparison.same_words = False
        comparison.same_classes &= owner.co_name == "<module>"


def _note_constants(old: CodeType, new: CodeType, comparison: Comparison, *, inside_function: bool) -> None:
    comparison.same_words &= _tuples_in(old.co_consts) == _tuples_in(new.co_consts)
    if not inside_function:
        comparison.bodies_only = False
        comparison.same_classes &= old.co_name == "<module>"


def _tuples_in(constants: tuple[object, ...]) -> list[object]:
    return [one for one in constants if type(one) is tuple]


def _same_class_in_function(old: CodeType, new: CodeType, comparison: Comparison) -> bool:
    same = old.co_code == new.co_code and _same_frame(old, new) and old.co_exceptiontable == new.co_exceptiontable
    comparison.same_words &= same
    return _compare_constants(old, new, comparison, inside_function=True) and same


def _compare_functions(old: CodeType, new: CodeType, comparison: Comparison, *, inside_function: bool) -> None:
    pair = (old, new)
    comparison.pairs.append(pair)
    if _same_but_for_its_place(old, new):
        return
    same = (
        old.co_code == new.co_code
        and old.co_exceptiontable == new.co_exceptiontable
        and old.co_names == new.co_names
        and old.co_varnames == new.co_varnames
        and old.co_cellvars == new.co_cellvars
        and old.co_flags == new.co_flags
    )
    same &= _compare_constants(old, new, comparison, inside_function=True)
    if not same:
        comparison.same_words = False
        comparison.edited.append(pair)  # the same tuple: by counts of references it is seen who else has them
    if not _exchangeable(old, new):
        comparison.unfit.add(id(old))
        comparison.bodies_only &= inside_function


def _same_but_for_its_place(old: CodeType, new: CodeType) -> bool:
    """Whether the interpreter's own comparison shows that nothing changed; it says no of what has functions in it that moved."""
    if old.co_firstlineno != new.co_firstlineno:
        new = new.replace(co_firstlineno=old.co_firstlineno)
    # The last two are not compared by every version. What has code in it has pairs of its own, to be found.
    return (
        old == new
        and old.co_exceptiontable == new.co_exceptiontable
        and old.co_qualname == new.co_qualname
        and CodeType not in map(type, old.co_consts)
    )


def _exchangeable(old: CodeType, new: CodeType) -> bool:
    """Whether the new code fits on functions that were made with the old one."""
    arguments = old.co_argcount + old.co_kwonlyargcount + (old.co_flags & 0x0C).bit_count()
    return (
        old.co_argcount == new.co_argcount
        and old.co_posonlyargcount == new.co_posonlyargcount
        and old.co_kwonlyargcount == new.co_kwonlyargcount
        and old.co_varnames[:arguments] == new.co_varnames[:arguments]
        and old.co_freevars == new.co_freevars
        and old.co_flags & (0x0C | _KIND) == new.co_flags & (0x0C | _KIND)
        and old.co_qualname == new.co_qualname
    )


def _matched(befores: list[CodeType], afters: list[CodeType]) -> Iterable[tuple[CodeType | None, CodeType | None]]:
    """Pair the code objects of two versions: by name, and in order where several have one name (lambdas)."""
    if [one.co_name for one in befores] == [one.co_name for one in afters]:
        return zip(befores, afters, strict=True)
    return _matched_by_name(befores, afters)


def _with_successor(
    matched: Iterable[tuple[CodeType | None, CodeType | None]],
) -> Iterable[tuple[CodeType | None, CodeType | None]]:
    """Pair the one function that a function made, and makes no more, with the one that it makes instead, whatever its name."""
    pairs = [*matched]
    gone = [one for one, other in pairs if other is None and one is not None and _is_made(one)]
    come = [other for one, other in pairs if one is None and other is not None and _is_made(other)]
    if len(gone) != 1 or len(come) != 1:
        return pairs
    left = [pair for pair in pairs if pair not in ((gone[0], None), (None, come[0]))]
    return [*left, (gone[0], come[0])]


def _is_made(code: CodeType) -> bool:
    """Whether it is a function that a program can hold, and no comprehension."""
    return is_function(code) and (code.co_name[:1] != "<" or code.co_name == "<lambda>")


def _matched_by_name(
    befores: list[CodeType], afters: list[CodeType]
) -> Iterator[tuple[CodeType | None, CodeType | None]]:
    by_name: dict[str, list[CodeType]] = {}
    for after in afters:
        by_name.setdefault(after.co_name, []).append(after)
    left = {name: sum(1 for code in befores if code.co_name == name) for name in by_name}
    for before in befores:
        candidates = by_name.get(before.co_name, [])
        match = _match(before, candidates, left.get(before.co_name, 0))
        if match is not None:
            candidates.remove(match)
        if before.co_name in left:
            left[before.co_name] -= 1
        yield before, match
    for candidates in by_name.values():
        yield from ((None, after) for after in candidates)


def _match(before: CodeType, candidates: list[CodeType], left: int) -> CodeType | None:
    """Choose among the new functions of one name the one that follows an old one, of which ``left`` are to be matched."""
    if len(candidates) != left:
        # Of several lambdas some were added or removed: what is still the same stays with the same.
        for candidate in candidates:
            if _alike(before, candidate):
                return candidate
    return candidates[0] if candidates and len(candidates) >= left else None


def _alike(one: CodeType, other: CodeType) -> bool:
    return one.co_code == other.co_code and _same_frame(one, other) and _same_values(one.co_consts, other.co_consts)


def _same_values(olds: tuple[object, ...], news: tuple[object, ...]) -> bool:
    if len(olds) != len(news):
        return False
    others = [pair for pair in zip(olds, news, strict=True) if pair[0] is not pair[1]]
    return all(starmap(_same_value, others))


def _same_value(old: object, new: object) -> bool:
    kind = old.__class__
    if kind is not new.__class__:
        return False
    if kind is CodeType:
        return True  # compared apart
    if kind is tuple or kind is frozenset:
        if kind is frozenset:
            return old == new and sorted(map(_typed, old)) == sorted(map(_typed, new))  # type: ignore[call-overload]
        return _same_values(old, new)  # type: ignore[arg-type]
    if kind is float or kind is complex:
        return repr(old) == repr(new)  # 0.0 is not -0.0, and nan is nan
    return bool(old == new)


def _typed(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
