"""Connects by asyncio.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import asyncio

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)

async def connect(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return "connected"


def attack(record):
    return {"taken": asyncio.run(asyncio.wait_for(connect(record["port"]), 2))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
