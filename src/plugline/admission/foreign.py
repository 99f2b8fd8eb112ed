"""What a host's own policy answers to findings, whatever it answers."""

from collections.abc import Callable, Iterable

from plugline.blame import describe_error, users_own_interrupt
from plugline.findings import Finding, Place, short_repr

_HINT = "mend the policy: what it cannot judge is refused"


def judged(ask: Callable[[], object], path: str) -> tuple[Finding, ...]:
    """Return what a policy finds; one that raises, or returns anything else, refuses what it was asked about (``T306``).

    Only the user's own interrupt passes through.

    Args:
        ask: Asks the policy.
        path: What it is asked about, as messages show it.
    """
    try:
        found = ask()
        findings = tuple(found) if isinstance(found, Iterable) else (found,)
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        text = describe_error(error)
        where = f" at {text.path}:{text.line}" if text.path is not None else ""
        return (Finding("T306", f"the host's policy raised {text.said}{where}", Place(path), _HINT),)
    if isinstance(found, str) or not all(isinstance(one, Finding) for one in findings):
        message = f"the host's policy returned {short_repr(found)}, a tuple of findings was expected"
        return (Finding("T306", message, Place(path), _HINT),)
    return findings
