"""Says that it has functions of names by which Python itself calls, and by which its host keeps what is the host's.

Must hold: they are no functions of it to its host, and every record is answered.
"""

import sys

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")

ODD = """
__class__ __getattribute__ __getattr__ __setattr__ __delattr__ __del__ __eq__ __hash__ __bool__ __len__ __iter__
__repr__ __str__ __format__ __reduce__ __reduce_ex__ __getstate__ __enter__ __exit__ __init__ __new__ __slots__
__dict__ __weakref__ __module__ __doc__ __mro__ __init_subclass__ _plugin _number _method
"""


def _forged(value):
    return ["transform", "describe", *ODD.split()]


sys.modules["plugline.worker.main"]._functions_of = _forged


def transform(record):
    return record


def describe():
    return "hostile"
