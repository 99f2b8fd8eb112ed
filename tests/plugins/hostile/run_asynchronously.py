"""Runs a program by asyncio.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import asyncio

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

async def run():
    process = await asyncio.create_subprocess_exec("/bin/true")
    return await process.wait()


def attack(record):
    return {"taken": asyncio.run(run())}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
