"""The exit codes of all commands; docs/reference/exit-codes.md tells what each means."""

OK, FAULTS, MISUSED, OUR_BUG, STOPPED, INTERRUPTED = 0, 1, 2, 3, 4, 130
