"""The only source of time, so that tests can move it."""

from time import perf_counter, time, time_ns


def monotonic_seconds() -> float:
    """Return seconds from an arbitrary start that never go back; for measuring."""
    return perf_counter()


def unix_seconds() -> float:
    """Return seconds since 1970 in UTC; for saying when."""
    return time()


def unix_nanoseconds() -> int:
    """Return nanoseconds since 1970, as file systems stamp files; for telling old files from those just written."""
    return time_ns()
