"""What an event is answered with says which of its runs were there already, and why none began."""

import pytest
from msgspec import UNSET

from ostinato import App

WAITS = "phases: [{phase: p, jobs: [{job: j, wait: 1h}]}]"
SAME = f"{{workflow: w, on: [{{event: GO, uid: event.data.id}}], {WAITS}}}"
SIGNAL = SAME.replace("uid: event.data.id", "uid: {key: event.data.id, open: signal}")
QUEUE = SAME.replace("uid: event.data.id", "uid: {key: event.data.id, open: queue}")
REFUSE = SAME.replace("uid: event.data.id", "uid: {key: event.data.id, open: refuse}")
DEDUP = f"{{workflow: w, on: [{{event: GO}}], dedup: {{key: input.id, window: 1h}}, {WAITS}}}"


async def twice(app, document):
    await app.deploy(document)
    return [await app.emit("GO", {"id": "o-1"}) for _ in range(2)]


@pytest.mark.parametrize("document", [SAME, SIGNAL, DEDUP], ids=["same", "signal", "dedup"])
async def test_a_run_that_was_there_is_joined(document):
    async with App(store="memory:") as app:
        first, second = await twice(app, document)
        assert (first.joined, second.runs, second.joined) == (UNSET, first.runs, first.runs)
        assert not second.duplicate  # the event itself is new
        again = await app.emit("GO", {"id": "o-1"}, id=second.id, source=second.source)
        assert (again.duplicate, again.joined) == (True, first.runs)


async def test_a_run_that_waits_behind_it_is_another():
    async with App(store="memory:") as app:
        first, second = await twice(app, QUEUE)
        assert second.runs != first.runs
        assert second.joined is UNSET


async def test_a_start_that_is_refused_says_why():
    async with App(store="memory:") as app:
        first, second = await twice(app, REFUSE)
        (letter,) = second.dead_letters
        assert (second.runs, letter["trigger"]) == ([], "w/on/0")
        assert first.runs[0] in letter["reason"]
        assert "'o-1'" in letter["reason"]
