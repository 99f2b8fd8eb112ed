"""Builders for tests of sandboxes: code that is run in a process of its own, under one."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from plugline.worker.landlock import landlock_version
from plugline.worker.limits import Sandbox
from plugline.worker.machine import this_machine

ROOT = Path(__file__).parents[1]

needs_sandbox = pytest.mark.skipif(
    landlock_version(this_machine()) == 0, reason="this kernel has no Landlock: nothing can be sandboxed here"
)

_RUNNER = """\
import sys
sys.path.insert(0, {source!r})
from plugline.worker.limits import Sandbox
from plugline.worker.sandbox import apply
{before}
apply({limits!r}, keep_fds={keep!r})
def outcome(action):
    try:
        return action()
    except BaseException as error:
        return type(error).__name__
{code}
"""


def run_sandboxed(
    code: str,
    limits: Sandbox | None = None,
    *,
    before: str = "",
    keep: Sequence[int] = (0, 1, 2),
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 20,
) -> subprocess.CompletedProcess[str]:
    """Run code in a sandbox and return what became of it.

    ``outcome(function)`` in it is what the function returns, or the name of the class of what it raises.

    Args:
        code: What is run in the sandbox.
        limits: What it is granted.
        before: What is run before.
        keep: The descriptors that it keeps.
        environment: What the process is started with.
        timeout_seconds: When it is killed.
    """
    program = _RUNNER.format(
        source=str(ROOT / "src"), before=before, limits=limits or Sandbox(), keep=tuple(keep), code=code
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        env=dict(environment if environment is not None else os.environ),
    )


def said_sandboxed(code: str, limits: Sandbox | None = None, *, before: str = "") -> str:
    """Return what code printed that ran to its end in a sandbox."""
    done = run_sandboxed(code, limits, before=before)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
