"""Bytes of a pipe to whole messages, on the worker's side: it waits for its host, and for nobody else."""

import os
import sys

HEADER_BYTES = 4
WIRE_VERSION = 1

# By docs/reference/wire.md: what answers a request may be this much, and 16 times as much as the request.
FREE_ANSWER_BYTES = 2**20
ANSWER_FACTOR = 16
# Of a batch so many records at most pass between two answers, where they take long.
MOST_UNANSWERED = 8


def plugline_version() -> str:
    """Return the version of this plugline; the package's own name is the façade's, which would be one import up."""
    return str(sys.modules["plugline"].__version__)


def answer_cap(request_bytes: int) -> int:
    """Return how long an answer may be: the host reads no byte more of it."""
    return FREE_ANSWER_BYTES + ANSWER_FACTOR * request_bytes


def read_frame(descriptor: int) -> "bytes | bytearray | None":
    """Return the next message; ``None`` when the host has closed its end."""
    header = _read(descriptor, HEADER_BYTES)
    return _read(descriptor, int.from_bytes(header, "little")) if header is not None else None


def _read(descriptor: int, length: int) -> "bytes | bytearray | None":
    piece = os.read(descriptor, min(length, 2**20)) if length else b""
    if len(piece) == length:
        return piece
    if not piece:
        return None
    whole = bytearray(length)
    view = memoryview(whole)
    have = len(piece)
    view[:have] = piece
    while have < length:
        got = os.readv(descriptor, [view[have:]])
        if not got:
            return None
        have += got
    return whole


def write_frame(descriptor: int, content: bytes) -> None:
    """Write a message; waits until the host has read enough of it."""
    header = len(content).to_bytes(HEADER_BYTES, "little")
    written = os.writev(descriptor, [header, content])
    if written < HEADER_BYTES:  # a signal came between
        written += os.write(descriptor, header[written:])
    view = memoryview(content)[written - HEADER_BYTES :]
    while view:
        view = view[os.write(descriptor, view) :]
