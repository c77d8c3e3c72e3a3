"""What something is found by holds no U+0000, on any store: who wrote it hears of it, alone."""

import pytest

from ostinato import App
from ostinato.config import Settings
from ostinato.core.labels import label_problem
from ostinato.errors import DefinitionError, UsageError
from ostinato.ports import RunQuery
from ostinato.web.asgi import application
from tests.stage import one_job
from tests.web.conftest import client_of

NUL = "a\0b"
Z = "${ input.z }"
FINE = one_job({"run": "noop"}, name="fine", on=[{"event": "BOTH"}])

EVERY_STORE = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.real)]


@pytest.fixture(params=EVERY_STORE)
async def app(request, tmp_path):
    if request.param == "postgres":
        store = request.getfixturevalue("new_database")()
    else:
        store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/o.db"
    async with App(Settings(store=store)) as app:
        yield app


FAIL = {
    "emit.type": {"emit": {"type": Z}},
    "emit.subject": {"emit": {"type": "T", "subject": Z}},
    "emit.source": {"emit": {"type": "T", "source": Z}},
    "task.name": {"task": {"name": Z}},
    "task.key": {"task": {"name": "n", "key": Z}},
    "task.type": {"task": {"name": "n", "type": Z}},
    "task.assignee": {"task": {"name": "n", "assignee": Z}},
    "task.candidates": {"task": {"name": "n", "candidates": [Z]}},
    "task.groups": {"task": {"name": "n", "groups": Z}},
    "task.outcomes": {"task": {"name": "n", "outcomes": ["x", Z]}},
    "task.escalate.to": {"task": {"name": "n", "escalate": [{"after": "1h", "to": Z}]}},
    "concurrency.key": {"run": "noop", "concurrency": {"key": "input.z", "limit": 1}},
    "rate.key": {"run": "noop", "rate": {"key": "input.z", "limit": 1, "per": "1s"}},
}


async def test_a_job_that_makes_one_fails_and_says_where(app):
    for where, job in FAIL.items():
        await app.deploy(one_job(job))
        run = await app.start("w", z=NUL)
        view = await app.wait_ended(run.id, 20)
        assert (view.status, view.error.name) == ("failed", "ExpressionError"), where
        assert f"{where} holds" in view.error.message, view.error.message


async def test_a_run_that_would_wait_under_one_fails(app):
    limit = {"key": "input.z", "limit": 1}
    await app.deploy(one_job({"run": "noop"}, concurrency=limit))
    view = await app.wait_ended((await app.start("w", z=NUL)).id, 20)
    assert "concurrency.key holds the character U+0000" in view.error.message


async def test_the_other_triggers_of_an_event_start_their_runs(app):
    await app.deploy(one_job({"task": {"name": Z}}, name="bad", on=[{"event": "BOTH"}]))
    await app.deploy(FINE)
    taken = await app.emit("BOTH", {"z": NUL}, id="e1", source="s")
    ended = [await app.wait_ended(run, 20) for run in taken.runs]
    assert {one.workflow: one.status for one in ended} == {"bad": "failed", "fine": "succeeded"}


async def test_the_name_of_a_failure_is_kept_without_it(app):
    fail = {"run": "fail", "with": {"message": Z, "name": Z}, "retry": {"attempts": 1}}
    await app.deploy(one_job(fail))
    view = await app.wait_ended((await app.start("w", z=NUL)).id, 20)
    assert (view.error.name, view.error.message) == ("a\N{REPLACEMENT CHARACTER}b", NUL)
    assert await app.count_runs(RunQuery(status=("failed",))) == 1


async def test_an_answer_that_holds_one_is_refused(app):
    await app.deploy(one_job({"task": {"name": "Sign"}}))
    await app.start("w")
    (task,) = await app.tasks()
    async with client_of(application(app)) as http:
        for member in ("by", "outcome"):
            body = {"data": {}, "by": "ann"} | {member: NUL}
            answer = await http.post(f"/tasks/{task.id}/complete", json=body)
            assert answer.status_code == 422, answer.text
            assert f"{member} holds the character U+0000" in answer.json()["detail"]
    with pytest.raises(UsageError, match="by holds"):
        await app.complete(task.id, by=NUL)
    assert (await app.complete(task.id, by="ann")).status == "completed"


TOPICS = {NUL: "holds", "new\nline": "holds", "\u202ertl": "holds", "x" * 201: "201 characters"}
REFUSED = [
    *(({"run": topic}, "phases[0].jobs[0].run", says) for topic, says in TOPICS.items()),
    ({"run": "noop", "undo": "\u202e"}, "phases[0].jobs[0].undo", "cannot be printed"),
    ({"run": "noop", "undo": {"run": NUL}}, "phases[0].jobs[0].undo.run", "cannot be printed"),
    ({"emit": {"type": NUL}}, "phases[0].jobs[0].emit.type", "cannot be printed"),
    ({"emit": {"type": "T", "subject": "x" * 1025}}, "phases[0].jobs[0].emit.subject", "1,025"),
    ({"task": {"name": NUL + Z}}, "phases[0].jobs[0].task.name", "U+0000"),
    ({"task": {"name": "n", "groups": ["x", NUL]}}, "phases[0].jobs[0].task.groups[1]", "U+0000"),
    (
        {"task": {"name": "n", "escalate": [{"after": "1h", "to": NUL}]}},
        "phases[0].jobs[0].task.escalate[0].to",
        "U+0000",
    ),
]


@pytest.mark.parametrize(("job", "path", "says"), REFUSED, ids=range(len(REFUSED)))
async def test_a_document_that_says_one_is_refused_with_its_place(job, path, says):
    async with App(Settings(store="memory:")) as app:
        with pytest.raises(DefinitionError) as refused:
            await app.deploy(one_job(job))
        (problem,) = refused.value.problems
        assert (problem.path, says in problem.message) == (path, True)


async def test_a_topic_is_what_a_worker_can_ask_for():
    longest = "é" * 200
    async with App(Settings(store="memory:")) as app:
        await app.deploy(one_job({"run": longest}))
        run = await app.start("w")
        async with client_of(application(app)) as http:
            ask = {"topics": [longest], "worker": "w", "max": 1, "lease": "5s", "wait": "1s"}
            answer = await http.post("/jobs/fetch", json=ask)
        assert [one["runId"] for one in answer.json()] == [run.id]


def test_why_something_is_no_label():
    assert label_problem("fine é", 6) == ""
    assert label_problem("", 6) == "is empty"
    assert label_problem("x" * 2000, 999) == "has 2,000 characters, at most 999"
    assert label_problem("a\nb", 6) == r"holds a character that cannot be printed: 'a\nb'"
