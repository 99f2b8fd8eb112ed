"""Plugins for programs that have a plugin system of their own: one module each, which alone knows that program.

Importing a module of this package imports nothing of the program; that happens when it is used.
"""

_NAMES = frozenset(("airflow", "django", "pluggy", "pytest", "starlette"))


def __getattr__(name: str) -> object:
    # So that who has imported plugline alone can write plugline.integrations.django.apps("plugins").
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    __import__(f"{__name__}.{name}")  # which puts it here
    return globals()[name]
