import os
import subprocess
import sys
from pathlib import Path

from plugline.worker.places import python_places

ROOT = Path(__file__).parents[3]


def is_readable(path: str, search: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{one}/") for one in python_places(search))


def test_python_and_its_libraries_are_readable(tmp_path: Path) -> None:
    libraries = tmp_path / "site-packages"
    assert is_readable(str(libraries), [str(libraries)])
    assert is_readable(str(Path(os.__file__).parent), [])
    assert is_readable("/usr/share/zoneinfo", [])


def test_the_folder_of_a_program_is_not(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not-site-packages", tmp_path / "site-packages" / ".."):
        assert not is_readable(str(tmp_path / "settings.py"), [str(folder), "", "."])
        assert not is_readable(str(tmp_path / "not-site-packages"), [str(folder)])


def test_nothing_of_anybodys_is() -> None:
    for path in [
        "/",
        "/etc",
        "/etc/passwd",
        "/etc/ssl/private",
        "/home",
        "/root",
        "/var",
        "/proc",
        "/proc/self",
        "/dev",
    ]:
        assert not is_readable(path, sys.path)


def test_a_virtual_environment_is_found_without_site(tmp_path: Path) -> None:
    """A worker is started without :mod:`site`, which is what would say where it is."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "made")], check=True)
    code = f"import sys; sys.path.append({str(ROOT / 'src')!r}); from plugline.worker import places; print(places.python_places([]), places.interpreters())"
    python = str(tmp_path / "made" / "bin" / "python")
    told = subprocess.run([python, "-I", "-S", "-c", code], check=True, capture_output=True, text=True).stdout
    assert repr(str(tmp_path / "made" / "pyvenv.cfg")) in told
    assert repr(str(tmp_path / "made" / "bin")) in told
