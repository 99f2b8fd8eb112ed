"""What tests of reloads share."""

import pytest


@pytest.fixture
def long_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a call a minute: after a second it goes over to the new version, and on a busy machine any may take that."""
    monkeypatch.setattr("plugline.reloading.transition._MOST_SECONDS", 60.0)
