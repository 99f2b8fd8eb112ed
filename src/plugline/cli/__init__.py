"""The command line: words to an exit code."""

import sys
from collections.abc import Sequence

# docs/reference/exit-codes.md tells what each means.
OK, FAULTS, MISUSED, OUR_BUG, STOPPED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def program() -> int:
    """Be the program ``plugline``: as :func:`main`, for a process that does nothing else and ends afterwards."""
    from plugline.cli import process  # as whatever this program needs

    process.begin()
    return process.ends(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises ``SystemExit``.

    0 fine; 1 findings, or done with dead letters; 2 wrong use or configuration; 3 our own bug; 4 stopped before
    the end, output not in place; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP. A closed pipe is not an error.

    Args:
        argv: The words after the program's name; ``None``: those of the process.
    """
    # Not list(argv): once the command of that name was imported, list is a module here.
    words = sys.argv[1:] if argv is None else [*argv]
    try:
        if words[:1] == ["--complete"] and len(words) > 1:
            from plugline.cli.complete import complete  # a shell waits for it, and for nothing else

            return complete(words[1], words[2:])
        if words[:1] == ["list"] and not any(word.startswith("-") for word in words):
            from plugline.cli.listing import quick_list  # without the parser, which costs more

            code = quick_list(words[1:])
            if code is not None:
                return code
        try:
            if words[:1] in (["run"], ["preview"], ["test"], ["dev"]):
                _import_orjson()
            if words[:1] == ["run"]:
                from plugline.cli.running import quick_run  # as the list

                code = quick_run(words[1:])
                if code is not None:
                    return code
            # Imported here, because click is an extra and the library is to be had without it.
            from plugline.cli.app import run_command
        except ModuleNotFoundError as error:
            if error.name not in ("click", "orjson"):
                raise
            sys.stderr.write(
                f"error: the command line needs {error.name!r}, which is not installed\n"
                "  hint: pip install 'plugline[tool]'\n"
            )
            return MISUSED
        return run_command(words)
    except KeyboardInterrupt:
        return INTERRUPTED


def _import_orjson() -> None:
    """Import orjson, which ends the process by SIGSEGV where a Ctrl-C comes in the middle of that; it waits until then."""
    import signal  # for these commands only; it imports nothing that orjson does not

    if sys.platform == "win32":  # there are no such signals
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        import orjson  # noqa: F401 - for whoever imports it later
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
