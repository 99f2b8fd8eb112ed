"""Host and Plugin: the only owners in the kernel that change."""

from plugline.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from plugline.host.host import Host
    from plugline.host.plugin import Plugin, Rejected
    from plugline.host.single import load_path

__all__ = ["Host", "Plugin", "Rejected", "load_path"]

_HOMES = {"Host": "host", "Plugin": "plugin", "Rejected": "plugin", "load_path": "single"}


def __getattr__(name: str) -> object:
    # As in the façade: who lists plugins needs no load_path.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{_HOMES[name]}", fromlist=[name]), name)
    globals()[name] = value
    return value
