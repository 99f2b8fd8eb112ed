"""Names of the instructions that outlines are read from, to their numbers in the Python that runs.

The module ``opcode`` has them all, and takes half a millisecond to import: a tenth of what listing a thousand plugins takes after
one of them was edited. It is asked where the Python that runs is none of those below.
"""

import sys

# In CPython 3.11, 3.12 and 3.13; None where there is none of that name. A test holds them against those of the module opcode.
_NUMBERS: dict[str, tuple[int | None, ...]] = {
    "BUILD_TUPLE": (102, 102, 52),
    "CACHE": (0, 0, 0),
    "CALL": (171, 171, 53),
    "CALL_FUNCTION_EX": (142, 142, 54),
    "CALL_KW": (None, None, 57),
    "DELETE_NAME": (91, 91, 67),
    "EXTENDED_ARG": (144, 144, 71),
    "LOAD_ATTR": (106, 106, 82),
    "LOAD_BUILD_CLASS": (71, 71, 24),
    "LOAD_CONST": (100, 100, 83),
    "LOAD_NAME": (101, 101, 92),
    "MAKE_FUNCTION": (132, 132, 26),
    "NOP": (9, 9, 30),
    "POP_TOP": (1, 1, 32),
    "PUSH_NULL": (2, 2, 34),
    "RESUME": (151, 151, 149),
    "RETURN_CONST": (None, 121, 103),
    "SETUP_ANNOTATIONS": (85, 85, 37),
    "SET_FUNCTION_ATTRIBUTE": (None, None, 106),
    "STORE_ATTR": (95, 95, 108),
    "STORE_NAME": (90, 90, 114),
    "STORE_SUBSCR": (60, 60, 39),
}


def _operations() -> dict[str, int]:
    if sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 13):
        from opcode import opmap  # noqa: PLC0415 - see above

        return {name: opmap[name] for name in _NUMBERS if name in opmap}
    at = sys.version_info[1] - 11
    return {name: number for name, numbers in _NUMBERS.items() if (number := numbers[at]) is not None}


OPERATIONS = _operations()
