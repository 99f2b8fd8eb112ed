"""Host and Plugin: the only owners in the kernel that change."""

from plugline.host.host import Host
from plugline.host.plugin import Plugin, Rejected
from plugline.host.single import load_path

__all__ = ["Host", "Plugin", "Rejected", "load_path"]
