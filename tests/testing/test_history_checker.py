"""Each violation is planted, and found; a sound store has none."""

import pytest
from msgspec import Raw
from msgspec.structs import replace

from ostinato.app.checking.rules import Entry, _nothing_twice, given_up_in_time
from ostinato.core import facts as f
from ostinato.core.cloudevents import Event
from ostinato.core.codec import VERSION, decode_facts, encode_facts
from ostinato.core.schedules import event_of
from ostinato.ports import Batch, Outgoing, Record, StoredEvent, Wait
from ostinato.testing.history_checker import Journal, check_history, check_store
from ostinato.testing.storage_contract.samples import task, task_end
from tests.stage import NOON, Clock, Memory, Stage, one_job, reached

DOCUMENT = {
    "workflow": "w",
    "on": [{"event": "GO"}],
    "phases": [
        {
            "phase": "p",
            "jobs": [
                {"job": "f", "run": "flaky", "with": {"times": 1}, "retry": {"delay": "1ms"}},
                {"job": "t", "wait": "1ms"},
                {"job": "e", "wait": {"event": "PAID"}},
            ],
        }
    ],
}


@pytest.fixture
async def sound():
    """A store with one run that went through everything, and its journal."""
    stage = Stage(Memory())
    app = stage.app(DOCUMENT)
    async with app:
        accepted = await app.emit("GO", id="go")
        run_id = accepted.runs[0]
        await reached(app, run_id, "job.succeeded", "p/t")
        paid = await app.emit("PAID", id="paid")
        await reached(app, run_id, "run.succeeded")
        started = await app.start("w")
        await app.emit("PAID", id="again")
        await started.result(5)
    storage = stage.place.store()
    await storage.open()
    source = "ostinato/app"
    journal = Journal({started.id}, {(source, "go"): (run_id,), (source, "paid"): tuple(paid.runs)})
    yield storage, app._catalog.graph, run_id, journal
    await storage.close()


def rules(found):
    return {violation.rule for violation in found}


def test_a_call_fails_with_what_its_run_was_given_up_for():
    gone = f.JobFailed("p/j", 1, f.Failure("Abandoned", "it died three times"))
    called = f.JobCalled("p/j", 1, "other", "w")

    def early(*facts):
        entries = [Entry(seq, NOON, fact) for seq, fact in enumerate(facts)]
        return [rule for _, rule, _ in given_up_in_time(entries, 3)]

    assert early(f.JobReady("p/j"), gone) == ["abandoned.early"]
    assert early(called, gone) == []


def test_an_offered_attempt_is_taken_and_let_go_in_turns():
    offered = f.JobOffered("p/j", topic="far")
    taken, lost = f.JobTaken("p/j", 1, "w1", NOON), f.JobAbandoned("p/j", 1)
    back = f.JobReturned("p/j", 1)

    def twice(*facts):
        found = _nothing_twice([Entry(seq, NOON, fact) for seq, fact in enumerate(facts)])
        return [rule for _, rule, _ in found]

    assert twice(offered, taken, lost, taken, back, taken, lost) == []
    assert twice(offered, taken, taken) == ["transition.twice"]
    assert twice(offered, taken, lost, lost) == ["transition.twice"]
    assert twice(offered, offered) == ["transition.twice"]
    assert twice(f.JobReady("p/j"), f.JobStarted("p/j", 1), lost, lost) == ["transition.twice"]


async def test_a_sound_store_has_no_violations(sound):
    storage, graph_of, _, journal = sound
    assert await check_store(storage, graph_of, journal, now=10**15) == []


async def entries(storage, run_id):
    """Every fact with its time, as lists that a test may change."""
    return [
        [record.at, fact]
        for record in await storage.history(run_id)
        for fact in decode_facts(record.data)
    ]


def recorded(run_id, facts, first=0):
    return [
        Record(run_id, first + seq, at, VERSION, encode_facts([fact]))
        for seq, (at, fact) in enumerate(facts)
    ]


def place(facts, kind, key=None):
    return next(
        index
        for index, (_, fact) in enumerate(facts)
        if isinstance(fact, kind) and key in (None, getattr(fact, "key", None))
    )


def again(kind, key=None):
    """Plants a second copy of a fact right behind the first."""

    def plant(facts):
        index = place(facts, kind, key)
        facts.insert(index + 1, list(facts[index]))

    return plant


def drop_first(facts):
    del facts[0]


def after_the_end(facts):
    facts.append([facts[-1][0], f.RunWarned("still here")])


def attempt_jumps(facts):
    index = place(facts, f.JobReady, "p/f")
    facts[index][1] = replace(facts[index][1], attempt=3)


def early(kind, key):
    def plant(facts):
        index = next(
            index
            for index in reversed(range(len(facts)))
            if isinstance(facts[index][1], kind) and getattr(facts[index][1], "key", "") == key
        )
        facts[index][0] -= 10_000

    return plant


def own_trigger(facts):
    event = f.given(facts[0][1].event)
    index = place(facts, f.JobSucceeded, "p/e")
    facts[index][1] = f.JobSucceeded("p/e", 1, event or f.NOTHING)


def unknown_step(facts):
    facts.insert(1, [facts[0][0], f.JobStarted("no/such", 1)])


PLANTED = {
    "the first fact is missing": (drop_first, "history.start"),
    "a second start": (again(f.RunStarted), "history.start"),
    "a fact after the end": (after_the_end, "run.after_end"),
    "a second end": (again(f.RunSucceeded), "run.after_end"),
    "a step that ends twice": (again(f.JobSucceeded, "p/f"), "step.ended_twice"),
    "a step made ready twice": (again(f.JobReady, "p/f"), "transition.twice"),
    "a retry recorded twice": (again(f.JobRetried, "p/f"), "transition.twice"),
    "a phase opened twice": (again(f.ScopeOpened, "p"), "transition.twice"),
    "an attempt left out": (attempt_jumps, "attempt.order"),
    "a timer that fired early": (early(f.JobSucceeded, "p/t"), "timer.early"),
    "a retry that began early": (early(f.JobReady, "p/f"), "timer.early"),
    "a time that goes back": (early(f.JobReady, "p/f"), "time.back"),
    "a run continued by its trigger": (own_trigger, "event.twice"),
    "a step that the graph does not have": (unknown_step, "history.replay"),
}


@pytest.mark.parametrize(("plant", "rule"), list(PLANTED.values()), ids=list(PLANTED))
async def test_what_is_planted_in_a_history_is_found(sound, plant, rule):
    storage, graph_of, run_id, _ = sound
    facts = await entries(storage, run_id)
    assert check_history(graph_of, run_id, recorded(run_id, facts)) == []
    plant(facts)
    found = check_history(graph_of, run_id, recorded(run_id, facts))
    assert rule in rules(found)
    assert all(violation.run_id == run_id for violation in found)
    assert rule in str(found[0]) or len(found) > 1


async def test_a_gap_is_found(sound):
    storage, graph_of, run_id, _ = sound
    records = recorded(run_id, await entries(storage, run_id))
    found = check_history(graph_of, run_id, records[:3] + records[4:])
    assert [v.seq for v in found if v.rule == "history.gap"] == [4]


async def test_an_event_that_continues_a_run_twice_is_found(sound):
    storage, graph_of, run_id, _ = sound
    facts = await entries(storage, run_id)
    index = place(facts, f.JobSucceeded, "p/e")
    at, done = facts[index]
    facts[index + 1 : index + 1] = [
        [at, f.JobWaiting("p/e#2", "event", types=("PAID",))],
        [at, f.JobSucceeded("p/e#2", 1, done.output)],
    ]
    assert "event.twice" in rules(check_history(graph_of, run_id, recorded(run_id, facts)))


async def write(storage, **rows):
    await storage.commit(Batch(await storage.join(), **rows))


async def test_a_lost_start_and_a_lost_event_are_found(sound):
    storage, graph_of, _, journal = sound
    journal.starts.add("nowhere")
    journal.events["s", "lost"] = ()
    found = await check_store(storage, graph_of, journal)
    assert rules(found) == {"start.lost", "event.lost"}


async def test_another_answer_is_found(sound):
    storage, graph_of, _, journal = sound
    journal.events["ostinato/app", "go"] = ()
    assert rules(await check_store(storage, graph_of, journal)) == {"answer.differs"}


async def test_a_run_that_nobody_works_on_is_found(sound):
    storage, graph_of, run_id, _ = sound
    facts = await entries(storage, run_id)
    cut = facts[: place(facts, f.JobSucceeded, "p/t")]
    head = await storage.head(run_id)
    cut[0][1] = replace(cut[0][1], run_id="cut", event=f.NOTHING)
    new = replace(head, run_id="cut", status="running", ended_at=None, event_id=None)
    await write(storage, new_heads=[new], records=recorded("cut", cut))
    found = [v for v in await check_store(storage, graph_of, now=10**15) if v.run_id == "cut"]
    assert "timer.missed" in rules(found)


async def test_a_busy_step_is_found(sound):
    storage, graph_of, run_id, _ = sound
    facts = await entries(storage, run_id)
    cut = facts[: place(facts, f.JobReady, "p/f") + 1]
    head = await storage.head(run_id)
    new = replace(head, run_id="cut", status="running", ended_at=None, event_id=None)
    await write(storage, new_heads=[new], records=recorded("cut", cut))
    assert "run.stuck" in rules(await check_store(storage, graph_of))


async def test_an_open_run_that_waits_for_nothing_is_found(sound):
    storage, graph_of, run_id, _ = sound
    start = (await entries(storage, run_id))[:1]
    head = await storage.head(run_id)
    new = replace(head, run_id="cut", status="waiting", ended_at=None, event_id=None)
    await write(storage, new_heads=[new], records=recorded("cut", start))
    assert "run.silent" in rules(await check_store(storage, graph_of))


async def test_a_task_that_nobody_waits_for_and_one_that_nobody_sees_are_found(sound):
    storage, graph_of, run_id, _ = sound
    await write(storage, tasks=[task(run_id=run_id)])
    assert rules(await check_store(storage, graph_of)) == {"task.rows"}
    await write(storage, tasks=[task_end()])
    facts = (await entries(storage, run_id))[:2]
    facts.append((facts[-1][0] + 1, f.JobWaiting("p/t", "task", input=Raw(b'{"name":"x"}'))))
    head = await storage.head(run_id)
    new = replace(head, run_id="cut", status="waiting", ended_at=None, event_id=None)
    await write(storage, new_heads=[new], records=recorded("cut", facts))
    assert "task.rows" in rules(await check_store(storage, graph_of))


async def test_a_run_that_is_paused_waits_for_whoever_paused_it(sound):
    storage, graph_of, run_id, _ = sound
    start = (await entries(storage, run_id))[:1]
    paused = [*start, [start[0][0], f.RunPaused("ann", "")]]
    head = await storage.head(run_id)
    new = replace(head, run_id="cut", status="paused", ended_at=None, event_id=None)
    await write(storage, new_heads=[new], records=recorded("cut", paused))
    assert "run.silent" not in rules(await check_store(storage, graph_of))


async def test_what_was_old_enough_to_go_is_not_missed(sound):
    storage, graph_of, _, journal = sound
    journal.starts.add("gone")
    journal.events["s", "gone"] = ("gone",)
    journal.removed, journal.forgotten = {"gone"}, {("s", "gone")}
    assert await check_store(storage, graph_of, journal) == []


@pytest.mark.parametrize("why", ["fork", "redrive", "forgotten"])
async def test_an_event_may_start_a_second_run_when(sound, why):
    storage, graph_of, run_id, journal = sound
    facts = await entries(storage, run_id)
    if why == "fork":
        facts[0][1] = replace(facts[0][1], forked_from=run_id)
    elif why == "redrive":
        journal.redriven.add("twin")
    else:
        journal.forgotten.add(("ostinato/app", "go"))
    head = replace(await storage.head(run_id), run_id="twin")
    await write(storage, new_heads=[head], records=recorded("twin", facts))
    assert "event.started_twice" not in rules(await check_store(storage, graph_of, journal))


async def test_a_head_that_shows_something_else_is_found(sound):
    storage, graph_of, run_id, _ = sound
    head = replace(await storage.head(run_id), status="failed")
    await write(storage, heads={run_id: head})
    assert rules(await check_store(storage, graph_of)) == {"head.differs"}


async def test_an_event_that_started_two_runs_is_found(sound):
    storage, graph_of, run_id, _ = sound
    head = replace(await storage.head(run_id), run_id="twin")
    await write(
        storage,
        new_heads=[head],
        records=recorded("twin", await entries(storage, run_id)),
    )
    assert "event.started_twice" in rules(await check_store(storage, graph_of))


async def test_a_planned_instant_that_was_taken_twice_is_found(sound):
    storage, graph_of, _, _ = sound
    planned = event_of("w/on/night", NOON)
    by_hand = [replace(planned, id=f"{planned.id}/{mark}") for mark in "ab"]
    await write(storage, events=[taken(event) for event in (planned, *by_hand)])
    assert await check_store(storage, graph_of) == []
    await write(storage, events=[taken(replace(planned, id=f"{planned.id}!"))])
    assert rules(await check_store(storage, graph_of)) == {"schedule.twice"}


def taken(event):
    return StoredEvent(event, NOON, b"{}", ())


async def test_what_was_not_sent_is_found(sound):
    storage, graph_of, run_id, _ = sound
    await write(storage, outgoing=[Outgoing(_event("OUT", "o1"), run_id)])
    assert rules(await check_store(storage, graph_of)) == {"outbox.left"}


async def test_a_wait_that_has_not_heard_its_event_is_found():
    stage = Stage(Memory())
    stage.clock = Clock()
    app = stage.app(one_job({"wait": {"event": "PAID"}}))
    async with app:
        run = await app.start("w")
    storage = stage.place.store()
    await storage.open()
    wait = Wait(run.id, "p/j", "PAID", "key", 0)
    event = StoredEvent(_event("PAID", "not-heard-of"), stage.clock.now(), b"{}", ("key",))
    await write(storage, waits=[wait])
    await write(storage, events=[event])
    found = await check_store(storage, app._catalog.graph)
    assert [(v.run_id, v.rule) for v in found] == [(run.id, "wait.unheard")]


def _event(type, id):
    return Event(id=id, source="s", type=type, time=0, subject=None, data=Raw(b"{}"))
