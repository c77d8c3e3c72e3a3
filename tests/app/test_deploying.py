"""Documents of other days: what is refused now must not keep the others from their work."""

from dataclasses import replace

import pytest

from ostinato.app import Run
from ostinato.errors import DefinitionError
from tests.stage import Memory, Stage, one_job

OLD = one_job({"run": "noop"}, "old", on=[{"event": "GO"}])
NEW = one_job({"run": "noop"}, "new", on=[{"event": "GO"}])


TYPED = [
    {"detail-type": ["GO"], "detail": {"n": [1]}},
    {"type": [{"prefix": "G"}], "data": {"n": [1]}},
    {"$or": [{"type": ["GO"], "data": {"n": [1]}}, {"data": {"n": [3]}}]},
]


@pytest.mark.parametrize("pattern", TYPED, ids=lambda pattern: next(iter(pattern)))
async def test_a_trigger_whose_pattern_asks_for_a_type_too(pattern):
    """As EventBridge's own patterns do. Once such a document was taken, no app could be opened."""
    stage = Stage(Memory())
    async with stage.app(NEW) as app:
        await app.deploy(
            one_job({"run": "noop"}, "typed", on=[{"event": "GO", "pattern": pattern}])
        )
        assert len((await app.emit("GO", {"n": 1})).runs) == 2
        assert len((await app.emit("GO", {"n": 2})).runs) == 1
    async with stage.app() as app:
        assert len((await app.emit("GO", {"n": 1})).runs) == 2


async def test_a_pattern_that_asks_for_another_type_than_its_trigger_starts_nothing():
    trigger = {"event": ["GO", "STOP"], "pattern": {"type": ["STOP", "OTHER"]}}
    async with Stage(Memory()).app(one_job({"run": "noop"}, on=[trigger])) as app:
        started = {name: len((await app.emit(name)).runs) for name in ("GO", "STOP", "OTHER")}
    assert started == {"GO": 0, "STOP": 1, "OTHER": 0}


@pytest.mark.parametrize("retired", [False, True])
async def test_a_stored_document_that_is_refused_now_stops_nobody(retired):
    stage = Stage(Memory())
    async with stage.app(OLD) as app:
        await app.deploy(NEW)
        if retired:
            await app.delete_workflow("old")
    store = stage.place.store()
    versions = store.versions

    async def spoilt():
        return [
            replace(one, document=b'{"workflow": "old", "stages": []}')
            if one.workflow == "old"
            else one
            for one in await versions()
        ]

    store.versions = spoilt
    async with stage.app(store=store) as app:
        accepted = await app.emit("GO")
        assert len(accepted.runs) == 1
        await Run(app, accepted.runs[0]).result(5)
        listed = {one.name: one for one in await app.workflows()}
        assert sorted(listed) == (["new"] if retired else ["new", "old"])
        if not retired:
            assert "cannot be read" in listed["old"].warnings[0]
            with pytest.raises(DefinitionError):
                await app.start("old")
            assert await app.deploy(OLD | {"description": "mended"}) == 2
            await (await app.start("old")).result(5)
