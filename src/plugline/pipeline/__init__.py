"""From a pipeline as written, over a plan, to a run and its report."""
