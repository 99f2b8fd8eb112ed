"""``plugline explain``: a finding's code to what it means."""

import click

from plugline.cli import OK, render
from plugline.cli.app import Misuse
from plugline.cli.options import common
from plugline.codes import CODES, Code
from plugline.names import nearest


@click.command("explain", short_help="Tell what a finding's code means and what to do.")
@click.argument("code", required=False)
@common
def command(*, code: str | None, as_json: bool) -> int:
    """Tell what a finding's CODE means and what to do about it; without CODE, list all codes.

    \b
    plugline explain P103
    """
    if code is None:
        if as_json:
            render.tell_json({"codes": {name: _data(one) for name, one in sorted(CODES.items())}})
        else:
            render.tell("\n".join(f"{name}  {one.title}" for name, one in sorted(CODES.items())))
        return OK
    # As it stands in a finding, too: "error[P103]".
    wanted = code.strip().upper().rpartition("[")[2].rstrip("]:")
    found = CODES.get(wanted)
    if found is None:
        near = nearest(wanted, CODES)
        alike = [name for name in CODES if name[1:] == wanted] or ([near] if near is not None else [])
        question = f"did you mean {' or '.join(map(repr, alike))}? " if alike else ""
        raise Misuse(f"no finding has the code {code!r}", f"{question}plugline explain lists all codes")
    if as_json:
        render.tell_json({"code": wanted, **_data(found)})
    else:
        render.tell(f"{wanted}: {found.title}\n\n{found.meaning}\n\nWhat to do: {found.remedy}")
    return OK


def _data(code: Code) -> dict[str, object]:
    return {"title": code.title, "meaning": code.meaning, "remedy": code.remedy}
