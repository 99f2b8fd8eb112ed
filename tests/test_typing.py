"""The types that users see, as mypy and pyright see them: tests/typing holds the claims."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLAIMS = sorted((ROOT / "tests/typing").glob("*.py"))
CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--no-error-summary"],
    "pyright": [sys.executable, "-m", "pyright"],
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def check(checker: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # of a newer version being out
    return subprocess.run(
        [*CHECKERS[checker], *map(str, paths)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(params=list(CHECKERS))
def checker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    started = check(name, Path("--version"))
    if started.returncode:
        reason = (started.stderr or started.stdout).strip().splitlines()[-1:]
        pytest.skip(f"{name} does not start here, so its view of the types is not tested: {reason}")
    return name


def test_the_claims_hold(checker: str) -> None:
    assert CLAIMS
    result = check(checker, *CLAIMS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_claim_is_seen(checker: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import assert_type\n\nfrom plugline.findings import Place\n\n"
        'assert_type(Place("a.py").path, int)\n',
        encoding="utf-8",
    )
    result = check(checker, wrong)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "wrong.py:5:" in result.stdout
