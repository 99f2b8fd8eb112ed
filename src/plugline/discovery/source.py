"""Source text to what it shows, or to everything that is wrong with it; nothing is run."""

# _ast is the C module behind ast, which itself costs more to import than reading ten plugins. It is dear enough
# itself: this module is imported where the first source is read, and not with Host.
import _ast
import warnings

from plugline.contract.shape import Shape
from plugline.discovery.block import read_block
from plugline.discovery.compiling import find_fault
from plugline.discovery.facts import ClassFacts, FunctionFacts, ImportFacts, SourceFacts
from plugline.discovery.known import kept
from plugline.files import SourceFile
from plugline.findings import Finding, Place, first_line
from plugline.names import is_public
from plugline.typed import Iterator, cast

_DYNAMIC_CALLS = frozenset({"globals", "exec", "vars", "locals", "setattr", "__import__"})


_LONG_LINE_BYTES = 990  # a little less than what CPython reads of a line


def parse_source(source: SourceFile) -> _ast.Module | Finding:
    """Return the syntax tree of a source file, or what keeps it from having one."""
    once = kept()
    found = once.trees.get((source.path, source.content)) if once is not None else None
    if found is None:
        found = _parsed(source)
        if once is not None:
            once.keep(source, found)
    return found


def _parsed(source: SourceFile) -> _ast.Module | Finding:
    unreadable = encoding_finding(source)
    if unreadable is not None:
        return unreadable
    try:
        # Warnings about its text are given when it is compiled to be run, not for every listing.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _tree(source)
    except SyntaxError as error:
        return syntax_finding(_placed(error, source), source.path)
    except (RecursionError, MemoryError):
        return too_deep(source.path)
    except ValueError as error:
        return Finding("P106", f"is no Python source: {error}", Place(source.path))
    return cast(_ast.Module, tree)


def _placed(error: SyntaxError, source: SourceFile) -> SyntaxError:
    """Return the error with the column that it has in the source.

    CPython reads the line again from a file of that name, a thousand bytes of it, and counts in what it got; of a name
    that no file has it takes the line that it has.
    """
    if error.lineno is None or max(map(len, source.content.split(b"\n"))) < _LONG_LINE_BYTES:
        return error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source.content, "<plugin>", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as again:
        return again
    except (RecursionError, MemoryError, ValueError, SystemError):
        return error
    return error


def _tree(source: SourceFile) -> object:
    try:
        return compile(source.content, source.path, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except SystemError:
        # Python 3.11 keeps the depth of all trees being made in one place, so that one which the collector or another
        # thread begins meanwhile disturbs the others: https://github.com/python/cpython/issues/106905
        return compile(source.content, source.path, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)


def too_deep(path: str) -> Finding:
    """Return the finding for a source that neither parser nor compiler can take."""
    hint = "break up the expression that is nested so deeply, or move data out of the code"
    return Finding("P106", "is nested too deeply to be read", Place(path), hint=hint)


def encoding_finding(source: SourceFile) -> Finding | None:
    """Return what keeps the bytes of a file from being text."""
    content = source.content
    at = find_fault(content)
    if at is None:
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "save it as UTF-8; PowerShell writes UTF-16 where nothing else is said"
        return Finding("P105", "is in UTF-16, UTF-8 was expected", Place(source.path), hint=hint)
    place = _place_of_byte(source, at)
    if not content[at]:
        return Finding("P105", "holds a NUL byte, text was expected", place, hint="is this file really Python source?")
    message = f"is not UTF-8: byte {content[at]:#04x} cannot be decoded"
    hint = "save it as UTF-8, or declare its encoding in the first line: # -*- coding: latin-1 -*-"
    return Finding("P105", message, place, hint=hint)


def _place_of_byte(source: SourceFile, at: int) -> Place:
    before = source.content[:at]
    return Place(source.path, before.count(b"\n") + 1, at - (before.rfind(b"\n") + 1) + 1)


def syntax_finding(error: SyntaxError, path: str) -> Finding:
    """Return the finding for source that Python cannot compile."""
    # Python reports encoding faults as syntax errors without a useful line.
    code = "P105" if "codec" in str(error.msg) or "encoding" in str(error.msg) else "P106"
    text = error.text.splitlines()[0] if error.text and error.text.strip() else None
    message = f"{type(error).__name__}: {error.msg}" if code == "P106" else f"cannot be decoded: {error.msg}"
    hint = (
        "mend that line; nothing of the file was run" if code == "P106" else "declare the encoding that it is saved in"
    )
    return Finding(code, message, Place(path, *_position(error)), hint, text)


def _position(error: SyntaxError) -> tuple[int | None, int | None]:
    # Python says 0 or -1 where it does not know.
    line = error.lineno if error.lineno is not None and error.lineno > 0 else None
    return line, error.offset if line is not None and error.offset is not None and error.offset > 0 else None


def read_facts(source: SourceFile, tree: _ast.Module) -> tuple[SourceFacts, tuple[Finding, ...]]:
    """Return what a parsed module shows, with what is wrong with the part of it that is meant for us."""
    once, key = kept(), (source.path, source.content)
    found = once.facts.get(key) if once is not None else None
    if found is None:
        found = _facts_in(source, tree)
        if once is not None and once.trees.get(key) is tree:
            once.facts[key] = found
    return found


def _facts_in(source: SourceFile, tree: _ast.Module) -> tuple[SourceFacts, tuple[Finding, ...]]:
    block, block_line, findings = read_block(source)
    collector = _Collector()
    try:
        collector.visit(tree.body, certain=True)
    except RecursionError:
        findings = (*findings, too_deep(source.path))
    return collector.facts(_docstring(tree.body), block, block_line), findings


class _Collector:
    """Gathers what the top of a module binds; the bodies of functions are looked through for imports only."""

    def __init__(self) -> None:
        self.constants: dict[str, object] = {}
        self.constant_lines: dict[str, int] = {}
        self.functions: list[FunctionFacts] = []
        self.classes: list[ClassFacts] = []
        self.bound: set[str] = set()
        self.imported: set[str] = set()
        self.imports: list[ImportFacts] = []
        self.dynamic = False

    def facts(self, docstring: str, block: dict[str, object], block_line: int | None) -> SourceFacts:
        methods = (method for one in self.classes if is_public(one.name) for method in one.methods)
        said = (one.returns for one in (*self.functions, *methods) if one.name == "describe" and one.returns)
        return SourceFacts(
            first_line(docstring or next(said, "")),
            self.constants,
            self.constant_lines,
            tuple(self.functions),
            tuple(self.classes),
            frozenset(self.bound),
            frozenset(self.imported - self.bound),
            self.dynamic,
            tuple(self.imports),
            block,
            block_line,
        )

    def visit(self, statements: list[_ast.stmt], *, certain: bool) -> None:
        for statement in statements:
            self._visit_one(statement, certain=certain)

    def _visit_one(self, node: _ast.stmt, *, certain: bool) -> None:  # noqa: C901, PLR0912 - a table of statements
        self._look_inside(node)
        match node:
            case _ast.FunctionDef() | _ast.AsyncFunctionDef():
                self._define(node, certain=certain)
                self.dynamic |= node.name == "__getattr__"
                self._imports_inside(node.body)
            case _ast.ClassDef():
                self._rebind(node.name)
                self.classes.append(_class(node))
                self._imports_inside(node.body)
            case _ast.Import() | _ast.ImportFrom():
                self._import(node, certain=certain)
            case _ast.Assign():
                for target in node.targets:
                    self._bind(target, node.value)
            case _ast.AnnAssign() if node.value is not None:
                self._bind(node.target, node.value)
            case _ast.AugAssign():
                self._bind(node.target, None)
            case _ast.Expr(value=_ast.Call(func=_ast.Attribute(value=_ast.Name(id=name)))) if name in self.constants:
                self._rebind(name)  # __all__.append("More")
            case _ast.If() | _ast.While():
                self.visit(node.body, certain=False)
                self.visit(node.orelse, certain=False)
            case _ast.For() | _ast.AsyncFor():
                self._bind(node.target, None)
                self.visit(node.body, certain=False)
                self.visit(node.orelse, certain=False)
            case _ast.With() | _ast.AsyncWith():
                for item in node.items:
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, None)
                self.visit(node.body, certain=False)
            case _ast.Try() | _ast.TryStar():
                for body in (node.body, node.orelse, node.finalbody, *(handler.body for handler in node.handlers)):
                    self.visit(body, certain=False)
            case _ast.Delete():
                for target in node.targets:
                    if isinstance(target, _ast.Name):
                        self._rebind(target.id)
                        self.bound.difference_update({target.id} if certain else ())
            case _ast.Match():
                for match_case in node.cases:
                    self.visit(match_case.body, certain=False)
            case _:
                pass

    def _define(self, node: _ast.FunctionDef | _ast.AsyncFunctionDef, *, certain: bool) -> None:
        function = _function(node)
        if not certain and node.name in self.bound:
            # One of several, in an if or a try: which one it will be cannot be seen.
            function = FunctionFacts(function.name, None, function.line, function.column, function.returns)
        self._rebind(node.name)
        self.functions.append(function)

    def _rebind(self, name: str) -> None:
        """Forget what was known of a name: from here on it is something else."""
        self.bound.add(name)
        self.constants.pop(name, None)
        self.constant_lines.pop(name, None)
        self.functions = [function for function in self.functions if function.name != name]

    def _bind(self, target: _ast.expr, value: _ast.expr | None) -> None:
        match target:
            case _ast.Name():
                self._rebind(target.id)
                if value is not None:
                    literal = _literal(value)
                    if literal is not _NOT_LITERAL:
                        self.constants[target.id] = literal
                        self.constant_lines[target.id] = target.lineno
            case _ast.Tuple() | _ast.List():
                for element in target.elts:
                    self._bind(element, None)
            case _ast.Starred():
                self._bind(target.value, None)
            case _:
                pass

    def _look_inside(self, statement: _ast.stmt) -> None:
        """See what the expressions and patterns of a statement bind or do, but for the statements in it."""
        for node in _walk(statement):
            match node:
                case _ast.Call(func=_ast.Name(id=called)) if called in _DYNAMIC_CALLS:
                    self.dynamic = True
                case _ast.Attribute(attr="modules", value=_ast.Name(id="sys")):
                    self.dynamic = True  # a module that puts something else in its place
                case _ast.NamedExpr(target=_ast.Name(id=name)):
                    self._rebind(name)
                case _ast.MatchAs(name=str(name)) | _ast.MatchStar(name=str(name)) | _ast.MatchMapping(rest=str(name)):
                    self._rebind(name)

    def _import(self, node: _ast.Import | _ast.ImportFrom, *, certain: bool) -> None:
        place = (node.lineno, node.col_offset + 1, certain)
        if isinstance(node, _ast.Import):
            for alias in node.names:
                self.imports.append(ImportFacts(alias.name, 0, (), *place))
                self.imported.add(alias.asname or alias.name.partition(".")[0])
            return
        names = tuple(alias.name for alias in node.names)
        self.imports.append(ImportFacts(node.module or "", node.level, names, *place))
        self.dynamic |= "*" in names
        bound = {alias.asname or alias.name for alias in node.names}
        # What comes from a neighbour is the plugin's own; what comes from elsewhere is not.
        (self.bound if node.level else self.imported).update(bound)

    def _imports_inside(self, statements: list[_ast.stmt]) -> None:
        for node in _all_statements(statements):
            if isinstance(node, _ast.Global):
                self.bound.update(node.names)
            elif isinstance(node, _ast.Import):
                self.imports += [
                    ImportFacts(alias.name, 0, (), node.lineno, node.col_offset + 1, False) for alias in node.names
                ]
            elif isinstance(node, _ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                place = (node.lineno, node.col_offset + 1, False)
                self.imports.append(ImportFacts(node.module or "", node.level, names, *place))


def _all_statements(statements: list[_ast.stmt]) -> Iterator[_ast.stmt]:
    """Yield statements and all in them, at any depth, in their order; expressions, which hold none, are most of a tree."""
    todo = statements[::-1]
    while todo:
        statement = todo.pop()
        yield statement
        inner: list[_ast.stmt] = [*getattr(statement, "body", ())]
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            inner += part.body
        inner += getattr(statement, "orelse", ())
        inner += getattr(statement, "finalbody", ())
        todo += inner[::-1]


def _walk(node: _ast.AST) -> Iterator[_ast.AST]:
    """Yield a node and all below it, as ``ast.walk`` does, but for the statements below."""
    todo = [node]
    while todo:
        current = todo.pop()
        yield current
        for name in current._fields:
            value = getattr(current, name, None)
            parts = value if isinstance(value, list) else (value,)
            todo += [part for part in parts if isinstance(part, _ast.AST) and not isinstance(part, _ast.stmt)]


def _function(node: _ast.FunctionDef | _ast.AsyncFunctionDef, *, method: bool = False) -> FunctionFacts:
    decorators = {decorator.id for decorator in node.decorator_list if isinstance(decorator, _ast.Name)}
    plain = len(decorators) == len(node.decorator_list) and decorators <= {"staticmethod", "classmethod"}
    shape = shape_of_arguments(node.args, is_async=isinstance(node, _ast.AsyncFunctionDef)) if plain else None
    if shape is not None and method and "staticmethod" not in decorators:
        shape = shape.without_first()
    # A decorated function begins at its first decorator, but its name stands on the line of the def.
    return FunctionFacts(node.name, shape, node.lineno, node.col_offset + 1, _returned_literal(node.body))


def shape_of_arguments(arguments: _ast.arguments, *, is_async: bool = False) -> Shape:
    """Return how a function with these parameters may be called."""
    positional = tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args))
    keywords = tuple(argument.arg for argument in arguments.kwonlyargs)
    without_default = tuple(
        name for name, default in zip(keywords, arguments.kw_defaults, strict=True) if default is None
    )
    return Shape(
        positional,
        len(positional) - len(arguments.defaults),
        keywords,
        without_default,
        arguments.vararg is not None,
        arguments.kwarg is not None,
        is_async,
    )


def _returned_literal(body: list[_ast.stmt]) -> str | None:
    last = body[-1]
    if isinstance(last, _ast.Return) and isinstance(last.value, _ast.Constant) and isinstance(last.value.value, str):
        return last.value.value
    return None


def _class(node: _ast.ClassDef) -> ClassFacts:
    functions = [item for item in node.body if isinstance(item, (_ast.FunctionDef, _ast.AsyncFunctionDef))]
    methods = tuple(_function(item, method=True) for item in functions)
    abstract = tuple(item.name for item in functions if any(map(_is_abstract, item.decorator_list)))
    attributes: list[str] = []
    for item in node.body:
        if isinstance(item, _ast.AnnAssign) and isinstance(item.target, _ast.Name):
            attributes.append(item.target.id)
        elif isinstance(item, _ast.Assign):
            attributes += [target.id for target in item.targets if isinstance(target, _ast.Name)]
    bases = tuple(_dotted(base) for base in node.bases)
    bases = (*bases, *_unseen(node))
    summary = first_line(_docstring(node.body))
    place = (node.lineno, node.col_offset + 1)
    return ClassFacts(node.name, *place, bases, methods, tuple(attributes), summary, abstract)


def _is_abstract(decorator: _ast.expr) -> bool:
    return _dotted(decorator).rpartition(".")[2].startswith("abstract")  # abstractmethod, abc.abstractproperty


_PLAIN_IN_CLASS = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.Assign, _ast.AnnAssign, _ast.Expr, _ast.Pass)


# Decorators that add methods at most; dataclass adds none that an interface would ask for.
_PLAIN_DECORATORS = frozenset({"dataclass", "final", "runtime_checkable", "total_ordering", "unique"})


def _unseen(node: _ast.ClassDef) -> tuple[str, ...]:
    """Say whether a class may have bases (``?``), or at least members (``*``), that are not written down in it."""
    decorators = [one.func if isinstance(one, _ast.Call) else one for one in node.decorator_list]
    names = {_dotted(one).rpartition(".")[2] for one in decorators}
    metaclasses = {_dotted(one.value).rpartition(".")[2] for one in node.keywords if one.arg == "metaclass"}
    if names - _PLAIN_DECORATORS or metaclasses - {"ABCMeta"} or any(one.arg is None for one in node.keywords):
        return ("?",)
    more = names - {"dataclass"} or node.keywords or any(not isinstance(item, _PLAIN_IN_CLASS) for item in node.body)
    return ("*",) if more else ()


def _dotted(node: _ast.expr) -> str:
    match node:
        case _ast.Name():
            return node.id
        case _ast.Attribute():
            return f"{_dotted(node.value)}.{node.attr}"
        case _ast.Subscript():
            return _dotted(node.value)
        case _:
            return "?"


def _docstring(body: list[_ast.stmt]) -> str:
    first = body[0] if body else None
    if isinstance(first, _ast.Expr) and isinstance(first.value, _ast.Constant) and isinstance(first.value.value, str):
        return first.value.value
    return ""


_NOT_LITERAL = object()


def _literal(node: _ast.expr) -> object:
    """Return the value of a literal of strings, numbers, booleans, ``None``, tuples, lists and dicts of these."""
    match node:
        case _ast.Constant():
            return node.value
        case _ast.UnaryOp(op=_ast.USub(), operand=_ast.Constant(value=int() | float() as number)):
            return -number
        case _ast.Tuple() | _ast.List():
            values = [_literal(element) for element in node.elts]
            if any(value is _NOT_LITERAL for value in values):
                return _NOT_LITERAL
            return tuple(values) if isinstance(node, _ast.Tuple) else values
        case _ast.Dict():
            keys = [_literal(key) if key is not None else _NOT_LITERAL for key in node.keys]
            values = [_literal(value) for value in node.values]
            if any(value is _NOT_LITERAL for value in (*keys, *values)):
                return _NOT_LITERAL
            if any(isinstance(key, (list, dict)) for key in keys):
                return _NOT_LITERAL
            return dict(zip(keys, values, strict=True))
        case _:
            return _NOT_LITERAL
