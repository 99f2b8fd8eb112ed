"""A class, or the source of one, to the fields that it declares."""

import ast
import dataclasses
import dis
import inspect
import keyword
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from plugline.contract.annotations import USUAL_NAMES, dotted_name, names_in, type_in
from plugline.contract.interface import own_annotations
from plugline.frozen import frozen

ANY_KEY = "*"  # a field of this name stands for all keys that are not declared


@frozen(kw_only=True)
class Field:
    """One setting that a class declares.

    Attributes:
        name: The key that sets it. The attribute ``from_`` is set by ``from``: a keyword of Python can be no
            attribute, so an author adds the underscore that PEP 8 recommends. :data:`ANY_KEY` stands for all
            keys that are not declared, which a class takes with ``**settings``.
        type: A real typing form; ``object`` where anything goes, or where it can't be known.
        default: What it is when it is not given, ``...`` where there is none or where only running would tell.
        self_checked: The class checks its values itself (pydantic, msgspec): ``type`` is for showing only.
    """

    name: str
    type: object = object
    required: bool = True
    default: object = ...
    summary: str = ""
    self_checked: bool = False

    @property
    def attribute(self) -> str:
        """The name of the attribute, or of the parameter, that holds it."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


def setting_name(attribute: str) -> str:
    """Return the key that sets ``attribute``."""
    return attribute[:-1] if attribute.endswith("_") and keyword.iskeyword(attribute[:-1]) else attribute


# ----------------------------------------------------------------------------- from a class


def fields_of(kind: type) -> tuple[Field, ...]:
    """Return the settings of a class: what its constructor takes by name, else its annotated attributes.

    So a dataclass, an attrs class, a ``NamedTuple`` and a class with an ``__init__`` of its own have their
    parameters, and a plain class, whose constructor takes nothing, has what it and its bases annotate, except
    ``ClassVar``, ``Final`` and what a ``Protocol`` among its bases annotates (that is the interface). Models of
    pydantic and msgspec say themselves. Names that begin with ``_`` are never settings. An annotation
    that can't be resolved is ``object``.
    """
    if is_msgspec(kind):
        fields = _msgspec_fields(kind)
    elif is_pydantic(kind):
        fields = _pydantic_fields(kind)
    elif typing.is_typeddict(kind):
        fields = _typed_dict_fields(kind)
    else:
        parameters = constructor_parameters(kind)
        fields = _parameter_fields(kind, parameters) if parameters else _attribute_fields(kind)
    return tuple(field for field in fields if not field.name.startswith("_"))


def is_pydantic(kind: type) -> bool:
    """Whether it is a model of pydantic 2, told without importing pydantic."""
    return hasattr(kind, "model_fields") and hasattr(kind, "model_validate")


def is_msgspec(kind: type) -> bool:
    """Whether it is a ``msgspec.Struct``, told without importing msgspec."""
    return hasattr(kind, "__struct_fields__")


def is_table(kind: type) -> bool:
    """Whether a value of this class is written as a table of its own: a dataclass, a model, a ``TypedDict``."""
    return dataclasses.is_dataclass(kind) or is_msgspec(kind) or is_pydantic(kind) or typing.is_typeddict(kind)


def constructor_parameters(kind: type) -> Sequence[inspect.Parameter]:
    """Return the parameters that ``kind(...)`` takes by name; none where that can't be known."""
    # A Protocol puts an __init__ of its own, with *args and **kwargs, into classes that have none.
    if getattr(_constructor(kind), "__name__", "") == "_no_init_or_replace_init":
        return ()
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return ()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return [parameter for parameter in parameters if parameter.kind in by_name]


def _constructor(kind: Any) -> object:
    return kind.__init__ if kind.__init__ is not object.__init__ else kind.__new__


def _parameter_fields(kind: type, parameters: Sequence[inspect.Parameter]) -> Iterator[Field]:
    declared: Mapping[str, dataclasses.Field[object]] = getattr(kind, "__dataclass_fields__", {})
    for parameter in parameters:
        name = parameter.name
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            yield Field(name=ANY_KEY, required=False)
        elif name in declared:
            # A dataclass's __init__ may be in another module than the annotation, which the attribute's is not.
            required, default = _dataclass_default(declared[name])
            summary = str(declared[name].metadata.get("summary", ""))
            hint = _attribute_type(kind, name)
            yield Field(name=setting_name(name), type=hint, required=required, default=default, summary=summary)
        else:
            required = parameter.default is parameter.empty
            default = ... if required else parameter.default
            hint = _parameter_type(kind, parameter)
            yield Field(name=setting_name(name), type=hint, required=required, default=default)


def _dataclass_default(field: "dataclasses.Field[object]") -> tuple[bool, object]:
    if field.default is not dataclasses.MISSING:
        return False, field.default
    if field.default_factory is dataclasses.MISSING:
        return True, ...
    # Any other factory may do what it likes, and is not asked before there is an instance to make.
    factory = field.default_factory
    return False, factory() if factory in (dict, frozenset, list, set, tuple) else ...


def _attribute_fields(kind: type) -> Iterator[Field]:
    codes = (getattr(vars(base).get("__init__"), "__code__", None) for base in kind.__mro__)
    steps = (step for code in codes if code for step in dis.get_instructions(code))
    set_by_constructor = {step.argval for step in steps if step.opname == "STORE_ATTR"}
    for name in _annotated_names(kind):
        hint = _attribute_type(kind, name)
        if hint in (ClassVar, Final):
            continue
        default = inspect.getattr_static(kind, name, ...)
        if isinstance(default, property):
            continue
        required = default is ... or isinstance(default, types.MemberDescriptorType)
        if required and name in set_by_constructor:
            continue
        yield Field(name=setting_name(name), type=hint, required=required, default=... if required else default)


def _annotated_names(kind: type) -> list[str]:
    names: dict[str, None] = {}
    for base in reversed(kind.__mro__):
        if base is kind or not getattr(base, "_is_protocol", False):
            names |= dict.fromkeys(own_annotations(base))
    return list(names)


def _attribute_type(kind: type, name: str) -> object:
    for base in kind.__mro__:
        annotation = own_annotations(base).get(name, ...)
        if annotation is not ...:
            module = sys.modules.get(base.__module__)
            return _resolved(annotation, {} if module is None else vars(module), dict(vars(base)))
    return object


def _parameter_type(kind: type, parameter: inspect.Parameter) -> object:
    if parameter.annotation is parameter.empty:
        return _attribute_type(kind, parameter.name)
    hint = _resolved(parameter.annotation, getattr(_constructor(kind), "__globals__", {}), {})
    return _attribute_type(kind, parameter.name) if hint is object else hint


def _resolved(annotation: object, names: dict[str, Any], local_names: dict[str, Any]) -> object:
    # get_type_hints resolves all of a class or nothing; one annotation at a time, one bad one spoils only itself.
    if isinstance(annotation, dataclasses.InitVar):
        annotation = annotation.type
    if type(annotation) is type or (
        type(annotation) is types.UnionType and all(type(member) is type for member in annotation.__args__)
    ):
        return annotation  # nothing in it is to be resolved, as in most settings
    one = type("One", (), {"__annotations__": {"it": annotation}})
    try:
        hint: object = typing.get_type_hints(one, names, local_names)["it"]
    except Exception:  # noqa: BLE001 - resolving runs the author's expression, which may raise anything
        return object
    if isinstance(hint, dataclasses.InitVar):
        hint = hint.type
    marker = typing.get_origin(hint) or hint
    return marker if marker in (ClassVar, Final) else object if hint is Any else hint


def _typed_dict_fields(kind: type) -> Iterator[Field]:
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    for name in own_annotations(kind):
        yield Field(name=name, type=_attribute_type(kind, name), required=name in required)


def _msgspec_fields(kind: Any) -> Iterator[Field]:
    names = list(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    defaults = kind.__struct_defaults__  # of the last fields, as function defaults are
    for index, (attribute, name) in enumerate(names):
        at = index - (len(names) - len(defaults))
        default = defaults[at] if at >= 0 else ...
        # NODEFAULT stands for keyword-only fields without one, an object with a factory for a default that is made.
        required = at < 0 or type(default).__name__ == "NoDefaultType" or repr(default) == "NODEFAULT"
        shown = ... if required or hasattr(default, "factory") else default
        hint = _attribute_type(kind, attribute)
        yield Field(name=name, type=hint, required=required, default=shown, self_checked=True)


def _pydantic_fields(kind: Any) -> Iterator[Field]:
    for name, about in kind.model_fields.items():
        # With an alias there may be several names for it, so only pydantic can say that one is missing.
        alias = about.validation_alias if isinstance(about.validation_alias, str) else about.alias
        required = about.is_required() and about.validation_alias is None
        default = ... if about.is_required() or about.default_factory is not None else about.default
        hint, summary = about.annotation or object, about.description or ""
        yield Field(
            name=alias or name, type=hint, required=required, default=default, summary=summary, self_checked=True
        )
    if kind.model_config.get("extra") == "allow" or any(about.validation_alias for about in kind.model_fields.values()):
        yield Field(name=ANY_KEY, required=False, self_checked=True)


# ----------------------------------------------------------------------------- from the source of a class

_PLAIN_BASES = {"builtins.object", "abc.ABC", "typing.Protocol", "typing.Generic", "typing_extensions.Protocol"}
_PLAIN_DECORATORS = {"typing.final", "typing.runtime_checkable"}
_DATACLASS = "dataclasses.dataclass"


def fields_of_source(source: ast.ClassDef, module: ast.Module | None = None) -> tuple[Field, ...] | None:
    """Return the settings of a class as its source shows them, or ``None`` if the source does not show them all.

    It does not where the class has a base, a metaclass or a decorator whose effect is not known (``object``,
    ``ABC``, ``Protocol``, ``Generic`` and ``@dataclass`` are), or makes its instances with ``__new__``. A base
    that the same module defines is looked into.

    Args:
        module: The module that it stands in, which says what its names mean. Without it, ``Path`` is taken
            for ``pathlib.Path`` and ``Optional`` for ``typing.Optional``.
    """
    names = {} if module is None else names_in(module)
    return _Source(names if module is not None else USUAL_NAMES, _classes_in(module)).fields(source, frozenset())


def _classes_in(module: ast.Module | None) -> dict[str, ast.ClassDef]:
    body = () if module is None else module.body
    return {statement.name: statement for statement in body if isinstance(statement, ast.ClassDef)}


@frozen()
class _Source:
    """What the names around a class mean."""

    names: Mapping[str, str]
    classes: Mapping[str, ast.ClassDef]

    def fields(self, source: ast.ClassDef, inside: frozenset[str]) -> tuple[Field, ...] | None:
        """Return the fields of ``source``; ``inside`` are the classes that led here, in case they go in a circle."""
        decorators = {self.name(decorator) for decorator in source.decorator_list} - _PLAIN_DECORATORS
        methods = {statement.name for statement in source.body if isinstance(statement, ast.FunctionDef)}
        if source.keywords or decorators - {_DATACLASS} or "__new__" in methods or source.name in inside:
            return None
        if any(keyword.arg == "init" for node in source.decorator_list for keyword in getattr(node, "keywords", [])):
            return None
        inherited = self.inherited(source, inside | {source.name})
        if inherited is None:
            return None
        constructor = _constructor_in(source)
        if constructor is not None:
            own = self.parameters(source, constructor)
            if own:
                return tuple(own)
            set_by_it = {
                node.attr
                for node in ast.walk(constructor)
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            }
            attributes = self.attributes(source, dataclass_fields=False)
            return self.merged(
                inherited, [field for field in attributes if not field.required or field.attribute not in set_by_it]
            )
        return self.merged(inherited, self.attributes(source, dataclass_fields=bool(decorators)))

    def inherited(self, source: ast.ClassDef, inside: frozenset[str]) -> tuple[Field, ...] | None:
        """Return the fields of the bases, ``None`` if one is not to be seen or they could mix."""
        fields: tuple[Field, ...] = ()
        bases = [node for node in source.bases if self.name(node) not in _PLAIN_BASES]
        for node in bases:
            base = self.classes.get(node.id) if isinstance(node, ast.Name) else None
            found = None if base is None or len(bases) > 1 else self.fields(base, inside)
            # What a Protocol annotates is no setting, and a constructor that is inherited may ignore the subclass.
            if base is None or found is None or _constructor_in(base) or self.kind(base) != self.kind(source):
                return None
            fields = found
        return fields

    def kind(self, source: ast.ClassDef) -> str:
        """Say what makes its constructor."""
        if any(self.name(node) == _DATACLASS for node in source.decorator_list):
            return "dataclass"
        return "protocol" if any("Protocol" in (self.name(node) or "") for node in source.bases) else "plain"

    def name(self, node: ast.expr) -> str | None:
        """Return the dotted name of a base or a decorator, without its call or its brackets."""
        if isinstance(node, ast.Call):
            return self.name(node.func)
        return dotted_name(node.value if isinstance(node, ast.Subscript) else node, self.names)

    @staticmethod
    def merged(inherited: Sequence[Field], own: Sequence[Field]) -> tuple[Field, ...]:
        """Return all of them, in the order of a dataclass: a field that is declared again keeps its place."""
        return tuple(({field.name: field for field in inherited} | {field.name: field for field in own}).values())

    def attributes(self, source: ast.ClassDef, *, dataclass_fields: bool) -> list[Field]:
        fields = []
        for index, statement in enumerate(source.body):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            hint = type_in(statement.annotation, self.names)
            default = self.default(statement.value, dataclass_fields=dataclass_fields)
            if statement.target.id.startswith("_") or hint is ClassVar or default is None:
                continue
            if hint is Final:
                if not dataclass_fields:
                    continue
                hint = object
            summary = _summary(source.body[index + 1 : index + 2]) or _summary_in(statement.value)
            name = setting_name(statement.target.id)
            fields.append(Field(name=name, type=hint, required=default[0], default=default[1], summary=summary))
        return fields

    def default(self, node: ast.expr | None, *, dataclass_fields: bool) -> tuple[bool, object] | None:
        """Return whether a value is required, with its default; ``None`` if it can't be given."""
        if node is None:
            return True, ...
        if not dataclass_fields or not isinstance(node, ast.Call) or self.name(node) != "dataclasses.field":
            return False, _literal(node)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if "init" in given:
            return (_literal(given["init"]) is not False or None) and (False, ...)
        if "default" in given:
            return False, _literal(given["default"])
        if "default_factory" in given:
            factories: dict[str, object] = {
                "builtins.dict": {},
                "builtins.list": [],
                "builtins.set": set(),
                "builtins.tuple": (),
            }
            return False, factories.get(self.name(given["default_factory"]) or "", ...)
        return True, ...

    def parameters(self, source: ast.ClassDef, constructor: ast.FunctionDef) -> list[Field]:
        """Return the parameters of the class's own ``__init__`` that can be given by name."""
        arguments = constructor.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = list(zip(positional, defaults, strict=True))[max(1, len(arguments.posonlyargs)) :]
        pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        attributes = {field.name: field for field in self.attributes(source, dataclass_fields=False)}
        fields = [self.parameter(argument, default, attributes) for argument, default in pairs]
        if arguments.kwarg is not None:
            fields.append(Field(name=ANY_KEY, required=False))
        return [field for field in fields if not field.name.startswith("_")]

    def parameter(self, argument: ast.arg, default: ast.expr | None, attributes: Mapping[str, Field]) -> Field:
        """Return one parameter, with what an annotated attribute of that name adds to it."""
        name = setting_name(argument.arg)
        attribute = attributes.get(name, Field(name=name))
        hint = object if argument.annotation is None else type_in(argument.annotation, self.names)
        return Field(
            name=name,
            type=attribute.type if hint is object else hint,
            required=default is None,
            default=... if default is None else _literal(default),
            summary=attribute.summary,
        )


def _constructor_in(source: ast.ClassDef) -> ast.FunctionDef | None:
    methods = [statement for statement in source.body if isinstance(statement, ast.FunctionDef)]
    return next((method for method in methods if method.name == "__init__"), None)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError, RecursionError, MemoryError):
        return ...


def _summary(following: Sequence[ast.stmt]) -> str:
    match following:
        case [ast.Expr(value=ast.Constant(value=str() as text))]:
            return text.strip().partition("\n")[0]
        case _:
            return ""


def _summary_in(default: ast.expr | None) -> str:
    """Return what ``field(metadata={"summary": ...})`` says."""
    given = default.keywords if isinstance(default, ast.Call) else ()
    metadata = next((_literal(keyword.value) for keyword in given if keyword.arg == "metadata"), None)
    return str(metadata.get("summary", "")) if isinstance(metadata, dict) else ""
