"""Ctrl-C for the tests, wherever they are started."""

import signal


def take_interrupts() -> None:
    """Let this process, and those that it starts, be interrupted.

    Who starts the tests in the background of a shell script has them ignore Ctrl-C, which is what some of them press.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
