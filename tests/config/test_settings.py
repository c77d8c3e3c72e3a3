"""No setting stands in the tables that nothing reads."""

import ast
from pathlib import Path

import pytest

import ostinato
from ostinato.config import settings_table

SRC = Path(ostinato.__file__).parent
FILES = [path for path in SRC.rglob("*.py") if path.relative_to(SRC).parts[0] != "config"]


def attributes(tree):
    """Each ``owner.name`` in a module; of a longer owner, its last name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = node.value
            yield getattr(owner, "attr", getattr(owner, "id", "")), node.attr


READ_AS = {"store": "only_store"}
"""What is read in another form."""

READ = {pair for path in FILES for pair in attributes(ast.parse(path.read_text()))}


@pytest.mark.parametrize("name", sorted(settings_table().keys() - {"aliases"}))  # that is config's
def test_every_setting_is_read_outside_config(name):
    group, _, last = name.rpartition(".")
    owners = {group, "settings"} if group else {"settings"}
    assert READ & {(owner, READ_AS.get(name, last)) for owner in owners}
