import json
import runpy
import sysconfig
import traceback
from pathlib import Path

import pytest

from plugline.cli.tracebacks import own_frames

LIBRARY = sysconfig.get_path("stdlib")
INSTALLED = sysconfig.get_path("purelib")


def frame(path: str, line: int = 1) -> str:
    return f'  File "{path}", line {line}, in function\n    some_code()\n    ^^^^^^^^^^^\n'


def test_frames_of_libraries_are_left_out_and_counted_where_they_stood() -> None:
    text = (
        "Traceback (most recent call last):\n"
        + frame("/srv/plugins/one.py", 3)
        + frame(f"{LIBRARY}/json/__init__.py")
        + frame(f"{LIBRARY}/json/decoder.py")
        + frame(f"{INSTALLED}/requests/api.py")
        + frame("/srv/plugins/one.py", 9)
        + frame("<frozen codecs>")
        + "ValueError: no\n"
    )
    assert own_frames(text) == (
        "Traceback (most recent call last):\n"
        + frame("/srv/plugins/one.py", 3)
        + "  [2 frames of json left out]\n"
        + "  [1 frame of requests left out]\n"
        + frame("/srv/plugins/one.py", 9)
        + "  [1 frame of codecs left out]\n"
        + "ValueError: no\n"
    )


def test_what_stands_between_the_parts_of_a_chain_stays() -> None:
    between = "KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback:\n"
    text = frame("/srv/one.py") + frame(f"{LIBRARY}/ast.py") + between + frame(f"{LIBRARY}/ast.py") + "ValueError\n"
    assert own_frames(text) == (
        frame("/srv/one.py") + "  [1 frame of ast left out]\n" + between + "  [1 frame of ast left out]\nValueError\n"
    )


@pytest.mark.parametrize(
    "path", [f"{INSTALLED}/their_plugin/deep.py", r"C:\env\Lib\site-packages\their_plugin\deep.py"]
)
def test_of_a_plugin_that_is_installed_all_stays(path: str) -> None:
    text = "Traceback (most recent call last):\n" + frame(path) + frame(f"{LIBRARY}/json/decoder.py") + "ValueError\n"
    assert own_frames(text) == text


def test_a_traceback_of_python_itself_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "plugin.py"
    path.write_text("import json\n\ndef read(text):\n    return json.loads(text)\n\nread('{')\n", "utf-8")
    with pytest.raises(json.JSONDecodeError) as caught:
        runpy.run_path(str(path))
    inner = caught.tb.tb_next  # behind the frame of this test
    shown = own_frames("".join(traceback.format_exception(caught.type, caught.value, inner))).splitlines()
    assert [line for line in shown if line.startswith("  File")] == [
        f'  File "{path}", line 6, in <module>',
        f'  File "{path}", line 4, in read',
    ]
    assert "runpy left out]" in shown[1]
    assert shown[-2:] == [
        "  [3 frames of json left out]",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ]


def test_repeated_frames_that_python_has_counted_belong_to_those_before_them() -> None:
    text = (
        frame("/srv/one.py")
        + frame(f"{LIBRARY}/copy.py")
        + "  [Previous line repeated 90 more times]\nRecursionError\n"
    )
    assert own_frames(text) == frame("/srv/one.py") + "  [1 frame of copy left out]\nRecursionError\n"
