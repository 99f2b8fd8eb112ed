"""Has the kernel run a program when the next process dies.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open("/proc/sys/kernel/core_pattern", "w").write("|/bin/true")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
