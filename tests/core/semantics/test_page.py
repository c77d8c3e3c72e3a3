"""The page says what the tests hold, rule by rule."""

from collections import Counter
from pathlib import Path

from tests.core.semantics.page import MODULES, PAGE, page


def test_the_page_is_made_of_the_rules():
    assert PAGE.read_text().rstrip() == page().rstrip(), "write it again: see page.py"


def test_an_id_names_one_rule():
    ids = Counter(rule.id for module in MODULES for rule in module.RULES)
    assert [name for name, times in ids.items() if times > 1] == []


def test_every_table_is_on_the_page():
    here = Path(__file__).parent
    tables = {path.stem for path in here.glob("test_*.py") if "\nRULES = [" in path.read_text()}
    assert tables == {module.__name__.rpartition(".")[2] for module in MODULES}
