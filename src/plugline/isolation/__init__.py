"""The near side of the isolation boundary: starting workers, calling and stopping them, and what their deaths mean."""

from plugline.worker.limits import Sandbox

__all__ = ["Sandbox"]
