"""The table of commands. Only the module of the one that is asked for is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, NoReturn

from ostinato import __version__
from ostinato.cli.failure import USAGE, ClosedPipe, report
from ostinato.cli.leaving import leave


class Command(NamedTuple):
    """``ostinato.cli.<module>:<function>``; ``about`` stands in the list of commands."""

    module: str
    function: str
    about: str


def _same(name: str, about: str) -> tuple[str, Command]:
    return name, Command(name, name, about)


COMMANDS: dict[str, Command] = dict(
    [
        _same("demo", "see a tenant set up from an event, a server killed and back"),
        ("new", Command("new", "new", "make a starter project in a directory")),
        _same("serve", "run a server for documents or for a Python application"),
        _same("worker", "run handlers for a server elsewhere"),
        _same("check", "say what is wrong with documents, with line and mend"),
        _same("deploy", "give documents to the server"),
        _same("start", "start a run of a workflow"),
        _same("emit", "send an event"),
        _same("runs", "list runs"),
        _same("stuck", "show what does not go on by itself, and why"),
        _same("show", "show one run: its jobs, and what it waits for"),
        _same("watch", "follow a run to its end"),
        _same("cancel", "cancel a run"),
        ("pause", Command("repairs", "pause", "pause a run: nothing new starts in it")),
        ("resume", Command("repairs", "resume", "resume a paused run")),
        ("retry", Command("repairs", "retry", "do what failed in a run once more")),
        ("skip", Command("repairs", "skip", "go on without a job, with a value instead")),
        ("fork", Command("repairs", "fork", "start another run with what this one had done")),
        ("signal", Command("repairs", "signal", "send an event to one run alone")),
        _same("bulk", "one repair for many runs, after a look at which they are"),
        _same("operations", "list repairs of many runs; show or stop one"),
        _same("tasks", "list what people are asked"),
        _same("complete", "answer a task"),
        _same("workers", "list who does jobs elsewhere, and what nobody asks for"),
        _same("workflows", "list workflows"),
        _same("events", "list events"),
        _same("schedules", "list what starts by the clock; pause, fire, back-fill"),
        (
            "dead-letters",
            Command("dead_letters", "dead_letters", "list what could not be processed, and why"),
        ),
        _same("redrive", "try dead letters again"),
        _same("clean", "remove now what [retention] says is too old"),
        _same("buses", "list buses: what comes in and goes out, and what is wrong"),
        _same("members", "list the processes that share a store; end a standby"),
        _same("tables", "bring the tables of a PostgreSQL up to date"),
        (
            "migrate-store",
            Command("migrate_store", "migrate_store", "move everything to another store"),
        ),
        _same("graph", "draw a workflow"),
        _same("match", "ask a pattern whether it fits an event, and why not"),
        ("eval", Command("evaluate", "evaluate", "try an expression on data")),
        _same("settings", "show every setting and where its value came from"),
        _same("bench", "measure steps per second on this machine"),
        _same("version", "show the version"),
    ]
)

EPILOGUE = """\
A RUN is named by its id, a unique beginning, its uid, or `last`.
Every command takes --help and --debug (to see where an error came from); all
but demo take --json for data.
Exit codes: 0 done, 1 failed or cancelled, 2 wrong use, 3 not reachable,
4 still running at --timeout.
"""


def main() -> NoReturn:
    leave(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code. Whatever goes wrong below is told here, once."""
    debug = "--debug" in arguments
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        code = _run(rest)
        sys.stdout.flush()  # a closed pipe is noticed here, not after our last word
        return code
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        return report(error)


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(listing(), end="")
        return 0 if arguments else USAGE
    if name == "--version":
        name = "version"
    command = available().get(name)
    if command is None:
        print(f"ostinato: no command {name!r}{_nearest(name)}", file=sys.stderr)
        return USAGE
    return _invoke(name, command, arguments[1:])


def _invoke(name: str, command: Command, arguments: list[str]) -> int:
    try:
        done = parser_of(name, command).main(arguments, f"ostinato {name}")
    except SystemExit as ended:
        done = ended.code
    return done if isinstance(done, int) else 0


def parser_of(name: str, command: Command) -> Any:
    """Imports the command's module; what Typer makes of its function."""
    import typer

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    function = getattr(import_module(f"ostinato.cli.{command.module}"), command.function)
    app.command(name)(_piped(function))
    return typer.main.get_command(app)


def _piped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Typer would end with 1 when the reader of a pipe has seen enough."""

    @wraps(function)
    def piped(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except BrokenPipeError as error:
            raise ClosedPipe from error

    return piped


def available() -> dict[str, Command]:
    """Without the commands whose module is not part of this installation."""
    return {
        name: each for name, each in COMMANDS.items() if find_spec(f"{__package__}.{each.module}")
    }


def listing() -> str:
    lines = [f"  {name:<14}{command.about}\n" for name, command in available().items()]
    head = f"Ostinato {__version__}: durable, event-driven workflows\n\n"
    return f"{head}Usage: ostinato COMMAND …\n\n{''.join(lines)}\n{EPILOGUE}"


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, available(), n=1, cutoff=0.5)
    return f"; did you mean `ostinato {found[0]}`?" if found else "; `ostinato --help` lists them"
