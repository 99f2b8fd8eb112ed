"""Warnings to the log of the program, which may have changed what logging does."""


def log_warning(logger: str, message: str, *arguments: object, exc_info: bool = False) -> None:
    """Log a warning, and go on where the program's logging cannot take it: what it says is on the plugin or the host as well.

    A class of loggers that the program set, and filters, may raise anything; errors of handlers are logging's own to handle.

    Args:
        message: With ``%`` for each of the arguments.
        exc_info: Whether the exception that is being handled goes with it.
    """
    # logging costs 1.7 interpreter starts to import, and is needed only when something went wrong.
    import logging

    try:
        logging.getLogger(logger).warning(message, *arguments, exc_info=exc_info)
    except Exception:  # noqa: BLE001 - see above
        return
