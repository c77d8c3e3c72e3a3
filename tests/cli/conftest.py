"""Commands in this process, with what they print; nothing of the machine's own settings."""

import os

import pytest

from ostinato.cli import output
from ostinato.cli.commands import run


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """An empty directory, no OSTINATO_* of the machine, no terminal."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("OSTINATO_")]:
        monkeypatch.delenv(name)
    output.console.cache_clear()


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


@pytest.fixture
def ostinato(capsys):
    def ostinato(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return ostinato
