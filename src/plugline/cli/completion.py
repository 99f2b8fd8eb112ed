"""``plugline completion``: the commands and their options to a script for a shell.

Commands and options stand in the script, so that completing them starts no Python; names of plugins are asked for.
"""

from collections.abc import Iterator

import click

from plugline.cli import OK, render
from plugline.cli.app import COMMANDS, Misuse, app
from plugline.cli.options import common
from plugline.codes import CODES
from plugline.frozen import frozen
from plugline.names import did_you_mean

# What the value of an option, or an argument, is: a kind of plugin, or words with spaces between.
_OF_OPTIONS = {
    "--use": "processors",
    "--only": "plugins",
    "--from": "formats",
    "--to": "formats",
    "--engine": "engines",
    "--on-error": "dead-letter drop pass stop",
    "--max-errors": "none",
    "--processes": "auto",
    "--with": "",
    "--from-with": "",
    "--to-with": "",
    "-k": "",
}
_OF_ARGUMENTS = {
    "info": "known",
    "enable": "disabled",
    "disable": "known",
    "explain": " ".join(CODES),
    "config": "show schema",
    "completion": "bash zsh fish",
    "new": "",
}
_KINDS = ("plugins", "known", "disabled", "processors", "formats", "engines")
_FILES = "files"


@frozen(kw_only=True)
class Words:
    """What may follow a command.

    Attributes:
        values: What the value of an option is; options that take none are not in it.
    """

    command: str
    options: tuple[str, ...]
    values: dict[str, str]
    arguments: str


@click.command("completion", short_help="Print a script that completes words in bash, zsh or fish.")
@click.argument("shell", metavar="bash|zsh|fish")
@common
def command(*, shell: str, as_json: bool) -> int:
    """Print a script by which SHELL completes commands, options, and the names of plugins and formats. No plugin is imported.

    \b
    eval "$(plugline completion bash)"        # in ~/.bashrc
    eval "$(plugline completion zsh)"         # in ~/.zshrc, after compinit
    plugline completion fish | source         # in ~/.config/fish/config.fish
    """
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    if shell not in makers:
        raise Misuse(f"no shell is named {shell!r}", did_you_mean(shell, makers, kind="shells"))
    words = list(all_words())
    script = makers[shell](words)
    if as_json:
        data = [
            {"command": one.command, "options": list(one.options), "values": one.values, "arguments": one.arguments}
            for one in words
        ]
        render.tell_json({"shell": shell, "commands": data, "script": script})
    else:
        render.tell(script)
    return OK


def all_words() -> Iterator[Words]:
    """Yield the words of each command."""
    context = click.Context(app)
    for name in COMMANDS:
        found = app.get_command(context, name)
        assert found is not None  # noqa: S101 - it is in the table
        options: list[str] = []
        values: dict[str, str] = {}
        for parameter in found.params:
            if not isinstance(parameter, click.Option):
                continue
            options += parameter.opts
            if not parameter.is_flag:
                values.update({option: _value(option, parameter) for option in parameter.opts})
        yield Words(
            command=name,
            options=(*options, "--help"),
            values=values,
            arguments=_OF_ARGUMENTS.get(name, _FILES),
        )


def _value(option: str, parameter: click.Option) -> str:
    if isinstance(parameter.type, click.Choice):
        return " ".join(str(choice) for choice in parameter.type.choices)
    if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)):
        return ""
    return _OF_OPTIONS.get(option, _FILES)


# ----------------------------------------------------------------------------- bash


def _bash(words: list[Words]) -> str:
    lines = [
        "# plugline: completion for bash",
        # Not compgen -W, which expands what it is given: a name with $(...) in it would be run.
        "_plugline_names() {",
        '    local kind="$1" name quoted words=("${COMP_WORDS[@]:1}")',
        "    while IFS= read -r name; do",
        '        [ "${name:0:${#typed}}" = "$typed" ] || continue; name="${name#"$cut"}"',
        # Within quotes that are still open the shell wants the name as it is, and closes them.
        """        case "$word" in [\\"\\']*) quoted="$name";; *) printf -v quoted %q "$name";; esac""",
        '        COMPREPLY+=("$quoted")',
        """    done < <("${COMP_WORDS[0]}" --complete "$kind" "${words[@]//[\\"\\'\\\\]/}" 2>/dev/null)""",
        "}",
        "_plugline_files() {",
        "    local name; compopt -o filenames 2>/dev/null",
        # No mapfile, which the bash of macOS is too old for. Names with spaces stay whole.
        """    while IFS= read -r name; do COMPREPLY+=("${name#"$cut"}"); done < <(compgen -f -- "$typed")""",
        "}",
        "_plugline() {",
        '    local at="$COMP_CWORD" word="${COMP_WORDS[COMP_CWORD]}" before command="" typed cut=""',
        # ":" is a word of its own in bash, and only what is behind it is to be replied.
        '    while [[ $at -gt 2 && ( "$word" == :* || "${COMP_WORDS[at-1]}" == *: )',
        '        && "${COMP_LINE:0:COMP_POINT}" == *"${COMP_WORDS[at-1]}$word" ]]; do',
        '        word="${COMP_WORDS[at-1]}$word"; at=$((at - 1)); cut="${word%"${word##*:}"}"',
        "    done",
        '    before="${COMP_WORDS[at-1]}"',
        # "=" is one, too: --use=up is three.
        '    [ "$word" = "=" ] && word=""',
        '    [ "$before" = "=" ] && before="${COMP_WORDS[at-2]}"',
        # The words as they were typed have their quotes and backslashes yet.
        """    typed="${word#[\\"\\']}"; typed="${typed//\\\\/}"; typed="${typed%[\\"\\']}"; cut="${cut//\\\\/}" """.rstrip(),
        "    COMPREPLY=()",
        "    for ((at = 1; at < COMP_CWORD; at++)); do",
        f'        case "${{COMP_WORDS[at]}}" in {"|".join(COMMANDS)}) command="${{COMP_WORDS[at]}}"; break;; esac',
        "    done",
        '    case "$command:$before" in',
    ]
    for one in words:
        for option, value in one.values.items():
            lines.append(f"        {one.command}:{option}) {_bash_reply(value)}; return;;")
    lines += [
        "    esac",
        '    case "$command" in',
        f'        "") COMPREPLY=($(compgen -W "{" ".join(COMMANDS)} --help --version" -- "$word"));;',
    ]
    for one in words:
        options = f'COMPREPLY=($(compgen -W "{" ".join(one.options)}" -- "$word"))'
        lines.append(f'        {one.command}) case "$word" in -*) {options};; *) {_bash_reply(one.arguments)};; esac;;')
    lines += ["    esac", "}", "complete -F _plugline plugline"]
    return "\n".join(lines)


def _bash_reply(value: str) -> str:
    if value == _FILES:
        return "_plugline_files"
    if value in _KINDS:
        return f"_plugline_names {value}"
    return f'COMPREPLY=($(compgen -W "{value}" -- "$word"))' if value else ":"


# ----------------------------------------------------------------------------- zsh


def _zsh(words: list[Words]) -> str:
    lines = [
        "#compdef plugline",
        "# plugline: completion for zsh",
        "_plugline() {",
        '    local before="${words[CURRENT-1]}" word="${words[CURRENT]}" command="" one',
        '    for one in "${(@)words[2,CURRENT-1]}"; do',
        f'        case "$one" in {"|".join(COMMANDS)}) command="$one"; break;; esac',
        "    done",
        # --use=up is one word, of which what is behind the first "=" is completed.
        """    if [[ "$word" == --*=* ]]; then before="${word%%=*}"; compset -P 1 '*='; fi""",
        '    case "$command:$before" in',
    ]
    for one in words:
        for option, value in one.values.items():
            lines.append(f"        {one.command}:{option}) {_zsh_reply(value)}; return;;")
    commands = " ".join(_zsh_quoted(f"{name}:{summary}") for name, summary in COMMANDS.items())
    lines += [
        "    esac",
        '    case "$command" in',
        "        '') case \"$word\" in -*) compadd -- --help --version;;",
        f"            *) local -a commands=({commands}); _describe command commands;; esac;;",
    ]
    for one in words:
        options = f"compadd -- {' '.join(one.options)}"
        lines.append(f'        {one.command}) case "$word" in -*) {options};; *) {_zsh_reply(one.arguments)};; esac;;')
    # Sourced, it registers itself; as a file of fpath, which #compdef is for, it is the body of the function.
    lines += [
        "    esac",
        "}",
        'if [ "$funcstack[1]" = "_plugline" ]; then _plugline "$@"; else compdef _plugline plugline; fi',
    ]
    return "\n".join(lines)


def _zsh_reply(value: str) -> str:
    if value == _FILES:
        return "_files"
    if value in _KINDS:
        return f'compadd -- ${{(f)"$("${{words[1]}}" --complete {value} "${{(@Q)words[2,-1]}}" 2>/dev/null)"}}'
    return f"compadd -- {value}" if value else ":"


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# ----------------------------------------------------------------------------- fish


def _fish(words: list[Words]) -> str:
    lines = [
        "# plugline: completion for fish",
        "function __plugline_names",
        "    set -l words (commandline -opc)",
        "    $words[1] --complete $argv[1] $words[2..] 2>/dev/null",
        "end",
        "complete -c plugline -f",
        "complete -c plugline -n __fish_use_subcommand -l help",
        "complete -c plugline -n __fish_use_subcommand -l version",
    ]
    for name, summary in COMMANDS.items():
        lines.append(f"complete -c plugline -n __fish_use_subcommand -a {name} -d {_fish_quoted(summary)}")
    for one in words:
        seen = f"-n '__fish_seen_subcommand_from {one.command}'"
        lines.append(f"complete -c plugline {seen} {_fish_reply(one.arguments)}".rstrip())
        for option in one.options:
            flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            value = one.values.get(option)
            takes = "" if value is None else f" {'-r' if value == _FILES else '-x'} {_fish_reply(value)}".rstrip()
            lines.append(f"complete -c plugline {seen} {flag}{takes}")
    return "\n".join(lines)


def _fish_reply(value: str) -> str:
    if value == _FILES:
        return "-F"
    if value in _KINDS:
        return f"-a '(__plugline_names {value})'"
    return f"-a {_fish_quoted(value)}" if value else ""


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
