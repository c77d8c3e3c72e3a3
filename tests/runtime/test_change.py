"""What one post writes comes into the batch of many, whatever kind of row it is."""

from ostinato.ports import Batch
from ostinato.runtime.change import Change, batch_of

OF_THE_BATCH = {"epoch", "inline", "known"}
BY_COMMANDS = {"records", "new_heads", "waits", "closed_waits", "turns", "tasks"}
"""Runs ask for these, and no post writes them by itself."""


def filled(name):
    """One row of this kind; what it holds does not matter here."""
    value = getattr(Batch(), name)
    return {"row": None} if isinstance(value, dict) else ["row"] if value == [] else "row"


def test_each_kind_of_row_that_a_post_may_write_reaches_the_batch():
    change = Change()
    kinds = set(Batch.__struct_fields__) - OF_THE_BATCH - BY_COMMANDS
    for name in kinds:
        setattr(change.rows, name, filled(name))
    batch = batch_of(1, 0, [change])
    assert {name for name in kinds if getattr(batch, name) == filled(name)} == kinds
