"""A package in the package, which looks up and sideways."""

from ..rules import RULES
from .split import split


def words(text):
    return [word for word in split(text) if word in RULES]
