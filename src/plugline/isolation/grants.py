"""What a plugin asks for, and what others grant it, to the limits of its sandbox.

Nobody grants itself anything. A plugin's own word counts only for reading below its own folder, where whoever looks
after the folder put what it finds; all else takes the lock file (``plugline trust``), the host's policy
(``Policy(grant=...)``) or the host itself (``Sandbox(...)``).
"""

from plugline.contract.permissions import NOTHING, Permissions
from plugline.worker.limits import Sandbox

_OWN_FOLDER = Permissions(read=["."])


def allowed(
    sandbox: Sandbox,
    *,
    declared: Permissions | None,
    locked: Permissions | None,
    grant: Permissions | None,
    folder: str,
) -> Sandbox:
    """Return what a plugin may do in its sandbox: what it asks for, as far as it is granted. A pure function but for links.

    The host's :class:`~plugline.worker.limits.Sandbox` is the most that the plugin gets of each kind that it names; of a
    kind that it leaves unsaid, what the lock file and the policy grant is. A plugin that declares no permissions at all
    asks for what the host's sandbox names. What goes beyond the lock or the policy was refused before this.

    Args:
        sandbox: What the host says.
        declared: What the plugin declares; ``None`` where its block has no ``permissions``.
        locked: What was granted to it in the lock file; ``None`` where there is no lock.
        grant: The most that the policy grants any plugin; ``None`` where it has no limit.
        folder: That of the plugin's file, to which relative paths are relative.

    Returns:
        Limits in which nothing is left unsaid, with absolute paths.
    """
    said = _said(sandbox).resolved(folder)
    trusted = _OWN_FOLDER.union(locked or NOTHING).union(grant or NOTHING).resolved(folder)
    granted = Permissions(
        read=trusted.read if sandbox.read is None else said.read,
        write=trusted.write if sandbox.write is None else said.write,
        net=trusted.net if sandbox.net is None else said.net,
        run=trusted.run if sandbox.run is None else said.run,
        env=trusted.env if sandbox.env is None else said.env,
    )
    asked = declared.resolved(folder) if declared is not None else said
    both = asked.intersection(granted)
    if declared is not None and locked is not None:
        both = both.intersection(locked.resolved(folder))
    if grant is not None:
        both = both.intersection(grant.resolved(folder))
    return Sandbox(
        read=both.read,
        write=both.write,
        net=both.net,
        run=both.run,
        env=both.env,
        memory_bytes=sandbox.memory_bytes,
        cpu_seconds=sandbox.cpu_seconds,
        timeout_seconds=sandbox.timeout_seconds,
    )


def _said(sandbox: Sandbox) -> Permissions:
    return Permissions(
        read=sandbox.read or (),
        write=sandbox.write or (),
        net=bool(sandbox.net),
        run=bool(sandbox.run),
        env=sandbox.env or (),
    )
