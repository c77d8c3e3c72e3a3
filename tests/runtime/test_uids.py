"""Rules of a uid at work: starts that meet an open run or one that is over; starts that are one."""

import asyncio
import json
from datetime import timedelta

import pytest
from msgspec import Raw

from ostinato import Event, Fail
from ostinato.app import Once
from ostinato.config import LimitSettings, RetentionSettings
from ostinato.errors import Busy, ConflictError, InvalidInput
from ostinato.ports import Page, RunQuery
from tests.stage import Clock, Gate, one_job, reached, until, until_crash


@pytest.fixture
def turned(stage):
    """With a clock that is turned by hand."""
    stage.clock = Clock()
    return stage


WAIT = {"wait": {"event": ["GO", "ostinato.start"]}}


def order(job, on=None, **more):
    trigger = {"event": "ORDER", "uid": "event.data.id" if on is None else on}
    return one_job(job, on=[trigger], **more)


def event(number, **data):
    return Event(
        id=f"e{number}", source="test", type="ORDER", time=0, subject=None,
        data=Raw(json.dumps({"id": "o1"} | data).encode()),
    )  # fmt: skip


async def statuses(app):
    return [head.status for head in reversed(await app.runs(RunQuery(), Page(100)))]


# while it is open


async def test_without_a_rule_a_second_start_is_answered_with_the_open_run(stage):
    async with stage.app(order(WAIT)) as app:
        first = await app.start("w", uid="o1")
        again = await app.start("w", uid="o1")
        assert (again.id, again.duplicate) == (first.id, True)
        assert [one.runs for one in await app.accept([event(1), event(2)])] == [[first.id]] * 2


async def test_a_refused_start_is_a_conflict_and_a_refused_event_a_dead_letter(stage):
    async with stage.app(order(WAIT, uid={"open": "refuse"})) as app:
        first = await app.start("w", uid="o1")
        with pytest.raises(ConflictError, match=f"run {first.id} of w is open under the uid 'o1'"):
            await app.start("w", uid="o1")
        [accepted] = await app.accept([event(1)])
        assert accepted.runs == []
        letter = await app.dead_letter(accepted.dead_letters[0]["id"])
        assert b"`open: refuse`" in letter.reasons
        await app.cancel(first.id)
        assert (await app.redrive(letter.id)).redriven == 1


async def test_a_triggers_own_rule_beats_the_workflows(stage):
    on = {"key": "event.data.id", "open": "refuse"}
    async with stage.app(order(WAIT, on=on, uid={"open": "signal"})) as app:
        first = await app.start("w", uid="o1")
        assert (await app.accept([event(1)]))[0].runs == []
        assert (await app.start("w", uid="o1")).id == first.id


async def test_the_workflows_key_makes_the_uid_of_every_start_that_has_none(stage):
    document = one_job(WAIT, on=[{"event": "ORDER"}], uid="input.id")
    async with stage.app(document) as app:
        first = await app.start("w", id="o1")
        assert (await app.run_view(first.id)).uid == "o1"
        assert (await app.accept([event(1)]))[0].runs == [first.id]
        assert (await app.start("w", id="o1", uid="mine")).id != first.id
        assert not (await app.start("w", other=1)).duplicate
        with pytest.raises(InvalidInput, match="uid gave"):
            await app.start("w", id=[1])


# signal


async def test_an_event_is_heard_by_the_open_run_alone(stage):
    job = {"wait": {"event": "ORDER", "look_back": "none"}}
    async with stage.app(order(job, uid={"open": "signal"})) as app:
        first = await app.start("w", uid="o1")
        other = await app.start("w", uid="o2")
        await until(lambda: app.service.engine.residents.get(other.id).state.open)
        [accepted] = await app.accept([event(1)])
        assert accepted.runs == [first.id]
        await reached(app, first.id, "run.succeeded")


async def test_a_start_without_an_event_is_one_that_carries_its_input(stage):
    async with stage.app(
        order({"wait": {"event": "ostinato.start"}}, uid={"open": "signal"})
    ) as app:
        first = await app.start("w", uid="o1")
        again = await app.start("w", uid="o1", more=7)
        assert (again.id, again.duplicate) == (first.id, True)
        output = await first.result(5)
        assert output["j"]["data"] == {"more": 7}


TWO = {
    "workflow": "w",
    "on": [{"event": "ORDER", "uid": "event.data.id"}],
    "uid": {"open": "signal"},
    "phases": [
        {"phase": "p", "jobs": [{"job": "busy", "run": "gate"}]},
        {"phase": "q", "jobs": [{"job": "a", "wait": {"event": "ORDER", "look_back": "none"}}]},
        {"phase": "r", "jobs": [{"job": "b", "wait": {"event": "ORDER", "look_back": "none"}}]},
    ],
}


async def test_what_no_wait_fits_yet_is_kept_for_one_that_comes_later_also_through_a_crash(stage):
    async with until_crash(stage.app(TWO, handlers={"gate": Gate()})) as app:
        first = await app.start("w", uid="o1")
        await app.accept([event(1, n=1), event(2, n=2)])
    gate = Gate()
    gate.open.set()
    async with stage.app(TWO, handlers={"gate": gate}) as app:
        await reached(app, first.id, "run.succeeded")
        heard = [view.output for view in (await app.run_view(first.id)).jobs][1:]
        assert [json.loads(bytes(one))["data"]["n"] for one in heard] == [1, 2]


# queue


QUEUE = {"open": "queue"}


async def test_starts_wait_for_one_another_in_order_and_one_is_open(stage):
    gate = Gate()
    async with stage.app(order({"run": "gate"}, uid=QUEUE), handlers={"gate": gate}) as app:
        first = await app.start("w", uid="o1")
        rest = [await app.start("w", uid="o1") for _ in range(3)]
        [accepted] = await app.accept([event(1)])
        assert accepted.runs not in [[one.id] for one in (first, *rest)]
        assert await statuses(app) == ["running", *["pending"] * 4]
        view = await app.run_view(rest[0].id)
        assert (view.waiting_for, view.waits[0].kind) == ("uid", "uid")
        assert await app.count_runs(RunQuery(waiting_for="uid")) == 4
        gate.open.set()
        ids = [first.id, *[one.id for one in rest], *accepted.runs]
        for run_id in ids:
            await reached(app, run_id, "run.succeeded")
        spans = [(v.started_at, v.ended_at) for v in [await app.run_view(one) for one in ids]]
        assert [end for _, end in spans] == sorted(end for _, end in spans)
        assert (await app.storage.turns(), await app.storage.places()) == ([], [])


async def test_other_uids_do_not_wait(stage):
    async with stage.app(order(WAIT, uid=QUEUE)) as app:
        await app.start("w", uid="o1")
        await app.start("w", uid="o2")
        assert await statuses(app) == ["waiting", "waiting"]


async def test_the_queue_is_durable_and_nobody_passes_it_after_a_crash(stage):
    document = order(WAIT, uid=QUEUE)
    async with until_crash(stage.app(document)) as app:
        first = await app.start("w", uid="o1")
        second = await app.start("w", uid="o1")
    async with stage.app(document) as app:
        third = await app.start("w", uid="o1")
        await app.cancel(first.id)
        await reached(app, second.id, "job.waiting")
        assert (await app.run_view(third.id)).waiting_for == "uid"
        await app.cancel(second.id)
        await reached(app, third.id, "job.waiting")


async def test_one_that_waits_can_be_cancelled_and_the_next_moves_up(stage):
    async with stage.app(order(WAIT, uid=QUEUE)) as app:
        first, second, third = [await app.start("w", uid="o1") for _ in range(3)]
        await app.cancel(second.id)
        await app.cancel(first.id)
        await reached(app, third.id, "job.waiting")
        assert await statuses(app) == ["cancelled", "cancelled", "waiting"]


async def test_a_line_is_bounded(stage):
    async with stage.app(order(WAIT, uid=QUEUE), limits=LimitSettings(uid_queue=2)) as app:
        for _ in range(3):
            await app.start("w", uid="o1")
        with pytest.raises(Busy, match=r"2 runs of w wait under the uid 'o1' .*limits\.uid_queue"):
            await app.start("w", uid="o1")
        [accepted] = await app.accept([event(1)])
        assert len(accepted.dead_letters) == 1


async def test_an_open_run_that_began_under_another_rule_is_waited_for_too(stage):
    on = {"key": "event.data.id", "open": "queue"}
    async with stage.app(order(WAIT, on=on)) as app:
        first = await app.start("w", uid="o1")
        [accepted] = await app.accept([event(1)])
        assert (await app.start("w", uid="o1")).id == first.id
        await app.cancel(first.id)
        await reached(app, accepted.runs[0], "job.waiting")
        assert (await app.start("w", uid="o1")).id == accepted.runs[0]


async def test_a_line_and_a_limit_are_waited_for_together_and_in_order(stage):
    limit = {"key": "input.k", "limit": 1}
    async with stage.app(one_job(WAIT, uid=QUEUE, concurrency=limit)) as app:
        other = await app.start("w", k="a")
        first = await app.start("w", uid="o1", k="b")
        second = await app.start("w", uid="o1", k="a")
        third = await app.start("w", uid="o1", k="c")
        await reached(app, first.id, "job.waiting")
        await app.cancel(first.id)
        await until(lambda: not app.service.limiter.run_once(app.now()))
        for run in (second, third):  # the third's own limit has room: it does not pass
            assert (await app.run_view(run.id)).status == "pending"
        await app.cancel(other.id)
        await reached(app, second.id, "job.waiting")
        assert (await app.run_view(third.id)).status == "pending"
        await app.cancel(second.id)
        await reached(app, third.id, "job.waiting")


async def test_many_starts_at_once_are_all_there_and_one_is_open(stage):
    async with stage.app(order({"run": "noop"}, uid=QUEUE)) as app:
        runs = await asyncio.gather(*(app.start("w", uid="o1") for _ in range(30)))
        for run in runs:
            await reached(app, run.id, "run.succeeded")
        assert len({run.id for run in runs}) == 30


async def test_a_run_that_waits_and_was_stored_before_anything_runs_is_not_passed(stage):
    app = stage.app(order(WAIT, uid=QUEUE))
    await app.open()
    first = await app.start_run("w", {}, uid="o1")
    second = await app.start_run("w", {}, uid="o1")
    await app.close()
    app = stage.app(order(WAIT, uid=QUEUE))
    await app.open()
    third = await app.start_run("w", {}, uid="o1")
    await app.close()
    async with stage.app(order(WAIT, uid=QUEUE)) as app:
        await app.cancel(first.id)
        await reached(app, second.id, "job.waiting")
        assert (await app.run_view(third.id)).waiting_for == "uid"


async def test_a_failed_run_is_not_reopened_before_those_that_wait(stage):
    async with stage.app(order(WAIT, uid=QUEUE)) as app:
        first, second = [await app.start("w", uid="o1") for _ in range(2)]
        await app.cancel(first.id)
        with pytest.raises(ConflictError, match=f"run {second.id} is open under the uid"):
            await app.retry(first.id)


# when it is over


class Work:
    def __init__(self):
        self.mended = False
        self.calls = []

    async def first(self):
        self.calls.append("first")

    async def shaky(self):
        self.calls.append("shaky")
        if not self.mended:
            raise Fail("not yet")

    @property
    def handlers(self):
        return {"first": self.first, "shaky": self.shaky}


def steps(again, **more):
    return {
        "workflow": "w",
        "on": [{"event": "ORDER", "uid": "event.data.id"}],
        "uid": {"again": again},
        "phases": [
            {"phase": "p", "jobs": [{"job": "a", "run": "first"} | more]},
            {"phase": "q", "jobs": [{"job": "b", "run": "shaky"}]},
        ],
    }


async def test_a_failed_run_goes_on_from_where_it_failed(stage):
    work = Work()
    async with stage.app(steps("resume"), handlers=work.handlers) as app:
        first = await app.start("w", uid="o1")
        await reached(app, first.id, "run.failed")
        work.mended = True
        [accepted] = await app.accept([event(1)])
        assert accepted.runs == [first.id]
        await reached(app, first.id, "run.succeeded")
        assert work.calls == ["first", "shaky", "shaky"]
        reopened = [f for f in await app.history(first.id) if f["type"] == "run.reopened"]
        assert [(f["by"], f["why"]) for f in reopened] == [
            ("uid", "it was started again under its uid")
        ]
        again = await app.start("w", uid="o1")
        assert (again.id, again.duplicate) == (first.id, True)


async def test_a_cancelled_run_goes_on_too(stage):
    async with stage.app(order(WAIT, uid={"again": "resume"})) as app:
        first = await app.start("w", uid="o1")
        await app.cancel(first.id)
        assert (await app.start("w", uid="o1")).id == first.id
        await reached(app, first.id, "job.waiting", "p/j#2")
        await app.emit("GO")
        await reached(app, first.id, "run.succeeded")


async def test_what_was_taken_back_begins_anew(stage):
    work = Work()
    async with stage.app(steps("resume", undo="first"), handlers=work.handlers) as app:
        first = await app.start("w", uid="o1")
        await reached(app, first.id, "run.failed")
        assert (await app.start("w", uid="o1")).id != first.id


async def test_a_run_that_is_over_may_be_the_last(stage):
    async with stage.app(order({"run": "noop"}, uid={"again": "refuse"})) as app:
        first = await app.start("w", uid="o1")
        await reached(app, first.id, "run.succeeded")
        with pytest.raises(ConflictError, match=r"has succeeded \(`again: refuse`\)"):
            await app.start("w", uid="o1")
        assert not (await app.start("w", uid="o2")).duplicate


async def test_two_that_resume_in_one_tick_reopen_once(stage):
    work = Work()
    async with stage.app(steps("resume"), handlers=work.handlers) as app:
        first = await app.start("w", uid="o1")
        await reached(app, first.id, "run.failed")
        work.mended = True
        both = await asyncio.gather(*(app.start("w", uid="o1") for _ in range(4)))
        assert {run.id for run in both} == {first.id}
        await reached(app, first.id, "run.succeeded")
        assert [f["type"] for f in await app.history(first.id)].count("run.reopened") == 1


# starts that are one


DEDUP = one_job({"run": "noop"}, dedup={"key": "input.order", "window": "10m"})


async def test_within_the_window_a_second_start_counts_as_the_first_also_when_that_is_over(turned):
    async with turned.app(DEDUP) as app:
        first = await app.start("w", order="a")
        await reached(app, first.id, "run.succeeded")
        again = await app.start("w", order="a", more=1)
        assert (again.id, again.duplicate) == (first.id, True)
        assert (await app.start("w", order="b")).id != first.id
        turned.clock.time += 10 * 60_000 - 1
        assert (await app.start("w", order="a")).id == first.id
        turned.clock.time += 1
        assert (await app.start("w", order="a")).id != first.id


async def test_the_window_is_looked_at_and_kept_at_one_instant(turned):
    """A clock that goes on between the look and the transaction opens no gap between them."""
    store = turned.place.store()
    async with turned.app(DEDUP, store=store) as app:
        await app.start("w", order="a")
        turned.clock.time += 10 * 60_000 - 1
        known = store.known_events

        async def slowly(pairs):
            turned.clock.time += 1
            return await known(pairs)

        found = store.reply

        async def late(scope, key, now):
            turned.clock.time += 1
            return await found(scope, key, now)

        store.known_events, store.reply = slowly, late
        starts = [app.start("w", order="a", more=number) for number in range(3)]
        assert len({run.id for run in await asyncio.gather(*starts)}) == 1


async def test_many_at_once_are_one_through_every_door(stage):
    document = DEDUP | {"on": [{"event": "ORDER", "input": {"order": "event.data.id"}}]}
    async with stage.app(document) as app:
        one = await asyncio.gather(
            *(app.start("w", order="o1") for _ in range(5)),
            *(app.accept([event(number)]) for number in range(5)),
            app.accept([event(number) for number in range(5, 9)]),
        )
        ids = {run.id for run in one[:5]}
        ids |= {run_id for answers in one[5:] for each in answers for run_id in each.runs}
        assert len(ids) == 1
        assert await app.count_runs(RunQuery()) == 1


async def test_they_are_one_after_a_crash(stage):
    async with until_crash(stage.app(DEDUP)) as app:
        first = await app.start("w", order="a")
    async with stage.app(DEDUP) as app:
        assert (await app.start("w", order="a")).id == first.id


async def test_without_a_value_a_start_is_like_no_other(stage):
    async with stage.app(DEDUP) as app:
        assert (await app.start("w")).id != (await app.start("w")).id
        with pytest.raises(InvalidInput, match=r"dedup\.key gave \[1\]"):
            await app.start("w", order=[1])


async def test_an_event_without_a_key_that_can_be_one_is_a_dead_letter(stage):
    document = one_job({"run": "noop"}, on=["ORDER"], dedup={"key": "input.id", "window": "1m"})
    async with stage.app(document) as app:
        [accepted] = await app.accept([event(1, id=["a"])])
        assert len(accepted.dead_letters) == 1


async def test_a_run_that_was_removed_is_named_and_the_row_goes_with_its_window(turned):
    retention = RetentionSettings(runs=timedelta(minutes=1))
    async with turned.app(DEDUP, retention=retention) as app:
        first = await app.start("w", order="a")
        await reached(app, first.id, "run.succeeded")
        turned.clock.time += 5 * 60_000
        assert (await app.clean()).runs == 1
        with pytest.raises(
            ConflictError, match=rf"counts as run {first.id} \(`dedup`\), which was"
        ):
            await app.start("w", order="a")
        turned.clock.time += 5 * 60_000
        assert (await app.clean()).replies == 1
        assert not (await app.start("w", order="a")).duplicate


async def test_an_idempotency_key_beside_it_answers_what_it_answered(stage):
    async with stage.app(DEDUP) as app:
        once = Once("runs", "k", b"body", lambda view: b"answer")
        first = await app.start_run("w", {"order": "a"}, once=once)
        again = await app.start_run("w", {"order": "a"}, once=once)
        assert (again.id, again.replayed) == (first.id, True)
        other = Once("runs", "k2", b"body", lambda view: b"answer")
        assert (await app.start_run("w", {"order": "a"}, once=other)).id == first.id
        assert (await app.start_run("w", {"order": "a"}, once=other)).replayed
