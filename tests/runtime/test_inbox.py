"""Events and starts: duplicates, uids, idempotency, dead letters; how events and waits meet."""

import asyncio

import msgspec
import pytest
from msgspec import Raw

from ostinato.app import Once, Run
from ostinato.core.cloudevents import Event
from ostinato.errors import ConflictError, InvalidInput, StoreError
from ostinato.ports import EventQuery, RunQuery
from ostinato.runtime import service
from tests.stage import Clock, Gate, one_job, reached, types_of, until_crash

GO = one_job({"run": "noop"}, on=[{"event": "GO"}])
PAID = {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}}
WAITS = one_job({"wait": PAID}, on=[{"event": "GO", "uid": "event.data.id"}])
OPEN = one_job({"run": "gate"}, on=[{"event": "GO", "uid": "event.data.id"}])


def event(id="1", type="GO", data=None, source="s"):
    encoded = Raw(msgspec.json.encode(data or {}))
    return Event(id=id, source=source, type=type, time=0, subject=None, data=encoded)


# duplicates


async def test_a_duplicate_in_one_batch_starts_one_run(stage):
    async with stage.app(GO) as app:
        first, second, other = await app.accept([event(), event(), event(source="t")])
        assert (first.duplicate, second.duplicate, other.duplicate) == (False, True, False)
        assert first.runs == second.runs != other.runs
        assert await app.count_events(EventQuery()) == await app.count_runs(RunQuery()) == 2


async def test_duplicates_in_one_tick_start_one_run(stage):
    async with stage.app(GO) as app:
        answers = await asyncio.gather(*(app.emit("GO", id="1") for _ in range(20)))
        assert [answer.duplicate for answer in answers].count(False) == 1
        assert len({tuple(answer.runs) for answer in answers}) == await app.count_runs(RunQuery())


async def test_the_events_of_one_tick_are_looked_up_together(stage, monkeypatch):
    async with stage.app(GO) as app:
        asked, look_up = [], app.storage.known_events

        async def known_events(pairs):
            asked.append(len(pairs))
            return await look_up(pairs)

        monkeypatch.setattr(app.storage, "known_events", known_events)
        await asyncio.gather(*(app.emit("GO", id=str(number)) for number in range(20)))
        assert asked == [20]


async def test_a_duplicate_after_the_run_has_ended_gets_the_same_answer(stage):
    async with stage.app(GO) as app:
        first = await app.emit("GO", id="1")
        await reached(app, first.runs[0], "run.succeeded")
        second = await app.emit("GO", id="1")
        assert (second.duplicate, second.runs) == (True, first.runs)
    async with stage.app(GO) as app:
        third = await app.emit("GO", id="1")
        assert (third.duplicate, third.runs) == (True, first.runs)


async def test_an_event_without_a_trigger_is_stored_and_known_again(stage):
    async with stage.app(GO) as app:
        assert (await app.emit("UNKNOWN", id="1")).runs == []
        assert (await app.emit("UNKNOWN", id="1")).duplicate


async def test_a_batch_is_stored_whole_or_not_at_all(stage):
    async with stage.app(GO) as app:
        with pytest.raises(Exception, match=r"\S"):
            await app.accept([event("1"), event("2", data={"bad": 1}, source="\ud800")])
        assert await app.count_events(EventQuery()) == await app.count_runs(RunQuery()) == 0
        assert not (await app.emit("GO", id="1")).duplicate


async def test_an_event_that_does_not_fit_is_a_dead_letter_of_that_trigger_alone(stage):
    strict = GO | {
        "workflow": "strict",
        "input_schema": {
            "type": "object",
            "required": ["a", "b"],
            "properties": {"c": {"type": "integer"}},
        },
    }
    async with stage.app(GO) as app:
        await app.deploy(strict)
        accepted = await app.emit("GO", {"c": "x"}, id="1")
        assert [dead["trigger"] for dead in accepted.dead_letters] == ["strict/on/0"]
        (run_id,) = accepted.runs
        assert (await app.storage.head(run_id)).workflow == "w"
        (letter,) = await app.dead_letters()
        assert letter.id == accepted.dead_letters[0]["id"]
        assert (letter.event_id, letter.target) == ("1", "strict/on/0")
        reasons = msgspec.json.decode(letter.reasons)
        assert len(reasons) == 3
        again = await app.emit("GO", {"c": "x"}, id="1")
        assert again.dead_letters == accepted.dead_letters
        assert len(await app.dead_letters()) == 1


async def test_a_start_that_does_not_fit_is_refused(stage):
    async with stage.app(GO | {"input_schema": {"type": "object", "required": ["a"]}}) as app:
        with pytest.raises(InvalidInput):
            await app.start("w")
        with pytest.raises(InvalidInput):
            await app.start("w", input=[1])
        assert await app.count_runs(RunQuery()) == 0


# one open run per uid


async def test_one_run_is_open_per_uid(stage):
    gate = Gate()
    async with stage.app(OPEN, {"gate": gate.__call__}) as app:
        first = await app.start("w", uid="1")
        second = await app.start("w", uid="1")
        other = await app.start("w", uid="2")
        by_event = await app.emit("GO", {"id": 1})
        assert (second.id, second.duplicate) == (first.id, True)
        assert other.id != first.id
        assert by_event.runs == [first.id]
        gate.open.set()
        await first.result(5)
        again = await app.start("w", uid="1")
        assert (again.id != first.id, again.duplicate) == (True, False)


async def test_starts_of_one_uid_in_one_tick_are_one_run(stage):
    gate = Gate()
    async with stage.app(OPEN, {"gate": gate.__call__}) as app:
        runs = await asyncio.gather(*(app.start("w", uid="1") for _ in range(20)))
        assert len({run.id for run in runs}) == await app.count_runs(RunQuery()) == 1
        assert [run.duplicate for run in runs].count(False) == 1
        gate.open.set()


async def test_two_events_with_one_uid_in_one_batch_are_one_run(stage):
    gate = Gate()
    async with stage.app(OPEN, {"gate": gate.__call__}) as app:
        first, second = await app.accept([event("1", data={"id": 1}), event("2", data={"id": 1})])
        assert first.runs == second.runs
        assert not second.duplicate
        assert await app.count_runs(RunQuery()) == 1
        gate.open.set()


async def test_a_uid_is_held_by_a_run_that_is_not_in_memory(stage):
    async with stage.app(WAITS) as app:
        first = await app.start("w", uid="1", id="1")
    async with stage.app(WAITS) as app:
        assert app.service.engine.residents.get(first.id) is None
        assert (await app.start("w", uid="1", id="1")).id == first.id
        assert (await app.emit("GO", {"id": "1"})).runs == [first.id]


async def test_an_event_whose_uid_is_no_text_is_a_dead_letter(stage):
    async with stage.app(OPEN, {"gate": Gate().__call__}) as app:
        accepted = await app.emit("GO", {"id": [1]})
        assert accepted.runs == []
        assert "uid" in msgspec.json.decode((await app.dead_letters())[0].reasons)[0]["message"]


# idempotency


def once(body=b"body", key="k"):
    return Once("start", key, body, lambda view: f"answer of {view.id}".encode())


async def test_an_idempotent_start_is_done_once(stage):
    async with stage.app(GO) as app:
        first = await app.start_run("w", {}, once=once())
        second = await app.start_run("w", {}, once=once())
        await first.result(5)
        third = await app.start_run("w", {}, once=once())
        assert first.id == second.id == third.id
        assert (first.replayed, second.replayed, third.replayed) == (False, True, True)
        assert second.answer == third.answer == f"answer of {first.id}".encode()
        assert await app.count_runs(RunQuery()) == 1


async def test_an_idempotent_start_is_done_once_within_one_tick(stage):
    async with stage.app(GO) as app:
        runs = await asyncio.gather(*(app.start_run("w", {}, once=once()) for _ in range(10)))
        assert len({run.id for run in runs}) == await app.count_runs(RunQuery()) == 1
        assert [run.replayed for run in runs].count(False) == 1


async def test_a_key_that_was_used_for_another_request_is_a_conflict(stage):
    async with stage.app(GO) as app:
        await app.start_run("w", {}, once=once(b"one"))
        with pytest.raises(ConflictError, match="'k' was used"):
            await app.start_run("w", {}, once=once(b"two"))
        await app.start_run("w", {}, once=once(b"two", key="other"))


async def test_a_key_is_forgotten_in_the_end(clocked):
    async with clocked.app(GO) as app:
        first = await app.start_run("w", {}, once=once())
        clocked.jump(app, 24 * 3600)
        second = await app.start_run("w", {}, once=once(b"another"))
        assert not second.replayed
        assert first.id != second.id


async def test_an_idempotent_start_that_meets_an_open_uid_replays_that_run(stage):
    async with stage.app(WAITS) as app:
        first = await app.start("w", uid="1", id="1")
    async with stage.app(WAITS) as app:  # not in memory any more
        second = await app.start_run("w", {"id": "1"}, uid="1", once=once())
        third = await app.start_run("w", {"id": "1"}, uid="1", once=once())
        assert first.id == second.id == third.id
        assert third.replayed
        assert third.answer == f"answer of {first.id}".encode()


# events and waits


async def test_an_event_after_the_wait_continues_it(stage):
    async with stage.app(WAITS) as app:
        run = await app.start("w", id="1")
        await app.emit("PAID", {"id": "2"})
        await app.emit("PAID", {"id": "1", "n": 3}, id="e")
        output = await run.result(5)
        assert (output["j"]["id"], output["j"]["data"]["n"]) == ("e", 3)


FAIL = {"run": "fail", "with": {"message": "no"}}


@pytest.mark.parametrize(
    ("job", "then"),
    [
        (FAIL | {"catch": [{"on": "*", "do": {"wait": PAID}}]}, "run.succeeded"),
        ({"run": "noop", "undo": {"wait": PAID}}, "job.undone"),
    ],
    ids=["catch", "undo"],
)
async def test_a_wait_hears_its_event_also_in_what_stands_in_for_a_job(stage, job, then):
    document = one_job(job)
    if "undo" in job:
        document["phases"].append({"phase": "stop", "jobs": [{"job": "s"} | FAIL]})
    async with stage.app(document) as app:
        run = await app.start("w", id="1")
        await reached(app, run.id, "job.waiting")
        await app.emit("PAID", {"id": "1"})
        await reached(app, run.id, then)


async def test_an_event_before_the_wait_is_found_by_looking_back(stage):
    gate = Gate()
    document = {
        "workflow": "w",
        "phases": [
            {"phase": "p", "jobs": [{"job": "a", "run": "gate"}]},
            {"phase": "q", "jobs": [{"job": "j", "wait": PAID}]},
        ],
    }
    async with stage.app(document, {"gate": gate.__call__}) as app:
        run = await app.start("w", id="1")
        await gate.begun.wait()
        await app.emit("PAID", {"id": "1"}, id="e")
        gate.open.set()
        assert (await run.result(5))["j"]["id"] == "e"


async def test_an_event_from_before_the_run_is_not_found(clocked):
    async with clocked.app(WAITS) as app:
        await app.emit("PAID", {"id": "1"})
        clocked.jump(app, 1)
        run = await app.start("w", id="1")
        with pytest.raises(TimeoutError):
            await run.result(0.05)


async def test_an_event_and_a_wait_in_one_tick_meet(stage):
    async with stage.app(WAITS) as app:
        for number in range(20):
            name = str(number)
            run, _ = await asyncio.gather(app.start("w", id=name), app.emit("PAID", {"id": name}))
            await run.result(5)


async def test_a_run_is_not_continued_by_its_own_trigger(stage):
    wait = one_job({"wait": {"event": "GO"}}, on=[{"event": "GO", "uid": "event.data.id"}])
    async with stage.app(wait) as app:
        (run_id,) = (await app.emit("GO", {"id": "1"}, id="first")).runs
        await reached(app, run_id, "job.waiting")
        with pytest.raises(TimeoutError):
            await _run(app, run_id).result(0.05)
        await app.emit("GO", {"id": "1"}, id="second")
        assert (await _run(app, run_id).result(5))["j"]["id"] == "second"


async def test_an_event_satisfies_a_run_once(stage):
    jobs = [{"job": "a", "wait": PAID}, {"job": "b", "wait": PAID, "needs": ["a"]}]
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}
    async with stage.app(document) as app:
        run = await app.start("w", id="1")
        await app.emit("PAID", {"id": "1"}, id="e1")
        await reached(app, run.id, "job.waiting", "p/b")
        with pytest.raises(TimeoutError):
            await run.result(0.05)
        await app.emit("PAID", {"id": "1"}, id="e2")
        output = await run.result(5)
        assert (output["a"]["id"], output["b"]["id"]) == ("e1", "e2")


async def test_an_event_continues_every_run_that_waits_for_it(stage):
    async with stage.app(WAITS) as app:
        runs = [await app.start("w", id="1") for _ in range(5)]
        await app.emit("PAID", {"id": "1"})
        for run in runs:
            await run.result(5)


async def test_an_event_that_was_stored_but_not_told_is_told_after_the_crash(stage):
    async with until_crash(stage.app(WAITS)) as app:
        run = await app.start("w", id="1")
        app.service.engine.outlets.on_event = lambda *any: None  # the process dies between the two
        await app.emit("PAID", {"id": "1"}, id="e")
    async with stage.app(WAITS) as app:
        assert (await _run(app, run.id).result(5))["j"]["id"] == "e"


async def test_a_wait_that_was_stored_but_did_not_look_back_looks_after_the_crash(stage):
    stage.clock = Clock()
    gate = Gate()
    document = {
        "workflow": "w",
        "phases": [
            {"phase": "p", "jobs": [{"job": "a", "run": "gate"}]},
            {"phase": "q", "jobs": [{"job": "j", "wait": PAID}]},
        ],
    }
    async with until_crash(stage.app(document, {"gate": gate.__call__})) as app:
        run = await app.start("w", id="1")
        await gate.begun.wait()
        await app.emit("PAID", {"id": "1"}, id="e")
        app.service.engine.outlets.on_wait = lambda *any: None
        gate.open.set()
        await reached(app, run.id, "job.waiting")
    async with stage.app(document, {"gate": gate.__call__}) as app:
        assert (await _run(app, run.id).result(5))["j"]["id"] == "e"


async def test_a_look_up_that_fails_is_done_again(stage, monkeypatch):
    monkeypatch.setattr(service, "PAUSE", 0.01)
    async with stage.app(WAITS) as app:
        run = await app.start("w", id="1")
        find_waits, failures = app.storage.find_waits, [1, 2]

        async def failing(*asked):
            if failures:
                failures.pop()
                raise StoreError("the disk is gone")
            return await find_waits(*asked)

        app.storage.find_waits = failing
        await app.emit("PAID", {"id": "1"})
        await run.result(5)
        assert not failures


async def test_an_event_meets_a_wait_of_a_run_that_is_over_without_harm(stage):
    async with stage.app(WAITS) as app:
        run = await app.start("w", id="1")
        await asyncio.gather(*(app.emit("PAID", {"id": "1"}) for _ in range(5)))
        await run.result(5)
        assert (await types_of(app, run.id)).count("job.succeeded") == 1


def _run(app, run_id):
    return Run(app, run_id)
