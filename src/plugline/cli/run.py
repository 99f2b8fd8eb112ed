"""``plugline run``: a pipeline, or flags in its place, to an output and a report."""

import click

from plugline.cli.guard import Invocation
from plugline.cli.options import common, safe_mode
from plugline.cli.pipelines import PipelineCommand, configuration, input_options, output_options
from plugline.cli.running import run_configured


@click.command("run", cls=PipelineCommand, short_help="Pass records through plugins, from a source to a sink.")
@input_options
@output_options
@click.option("--report", "page_path", metavar="PAGE.html", help="Write a page on what the run did, for a browser.")
@click.option("--resume", is_flag=True, help="Go on with a run that was not finished, if there is one.")
@click.option("--follow", is_flag=True, help="Go on with what is appended to the file, or arrives in the folder.")
@click.option("--watch", is_flag=True, help="Take plugins that are edited into the run that goes on.")
@click.option("--retry", "letters", metavar="FILE", help="Feed the dead letters in FILE through again.")
@click.option("--profile", "profiled", is_flag=True, help="Say which plugin the time goes to.")
@safe_mode
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where nothing went wrong.")
@common
@click.pass_context
def command(  # click gives every option by its name
    context: click.Context,
    /,
    source: str | None,
    *,
    page_path: str | None,
    resume: bool,
    letters: str | None,
    follow: bool,
    watch: bool,
    profiled: bool,
    quiet: bool,
    no_plugins: bool,
    only: tuple[str, ...],
    as_json: bool,
    **given: object,
) -> int:
    """Run a pipeline file, or pass an input through processors that are named here.

    '-' is standard input. Output appears under its final name only when it is whole.

    \b
    plugline run pipeline.toml
    plugline run --use trim --use upper orders.ndjson -o clean.csv
    plugline run --use upper --with 'fields=["name"]' orders.csv
    zcat orders.gz | plugline run --use trim - | head
    plugline run orders.csv --from-with 'delimiter=";"' -o orders.parquet
    plugline run pipeline.toml --report report.html --profile

    Exit codes: 0 done; 1 done, with dead letters; 2 wrong use; 4 stopped, output not in place; 130 Ctrl-C.
    """
    return run_configured(
        lambda: configuration(source, given, context),
        context.find_object(Invocation) or Invocation(),
        title=source or "pipeline.toml",
        page_path=page_path,
        resume=resume,
        letters=letters,
        follow=follow,
        watch=watch,
        profiled=profiled,
        quiet=quiet,
        no_plugins=no_plugins,
        only=only,
        as_json=as_json,
    )
