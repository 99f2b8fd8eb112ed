"""An object to how many hold it: as many as there are, or more.

Whoever asks knows how many references are his own, those of his variables and of the call among them. From Python 3.14 on some of
these are borrowed and not counted, which differs from place to place. So some are added there: that nobody else holds an
object is concluded less often, which costs time, and never where somebody does.
"""

import sys
from sys import getrefcount as _counted

_MOST_BORROWED = 4  # by the call, a parameter, that of whoever calls, and this function's

if sys.version_info >= (3, 14):

    def getrefcount(value: object, /) -> int:
        """Return at least as many as :func:`sys.getrefcount` of Python 3.13 would where it is called."""
        return _counted(value) + _MOST_BORROWED

else:
    getrefcount = _counted
