"""An engine's settings are checked before anything is started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from plugline.engines.dask import Dask
from plugline.engines.local import Local
from plugline.engines.ray import Ray
from plugline.engines.spark import Spark
from plugline.errors import ConfigurationError
from tests.builders import ndjson, pipeline


@pytest.mark.parametrize("engine", [Local, Dask, Ray, Spark])
def test_less_than_no_process_is_refused(engine: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="-2 is not a number of processes"):
        engine(processes=-2)


@pytest.mark.parametrize("engine", [Dask, Ray, Spark])
@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_patience_without_a_moment_is_refused(engine: Callable[..., object], seconds: float) -> None:
    with pytest.raises(ValueError, match="is no time to wait"):
        engine(patience_seconds=seconds)


def test_jobs_without_a_task_are_refused() -> None:
    with pytest.raises(ValueError, match="0 tasks are no job"):
        Spark(tasks_a_job=0)


def test_what_is_refused_is_told_and_nothing_is_waited_for(tmp_path: Path) -> None:
    run = 'engine = "local"\noptions = { processes = -2 }'
    made = pipeline(tmp_path, source=ndjson({"a": 1}), run=run)
    with pytest.raises(ConfigurationError) as caught:
        made.run()
    assert [finding.code for finding in caught.value.findings] == ["C104"]
    assert "-2 is not a number of processes" in caught.value.findings[0].message
