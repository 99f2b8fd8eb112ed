"""What a split costs the program that drives a run: the small form of benchmarks/driver.py."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "driver.py"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_a_split_costs_the_driver_is_little_and_does_not_grow() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK), "5000"], capture_output=True, text=True, check=False)
    gathered = done.stdout.partition("in parts")[0]
    microseconds = int(re.findall(r"(\d+) us of CPU a split", gathered)[0])
    assert microseconds < 1000, done.stdout
    # The benchmark says 1.2; here others may use the machine.
    assert float(re.findall(r"the first ones = ([0-9.]+)", gathered)[0]) < 2, done.stdout
    assert done.stdout.count("MiB in the end: holds") == 2, done.stdout
