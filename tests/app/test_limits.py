"""Every row of the page of limits is a case, has the default of its setting, and is kept."""

import re
from pathlib import Path

import pytest

from ostinato.config.settings import settings_table
from tests.app import limit_asked
from tests.app.limit_cases import CASES
from tests.stage import Memory, Stage

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/limits.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
ROWS = [row for row in ROWS if row[0] != "what" and not row[0].startswith("---")]


def test_all_cases_are_there():
    assert limit_asked.page in [check for _, check in CASES.values()]


@pytest.mark.parametrize("name", CASES)
async def test_a_limit_is_kept(name):
    _, check = CASES[name]
    await check(Stage(Memory()))


def test_the_page_and_the_cases_name_the_same_limits():
    on_the_page = {what: setting.strip("`").replace("` × ", " × ") for what, _, setting, _ in ROWS}
    assert on_the_page == {name: setting for name, (setting, _) in CASES.items()}


def test_defaults_on_the_page_are_those_of_the_settings():
    table = settings_table()
    for what, limit, setting, _ in ROWS:
        known = table.get(setting.strip("`"))
        if known is not None:
            assert limit == known.shown(known.default), what


def test_every_setting_of_limits_stands_on_the_page():
    limits = {name for name in settings_table() if name.startswith("limits.")}
    assert {name for name in limits if f"`{name}`" not in PAGE} == set()
