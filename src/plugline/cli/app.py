"""A table of commands, of which only the one that is asked for is imported."""

from collections.abc import Sequence

import click

import plugline
from plugline.cli import MISUSED, OK, render
from plugline.cli.guard import Invocation, guarded

# A static table: --help imports no command, and completion will need none either.
COMMANDS = {
    "run": "Pass records through plugins, from a source to a sink.",
    "preview": "Show a few records before and after each step.",
    "test": "Run the tests of pipelines, and the doctests of plugins.",
    "dev": "Watch plugins: check them, and run a sample, at every save.",
    "check": "Say all that is wrong with pipelines and plugins.",
    "list": "List the plugins that can be named.",
    "info": "Tell all that is known of one plugin.",
    "new": "Write a plugin and its test.",
    "explain": "Tell what a finding's code means and what to do.",
    "config": "Show the settings and where each is from, or the schema of pipeline files.",
    "disable": "Use plugins no more: note it in plugline.toml.",
    "enable": "Use plugins again that were disabled.",
    "sync": "Make the environments that plugins need.",
    "trust": "Trust plugins as they are now: write plugline.lock.",
    "bisect": "Find the plugin that makes a command fail.",
    "completion": "Print a script that completes words in bash, zsh or fish.",
    "doctor": "Say what this machine can do for plugins, and what a sandbox denies.",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name, attribute = ("switching", cmd_name) if cmd_name in ("disable", "enable") else (cmd_name, "command")
        command: click.Command = getattr(__import__(f"plugline.cli.{name}", fromlist=[attribute]), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            if args[0] == "help":
                raise Misuse("no command is named 'help'", "plugline --help, or plugline COMMAND --help")
            raise Misuse(f"no command is named {args[0]!r}", did_you_mean(args[0], COMMANDS, kind="commands"))
        return super().resolve_command(ctx, args)


class Misuse(click.UsageError):
    """A wrong use that click cannot see, with what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def did_you_mean(name: str, known: Sequence[str] | dict[str, str], *, kind: str) -> str:
    """Return a hint that names the nearest, then all in the order of the table."""
    from plugline.names import nearest  # a module more than --help needs

    near = nearest(name, known)
    return (f"did you mean {near!r}? " if near is not None else "") + f"known {kind} are {', '.join(known)}"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(plugline.__version__, "--version", message="plugline %(version)s")
def app() -> None:
    """Plugins from a folder of Python files, and pipelines made of them.

    \b
    plugline run pipeline.toml
    plugline run --use trim --use upper orders.ndjson -o clean.csv
    plugline check

    `plugline COMMAND --help` tells more of one command.
    """


def run_command(argv: list[str]) -> int:
    """Run what ``argv`` says, tell what went wrong, and return the exit code."""
    invocation = Invocation()
    return guarded(lambda: _parsed(argv, invocation), invocation)


def _parsed(argv: list[str], invocation: Invocation) -> int:
    try:
        return _invoke(argv, invocation)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        if _is_of_click(error):  # which prints what --help and --version tell
            raise render.OutputLost(error.strerror or str(error)) from error
        raise
    except click.UsageError as error:
        _tell_misuse(error, argv)
    except click.ClickException as error:
        render.error(error.format_message())
    return MISUSED


def _is_of_click(error: OSError) -> bool:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and at.tb_frame.f_globals.get("__name__") == "click.utils"


def _invoke(argv: list[str], invocation: Invocation) -> int:
    # Not app.main(): that ends the process on Ctrl-C and on a closed pipe with codes of its own.
    with app.make_context("plugline", argv or ["--help"], obj=invocation) as context:
        code = app.invoke(context)
        return code if isinstance(code, int) else OK


def _tell_misuse(error: click.UsageError, argv: Sequence[str]) -> None:
    # An option without its argument is told before there is a context.
    named = f"plugline {argv[0]}" if argv and argv[0] in COMMANDS else "plugline"
    command = error.ctx.command_path if error.ctx is not None else named
    help_hint = f"see {command} --help"
    if isinstance(error, Misuse):
        render.error(error.message, error.hint)
    elif isinstance(error, click.NoSuchOption):
        parameters = error.ctx.command.params if error.ctx else []
        known = [name for parameter in parameters for name in parameter.opts]
        long = [name for name in [*known, "--help"] if name.startswith("--")]
        from plugline.names import nearest  # a module more than --help needs

        near = nearest(error.option_name, long)
        question = f"did you mean {near!r}? " if near is not None else ""
        if command == "plugline" and error.option_name in ("--json", "-v", "--verbose"):
            question = f"it stands after a command: plugline check {error.option_name}; "
        if error.option_name == "--plugins" and any(one.nargs == -1 for one in parameters):
            question = f"folders stand for themselves: {command} FOLDER; "
        render.error(f"{command!r} has no option {error.option_name!r}", f"{question}{help_hint}")
    else:
        message = error.format_message().rstrip(".")
        if command == "plugline run" and "extra argument" in message:
            help_hint = f"one input, or one pipeline (several files: 'logs/*.csv', in quotes); processors follow --use, the output -o; {help_hint}"
        render.error(message[:1].lower() + message[1:], help_hint)
