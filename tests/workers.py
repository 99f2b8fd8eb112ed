"""A plugin's source to a host that runs it in a worker, for tests."""

from pathlib import Path

from plugline import Host
from plugline.isolation.batches import IsolatedBatch, OnQuarantine
from plugline.isolation.levels import Isolation, Level
from plugline.worker.limits import Sandbox

LEVELS: tuple[Level, ...] = ("process", "sandbox")
FUNCTIONS = ["transform", "describe"]


def write_plugin(folder: Path, body: str, name: str = "subject") -> Path:
    """Write a plugin whose ``transform`` has this body, and return the folder."""
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755, exist_ok=True)
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"import os, sys, time\n\ndef transform(record):\n{lines}\ndef describe():\n    return {name!r}\n"
    (plugins / f"{name}.py").write_text(source, encoding="utf-8")
    return plugins


def host_of(plugins: Path, isolation: Isolation, timeout_seconds: float = 10) -> Host[object]:
    """Return a host whose plugins run apart."""
    return Host(str(plugins), interface=FUNCTIONS, isolation=isolation, limits=Sandbox(timeout_seconds=timeout_seconds))


def batch_of(host: Host[object], name: str = "subject", on_quarantine: OnQuarantine = "dead-letter") -> IsolatedBatch:
    """Return what passes many records at once through a plugin's ``transform``."""
    return IsolatedBatch(host[name].load(), on_quarantine=on_quarantine)
