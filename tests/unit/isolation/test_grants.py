import os
from pathlib import Path

import pytest

from plugline.contract.permissions import Permissions
from plugline.isolation.grants import allowed
from plugline.worker.limits import Sandbox

NONE = Sandbox(read=[], write=[], net=False, run=False, env=[])
FOLDER = os.path.realpath("/plugins")


def grants(
    sandbox: Sandbox | None = None,
    *,
    declared: Permissions | None = None,
    locked: Permissions | None = None,
    grant: Permissions | None = None,
) -> Sandbox:
    return allowed(sandbox or Sandbox(), declared=declared, locked=locked, grant=grant, folder=FOLDER)


def test_a_plugin_that_declares_nothing_gets_nothing() -> None:
    assert grants() == NONE


def test_a_plugin_grants_itself_nothing() -> None:
    everything = Permissions(read=["/"], write=["/"], net=True, run=True, env=["*"])
    assert grants(declared=everything) == Sandbox(read=[FOLDER], write=[], net=False, run=False, env=[])


def test_a_plugin_reads_what_it_declares_below_its_own_folder() -> None:
    assert grants(declared=Permissions(read=["reference/"])) == Sandbox(read=[f"{FOLDER}/reference"]).with_defaults(
        NONE
    )


def test_a_link_out_of_its_folder_is_not_below_it(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "reference").symlink_to("/etc")
    found = allowed(
        Sandbox(),
        declared=Permissions(read=["reference"]),
        locked=None,
        grant=None,
        folder=str(tmp_path / "plugins"),
    )
    assert found == NONE


@pytest.mark.parametrize("who", ["locked", "grant"])
def test_what_it_declares_and_another_grants_it_gets(who: str) -> None:
    wanted = Permissions(read=["/data"], net=True, env=["HOME", "TZ"])
    granted = Permissions(read=["/data"], net=True, env=["HOME"], run=True)
    found = grants(declared=wanted, **{who: granted})  # type: ignore[arg-type]
    assert found == Sandbox(read=["/data"], write=[], net=True, run=False, env=["HOME"])


def test_the_hosts_word_is_the_most_of_each_kind_that_it_names() -> None:
    wanted = Permissions(read=["/data", "/more"], net=True, run=True)
    found = grants(Sandbox(read=["/data"], net=False), declared=wanted, locked=wanted)
    assert found == Sandbox(read=["/data"], write=[], net=False, run=True, env=[])


def test_the_hosts_word_grants_what_a_plugin_declares() -> None:
    found = grants(Sandbox(write=["/out"], run=True), declared=Permissions(write=["/out/today"], net=True))
    assert found == Sandbox(read=[], write=["/out/today"], net=False, run=False, env=[])


def test_a_plugin_that_declares_nothing_at_all_gets_what_the_host_names() -> None:
    named = Sandbox(read=["/data"], write=["/out"], net=True, run=False, env=["TZ"], memory_bytes=2**30)
    assert grants(named) == named


def test_neither_lock_nor_policy_is_exceeded() -> None:
    wanted = Permissions(read=["/data"], net=True)
    named = Sandbox(read=["/data"], net=True)
    assert grants(named, declared=wanted, locked=Permissions(net=True)) == Sandbox(
        read=[], write=[], net=True, run=False, env=[]
    )
    assert grants(named, declared=None, grant=Permissions(read=["/data/a"])) == Sandbox(
        read=["/data/a"], write=[], net=False, run=False, env=[]
    )


def test_who_asks_to_read_where_writing_is_granted_reads_and_no_more() -> None:
    found = grants(Sandbox(write=["/data"]), declared=Permissions(read=["/data/in"]))
    assert (found.read, found.write) == (("/data/in",), ())


def test_limits_are_the_hosts_alone() -> None:
    found = grants(Sandbox(memory_bytes=2**30, cpu_seconds=5, timeout_seconds=2))
    assert (found.memory_bytes, found.cpu_seconds, found.timeout_seconds) == (2**30, 5, 2)
