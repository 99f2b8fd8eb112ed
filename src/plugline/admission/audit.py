"""A syntax tree to what the code touches, and to findings where that is more than was declared.

This is hygiene, and no boundary: it tells an honest author what to declare, and a reader where to look. Code that
means to hide what it does, does so with ease (``getattr`` and a computed name will do), and what a library does
for the plugin is seen only as far as the library is known. The sandbox is the boundary.

Names are followed through ``import … as``, ``from … import``, plain assignments, ``getattr`` with a literal name
and imports by a literal name; a parameter or variable that only happens to be called ``open`` is not ``open``.
Looked up by name only, whatever the order in which the code runs.
"""

import _ast
import sys
from collections.abc import Iterator, Sequence

from plugline.admission.touches import (
    BELOW,
    EXACT,
    HARMLESS,
    HARMLESS_ENDINGS,
    KINDS,
    OPENERS,
    PATH_KEEPERS,
    PATH_MAKERS,
    PATH_METHODS,
    TELLING_METHODS,
)
from plugline.contract.permissions import ALL_NAMES, Permissions, is_sayable
from plugline.findings import Finding, Place
from plugline.values import Value

_CODES = {
    "read": "T201",
    "write": "T202",
    "net": "T203",
    "run": "T204",
    "env": "T205",
    "native": "T206",
    "dynamic": "T207",
    "process": "T208",
    "patch": "T209",
}
_DOES = {
    "read": "reads files",
    "write": "writes files",
    "net": "uses the network",
    "run": "starts programs",
    "env": "uses the environment",
    "native": "calls code that is no Python",
    "dynamic": "runs code made at run time",
    "process": "changes the whole process",
    "patch": "changes what belongs to others",
}
_BUILTINS = frozenset({"open", "exec", "eval", "compile", "__import__", "getattr", "setattr", "delattr", "execfile"})
_ENVIRONMENTS = ("os.environ", "os.environb")
_IN_MEMORY = frozenset({"io.BytesIO()", "io.StringIO()"})
_CALLED_ONLY = frozenset({"types.CodeType", "types.FunctionType"})  # otherwise mentioned to compare with
_MOST_STEPS = 20  # of following one name to the next
_SYSTEM_STATE = frozenset({
    "sys.modules", "sys.path", "sys.meta_path", "sys.path_hooks", "sys.path_importer_cache", "builtins.__dict__",
})  # fmt: skip
_CHANGERS = frozenset({
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
    "__setitem__", "__delitem__",
})  # fmt: skip


class Use(Value):
    """One thing that code touches.

    Attributes:
        kind: One of :data:`plugline.admission.touches.KINDS`.
        name: The dotted name of what does it, as its own module calls it: ``os.system``.
        line: Where.
        column: Where in it, counted from 1.
        subject: The literal path or name that it is done to; ``None`` where that is only known when it runs.
    """

    __slots__ = ("column", "kind", "line", "name", "subject")
    kind: str
    name: str
    line: int
    column: int
    subject: str | None

    def __init__(self, kind: str, name: str, line: int, column: int, subject: str | None = None) -> None:
        self._set(kind=kind, name=name, line=line, column=column, subject=subject)


def find_uses(tree: _ast.Module) -> tuple[Use, ...]:
    """Return everything that the code of a module is seen to touch, in the order of its lines."""
    walker = _Walker()
    walker.walk(tree)
    return tuple(sorted(set(walker.uses), key=lambda use: (use.line, use.column, KINDS.index(use.kind), use.name)))


def audit_findings(
    uses: Sequence[Use], declared: Permissions, path: str, *, severity: str = "error"
) -> tuple[Finding, ...]:
    """Hold what code touches against what its plugin declares: a code for each kind of use, one for each kind and name.

    Args:
        uses: As :func:`find_uses` gives them.
        path: The file, as messages show it.
    """
    undeclared = [use for use in uses if not _is_declared(use, declared)]
    first: dict[tuple[str, str], list[Use]] = {}
    for use in undeclared:
        first.setdefault((use.kind, use.name), []).append(use)
    wanted = declared.union(needed_permissions(undeclared))
    return tuple(_finding(same, wanted, path, severity) for same in first.values())


def needed_permissions(uses: Sequence[Use]) -> Permissions:
    """Return the permissions that would cover uses: ``FOLDER`` stands where a path is only known at run time."""
    subjects: dict[str, list[str]] = {"read": [], "write": [], "env": []}
    for use in uses:
        if use.kind in subjects:
            subjects[use.kind].append(use.subject or (ALL_NAMES if use.kind == "env" else _UNKNOWN_PATH))
    kinds = {use.kind for use in uses}
    return Permissions(
        **subjects,
        net="net" in kinds,
        run="run" in kinds,
        native="native" in kinds,
        dynamic="dynamic" in kinds,
    )


_UNKNOWN_PATH = "FOLDER"


def _is_declared(use: Use, declared: Permissions) -> bool:
    match use.kind:
        case "read" | "write":
            granted = declared.read if use.kind == "read" else declared.write
            return bool(granted) if use.subject is None else declared.allows_path(use.kind, use.subject)
        case "env":
            if use.subject is None:
                return bool(declared.env)
            return use.subject in declared.env or ALL_NAMES in declared.env
        case "net" | "run" | "native" | "dynamic":
            return bool(getattr(declared, use.kind))
        case _:
            return False


def _finding(same: Sequence[Use], wanted: Permissions, path: str, severity: str) -> Finding:
    use = same[0]
    shown = use.name.removeprefix("builtins.") if use.kind != "patch" else use.name
    subject = f" of {use.subject!r}" if use.subject is not None else ""
    more = f", and {len(same) - 1} more of it" if len(same) > 1 else ""
    if use.kind in ("process", "patch"):
        message = f"{shown} {_DOES[use.kind]}, which no plugin is granted{more}"
        hint = "leave that to the host"
    else:
        message = f"{shown}{subject} {_DOES[use.kind]}, which its permissions do not say{more}"
        hint = f"declare it under [tool.plugline]: permissions = {wanted}"
        if _UNKNOWN_PATH in (*wanted.read, *wanted.write):
            hint += f", where {_UNKNOWN_PATH} is the folder that it uses"
    hint += "; the audit is hygiene, not a boundary"
    return Finding(_CODES[use.kind], message, Place(path, use.line, use.column), hint, severity=severity)


# ----------------------------------------------------------------------------- scopes

_Origin = str | _ast.AST | None  # a dotted name, what is assigned, or something else


class _Scope:
    """The names that one block binds, each with all that they are bound to."""

    __slots__ = ("bound", "is_class", "outer", "passed_on")

    def __init__(self, outer: "_Scope | None", *, is_class: bool = False) -> None:
        self.outer = outer
        self.is_class = is_class
        self.bound: dict[str, list[_Origin]] = {}
        self.passed_on: set[str] = set()  # global and nonlocal

    def bind(self, name: str, origin: _Origin = None) -> None:
        if name in self.passed_on and self.outer is not None:
            self.outer.bind(name, origin)
        else:
            self.bound.setdefault(name, []).append(origin)

    def find(self, name: str) -> "tuple[_Scope, list[_Origin]] | None":
        scope: _Scope | None = self
        while scope is not None:
            # What a class binds is not seen by the functions in it.
            if name in scope.bound and (scope is self or not scope.is_class):
                return scope, scope.bound[name]
            scope = scope.outer
        return None


def _children(node: _ast.AST) -> Iterator[_ast.AST]:
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, _ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, _ast.AST))


def _bind_targets(target: _ast.AST, scope: _Scope) -> None:
    todo = [target]
    while todo:
        node = todo.pop()
        if isinstance(node, _ast.Name):
            scope.bind(node.id)
        elif isinstance(node, (_ast.Tuple, _ast.List, _ast.Starred)):
            todo += _children(node)


def _gather(statements: Sequence[_ast.AST], scope: _Scope) -> None:  # noqa: C901, PLR0912 - a table of nodes
    """Find all that a block binds, without what the blocks in it do."""
    todo = list(statements)
    while todo:
        node = todo.pop()
        match node:
            case _ast.FunctionDef() | _ast.AsyncFunctionDef() | _ast.ClassDef():
                scope.bind(node.name)
                todo += node.decorator_list
                continue
            case _ast.Lambda():
                continue
            case _ast.ListComp() | _ast.SetComp() | _ast.DictComp() | _ast.GeneratorExp():
                continue
            case _ast.Global() | _ast.Nonlocal():
                scope.passed_on.update(node.names)
            case _ast.Import():
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    scope.bind(alias.asname or first, alias.name if alias.asname else first)
            case _ast.ImportFrom(names=[_ast.alias(name="*")]):
                for name in _touching_names(node.module) if node.module and not node.level else ():
                    scope.bind(name, f"{node.module}.{name}")
            case _ast.ImportFrom():
                for alias in node.names:
                    origin = f"{node.module}.{alias.name}" if node.module and not node.level else None
                    scope.bind(alias.asname or alias.name, origin)
            case _ast.Assign():
                for target in node.targets:
                    if isinstance(target, _ast.Name):
                        scope.bind(target.id, node.value)
                    else:
                        _bind_targets(target, scope)
            case _ast.AnnAssign(target=_ast.Name(id=name)):
                scope.bind(name, node.value)
            case _ast.NamedExpr(target=_ast.Name(id=name)):
                scope.bind(name, node.value)
            case _ast.For() | _ast.AsyncFor():
                _bind_targets(node.target, scope)
            case _ast.withitem() if node.optional_vars is not None:
                if isinstance(node.optional_vars, _ast.Name):
                    scope.bind(node.optional_vars.id, node.context_expr)
                else:
                    _bind_targets(node.optional_vars, scope)
            case _ast.ExceptHandler() if node.name:
                scope.bind(node.name)
            case _ast.MatchAs() | _ast.MatchStar() if node.name:
                scope.bind(node.name)
            case _ast.MatchMapping() if node.rest:
                scope.bind(node.rest)
            case _:
                pass
        todo += _children(node)


# ----------------------------------------------------------------------------- walking


class _Walker:
    """Goes once over a tree, without recursion: expressions may be nested as deeply as the parser allows."""

    def __init__(self) -> None:
        self.uses: list[Use] = []
        self._resolved: dict[tuple[int, int], tuple[str, ...]] = {}
        self._scopes: list[_Scope] = []
        self._modules: set[str] = set()
        self._depth = 0

    def walk(self, tree: _ast.Module) -> None:
        scope = _Scope(None)
        _gather(tree.body, scope)
        self._modules = {alias.name for node in _walk(tree) if isinstance(node, _ast.Import) for alias in node.names}
        todo: list[tuple[_ast.AST, _Scope]] = [(node, scope) for node in tree.body]
        while todo:
            node, scope = todo.pop()
            self._look(node, scope)
            todo += self._below(node, scope)

    def _below(self, node: _ast.AST, scope: _Scope) -> Iterator[tuple[_ast.AST, _Scope]]:  # noqa: C901, PLR0912 - a table of nodes
        match node:
            case _ast.FunctionDef() | _ast.AsyncFunctionDef() | _ast.Lambda():
                inner = _Scope(scope)
                _bind_parameters(node.args, inner)
                body = [node.body] if isinstance(node, _ast.Lambda) else node.body
                _gather(body, inner)
                yield from ((one, inner) for one in body)
                yield from ((one, scope) for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None)
                if not isinstance(node, _ast.Lambda):
                    yield from ((one, scope) for one in node.decorator_list)
            case _ast.ClassDef():
                inner = _Scope(scope, is_class=True)
                _gather(node.body, inner)
                yield from ((one, inner) for one in node.body)
                yield from ((one, scope) for one in (*node.decorator_list, *node.bases, *node.keywords))
            case _ast.ListComp() | _ast.SetComp() | _ast.DictComp() | _ast.GeneratorExp():
                inner = _Scope(scope)
                for generator in node.generators:
                    _bind_targets(generator.target, inner)
                yield from ((one, inner) for one in _children(node))
            case _ast.AnnAssign():
                # Annotations touch nothing, nor do the classes that handlers and isinstance() name.
                yield from ((one, scope) for one in (node.target, node.value) if one is not None)
            case _ast.ExceptHandler():
                yield from ((one, scope) for one in node.body)
            case _ast.Call(func=_ast.Name(id="isinstance" | "issubclass")) if node.args:
                yield node.args[0], scope
            case _ast.Call(func=_ast.Attribute(value=owner) as function):
                # The call was looked at with its function; only what the function belongs to is left of that.
                yield from ((one, scope) for one in (*node.args, *node.keywords))
                if not (_names_variable(node) and self._is_environment(owner, scope)):
                    yield from self._rest_of(function, scope)
            case _ast.Call(func=_ast.Name()):
                yield from ((one, scope) for one in (*node.args, *node.keywords))
            case _ast.Attribute():
                yield from self._rest_of(node, scope)
            case _ast.Subscript():
                yield node.slice, scope
                if _literal(node.slice) is None or not self._is_environment(node.value, scope):
                    yield node.value, scope
            case _:
                yield from ((one, scope) for one in _children(node))

    def _rest_of(self, node: _ast.expr, scope: _Scope) -> Iterator[tuple[_ast.AST, _Scope]]:
        """Yield what an attribute belongs to, unless the whole of it was a use of its own."""
        if isinstance(node, _ast.Attribute) and not any(_kinds_of(name) for name in self._resolve(node, scope)):
            yield node.value, scope

    def _is_environment(self, node: _ast.expr, scope: _Scope) -> bool:
        return any(name in _ENVIRONMENTS for name in self._resolve(node, scope))

    def _look(self, node: _ast.AST, scope: _Scope) -> None:
        match node:
            case _ast.Call():
                self._look_at_call(node, scope)
            case _ast.Subscript() if isinstance(node.ctx, _ast.Load):
                self._look_at_item(node, scope)
            case _ast.Assign() | _ast.Delete():
                for target in node.targets:
                    self._look_at_target(target, scope)
            case _ast.AugAssign() | _ast.AnnAssign():
                self._look_at_target(node.target, scope)
            case _ast.Name() | _ast.Attribute() if isinstance(node.ctx, _ast.Load):
                self._look_at_mention(node, scope)
            case _:
                pass

    def _add(self, kind: str, name: str, node: _ast.AST, subject: str | None = None) -> None:
        if subject is not None and not is_sayable(kind, subject):
            subject = None
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        self.uses.append(Use(kind, name.replace("()", ""), line, column, subject))

    # -- names in any place

    def _look_at_mention(self, node: _ast.Name | _ast.Attribute, scope: _Scope) -> None:
        for name in self._resolve(node, scope):
            if name in ("builtins.getattr", "builtins.setattr", "builtins.delattr"):
                continue
            if name in OPENERS:
                self._add("read", name, node)
            for kind in _kinds_of(name) if name not in _CALLED_ONLY else ():
                self._add(kind, name, node)

    def _look_at_item(self, node: _ast.Subscript, scope: _Scope) -> None:
        for name in self._resolve(node.value, scope):
            if name in _ENVIRONMENTS and (variable := _literal(node.slice)) is not None:
                self._add("env", name, node, variable)

    # -- calls

    def _look_at_call(self, node: _ast.Call, scope: _Scope) -> None:
        names = self._resolve(node.func, scope)
        for name in names:
            self._look_at_known_call(name, node, scope)
        if not names and isinstance(node.func, _ast.Attribute) and node.func.attr in TELLING_METHODS:
            self._add(TELLING_METHODS[node.func.attr], f"….{node.func.attr}", node)

    def _look_at_known_call(self, name: str, node: _ast.Call, scope: _Scope) -> None:  # noqa: C901 - a table of names
        owner, _, method = name.rpartition(".")
        if name in OPENERS:
            self._look_at_opening(name, node, scope)
        elif name == "os.open":
            self._add("read", name, node, _first_literal(node))
            self._add("write", name, node, _first_literal(node))
        elif name in ("builtins.__import__", "importlib.import_module", "importlib.__import__"):
            if not node.args or _literal(node.args[0]) is None:
                self._add("dynamic", name, node)
        elif name in ("builtins.setattr", "builtins.delattr") and len(node.args) > 1:
            if self._is_foreign(node.args[0], scope):
                self._add("patch", name, node)
        elif owner in _SYSTEM_STATE and method in _CHANGERS:
            self._add("patch", name, node)
        elif owner == "pathlib.Path()":
            for kind, methods in PATH_METHODS.items():
                if method in methods:
                    self._add(kind, name, node)
        else:
            self._look_at_listed_call(name, node)

    def _look_at_listed_call(self, name: str, node: _ast.Call) -> None:
        for kind in _kinds_of(name):
            subject = None
            if kind == "env":
                subject = _first_literal(node) if name != "os.path.expandvars" else None
            elif kind in ("read", "write") and len(_kinds_of(name)) == 1 and not name.startswith("tempfile."):
                subject = _first_literal(node)
            if name == "builtins.compile" and _asks_for_tree(node):
                continue
            self._add(kind, name, node, subject)
        owner = name.rpartition(".")[0]
        if owner in _ENVIRONMENTS and _names_variable(node):
            self._add("env", owner, node, _first_literal(node))

    def _look_at_opening(self, name: str, node: _ast.Call, scope: _Scope) -> None:
        at = 0 if name == "pathlib.Path().open" else 1
        modes = [node.args[at]] if len(node.args) > at else [one.value for one in node.keywords if one.arg == "mode"]
        flags = "r" if not modes else _literal(modes[0])
        subject = None if name == "pathlib.Path().open" else _first_literal(node)
        if node.args and at and isinstance(node.args[0], _ast.Constant) and isinstance(node.args[0].value, int):
            return  # a descriptor that is open already
        if any(one.arg == "fileobj" for one in node.keywords):
            return
        if node.args and at and any(one in _IN_MEMORY for one in self._resolve(node.args[0], scope)):
            return
        if flags is None:
            # "rb" if … else "wb" is as far as it goes.
            found = [one.value for one in _walk(modes[0]) if isinstance(one, _ast.Constant)]
            flags = "".join(one for one in found if isinstance(one, str)) or "r+"
        if not set(flags) & set("wax") or "+" in flags:
            self._add("read", name, node, subject)
        if set(flags) & set("wax+"):
            self._add("write", name, node, subject)

    # -- assignments

    def _look_at_target(self, target: _ast.expr, scope: _Scope) -> None:
        todo: list[_ast.AST] = [target]
        while todo:
            node = todo.pop()
            match node:
                case _ast.Tuple() | _ast.List() | _ast.Starred():
                    todo += _children(node)
                case _ast.Subscript():
                    for name in self._resolve(node.value, scope):
                        if name in _SYSTEM_STATE:
                            self._add("patch", name, node)
                        elif name in _ENVIRONMENTS and (variable := _literal(node.slice)) is not None:
                            self._add("env", name, node, variable)
                case _ast.Attribute() if self._is_foreign(node.value, scope):
                    for name in self._resolve(node, scope):
                        self._add("patch", name, node)
                case _:
                    pass

    def _is_foreign(self, node: _ast.expr, scope: _Scope) -> bool:
        """Whether an expression is a module that was imported, or something of the standard library."""
        for name in self._resolve(node, scope):
            if name in self._modules or ("()" not in name and name.partition(".")[0] in sys.stdlib_module_names):
                return True
        return False

    # -- following names

    def _resolve(self, node: _ast.AST, scope: _Scope) -> tuple[str, ...]:
        """Return the dotted names that an expression may stand for; a value that one makes ends in ``()``."""
        key = (id(node), id(scope))
        known = self._resolved.get(key)
        if known is not None:
            return known
        if self._depth >= _MOST_STEPS:
            return ()
        self._resolved[key] = ()  # what stands for itself, as in x = f(x), stands for nothing more
        self._scopes.append(scope)  # kept, so that no other scope comes to have its id
        self._depth += 1
        try:
            parts: list[str] = []
            one = node
            while isinstance(one, _ast.Attribute):
                parts.append(one.attr)
                one = one.value
            names = dict.fromkeys(_joined(origin, parts) for origin in self._origins(one, scope))
        finally:
            self._depth -= 1
        self._resolved[key] = tuple(names)
        return self._resolved[key]

    def _origins(self, node: _ast.AST, scope: _Scope) -> Iterator[str]:  # noqa: C901, PLR0912 - a table of nodes
        match node:
            case _ast.Name(id=name):
                found = scope.find(name)
                if found is not None:
                    where, origins = found
                    for origin in origins:
                        if isinstance(origin, str):
                            yield origin
                        elif origin is not None:
                            yield from self._resolve(origin, where)
                elif name in _BUILTINS:
                    yield f"builtins.{name}"
                elif name == "__builtins__":
                    yield "builtins"
            case _ast.Call(func=_ast.Name(id="getattr"), args=[owner, _ast.Constant(value=str() as name), *_]):
                yield from (f"{one}.{name}" for one in self._resolve(owner, scope))
            case _ast.Call(func=_ast.Name(id="__import__"), args=[_ast.Constant(value=str() as name), *_]):
                yield name.partition(".")[0]
            case _ast.Call():
                argument = _first_literal(node)
                for name in self._resolve(node.func, scope):
                    if name in ("importlib.import_module", "importlib.__import__") and argument is not None:
                        yield argument
                    elif name in PATH_MAKERS or _keeps_path(name):
                        yield "pathlib.Path()"
                    elif f"{name}()" in _IN_MEMORY:
                        yield f"{name}()"
            case _ast.BinOp(op=_ast.Div()) if "pathlib.Path()" in self._resolve(node.left, scope):
                yield "pathlib.Path()"
            case _ast.Subscript(value=value, slice=_ast.Constant(value=str() as key)):
                if "sys.modules" in self._resolve(value, scope):
                    yield key
            case _ast.BoolOp():
                for value in node.values:
                    yield from self._resolve(value, scope)
            case _ast.IfExp():
                yield from self._resolve(node.body, scope)
                yield from self._resolve(node.orelse, scope)
            case _ast.arg(annotation=annotation) if annotation is not None:
                if any(name in PATH_MAKERS for name in self._resolve(annotation, scope)):
                    yield "pathlib.Path()"
            case _:
                return


def _joined(origin: str, parts: Sequence[str]) -> str:
    name = origin
    for part in reversed(parts):
        # What leads from one path to another is a path.
        name = name if name == "pathlib.Path()" and part == "parent" else f"{name}.{part}"
    module, _, rest = name.partition(".")
    return f"os.{rest}" if module in _OF_OS and rest else _CANONICAL.get(name, name)


def _touching_names(module: str) -> list[str]:
    """Return what ``import *`` of a module brings, as far as it touches anything."""
    wanted = "os" if module in _OF_OS else module
    known = (name.rpartition(".") for name in (*EXACT, *_ENVIRONMENTS, *_CANONICAL))
    return [name for owner, _, name in known if owner == wanted]


_OF_OS = frozenset({"posix", "nt"})  # where os has its functions from

# Names that modules have of others, as far as they are used.
_CANONICAL = {
    "_io.open": "io.open",
    "io.open": "builtins.open",
    "_pickle.loads": "pickle.loads",
    "_pickle.load": "pickle.load",
    "_socket.socket": "socket.socket",
    "_posixsubprocess.fork_exec": "subprocess.Popen",
    "multiprocessing.context.Process": "multiprocessing.Process",
}


def _keeps_path(name: str) -> bool:
    owner, _, method = name.rpartition(".")
    return owner == "pathlib.Path()" and method in PATH_KEEPERS


def _kinds_of(name: str) -> tuple[str, ...]:
    found = EXACT.get(name)
    if found is not None:
        return found
    if name in HARMLESS or name.endswith(HARMLESS_ENDINGS):
        return ()
    head = name
    while (at := head.rfind(".")) > 0:
        head = head[:at]
        if head in HARMLESS:
            return ()
        if head in BELOW:
            return BELOW[head]
    return ()


def _bind_parameters(arguments: _ast.arguments, scope: _Scope) -> None:
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        scope.bound.setdefault(one.arg, []).append(one)  # followed by its annotation
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            scope.bind(rest.arg)


def _literal(node: _ast.AST) -> str | None:
    if isinstance(node, _ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def _first_literal(node: _ast.Call) -> str | None:
    return (_literal(node.args[0]) or None) if node.args else None


def _names_variable(node: _ast.Call) -> bool:
    """Whether a call has the shape of ``environ.get("NAME")``."""
    method = node.func.attr if isinstance(node.func, _ast.Attribute) else ""
    return method in ("get", "pop", "setdefault") and _first_literal(node) is not None


def _asks_for_tree(node: _ast.Call) -> bool:
    """Whether a call of ``compile`` only parses."""
    given = [*node.args[3:4], *(one.value for one in node.keywords if one.arg == "flags")]
    return any(getattr(one, "attr", getattr(one, "id", "")) == "PyCF_ONLY_AST" for one in given)


def _walk(node: _ast.AST) -> Iterator[_ast.AST]:
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        todo += _children(one)
