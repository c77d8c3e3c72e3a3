"""What holds for every command: help, wrong use, errors as one line, exit codes."""

import re
import subprocess
import sys

import pytest

from ostinato import errors
from ostinato.cli.commands import COMMANDS, available, run
from ostinato.cli.failure import Stop, report


def test_help_lists_every_command_and_the_exit_codes(ostinato):
    done = ostinato("--help")
    assert done.code == 0
    for name, command in available().items():
        assert f"  {name} " in done.out
        assert command.about in done.out
    assert "4 still running" in done.out


def test_without_a_command_help_is_shown_and_the_use_was_wrong(ostinato):
    done = ostinato()
    assert done.code == 2
    assert "Usage" in done.out


@pytest.mark.parametrize("name", available())
def test_every_command_explains_itself_within_80_columns(ostinato, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = ostinato(name, "--help")
    assert done.code == 0
    assert f"Usage: ostinato {name}" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("name", sorted(available().keys() - {"demo"}))  # a show, for people
def test_every_command_gives_data(ostinato, name):
    assert "--json" in ostinato(name, "--help").out


def test_help_fits_80_columns(ostinato):
    assert max(map(len, ostinato("--help").out.splitlines())) <= 80


@pytest.mark.parametrize("name", available())
def test_an_option_that_does_not_exist_is_wrong_use(ostinato, name):
    done = ostinato(name, "--frobnicate")
    assert done.code == 2
    assert "No such option" in done.err


def test_a_mistyped_command_names_the_nearest(ostinato):
    done = ostinato("watchh")
    assert done.code == 2
    assert "did you mean `ostinato watch`?" in done.err


def test_a_command_whose_module_is_not_there_is_not_offered():
    assert set(available()) <= set(COMMANDS)


MODULES = """
import sys
from ostinato.cli import run
run(["--help"])
print(*sys.modules)
"""


def test_help_comes_at_once():
    """It reads next to nothing: neither what a command needs, nor what draws or parses."""
    done = subprocess.run([sys.executable, "-c", MODULES], capture_output=True, text=True)
    modules = done.stdout.splitlines()[-1].split()
    assert {"typer", "rich", "msgspec", "asyncio", "json"}.isdisjoint(modules)
    assert len(modules) < 150


@pytest.mark.parametrize("option", ["--version", "version"])
def test_the_version_is_told(ostinato, option):
    assert re.match(r"ostinato \d+\.\d+\.\d+ \(Python 3", ostinato(option).out)


# Errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("x"), 2),
        (errors.InvalidInput("x"), 2),
        (errors.NotFoundError("x"), 2),
        (errors.DefinitionError("x"), 1),
        (errors.Busy("x"), 1),
        (errors.StoreError("x"), 3),
        (errors.StoreLocked("x"), 3),
        (errors.OstinatoError("x"), 1),
        (Stop("x", code=4), 4),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_error_has_its_exit_code(error, code):
    assert report(error) == code


def test_an_error_is_one_line_and_its_mend(capsys):
    report(Stop("a\n  b", hint="do this"))
    assert capsys.readouterr().err == "ostinato: a b\n  do this\n"


def test_several_problems_are_a_line_each(capsys):
    problems = (errors.Problem("no", "a", hint="mend"), errors.Problem("nor", "b"))
    report(errors.SettingsError("a: no; b: nor", problems=problems))
    assert capsys.readouterr().err == "ostinato: 2 problems:\n  a: no (mend)\n  b: nor\n"


def test_no_traceback_unless_asked_for(ostinato, monkeypatch):
    monkeypatch.setenv("OSTINATO_PROT", "1")
    done = ostinato("settings")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "OSTINATO_PORT" in done.err
    with pytest.raises(errors.SettingsError):
        run(["settings", "--debug"])


def test_a_reader_that_closes_the_pipe_is_no_error():
    code = "from ostinato.cli import main; main()"
    command = f"{sys.executable} -c '{code}' settings --json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
