"""Who could change a file: real files and folders, with real modes and owners."""

import os
from pathlib import Path

import pytest

from plugline.admission.ownership import Component, OwnerFacts, Owners, ownership_findings
from plugline.findings import Finding

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no owners and modes of this kind")
as_root = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give files away")

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "home" / "plugins"
    plugins.mkdir(parents=True)
    for one in (plugins, plugins.parent, tmp_path):
        one.chmod(0o755)
    (plugins / "x.py").write_text("")
    (plugins / "x.py").chmod(0o644)
    return plugins


def look(path: Path, *, strict: bool = False) -> list[Finding]:
    return list(ownership_findings(Owners().look(str(path)), str(path), strict=strict))


def codes(path: Path, *, strict: bool = False) -> list[tuple[str, str, str]]:
    return [(one.code, one.severity, one.place.path) for one in look(path, strict=strict)]


def test_what_only_we_can_write_to_is_sound(folder: Path) -> None:
    assert codes(folder / "x.py", strict=True) == []


@pytest.mark.parametrize("component", ["x.py", ".", ".."])
def test_a_component_that_all_can_write_to_is_refused_with_the_command_that_mends_it(
    folder: Path, component: str
) -> None:
    wrong = (folder / component).resolve()
    wrong.chmod(wrong.stat().st_mode | 0o002)
    (finding,) = look(folder / "x.py")
    assert (finding.code, finding.severity, finding.place.path) == ("T101", "error", str(wrong))
    assert finding.hint == f"chmod o-w {wrong}"
    assert os.system(finding.hint) == 0  # noqa: S605 - the hint is what is tested
    assert look(folder / "x.py") == []


def test_a_sticky_folder_is_sound_as_long_as_what_is_in_it_is_ours(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    assert codes(folder / "x.py", strict=True) == []


def test_a_sticky_file_that_all_can_write_to_is_not_sound(folder: Path) -> None:
    (folder / "x.py").chmod(0o1666)
    assert [code for code, _, _ in codes(folder / "x.py")] == ["T101"]


@as_root
def test_a_sticky_folder_does_not_keep_what_belongs_to_somebody_else(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    os.chown(folder, NOBODY, -1)
    findings = look(folder / "x.py")
    assert [(one.code, one.severity) for one in findings] == [("T101", "error"), ("T103", "warning")]
    assert str(folder) in findings[0].message


@as_root
def test_a_group_that_can_write_is_warned_of_and_strict_refuses_it(folder: Path) -> None:
    os.chown(folder / "x.py", 0, 12345)
    (folder / "x.py").chmod(0o664)
    assert codes(folder / "x.py") == [("T102", "warning", str(folder / "x.py"))]
    assert codes(folder / "x.py", strict=True) == [("T102", "error", str(folder / "x.py"))]
    assert look(folder / "x.py")[0].hint == f"chmod g-w {folder / 'x.py'}"


def test_a_group_of_which_the_owner_is_the_only_member_is_sound_unless_strict() -> None:
    private = Component("/x", 1000, 1000, 0o100664, shared=False)
    facts = OwnerFacts((private,), 1000)
    assert ownership_findings(facts, "/x") == ()
    assert [one.code for one in ownership_findings(facts, "/x", strict=True)] == ["T102"]


@as_root
def test_somebody_elses_file_is_warned_of_with_the_command_that_takes_it_over(folder: Path) -> None:
    os.chown(folder / "x.py", NOBODY, -1)
    (finding,) = look(folder / "x.py")
    assert (finding.code, finding.severity, finding.hint) == ("T103", "warning", f"chown root {folder / 'x.py'}")
    assert codes(folder / "x.py", strict=True)[0][1] == "error"


def test_owners_without_a_name_are_shown_by_number() -> None:
    facts = OwnerFacts((Component("/x", 4242424, 0, 0o100644),), 4242425)
    (finding,) = ownership_findings(facts, "/x")
    assert "4242424" in finding.message
    assert finding.hint == "chown 4242425 /x"


def test_what_belongs_to_root_is_sound_for_everybody() -> None:
    facts = OwnerFacts((Component("/x", 0, 0, 0o100644),), 1000)
    assert ownership_findings(facts, "/x", strict=True) == ()


def test_a_link_leads_to_components_that_count_as_well(folder: Path, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    (open_to_all / "real").mkdir(mode=0o755)
    (open_to_all / "real" / "y.py").write_text("")
    open_to_all.chmod(0o777)
    (folder / "linked").symlink_to("../../open/real")
    assert codes(folder / "linked" / "y.py") == [("T101", "error", str(open_to_all))]


def test_the_folder_that_a_link_stands_in_counts_as_well(folder: Path, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    (open_to_all / "plugins").symlink_to(folder)
    open_to_all.chmod(0o777)
    assert codes(open_to_all / "plugins" / "x.py") == [("T101", "error", str(open_to_all))]


def test_a_circle_of_links_is_told(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (finding,) = look(folder / "a" / "x.py")
    assert finding.code == "T104"
    assert "circle" in finding.message


def test_a_file_that_is_gone_is_told(folder: Path) -> None:
    assert codes(folder / "gone.py") == [("T104", "error", str(folder / "gone.py"))]


def test_hints_quote_what_a_shell_would_take_apart(folder: Path) -> None:
    odd = folder / "it's $(x).py"
    odd.write_text("")
    odd.chmod(0o646)
    (finding,) = look(odd)
    assert os.system(str(finding.hint)) == 0  # noqa: S605 - the hint is what is tested
    assert look(odd) == []


def test_skipping_says_why_and_finds_nothing() -> None:
    facts = OwnerFacts(skipped="not checked on Windows")
    assert ownership_findings(facts, "x.py", strict=True) == ()
