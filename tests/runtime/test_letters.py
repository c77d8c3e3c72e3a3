"""Dead letters: kept whole, redriven once, by what is deployed now."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest

from ostinato.app import Run
from ostinato.bus.memory import MemoryBus
from ostinato.errors import NotFoundError, TooLarge, UsageError
from ostinato.ports import EventQuery, LetterQuery, RunQuery
from tests.stage import Gate, one_job, reached, types_of, until_crash

NEEDS = {"type": "object", "required": ["a"]}
STRICT = one_job({"run": "noop"}, on=[{"event": "GO"}], input_schema=NEEDS)
MENDED = one_job({"run": "noop"}, on=[{"event": "GO", "input": "{'a': 1}"}], input_schema=NEEDS)
OPEN = one_job({"run": "gate"}, on=[{"event": "GO", "uid": "event.data.id"}])


async def unfit(app, id="1", data=None):
    accepted = await app.emit("GO", {"n": 1} if data is None else data, id=id)
    return accepted.dead_letters[0]["id"]


async def test_a_letter_holds_its_event_and_every_reason(stage):
    async with stage.app(STRICT | {"input_schema": NEEDS | {"required": ["a", "b"]}}) as app:
        letter = await app.dead_letter(await unfit(app))
        assert (letter.kind, letter.target, letter.attempts) == ("trigger", "w/on/0", 1)
        assert (letter.event.id, letter.event.type, letter.run_id) == ("1", "GO", None)
        assert bytes(letter.event.data) == b'{"n":1}'
        assert len(msgspec.json.decode(letter.reasons)) == 2
        assert app.health()["deadLetters"] == {"trigger": 1}


async def test_a_letter_whose_trigger_was_mended_starts_its_run(stage):
    async with stage.app(STRICT) as app:
        letter_id = await unfit(app)
        await app.deploy(MENDED)
        (done,) = (await app.redrive(letter_id, by="ada")).letters
        assert done.outcome == "redriven"
        await Run(app, done.runs[0]).result(5)
        view = await app.run_view(done.runs[0])
        assert msgspec.json.decode(view.input) == {"a": 1}
        assert msgspec.json.decode(view.event)["id"] == "1"
        letter = await app.dead_letter(letter_id)
        assert (letter.redriven_by, letter.redriven_run) == ("ada", done.runs[0])
        assert letter.redriven_at is not None


async def test_what_still_does_not_fit_stays_with_the_new_reasons(stage):
    async with stage.app(STRICT) as app:
        letter_id = await unfit(app)
        await app.deploy(STRICT | {"input_schema": {"type": "object", "required": ["zzz"]}})
        (done,) = (await app.redrive(letter_id)).letters
        assert (done.outcome, done.runs) == ("stays", [])
        letter = await app.dead_letter(letter_id)
        assert (letter.attempts, letter.redriven_at, letter.redriven_by) == (2, None, None)
        assert b"zzz" in letter.reasons
        assert await app.count_runs(RunQuery()) == 0


@pytest.mark.parametrize("change", ["deleted", "narrowed", "moved"])
async def test_a_trigger_that_takes_the_event_no_longer_is_a_reason(stage, change):
    async with stage.app(STRICT) as app:
        letter_id = await unfit(app)
        if change == "deleted":
            await app.delete_workflow("w")
        elif change == "narrowed":
            await app.deploy(MENDED | {"on": [{"event": "GO", "pattern": {"data": {"n": [2]}}}]})
        else:
            await app.deploy(MENDED | {"on": [{"event": "OTHER"}]})
        (done,) = (await app.redrive(letter_id)).letters
        assert done.outcome == "stays"
        assert "w/on/0 does not take this event" in done.reasons[0]["message"]


async def test_other_triggers_of_the_event_do_not_run_again(stage):
    async with stage.app(STRICT) as app:
        await app.deploy(one_job({"run": "noop"}, "other", on=[{"event": "GO"}]))
        letter_id = await unfit(app)
        await app.deploy(MENDED)
        await app.redrive(letter_id)
        assert await app.count_runs(RunQuery(workflow="other")) == 1
        assert await app.count_runs(RunQuery(workflow="w")) == 1


async def test_twice_is_once(stage):
    async with stage.app(STRICT) as app:
        letter_id = await unfit(app)
        await app.deploy(MENDED)
        answers = await asyncio.gather(*(app.redrive(letter_id) for _ in range(5)))
        outcomes = sorted(answer.letters[0].outcome for answer in answers)
        assert outcomes == ["already"] * 4 + ["redriven"]
        assert len({tuple(answer.letters[0].runs) for answer in answers}) == 1
        assert await app.count_runs(RunQuery()) == 1
    async with stage.app(STRICT) as app:
        assert (await app.redrive(letter_id)).letters[0].outcome == "already"


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_a_redrive_whose_commit_is_unknown_is_done_once(stage, outcome):
    store = stage.place.store()
    async with stage.app(STRICT, store=store) as app:
        letter_id = await unfit(app)
        await app.deploy(MENDED)
        await app.service.engine.rest()
        stage.place.break_next_commit(store, outcome)
        (done,) = (await app.redrive(letter_id)).letters
        assert done.outcome == "redriven"
        assert await app.count_runs(RunQuery()) == 1
        assert (await app.dead_letter(letter_id)).redriven_run == done.runs[0]


async def test_a_redriven_run_joins_the_one_that_is_open_under_its_uid(stage):
    gate = Gate()
    strict = OPEN | {"input_schema": NEEDS}
    async with stage.app(strict, {"gate": gate.__call__}) as app:
        letter_id = await unfit(app, data={"id": 7})
        await app.deploy(OPEN | {"input_schema": {"type": "object"}})
        run = await app.start("w", uid="7", a=1)
        (done,) = (await app.redrive(letter_id)).letters
        assert (done.outcome, done.runs) == ("redriven", [run.id])
        assert await app.count_runs(RunQuery()) == 1
        gate.open.set()
        await run.result(5)


async def test_all_that_fit_are_redriven_oldest_first_in_lots(clocked):
    async with clocked.app(STRICT) as app:
        for n in range(5):
            clocked.clock.time += 1
            await unfit(app, str(n))
        await app.deploy(MENDED)
        first = await app.redrive(where=LetterQuery(kind="trigger"), limit=3)
        assert (first.matched, first.redriven) == (3, 3)
        rest = await app.redrive(where=LetterQuery(), cursor=first.cursor)
        assert (rest.matched, rest.cursor) == (2, None)
        runs = [one.runs[0] for one in first.letters + rest.letters]
        events = [msgspec.json.decode((await app.run_view(run)).event)["id"] for run in runs]
        assert events == ["0", "1", "2", "3", "4"]
        assert (await app.redrive(where=LetterQuery())).matched == 0
        assert await app.count_dead_letters(LetterQuery(redriven=True)) == 5


async def test_a_dry_run_says_what_would_fit_and_changes_nothing(stage):
    async with stage.app(STRICT) as app:
        ids = [await unfit(app, "1"), await unfit(app, "2", {"n": 2})]
        fits = [{"event": "GO", "pattern": {"data": {"n": [2]}}, "input": "{'a': 1}"}]
        await app.deploy(MENDED | {"on": fits})
        before = await app.dead_letters()
        done = await app.redrive(*ids, dry_run=True)
        assert [one.outcome for one in done.letters] == ["stays", "would"]
        assert await app.dead_letters() == before
        assert await app.count_runs(RunQuery()) == 0


async def test_a_letter_that_is_not_there_and_a_wrong_question_are_refused(here):
    async with here.app(STRICT) as app:
        with pytest.raises(NotFoundError, match="no dead letter 'x'"):
            await app.redrive("x")
        for wrong in (
            {},
            {"where": LetterQuery(), "limit": 0},
            {"where": LetterQuery(), "limit": 1001},
        ):
            with pytest.raises(UsageError, match="dead letters"):
                await app.redrive(**wrong)
        for beside in ({"limit": 5}, {"cursor": "x"}):
            with pytest.raises(UsageError, match="go with `where`"):
                await app.redrive("x", **beside)


# consumers


def consuming(stage, broken):
    app, heard = stage.app(), []

    @app.consumer("ASKED", attempts=2, delay="1ms")
    async def on_asked(event):
        if broken:
            raise ValueError("no ink")
        heard.append((event.id, event.source))

    return app, heard


async def failed_consumer(app):
    accepted = await app.emit("ASKED", {"n": 1}, id="q1")
    await reached(app, accepted.runs[0], "run.failed")
    return accepted.runs[0]


async def test_a_consumer_that_failed_for_good_leaves_a_letter_with_its_failure(stage):
    app, _ = consuming(stage, broken=True)
    async with app:
        run_id = await failed_consumer(app)
        (letter,) = await app.dead_letters()
        assert (letter.kind, letter.target) == ("consumer", "consumer-on_asked")
        assert (letter.run_id, letter.attempts, letter.event.id) == (run_id, 2, "q1")
        assert b"ValueError: no ink" in letter.reasons
        assert app.health()["deadLetters"] == {"consumer": 1}


async def test_a_consumer_that_was_mended_gets_the_same_event_again(stage):
    app, _ = consuming(stage, broken=True)
    async with app:
        run_id = await failed_consumer(app)
    app, heard = consuming(stage, broken=False)
    async with app:
        (letter,) = await app.dead_letters()
        (done,) = (await app.redrive(letter.id)).letters
        assert done.runs[0] != run_id
        await Run(app, done.runs[0]).result(5)
        assert heard == [("q1", "ostinato/app")]
        assert "run.failed" in await types_of(app, run_id)
        assert await app.count_events(EventQuery()) == 1


async def test_a_failed_run_of_another_workflow_is_no_letter(stage):
    broken = one_job({"run": "fail", "with": {"message": "no"}}, on=[{"event": "GO"}])
    async with stage.app(broken) as app:
        await reached(app, (await app.emit("GO")).runs[0], "run.failed")
        assert await app.dead_letters() == []


# outgoing


@asynccontextmanager
async def refused_by_the_bus(stage):
    """An app, its store, and the letter of an event that the bus takes from now on."""
    store, refusing = stage.place.store(), [True]
    emits = one_job({"emit": {"type": "DONE", "data": {"n": 2}}})
    async with stage.app(emits, store=store) as app:
        accept = app._from_bus

        async def choosy(events):
            if refusing[0]:
                raise TooLarge("not this one")
            await accept(events)

        app.own = app.service.outbox.own.bus = MemoryBus()
        await app.own.subscribe("DONE", choosy)
        run = await app.start("w")
        await run.result(5)
        while not (letters := await app.dead_letters()):
            await asyncio.sleep(0)
        (letter,) = letters
        assert (letter.run_id, letter.event.id) == (run.id, f"{run.id}:p/j")
        refusing[0] = False
        yield app, store, letter


async def gone_out(app, letter):
    while not (found := await app.storage.events_by_id(letter.event.id)):
        await asyncio.sleep(0)
    assert bytes(found[0].event.data) == b'{"n":2}'
    assert len(await app.dead_letters(LetterQuery(redriven=False))) == 0


async def test_an_outgoing_letter_goes_out_again_under_the_same_id(stage):
    async with refused_by_the_bus(stage) as (app, _, letter):
        answers = await asyncio.gather(app.redrive(letter.id), app.redrive(letter.id))
        assert sorted(a.letters[0].outcome for a in answers) == ["already", "redriven"]
        await gone_out(app, letter)


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_it_goes_out_though_the_end_of_the_commit_is_unknown(stage, outcome):
    async with refused_by_the_bus(stage) as (app, store, letter):
        await app.service.engine.rest()
        stage.place.break_next_commit(store, outcome)
        await app.redrive(letter.id)
        await asyncio.wait_for(gone_out(app, letter), 10)


async def test_a_redrive_survives_a_crash(stage):
    async with until_crash(stage.app(STRICT)) as app:
        letter_id = await unfit(app)
        await app.deploy(MENDED)
        (done,) = (await app.redrive(letter_id)).letters
    async with stage.app() as app:
        await Run(app, done.runs[0]).result(5)
        assert (await app.redrive(letter_id)).letters[0].runs == done.runs
