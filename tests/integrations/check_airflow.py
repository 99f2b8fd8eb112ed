"""Operators from files and a pipeline as a DAG, in a real Airflow on a fresh SQLite database.

Not part of the tests' usual run, since Airflow is installed for it: ``tests/integrations/run``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.timeout(300)

DAGS = {
    "plugins/upper.py": """
        from airflow.sdk import BaseOperator


        class Upper(BaseOperator):
            def __init__(self, *, text, **keywords):
                super().__init__(**keywords)
                self.text = text

            def execute(self, context):
                with open("said.txt", "a") as file:
                    file.write(self.text.upper() + "\\n")


        class Lower(Upper):
            def execute(self, context):
                with open("said.txt", "a") as file:
                    file.write(self.text.lower() + "\\n")
        """,
    "plugins/broken.py": "def f(:\n",
    "plugins/raising.py": "from airflow.sdk import BaseOperator\n\n\nclass Raising(BaseOperator):\n    width = 1 / 0\n",
    "operators_dag.py": """
        from airflow.sdk import DAG
        from plugline.integrations.airflow import operators

        ours = operators("plugins")
        assert sorted(ours) == ["Lower", "Upper"], sorted(ours)
        with DAG("words", schedule=None) as made:
            ours["Upper"](task_id="up", text="Ada") >> ours["Lower"](task_id="low", text="Ada")
        """,
    "pipeline_dag.py": """
        from datetime import timedelta

        from plugline.integrations.airflow import dag

        made = dag("numbers.toml", schedule="@daily", retry_delay=timedelta(seconds=1))
        """,
    "numbers.toml": """
        plugins = ["steps"]

        [source]
        path = "numbers.ndjson"

        [[steps]]
        use = "once"

        [sink]
        path = "out.ndjson"

        [run]
        processes = 1
        """,
    # Dies at its first try, when half is done; the second one goes on.
    "steps/once.py": """
        import os

        def transform(record):
            with open("seen.txt", "a") as file:
                file.write(f"{record['n']}\\n")
            if record["n"] == 150_000 and not os.path.exists("died"):
                open("died", "w").close()
                os._exit(9)
            return record

        def describe():
            return "dies once"
        """,
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh Airflow with two DAG files and, beside them, broken ones."""
    for name, text in DAGS.items():
        path = tmp_path / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    lines = (json.dumps({"n": number, "padding": "x" * 40}) + "\n" for number in range(200_000))
    (tmp_path / "dags" / "numbers.ndjson").write_text("".join(lines))
    airflow(tmp_path, "db", "migrate")
    return tmp_path


def airflow(home: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
    }
    done = subprocess.run(
        ["airflow", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=home / "dags",
        env=environment,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    return said


def test_operators_from_files_run_and_a_broken_neighbour_breaks_no_dag(home: Path) -> None:
    said = airflow(home, "dags", "test", "words")
    assert (home / "dags" / "said.txt").read_text() == "ADA\nada\n"
    assert "broken.py:1" in said
    assert "raising.py:5" in said


def test_a_pipeline_is_a_dag_whose_retry_goes_on_where_it_was(home: Path) -> None:
    airflow(home, "dags", "test", "numbers")
    folder = home / "dags"
    source, sink = folder / "numbers.ndjson", folder / "out.ndjson"
    assert [json.loads(line) for line in sink.read_bytes().splitlines()] == [
        json.loads(line) for line in source.read_bytes().splitlines()
    ]
    assert (folder / "died").exists()
    seen = [int(line) for line in (folder / "seen.txt").read_text().splitlines()]
    assert set(seen) == set(range(200_000))
    # The second try did not begin anew.
    assert seen.count(0) == 1
