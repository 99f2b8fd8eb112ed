import pickle

import pytest

from plugline import errors
from plugline.errors import (
    ConfigurationError,
    LoadError,
    ModuleMissing,
    NameMissing,
    PluginDeclined,
    PluginDisabled,
    PluginError,
    PluginQuarantined,
    PluginRejected,
    PluglineError,
    RunStopped,
    SandboxUnavailable,
    SettingsRefused,
    StepFailed,
    StillLoading,
    UnknownPlugin,
    WorkerFailed,
    WorkerTimedOut,
    plugin_raised,
)
from plugline.findings import Finding, Place

FINDING = Finding("P201", "missing functions ['transform']", Place("plugins/a.py"), hint="define it")
EXAMPLES: dict[PluglineError, str] = {
    ConfigurationError([FINDING]): str(FINDING),
    ModuleMissing("ujson", "no module named 'ujson' is installed"): "no module named 'ujson' is installed",
    NameMissing("json", "lods", "'json' has no 'lods'"): "'json' has no 'lods'",
    UnknownPlugin("uper", ["upper"], "did you mean 'upper'?"): (
        "no plugin is named 'uper'\n  hint: did you mean 'upper'?"
    ),
    PluginRejected("a", [FINDING]): f"plugin 'a' was rejected:\n{FINDING}",
    PluginDisabled("a", [FINDING]): f"plugin 'a' is disabled:\n{FINDING}",
    PluginQuarantined("a", [FINDING]): f"plugin 'a' is in quarantine:\n{FINDING}",
    StillLoading(120.0): "another thread has been loading a plugin for more than 120 seconds",
    PluginDeclined("a", "no\ndisplay"): "plugin 'a' declined: no\\ndisplay",
    LoadError("a", [FINDING]): f"plugin 'a' could not be loaded:\n{FINDING}",
    SettingsRefused("a", [FINDING], [("with", "limit")]): f"plugin 'a' refused its settings:\n{FINDING}",
    StepFailed("a", 0, "KeyError", "'b'", "plugins/a.py", 3): (
        "plugin 'a' (step 1) raised KeyError: 'b' at plugins/a.py:3"
    ),
    plugin_raised("a", "KeyError", "'b'", "plugins/a.py", 3, "Traceback ..."): (
        "plugin 'a' raised KeyError: 'b' at plugins/a.py:3"
    ),
    WorkerFailed("a", "ended with signal 9", "give it memory"): (
        "the worker of plugin 'a' ended with signal 9\n  hint: give it memory"
    ),
    WorkerTimedOut("a", "took longer than 1 s"): "the worker of plugin 'a' took longer than 1 s",
    RunStopped(FINDING, {"in": 3}, interrupted=True): str(FINDING),
    SandboxUnavailable("no Landlock", "use another level"): "no sandbox: no Landlock\n  hint: use another level",
}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_says_what_it_is_about(error: PluglineError) -> None:
    assert str(error) == EXAMPLES[error]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error: PluglineError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_every_kind_of_error_has_an_example() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PluglineError) and not kind.__name__.startswith("_")
    }
    assert {type(error) for error in EXAMPLES} == kinds - {PluglineError, PluginError}


def test_the_docstring_draws_every_kind() -> None:
    assert errors.__doc__ is not None
    assert all(type(error).__name__ in errors.__doc__ for error in EXAMPLES)


def test_the_usual_classes_catch_our_errors_too() -> None:
    assert isinstance(ModuleMissing("a", "b"), ImportError)
    assert ModuleMissing("a", "b").name == "a"
    assert isinstance(NameMissing("a", "b", "c"), AttributeError)
    assert isinstance(UnknownPlugin("a", [], ""), LookupError)


def test_a_traceback_that_a_worker_made_up_moves_no_cursor() -> None:
    error = plugin_raised("shout", "E", "m", traceback="one\n\x1b[2Jtwo\r\n")
    assert error.__notes__ == ["in the worker of plugin 'shout':\none\n\\x1b[2Jtwo"]


def test_a_call_that_did_not_reach_the_plugin_has_a_file_and_no_line() -> None:
    error = StepFailed("a", 1, "TypeError", "run() takes no arguments", "plugins/a.py", None)
    assert str(error) == "plugin 'a' (step 2) raised TypeError: run() takes no arguments at plugins/a.py"
