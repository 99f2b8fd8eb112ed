"""Guarded calls, generated chains and fan-outs. Knows callables only, nothing of plugins or records."""

from plugline.blame import ErrorText, describe_error, traceback_text, users_own_interrupt
from plugline.dispatch.calls import Results, build_call, build_call_all, build_first, call_all, first
from plugline.dispatch.chain import Link, build_chain

__all__ = [
    "ErrorText",
    "Link",
    "Results",
    "build_call",
    "build_call_all",
    "build_chain",
    "build_first",
    "call_all",
    "describe_error",
    "first",
    "traceback_text",
    "users_own_interrupt",
]
