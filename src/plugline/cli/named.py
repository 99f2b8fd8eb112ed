"""A path that was named on the command line to the place of the plugins that are meant by it."""

import os

from plugline.admission.trust import is_folder_of_plugins
from plugline.cli.app import Misuse
from plugline.cli.listing import place_hint
from plugline.host.host import Host
from plugline.pipeline.catalogue import ANY_INTERFACE, API_VERSION


def place_of(path: str) -> str:
    """Return the file of a package that is a plugin itself; of any other path, be it a folder of plugins, the path."""
    if not os.path.isdir(path) or is_folder_of_plugins(path):
        return path
    file = os.path.join(path, "__init__.py")
    with Host(file, interface=ANY_INTERFACE, store=None) as host:
        found = {finding.code for rejected in host.rejected for finding in rejected.findings}
    return path if "P201" in found else file  # a program's own package may hold its plugins


def folder_of(place: str) -> str:
    """Return the folder of plugins that a place is, or that it is a plugin in."""
    if os.path.isdir(place):
        return place
    folder, name = os.path.split(place)
    return os.path.normpath(os.path.join(folder, os.pardir)) if name == "__init__.py" else folder or os.curdir


def judged_in(place: str) -> str:
    """Return what is to be opened to judge a plugin that was named: its folder, where it requires others, else itself."""
    if is_folder_of_plugins(place):
        return place
    with Host(place, interface=ANY_INTERFACE, api_version=API_VERSION, store=None) as host:
        alone = all(finding.code != "P112" for rejected in host.rejected for finding in rejected.findings)
    # What is no plugin of its folder is judged alone.
    return place if alone or os.path.basename(place).startswith(("_", ".")) else folder_of(place)


def is_of(place: str, named: str) -> bool:
    """Whether what a host tells of a place is about what was named."""
    return os.path.abspath(place) == os.path.abspath(named)


def not_there(path: str, hint: str = "name a plugin folder or the file of a plugin") -> Misuse:
    """Return the error of a path at which nothing is."""
    return Misuse(f"{path!r} is not there", place_hint(path) or hint)
