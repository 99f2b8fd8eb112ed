"""Integrations, named in full by who has imported plugline alone."""

import subprocess
import sys

import pytest

SAY = """
import sys, plugline
print(sorted(name for name in sys.modules if name.startswith("plugline")))
print(plugline.integrations.pluggy.attach.__name__, "plugline.integrations.django" in sys.modules)
plugline.integrations.nobodys
"""


@pytest.mark.slow
def test_an_integration_is_imported_when_it_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["['plugline']", "attach False"]
    assert done.stderr.splitlines()[-1] == "AttributeError: module 'plugline.integrations' has no attribute 'nobodys'"
