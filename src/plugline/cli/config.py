"""``plugline config``: the settings with where each is from, and the schema of pipeline files."""

import os

import click

from plugline.cli import FAULTS, MISUSED, OK, render
from plugline.cli.app import Misuse
from plugline.cli.options import common
from plugline.cli.settings import DEFAULT, OTHER_VARIABLES, PREFIX, SETTINGS, Resolved, Settings, run_fields
from plugline.contract.settings import dotted
from plugline.errors import ConfigurationError
from plugline.findings import Place
from plugline.names import did_you_mean
from plugline.pipeline.config import load_config

_WHAT = ("show", "schema")


@click.command("config", short_help="Show the settings and where each is from, or the schema of pipeline files.")
@click.argument("what", metavar="[show|schema]", default="show")
@click.argument("pipeline", required=False, metavar="[PIPELINE.toml]")
@common
def command(*, what: str, pipeline: str | None, as_json: bool) -> int:
    """Show each setting of the tool, and of a pipeline, with where its value is from; or print the JSON Schema of pipeline files.

    Defaults count less than plugline.toml (or [tool.plugline] in pyproject.toml), that less than the pipeline file, that less
    than the environment (PLUGLINE_...), and that less than flags. Nothing is run.

    \b
    plugline config show
    plugline config show pipeline.toml --json
    plugline config schema > pipeline.schema.json

    Exit codes: 0 fine; 1 a variable PLUGLINE_... is not known; 2 a value is wrong, or wrong use.
    """
    if what not in _WHAT:
        raise Misuse(f"config cannot {what!r}", did_you_mean(what, _WHAT, kind="words"))
    if what == "schema":
        return _tell_schema()
    settings = Settings.load()
    rows = [_row(settings[name]) for name in SETTINGS]
    findings = list(settings.findings())
    pipeline = pipeline or (settings.text("pipeline") if os.path.exists(settings.text("pipeline")) else None)
    try:
        overrides = list(settings.overrides(os.path.dirname(pipeline or "")))
        rows += _of_runs(settings)
        of_pipeline = [] if pipeline is None else list(load_config(pipeline, overrides).origins())
    except ConfigurationError as error:
        told = {(one.code, one.message, str(one.place)) for one in findings}
        findings += [one for one in error.findings if (one.code, one.message, str(one.place)) not in told]
        of_pipeline = []
    shown = [(dotted(path), value, place or DEFAULT) for path, value, place in of_pipeline]
    if as_json:
        data = [_data(name, value, place) for name, value, place in shown]
        settings_data = [_data(name, value, place) for name, value, place in rows]
        render.tell_json({"settings": settings_data, "pipeline": pipeline, "values": data, "findings": findings})
    else:
        render.tell(render.table(("setting", "value", "from"), [_cells(*row) for row in rows]))
        if shown:
            render.tell("")
            render.tell(render.table((render.plain(pipeline or ""), "value", "from"), [_cells(*row) for row in shown]))
        if findings:
            render.say_findings(findings)
    if any(finding.is_error for finding in findings):
        return MISUSED
    return FAULTS if findings else OK


def _tell_schema() -> int:
    from json import dumps  # as render does

    from plugline.pipeline.schema import pipeline_schema  # for this word only

    # As it is, without the version that our own JSON has: it is a document of its own.
    render.tell(dumps(pipeline_schema(), indent=2, ensure_ascii=False))
    return OK


_Row = tuple[str, object, Place]


def _row(resolved: Resolved) -> _Row:
    return resolved.name, resolved.value, resolved.origin


def _of_runs(settings: Settings) -> list[_Row]:
    """Return the keys of [run] as file and environment say them, else their defaults: they hold for every pipeline."""
    from plugline.pipeline.config import default_as_written  # as in run_fields

    said = {override.path[-1]: override for override in settings.overrides() if override.path[0] == "run"}
    return [
        (field.name, said[field.name].value, said[field.name].origin)
        if field.name in said
        else (field.name, default_as_written(field), DEFAULT)
        for field in run_fields()
    ]


def _data(name: str, value: object, place: Place) -> dict[str, object]:
    kind = _kind(place)
    return {"name": name, "value": value, "from": kind, "origin": None if kind == "default" else str(place)}


def _kind(place: Place) -> str:
    if place == DEFAULT:
        return "default"
    if place.path.startswith(PREFIX) or place.path in OTHER_VARIABLES:
        return "environment"
    return "flag" if place.path.startswith("--") else "file"


def _cells(name: str, value: object, place: Place) -> tuple[str, str, str]:
    from plugline.cli.preview import value_text  # as the values of records are shown

    return name, "-" if value is None else value_text(value), str(place)
