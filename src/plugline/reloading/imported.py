"""The code of a module to what its import statements import."""

from collections.abc import Iterator
from types import CodeType, ModuleType


def imports_module(code: CodeType, module: ModuleType, name: str) -> bool:
    """Whether some code of a module, or code in that, imports the module with this full name, or from it."""
    package = str(module.__package__ or "")
    return any(name == one or one.startswith(f"{name}.") for one in _imported(code, package))


def _imported(code: CodeType, package: str) -> Iterator[str]:
    """Yield the full names of what import statements ask for; of what may be a module or a value of one too."""
    import dis  # few files vanish

    pending = [code]
    for one in pending:
        pending += (constant for constant in one.co_consts if type(constant) is CodeType)
        if not one.co_names:
            continue
        before: list[object] = []
        for instruction in dis.get_instructions(one):
            if instruction.opname == "IMPORT_NAME":
                level, wanted = before[-2:]
                base = _base(package, level, str(instruction.argval))
                yield base
                yield from (f"{base}.{part}" for part in (wanted if type(wanted) is tuple else ()))
            before.append(instruction.argval)


def _base(package: str, level: object, name: str) -> str:
    if type(level) is not int or level == 0:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def names_made(code: CodeType) -> frozenset[str]:
    """Return the names that a module's own code gives to what it has made, and not to what it has imported."""
    import dis  # few plugins are refused by those that they register with

    made: set[str] = set()
    imported = False
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith("IMPORT_"):
            imported = True
            if instruction.argval == "*" or "STAR" in instruction.opname + instruction.argrepr:
                return frozenset()
        elif instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
            if not imported:
                made.add(str(instruction.argval))
            imported = False
        elif instruction.opname not in ("SWAP", "ROT_TWO", "POP_TOP"):
            imported = False
    return frozenset(made)
