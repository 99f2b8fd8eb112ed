"""The numbers of instructions are those of the Python that runs."""

import opcode
import subprocess
import sys

from plugline.discovery import outline
from plugline.discovery.outline import OPERATIONS


def test_the_numbers_are_those_that_python_has() -> None:
    known = {name: opcode.opmap[name] for name in outline._NUMBERS if name in opcode.opmap}
    assert known == OPERATIONS


def test_outlines_are_read_without_the_module_opcode() -> None:
    program = "import sys, plugline.discovery.outline; print('opcode' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
