"""Guarded calls, generated chains and fan-outs. Knows callables only, nothing of plugins or records."""
