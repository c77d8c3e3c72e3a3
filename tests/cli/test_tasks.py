"""``ostinato tasks`` and ``complete``, with a server and without."""

import json

import pytest

from ostinato.app import App
from ostinato.app.pages import place_of_task
from ostinato.config import Settings
from ostinato.errors import ConflictError, InvalidInput
from ostinato.ports import Page, TaskQuery
from tests.cli.live import command, serving

SIGN = """\
workflow: sign
phases:
  - phase: p
    jobs:
      - job: sign
        task: {name: "Sign ${ input.n }", assignee: ann, due: 1s, outcomes: [approve, reject]}
"""


@pytest.fixture
def open_task(tmp_path, ostinato):
    (tmp_path / "sign.yaml").write_text(SIGN)
    ostinato("deploy", "sign.yaml")
    ostinato("start", "sign", "--input", '{"n": 7}')
    return ostinato


def tasks(ostinato, *more):
    return json.loads(ostinato("tasks", "--json", *more).out)


def test_tasks_are_listed_and_shown_with_what_to_do(open_task):
    (task,) = tasks(open_task)
    listed = open_task("tasks").out
    assert task["id"] in listed
    assert "Sign 7" in listed
    shown = open_task("tasks", "show", task["id"][:6])
    assert f"ostinato complete {task['id']} --outcome approve|reject" in shown.out
    assert tasks(open_task, "--run", "last", "--assignee", "ann", "--workflow", "sign") == [task]
    assert tasks(open_task, "--candidate", "ann") == tasks(open_task, "--group", "ops") == []
    assert tasks(open_task, "--assignee", "bob") == tasks(open_task, "--status", "completed") == []
    for command_line in (("show", "last"), ("stuck",)):
        said = open_task(*command_line).out
        assert "waiting for ann to do 'Sign 7'" in said
        assert f"`ostinato complete {task['id']} --outcome approve|reject`" in said


def test_a_task_is_completed_without_a_server(open_task):
    (task,) = tasks(open_task)
    wrong = open_task("complete", task["id"], "--outcome", "maybe")
    assert (wrong.code, "it is one of approve, reject" in wrong.err) == (2, True)
    done = open_task("complete", task["id"], "--outcome", "approve", "--by", "ann")
    assert done.code == 0
    assert f"task {task['id']} completed: approve" in done.out
    assert tasks(open_task) == []
    assert "by ann: approve {}" in open_task("tasks", "show", task["id"]).out
    run = json.loads(open_task("show", "last", "--json").out)
    assert run["output"]["sign"]["outcome"] == "approve"
    late = open_task("complete", task["id"], "--outcome", "reject")
    assert (late.code, "completed already by ann with 'approve'" in late.err) == (1, True)


def test_wrong_uses_say_so(open_task):
    assert open_task("tasks", "show").code == 2
    assert open_task("tasks", "delete", "x").code == 2
    missing = open_task("complete", "nobody")
    assert (missing.code, "`ostinato tasks` lists them" in missing.err) == (2, True)


@pytest.mark.real
def test_a_task_is_completed_through_a_server(open_task, tmp_path):
    with serving(tmp_path, "sign.yaml", "--port", 0, "--json") as server:
        server.facts()
        (task,) = json.loads(command(tmp_path, "tasks", "--json").stdout)
        watched = command(tmp_path, "watch", "last", "--timeout", "100ms").stdout
        assert "waiting for ann to do 'Sign 7'" in watched
        assert f"; `ostinato complete {task['id']} " in watched
        answer = ("--outcome", "reject", "--data", '{"why": "no"}', "--json")
        done = command(tmp_path, "complete", task["id"][:6], *answer)
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["answer"]["by"] == "local operator"
        assert command(tmp_path, "watch", "last", "--timeout", "20s").returncode == 0


@pytest.mark.real
async def test_an_app_that_is_not_open_asks_the_server(open_task, tmp_path):
    with serving(tmp_path, "sign.yaml", "--port", 0, "--json") as server:
        app = App(Settings(url=server.facts()["address"]))
        (task,) = await app.tasks()
        assert await app.tasks(TaskQuery(assignee="bob")) == []
        with pytest.raises(InvalidInput, match="one of approve, reject"):
            await app.complete(task.id, outcome="maybe")
        done = await app.complete(task.id, outcome="approve", data={"n": 1}, by="ann")
        assert (done.status, done.answer.by) == ("completed", "ann")
        assert json.loads(bytes(done.answer.data)) == {"n": 1}
        with pytest.raises(ConflictError, match="completed already by ann"):
            await app.complete(task.id, outcome="reject")


@pytest.mark.real
async def test_a_list_through_a_server_is_the_one_that_was_asked_for(open_task, tmp_path):
    with serving(tmp_path, "sign.yaml", "--port", 0, "--json") as server:
        app = App(Settings(url=server.facts()["address"]))
        for n in range(4):
            await app.start("sign", n=n)
        page = found = await app.tasks(TaskQuery(), Page(1))
        while page := await app.tasks(TaskQuery(), Page(2, place_of_task(page[-1]))):
            found += page
        ids = [task.id for task in found]
        assert (ids, len(ids)) == ([task.id for task in await app.tasks(page=Page(99))], 5)
        assert [task.id for task in await app.tasks(TaskQuery(id_prefix=ids[2]))] == [ids[2]]
        last = max(task.due_at for task in found)
        late = await app.tasks(TaskQuery(overdue_at=last))
        assert [task.id for task in late] == [task.id for task in found if task.due_at < last]
        assert late
        with pytest.raises(InvalidInput):
            await app.start("sign", input=None)
