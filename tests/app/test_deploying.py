"""Documents of other days: what is refused now must not keep the others from their work."""

from dataclasses import replace

import pytest

from ostinato.app import Run
from ostinato.errors import DefinitionError
from tests.stage import Memory, Stage, one_job

OLD = one_job({"run": "noop"}, "old", on=[{"event": "GO"}])
NEW = one_job({"run": "noop"}, "new", on=[{"event": "GO"}])


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
