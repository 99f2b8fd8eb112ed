"""A parsed plugin to the class whose fields are its settings."""

import ast

from plugline.discovery.facts import ClassFacts, SourceFacts
from plugline.discovery.known import PluginSpec
from plugline.names import is_public
from plugline.pipeline.catalogue import ALONE, Kind


def settings_class(tree: ast.Module, facts: SourceFacts | None, kind: Kind) -> ast.ClassDef | None:
    """Return the class in a module that is the plugin, ``None`` where the module itself is."""
    if facts is None:
        return None
    ways = _ways(kind)
    if any(all(name in facts.bound for name in members) for members in ways):
        return None
    found = [candidate for candidate in facts.classes if any(_provides(candidate, members) for members in ways)]
    if not found:
        found = [candidate for candidate in facts.classes if candidate.bases and is_public(candidate.name)]
    names = {candidate.name for candidate in found[:1]}
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in names), None)


def is_module(spec: PluginSpec, kind: Kind) -> bool:
    """Whether the module itself is the plugin, which has no settings; most show it without their syntax tree."""
    return any(all(spec.binds(name) for name in members) for members in _ways(kind))


def _ways(kind: Kind) -> list[list[str]]:
    return [[member.name for member in interface.members] for interface in ALONE[kind]]


def _provides(candidate: ClassFacts, members: list[str]) -> bool:
    have = {*(method.name for method in candidate.methods), *candidate.attributes}
    return is_public(candidate.name) and all(name in have for name in members)
