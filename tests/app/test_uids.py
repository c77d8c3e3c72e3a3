"""A uid is a name: it has a length, and can be printed."""

import pytest

from ostinato import App, InvalidInput

WAITS = "{workflow: w, phases: [{phase: p, jobs: [{job: j, wait: 1h}]}]}"
TRIGGERED = WAITS.replace("phases", "on: [{event: GO, uid: event.data.id}], phases")


@pytest.mark.parametrize("uid", ["", "x" * 257, "a\0b", "line\nbreak"])
async def test_what_cannot_be_a_uid_is_refused(uid):
    async with App(store="memory:") as app:
        await app.deploy(WAITS)
        with pytest.raises(InvalidInput, match="1 to 256 printable characters"):
            await app.start("w", uid=uid)


async def test_an_event_that_makes_no_uid_is_a_dead_letter_of_its_trigger():
    async with App(store="memory:") as app:
        await app.deploy(TRIGGERED)
        assert (await app.emit("GO", {"id": "x" * 256})).runs
        accepted = await app.emit("GO", {"id": "x" * 257})
        assert accepted.runs == []
        assert len(accepted.dead_letters) == 1
