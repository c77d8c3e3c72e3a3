"""Lists of a set are those of one store with the same rows: page by page, in their order."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from ostinato import App
from ostinato.app.pages import place_of, place_of_letter, place_of_task
from ostinato.app.shards import Shards
from ostinato.config import Settings
from ostinato.core.cloudevents import Event
from ostinato.ports import EventQuery, LetterQuery, Page, RunQuery, StoredEvent, TaskQuery
from ostinato.storage.memory import Disk, MemoryStorage
from ostinato.testing.storage_contract.hooks import write
from ostinato.testing.storage_contract.samples import ended, letter, task

COUNT = 3


async def set_of(rows):
    """A set and one store alone that have the same; ``rows`` are (kind, row, number)."""
    app = App(Settings(store=tuple(f"sqlite:///{number}" for number in range(COUNT))))
    shards = Shards(app)
    alone = App(Settings(store="memory:"), storage=MemoryStorage(Disk()))
    for part in (*shards.parts, alone):
        part._storage = MemoryStorage(Disk())
        await part.storage.open()
    for kind, row, number in rows:
        for part in (shards.parts[number], alone):
            await write(part.storage, **{kind: [row]})
    return shards, alone


async def paged(read, cursor_of, limit):
    """All pages of a list, one behind the other."""
    found, page = [], Page(limit)
    while lot := await read(page):
        assert len(lot) <= limit
        found += lot
        page = replace(page, cursor=cursor_of(lot[-1]))
    return found


def run_row(n):
    return "new_heads", ended(f"{n:026d}", uid=f"u{n % 3}")


def letter_row(n):
    return "dead_letters", letter(f"l{n:03d}", n // 3)


def task_row(n):
    return "tasks", task(f"t{n:03d}", n // 3)


def event_row(n):
    event = Event(f"e{n:03d}", f"s/{n % 2}", "GO", 0, None, Raw(b"{}"))
    return "events", StoredEvent(event, n // 3, b'{"id":"e","source":"s","runs":[]}')


LISTS = {
    "runs": (run_row, lambda app, page: app.runs(RunQuery(), page), lambda one: one.run_id),
    "letters": (
        letter_row,
        lambda app, page: app.dead_letters(LetterQuery(), page),
        place_of_letter,
    ),
    "oldest letters": (
        letter_row,
        lambda app, page: app.dead_letters(LetterQuery(oldest_first=True), page),
        place_of_letter,
    ),
    "tasks": (task_row, lambda app, page: app.task_rows(TaskQuery(), page), place_of_task),
    "events": (event_row, lambda app, page: app.events(EventQuery(), page), place_of),
}


@pytest.mark.parametrize("name", LISTS)
@settings(max_examples=25)
@given(numbers=st.lists(st.integers(0, COUNT - 1), max_size=14), limit=st.integers(1, 16))
async def test_a_list_is_that_of_one_store(name, numbers, limit):
    make, read, cursor_of = LISTS[name]
    rows = [(*make(n), number) for n, number in enumerate(numbers)]
    shards, alone = await set_of(rows)
    found = await paged(lambda page: read(shards, page), cursor_of, limit)
    assert found == await paged(lambda page: read(alone, page), cursor_of, limit)
    assert len(found) == len(numbers)


async def test_counts_add_up():
    rows = [(*make(n), n % COUNT) for make in (run_row, letter_row, task_row) for n in range(7)]
    shards, alone = await set_of(rows)
    for app in (shards, alone):
        assert await app.count_runs(RunQuery()) == 7
        assert await app.count_runs(RunQuery(uid="u1")) == 2
        assert await app.count_tasks(TaskQuery()) == 7
        assert await app.count_dead_letters() == 7
