"""What is heavy is shown a part at a time, and nothing is left out on the way."""

import pytest

from ostinato.app import pages
from ostinato.ports import LetterQuery
from ostinato.web.asgi import application
from tests.stage import Memory, Stage, one_job
from tests.web.conftest import client_of

ECHO = one_job({
    "run": "echo", "with": {"t": "${ input.t }", "n": "${ index }"},
    "each": {"in": "input.items", "as": "item", "at_once": 1},
})  # fmt: skip
STRICT = {
    "workflow": "strict",
    "on": [{"event": "GO"}],
    "input_schema": {"type": "object", "required": ["missing"]},
    "phases": [{"phase": "p", "jobs": [{"job": "j", "run": "noop"}]}],
}


@pytest.fixture(autouse=True)
def heavy(monkeypatch):
    monkeypatch.setattr(pages, "HEAVY", 1_000)
    monkeypatch.setattr(pages, "LARGE", 100)
    monkeypatch.setattr(pages, "LOT", 3)


@pytest.fixture
async def served():
    async with Stage(Memory()).app(ECHO) as app:
        await app.deploy(STRICT)
        async with client_of(application(app)) as http:
            yield app, http


async def all_pages(http, path):
    """Every page of a list."""
    found = []
    while path:
        answer = await http.get(path)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        path = answer.headers.get("link", "<").partition(">")[0][1:]
    return found


async def started(app):
    run = await app.start("w", t="x" * 300, items=list(range(9)))
    await run.result(10)
    return run


@pytest.mark.parametrize(("limit", "sizes"), [(50, [3, 3, 1]), (2, [2, 2, 2, 1])])
async def test_events(served, limit, sizes):
    app, http = served
    for number in range(7):
        await app.emit("NOBODYS", "x" * 300, id=f"e{number}")
    found = await all_pages(http, f"/events?limit={limit}")
    assert [len(page) for page in found] == sizes
    ids = [event["id"] for page in found for event in page]
    assert ids == [f"e{number}" for number in reversed(range(7))]


async def test_one_that_is_too_heavy_alone_is_shown_alone(served):
    app, http = served
    for number in range(3):
        await app.emit("NOBODYS", "x" * 3_000, id=f"e{number}")
    assert [len(page) for page in await all_pages(http, "/events")] == [1, 1, 1]


async def test_dead_letters(served):
    app, http = served
    for number in range(5):
        await app.emit("GO", {"t": "x" * 300}, id=f"e{number}")
    found = await all_pages(http, "/dead-letters")
    assert [len(page) for page in found] == [3, 2]
    done = await app.redrive(where=LetterQuery(), dry_run=True)
    assert (done.matched, done.cursor is None) == (3, False)
    rest = await app.redrive(where=LetterQuery(), dry_run=True, cursor=done.cursor)
    assert (rest.matched, rest.cursor) == (2, None)


async def test_a_history(served):
    app, http = served
    run = await started(app)
    found = await all_pages(http, f"/runs/{run.id}/history?limit=1000")
    assert len(found) > 4
    facts = [fact for page in found for fact in page]
    assert [fact["seq"] for fact in facts] == list(range(len(facts)))
    assert facts == await whole_history(app, run)
    assert [fact async for fact in app.stream(run.id)] == await app.history(run.id)


async def whole_history(app, run):
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(await app.history(run.id)))


async def test_a_run(served):
    app, http = served
    run = await started(app)
    shown = (await http.get(f"/runs/{run.id}")).json()
    assert len(shown["jobs"]) == 9
    assert not any("output" in job or "input" in job for job in shown["jobs"])
    assert "left out here" in shown["warnings"][0]
    assert len((await run.view()).jobs[0].output) > 300
    small = await app.start("w", t="x", items=[1])
    await small.result(10)
    shown = (await http.get(f"/runs/{small.id}")).json()
    assert (shown["jobs"][0]["output"], shown["warnings"]) == ({"t": "x", "n": 0}, [])
