"""The frames of a thread to the line of a plugin that it is in."""

from collections.abc import Iterable
from types import FrameType

from plugline.findings import printable
from plugline.host.store import shown


def plugin_in_hand(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    """Return the line of the plugin that is loaded or run in ``frames``, the outermost first; ``None`` where none is."""
    found, line, runs, loads = "", 0, False, False
    for frame, at in frames:
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        if (
            (runs and not module.startswith("plugline."))
            or (loads and frame.f_code.co_name == "<module>")
            or file == found
        ):
            found, line = file, at
        # What passes records to steps, and what takes those that a generator makes.
        runs = file.startswith("plugline: generated") or module.startswith("plugline.records.")
        loads = module.startswith("plugline.loading.")
    return f"{printable(shown(found))}:{line}" if found else None
