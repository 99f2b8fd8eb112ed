"""The kit for authors of plugins: fixtures for pytest, strategies for Hypothesis, contracts that formats and processors keep.

In a ``conftest.py``::

    pytest_plugins = ["plugline.testing"]

Then a test may ask for the fixtures :func:`plugin`, :func:`host`, :func:`run_step` and :func:`jumping_clock`. The contracts
(:func:`check_format`, :func:`check_processor`) and the strategy :func:`records` are imported from here; they need Hypothesis.
"""

from plugline.testing.contracts import check_format, check_processor
from plugline.testing.fixtures import JumpingClock, StepOutcome, StepRefused, host, jumping_clock, plugin, run_step
from plugline.testing.strategies import records, values

__all__ = [
    "JumpingClock",
    "StepOutcome",
    "StepRefused",
    "check_format",
    "check_processor",
    "host",
    "jumping_clock",
    "plugin",
    "records",
    "run_step",
    "values",
]
