"""Has both names, but only because it imports them: nothing is defined here."""

from posixpath import basename as describe
from posixpath import normpath as transform
