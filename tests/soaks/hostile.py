"""Runs all of tests/plugins/hostile, at every level, as root and as nobody, with the audit on and off.

    python tests/soaks/hostile.py [--python PYTHON]… [--only PART-OF-A-NAME] [--control]

Takes some five minutes for each kind of run, and writes a line for each plugin that did not behave. Run it as root for
both users, and with ``--python`` once for each interpreter that has plugline's requirements installed.

With ``--control`` those that are after something are run without a sandbox, as a user without rights who is root of namespaces of
its own, so that it is known which attacks are real. What does not succeed there either is named: it takes a privilege, a
program or a switch of the kernel that there is not, and says little of the sandbox.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "plugins" / "hostile"
_MOST_SECONDS = (3600, 30)  # of a run of all of them, and of one without a sandbox
# What a plugin did that was after something, by the beginning of what tests/hostile.py says of it.
TOOK = ("the attack was ", "the blame is not on it", "changed ", "left /", "a connection ", "a datagram ", "the token ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", action="append", help="an interpreter; may be given several times")
    parser.add_argument("--only", default="", help="plugins that have this in their names")
    parser.add_argument("--control", action="store_true", help="without a sandbox: which attacks are real?")
    given = parser.parse_args()
    if given.control:
        for python in given.python or [sys.executable]:
            control(python, given.only)
        return 0
    users = ("self", "nobody") if os.geteuid() == 0 else ("self",)
    failed = 0
    for python in given.python or [sys.executable]:
        for user in users:
            for level, audit in (("sandbox", "off"), ("sandbox", "refuse"), ("process", "off")):
                failed += run(python, user, level, audit, given.only)
    return int(failed > 0)


def control(python: str, only: str) -> None:
    """Run without a sandbox what is after something, and say what came of it."""
    begin = time.monotonic()
    user = "nobody" if os.geteuid() == 0 else "self"
    took, failed = 0, 0
    for path in sorted(PLUGINS.glob("*.py")):
        if only not in path.stem:
            continue
        # Each in a process of its own: whoever succeeds may leave the host in any state, or none.
        try:
            told = [one for lines, _ in told_by(python, ["--control", "--user", user], [path.stem]) for one in lines]
        except subprocess.TimeoutExpired:
            told = [{}]
        if not told:
            continue  # it is after nothing that the sandbox alone keeps from it
        done = told[-1]
        if "name" not in done or any(problem.startswith(TOOK) for problem in done["problems"]):
            took += 1
        else:
            failed += 1
            print(f"  {done['name']}: {done['outcome'] or '; '.join(done['problems'])}"[:150], flush=True)
    seconds = time.monotonic() - begin
    print(f"{python} {user} without a sandbox: {took} of {took + failed} succeed, {seconds:.0f} s", flush=True)


def told_by(python: str, options: list[str], todo: list[str]) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield what is told of plugins, and the name of the one that took its host down, if one did, with what that said last."""
    while todo:
        command = [python, "-m", "tests.hostile", *options, *todo]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=_MOST_SECONDS["--control" in options],
        )
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        if not lines or "name" in lines[-1]:
            if not lines and ended.returncode:
                print(f"  {ended.stderr.strip()[-300:]}")
            yield lines, ""
            return
        # Again from the next one on.
        yield lines, f"{lines[-1]['begin']} took its host down: {ended.stderr.strip()[-300:]}"
        todo = todo[todo.index(lines[-1]["begin"]) + 1 :]


def run(python: str, user: str, level: str, audit: str, only: str) -> int:
    """Run them once, and return how many did not behave."""
    begin = time.monotonic()
    done, failed, taken_down = 0, 0, 0
    todo = sorted(path.stem for path in PLUGINS.glob("*.py") if only in path.stem)
    for lines, fault in told_by(python, ["--level", level, "--audit", audit, "--user", user], todo):
        for one in lines:
            done += "name" in one
            if one.get("problems"):
                failed += 1
                print(f"  {one['name']}: {'; '.join(one['problems'])[:500]}")
        if fault:
            taken_down += 1
            print(f"  {fault}")
    seconds = time.monotonic() - begin
    who = "root" if user == "self" and os.geteuid() == 0 else user
    print(
        f"{python} {who} {level} audit={audit}: {done} plugins, {failed + taken_down} misbehaved, {seconds:.0f} s",
        flush=True,
    )
    return failed + taken_down


if __name__ == "__main__":
    sys.exit(main())
