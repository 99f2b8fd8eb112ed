"""The classes of a pipeline file to a JSON Schema, by which editors complete and check it.

What the schema takes, :func:`plugline.pipeline.config.read_config` may still refuse: it knows no plugins, and a variable of the
environment may stand in the place of a number.
"""

import dataclasses
import inspect
import re
import types
import typing
from collections import abc
from collections.abc import Mapping
from typing import Any, Literal, Union

from plugline.contract.fields import fields_of, is_table
from plugline.pipeline.config import (
    LEAST_RECORD_BYTES,
    LEAST_SPLIT_BYTES,
    CaseConfig,
    ErrorLimit,
    PipelineConfig,
    ProcessCount,
    Records,
    RunConfig,
    SinkConfig,
    SourceConfig,
    StepConfig,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# ${NAME} may stand for any scalar; the pattern is that of plugline.pipeline.variables.
_VARIABLE: Mapping[str, object] = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}
_ITEMS: Mapping[str, object] = {"type": "object"}
_RECORDS: Mapping[str, object] = {"anyOf": [_ITEMS, {"type": "array", "items": _ITEMS}, {"type": "string"}]}
_LIMIT: Mapping[str, object] = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*((100(\.0{1,9})?|[0-9]{1,2}(\.[0-9]{1,9})?)\s*%|[0-9]+|none)\s*$"},
        _VARIABLE,
    ]
}
_PROCESSES: Mapping[str, object] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 1024},
        {"type": "string", "pattern": r"^\s*(auto|[0-9]{1,4})\s*$"},
        _VARIABLE,
    ]
}
_OWN_FORMS: Mapping[object, Mapping[str, object]] = {Records: _RECORDS, ErrorLimit: _LIMIT, ProcessCount: _PROCESSES}
# What the types do not say, of the first form that a key may have.
_NARROWER: Mapping[tuple[type, str], Mapping[str, object]] = {
    (SourceConfig, "path"): {"minLength": 1},
    (SinkConfig, "path"): {"minLength": 1},
    (StepConfig, "use"): {"minLength": 1},
    (RunConfig, "max_record_bytes"): {"minimum": LEAST_RECORD_BYTES},
    (RunConfig, "split_bytes"): {"minimum": LEAST_SPLIT_BYTES},
}
_ONE_OF: Mapping[type, tuple[str, ...]] = {CaseConfig: ("output", "failure")}
_SCALARS: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def pipeline_schema() -> dict[str, object]:
    """Return the JSON Schema of a pipeline file."""
    return {
        "$schema": DIALECT,
        "title": "A plugline pipeline",
        **_table(PipelineConfig),
    }


def _table(kind: type) -> dict[str, object]:
    summaries = _summaries(kind)
    properties: dict[str, object] = {}
    fields = fields_of(kind)
    for field in fields:
        schema = _narrowed(_of(field.type), _NARROWER.get((kind, field.name), {}))
        summary = summaries.get(field.attribute)
        if summary:
            schema["description"] = summary
        if isinstance(field.default, str | int | float | bool):
            schema["default"] = field.default
        properties[field.name] = schema
    required = [field.name for field in fields if field.required]
    made: dict[str, object] = {"type": "object", "additionalProperties": False, "properties": properties}
    sentence = (inspect.getdoc(kind) or "").partition("\n")[0]
    needed = {"anyOf": [{"required": [name]} for name in _ONE_OF[kind]]} if kind in _ONE_OF else {}
    return {**made, **({"required": required} if required else {}), **needed, "description": sentence}


def _narrowed(schema: Mapping[str, object], limits: Mapping[str, object]) -> dict[str, object]:
    forms = schema.get("anyOf")
    if not limits or not isinstance(forms, list):
        return {**schema, **limits}
    return {**schema, "anyOf": [{**forms[0], **limits}, *forms[1:]]}


def _summaries(kind: type) -> dict[str, str]:
    """Return what the docstring of a class says of each of its attributes."""
    text = inspect.getdoc(kind) or ""
    listed = text.partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for match in re.finditer(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE):
        found[match[1]] = " ".join(match[2].replace("``", "`").split())
    return found


def _of(form: Any) -> Mapping[str, object]:
    origin, arguments = typing.get_origin(form) or form, typing.get_args(form)
    if form in _OWN_FORMS:
        return _OWN_FORMS[form]
    if form in _SCALARS:
        named = {"type": _SCALARS[form]}
        return named if form is str else {"anyOf": [named, _VARIABLE]}
    if origin in (Union, types.UnionType):
        return _any_of([_of(member) for member in arguments if member is not types.NoneType])
    if origin is Literal:
        return {"anyOf": [{"enum": list(arguments)}, _VARIABLE]}
    if origin in (list, tuple, abc.Sequence):
        return {"type": "array", "items": _of(arguments[0])}
    if origin in (dict, abc.Mapping):
        value = _of(arguments[1])
        return {"type": "object", **({"additionalProperties": value} if value else {})}
    if isinstance(form, type) and (is_table(form) or dataclasses.is_dataclass(form)):
        return _table(form)
    return {}


def _any_of(schemas: list[Mapping[str, object]]) -> Mapping[str, object]:
    flat: list[object] = []
    for schema in schemas:
        inner = schema.get("anyOf") if set(schema) == {"anyOf"} else None
        flat += [one for one in (inner if isinstance(inner, list) else [schema]) if one not in flat]
    return flat[0] if len(flat) == 1 and isinstance(flat[0], Mapping) else {"anyOf": flat}
