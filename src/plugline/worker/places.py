"""This interpreter to the paths that running Python takes, whatever a plugin was granted."""

import os
import sys

from plugline.typed import Sequence

# Libraries, what the dynamic loader reads, time zones, locales, certificates: nothing of anybody's.
SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/mime.types",
    "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/usr/share/mime",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ssl/certs",  # and not /etc/ssl, which holds private keys
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/sys/devices/system/cpu",  # how many there are
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/urandom",
    "/dev/random",
)
WRITABLE_DEVICES = ("/dev/null", "/dev/full")
# What names of hosts are looked up by.
FOR_NET = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
)
FOR_RUNNING = ("/bin", "/sbin", "/usr", "/lib", "/lib64", "/opt", "/nix/store", "/etc/alternatives", "/etc/ld.so.cache")
_LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def python_places(search: Sequence[str]) -> tuple[str, ...]:
    """Return what may be read, with all below it.

    Of ``search``, which is ``sys.path`` or will be, only the folders of libraries: the folder of a program, or of a project that is being worked on, may
    hold anything beside its modules, its settings with their secrets among it.
    """
    found = {*SYSTEM, _own_place()}
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, _environment()}:
        found.update((os.path.join(prefix, "lib"), os.path.join(prefix, "lib64"), os.path.join(prefix, "pyvenv.cfg")))
    known = tuple(f"{path}/" for path in sorted(found))
    found.update(
        path
        for path in search
        if os.path.basename(path) in _LIBRARY_FOLDERS and path.startswith("/") and not path.startswith(known)
    )
    return tuple(sorted(found))


def _own_place() -> str:
    """Return the folder of plugline itself; or the archive that it is imported from, which a program may be packed in."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    place = folder
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return place if os.path.isfile(place) else folder


def interpreters() -> tuple[str, ...]:
    """Return the folders of this interpreter's programs."""
    return tuple(os.path.join(prefix, "bin") for prefix in sorted({sys.prefix, sys.base_prefix, _environment()}))


def _environment() -> str:
    """Return the folder of the virtual environment, if this is one: without :mod:`site`, ``sys.prefix`` is another."""
    return os.path.dirname(os.path.dirname(sys.executable))
