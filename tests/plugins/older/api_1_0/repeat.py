# /// script
# requires-python = ">=3.11"
# [tool.plugline]
# name = "twice"
# version = "2.1"
# api = ">=1.0,<2"
# ///
"""Make several records of one."""

from dataclasses import dataclass


@dataclass
class Repeat:
    times: int = 2

    def transform(self, record):
        for number in range(self.times):
            yield {**record, "copy": number}

    def describe(self):
        return f"twice: makes {self.times} of each"
