"""Leaves the group that bounds it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    [open(f"/sys/fs/cgroup/{name}/cgroup.procs", "w").write("0") for name in ("", "memory", "unified")]
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
