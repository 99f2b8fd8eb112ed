"""The checks of conftest.py see what they are there for."""

import pytest

pytest_plugins = ["pytester"]

LEAKS = {
    "threads": """
        import threading
        def test_it():
            threading.Thread(target=threading.Event().wait, daemon=True, name="forgotten").start()
        """,
    "child processes": """
        import subprocess, sys
        kept = []
        def test_it():
            kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"]))
        """,
    "file descriptors": """
        import os
        def test_it():
            os.open(os.devnull, os.O_RDONLY)
        """,
    "private modules": """
        import sys
        from importlib.machinery import ModuleSpec
        from types import ModuleType
        def test_it():
            Loader = type("Loader", (), {"__module__": "plugline.loading.importer"})
            module = ModuleType("plugins.left")
            module.__spec__ = ModuleSpec("plugins.left", Loader())
            sys.modules["plugins.left"] = module
        """,
    "import finders": """
        import sys
        def test_it():
            sys.meta_path.append(type("Finder", (), {"find_spec": lambda *_: None})())
        """,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(LEAKS))
def test_a_test_that_leaves_something_behind_fails(
    kind: str, pytester: pytest.Pytester, request: pytest.FixtureRequest
) -> None:
    conftest = request.config.rootpath / "tests" / "conftest.py"
    text = conftest.read_text(encoding="utf-8")
    assert "_GRACE_SECONDS = 20.0" in text
    pytester.makeconftest(text.replace("_GRACE_SECONDS = 20.0", "_GRACE_SECONDS = 0.1"))  # it leaves it for good
    pytester.makepyfile(LEAKS[kind])
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*the test left behind *{kind}: *"])
