"""What a plugin in a sandbox is denied, its host's user is told the permission of."""

import os
import sys
from pathlib import Path
from typing import Protocol

import pytest

from plugline import Host, LoadError
from plugline.errors import PluginRaised
from plugline.worker.limits import Sandbox
from tests.sandboxed import needs_sandbox
from tests.workers import write_plugin

pytestmark = [needs_sandbox, pytest.mark.slow]


class Processor(Protocol):
    def transform(self, record: dict[str, object], /) -> object: ...

    def describe(self) -> str: ...


def sandboxed(folder: Path, limits: Sandbox | None = None) -> Host[Processor]:
    return Host(str(folder), interface=Processor, isolation="sandbox", limits=limits)


def test_a_denied_call_says_what_to_declare(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret", encoding="utf-8")
    folder = write_plugin(tmp_path, "return {'text': open(record['path']).read()}")
    with sandboxed(folder) as host, pytest.raises(PermissionError) as caught:
        host["subject"].load().transform({"path": str(secret)})
    assert isinstance(caught.value, PluginRaised)
    assert f'it takes permissions = {{ read = ["{secret}"] }} under [tool.plugline]' in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_plugins_of_a_folder_whose_name_is_no_utf_8_run(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir(mode=0o755)
    with sandboxed(write_plugin(folder, "return {'n': 1}")) as host:
        assert host["subject"].load().transform({}) == {"n": 1}


def test_what_the_host_grants_is_allowed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret", encoding="utf-8")
    folder = write_plugin(tmp_path, "return {'text': open(record['path']).read()}")
    with sandboxed(folder, Sandbox(read=[secret])) as host:
        assert host["subject"].load().transform({"path": str(secret)}) == {"text": "s3cret"}


def test_a_plugin_that_is_denied_while_it_loads_says_what_to_declare(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, "return record")
    with open(folder / "subject.py", "a", encoding="utf-8") as source:
        source.write("\nimport socket\nsocket.socket()\n")
    with sandboxed(folder) as host, pytest.raises(LoadError) as caught:
        host["subject"].load()
    assert "it takes permissions = { net = true } under [tool.plugline]" in str(caught.value.findings[0].hint)


def test_a_plugin_cannot_make_the_memory_that_it_shares_with_its_host_shorter(tmp_path: Path) -> None:
    folder = write_plugin(
        tmp_path,
        """
found = []
for number in range(3, 100):
    for length in (0, 1 << 30):
        try:
            os.ftruncate(number, length)
            found.append(number)
        except OSError:
            pass
return {'cut': found}
""",
    )
    with sandboxed(folder) as host:
        plugin = host["subject"].load()
        assert plugin.transform({}) == {"cut": []}
        assert plugin.transform({}) == {"cut": []}


def test_nothing_of_a_folder_on_the_path_runs_before_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil, ran = tmp_path / "evil", tmp_path / "ran"
    evil.mkdir()
    # Whatever a worker imports before its sandbox would be found here first; this process has imported them all.
    for name in sorted(({*sys.stdlib_module_names, "msgspec"} & sys.modules.keys()) - {"os", "sys"}):
        source = f"open({str(ran)!r}, 'a').write({name + ' '!r})\nraise ImportError('evil')\n"
        (evil / f"{name}.py").write_text(source, encoding="utf-8")
    folder = write_plugin(tmp_path, "return record")
    monkeypatch.setattr(sys, "path", [str(evil), *sys.path])
    with sandboxed(folder) as host:
        assert host["subject"].load().transform({"n": 1}) == {"n": 1}
    assert not ran.exists(), ran.read_text(encoding="utf-8")


@pytest.mark.parametrize("using_up", ["kept.append(bytearray(1 << 20))", "kept.append(open('/dev/null'))"])
def test_what_uses_up_all_that_it_may_is_told_and_its_worker_goes_on(tmp_path: Path, using_up: str) -> None:
    body = f"if record['n'] != 1:\n    return os.getpid()\nkept = []\nwhile True:\n    {using_up}"
    folder = write_plugin(tmp_path, body)
    with sandboxed(folder, Sandbox(memory_bytes=128 * 2**20)) as host:
        plugin = host["subject"].load()
        before = plugin.transform({"n": 0})
        with pytest.raises((MemoryError, OSError)) as caught:
            plugin.transform({"n": 1})
        assert isinstance(caught.value, PluginRaised)
        assert plugin.transform({"n": 2}) == before
