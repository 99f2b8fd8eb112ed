"""This interpreter to the paths that running Python takes, whatever a plugin was granted."""

import os
import sys

# Libraries, what the dynamic loader reads, time zones, locales, certificates: nothing of anybody's.
_SYSTEM = (
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


def python_places() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what may be read with all below it, and the folders of which only names may be.

    A folder on ``sys.path`` that is no folder of libraries (a project that is being worked on, say) may hold anything
    beside the modules in it: of such a folder modules and packages may be read, of the rest its names alone.
    """
    whole = {*_SYSTEM, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        whole.update((os.path.join(prefix, "lib"), os.path.join(prefix, "lib64")))
    whole.add(os.path.join(sys.prefix, "pyvenv.cfg"))
    listed: set[str] = set()
    known = tuple(f"{path}/" for path in sorted(whole))
    for entry in sys.path:
        path = os.path.abspath(entry)
        if not entry or path in whole or f"{path}/".startswith(known):
            continue
        if os.path.basename(path) in _LIBRARY_FOLDERS or os.path.isfile(path):
            whole.add(path)
        elif path != "/" and os.path.isdir(path):
            listed.add(path)
            whole.update(_modules_in(path))
    return tuple(sorted(whole)), tuple(sorted(listed))


def _modules_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = []
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith((".py", ".so")) or os.path.isfile(os.path.join(path, "__init__.py")):
            found.append(path)
    return found
