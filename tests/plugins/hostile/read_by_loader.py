"""Runs a file of the host as a module.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

from importlib.util import module_from_spec, spec_from_file_location

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

def load(path):
    spec = spec_from_file_location("taken", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SECRET


def attack(record):
    return {"taken": load(record["outside"] + "/canary_module.py")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
