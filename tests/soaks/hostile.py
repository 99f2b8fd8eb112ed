"""Runs all of tests/plugins/hostile, at every level, as root and as nobody, with the audit on and off.

    python tests/soaks/hostile.py [--python PYTHON]… [--only PART-OF-A-NAME]

Takes some five minutes for each kind of run, and writes a line for each plugin that did not behave. Run it as root for
both users, and with ``--python`` once for each interpreter that has plugline's requirements installed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "plugins" / "hostile"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--python", action="append", help="an interpreter; may be given several times")
    parser.add_argument("--only", default="", help="plugins that have this in their names")
    given = parser.parse_args()
    users = ("self", "nobody") if os.geteuid() == 0 else ("self",)
    failed = 0
    for python in given.python or [sys.executable]:
        for user in users:
            for level, audit in (("sandbox", "off"), ("sandbox", "refuse"), ("process", "off")):
                failed += run(python, user, level, audit, given.only)
    return int(failed > 0)


def run(python: str, user: str, level: str, audit: str, only: str) -> int:
    """Run them once, and return how many did not behave."""
    begin = time.monotonic()
    todo = sorted(path.stem for path in PLUGINS.glob("*.py") if only in path.stem)
    done, failed, taken_down = 0, 0, 0
    while todo:
        # Again from the next one on, where one took its host down.
        command = [python, "-m", "tests.hostile", "--level", level, "--audit", audit, "--user", user, *todo]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        for one in lines:
            done += "name" in one
            if one.get("problems"):
                failed += 1
                print(f"  {one['name']}: {'; '.join(one['problems'])[:500]}")
        if not lines or "name" in lines[-1]:
            break
        taken_down += 1
        print(f"  {lines[-1]['begin']} took its host down: {ended.stderr.strip()[-300:]}")
        todo = todo[todo.index(lines[-1]["begin"]) + 1 :]
    seconds = time.monotonic() - begin
    who = "root" if user == "self" and os.geteuid() == 0 else user
    print(
        f"{python} {who} {level} audit={audit}: {done} plugins, {failed + taken_down} misbehaved, {seconds:.0f} s",
        flush=True,
    )
    return failed + taken_down


if __name__ == "__main__":
    sys.exit(main())
