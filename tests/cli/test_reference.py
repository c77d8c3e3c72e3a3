"""The pages of commands and settings are made of the tables that the commands are made of."""

import tomllib
from pathlib import Path

import pytest

from ostinato.cli.commands import available
from ostinato.cli.failure import DONE, FAILED, INTERRUPTED, RUNNING, UNREACHABLE, USAGE
from ostinato.cli.reference import PARTS, rewritten
from ostinato.config import ALIASES, read_settings, settings_table

PAGES = Path(__file__).parents[2] / "docs/reference"


@pytest.mark.parametrize("name", PARTS)
def test_the_page_is_current(name):
    page = (PAGES / name).read_text()
    assert rewritten(page, name) == page, "python -m ostinato.cli.reference docs/reference"


def test_every_command_and_setting_is_told():
    commands, settings = ((PAGES / name).read_text() for name in PARTS)
    assert all(f"## {name}\n" in commands for name in available())
    assert all(f"| `{name}` |" in settings for name in settings_table())


def test_every_exit_code_is_told():
    page = (PAGES / "commands.md").read_text()
    for code in (DONE, FAILED, USAGE, UNREACHABLE, RUNNING, INTERRUPTED):
        assert f"\n| {code} |" in page


def test_the_forms_on_the_page_of_settings_are_read(tmp_path):
    page = (PAGES / "settings.md").read_text()
    sample = page.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(sample)
    (tmp_path / "ostinato.toml").write_text(f'{sample}\n[limits]\nevent = "2 MB"')
    settings = read_settings(environ={}, folder=tmp_path)
    assert settings.auth.keys[0].name == "ci"
    variable = read_settings(environ={"OSTINATO_LIMITS__EVENT": "2 MB"}, folder=tmp_path / "none")
    argument = read_settings({"limits": {"event": "2 MB"}}, environ={}, folder=tmp_path / "none")
    assert settings.limits.event == variable.limits.event == argument.limits.event == 2 << 20


def test_the_secrets_that_may_come_from_a_file_are_named():
    page = (PAGES / "settings.md").read_text()
    secrets = [name for name, setting in settings_table().items() if setting.kind.secret]
    assert secrets == ["store", "key", "auth.keys", "arc.secret", "arc.password"]
    assert "`store`, `key` and `auth.keys` may come from a file, `arc.secret` and" in page


def test_every_older_name_is_told():
    page = (PAGES / "settings.md").read_text()
    assert all(f"| `{alias.variable}` |" in page for alias in ALIASES)
