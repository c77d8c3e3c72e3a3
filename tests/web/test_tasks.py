"""Tasks over HTTP: lists, one, answers."""

import pytest

from tests.web.conftest import client_of

DOCUMENT = b"""
workflow: sign
phases:
  - phase: p
    jobs:
      - job: sign
        task:
          name: Sign ${ input.n }
          assignee: ${ input.who }
          candidates: [eve]
          groups: [ops, finance]
          outcomes: [approve, reject]
          form: {type: object, properties: {why: {type: string}}}
"""


@pytest.fixture
async def runs(app, http):
    await app.deploy_texts([DOCUMENT])
    runs = []
    for n, who in enumerate(("ann", "ann", "bob")):
        answer = await http.post("/runs", json={"workflow": "sign", "input": {"n": n, "who": who}})
        runs.append(answer.json()["id"])
    return runs


async def task_of(http, run):
    (task,) = (await http.get(f"/tasks?run={run}")).json()
    return task


async def test_a_task_is_listed_and_shown(http, runs):
    task = await task_of(http, runs[2])
    shown = (await http.get(f"/tasks/{task['id'][:8]}")).json()
    assert shown == task
    assert (task["name"], task["status"], task["assigneeId"]) == ("Sign 2", "pending", "bob")
    assert (task["externalId"], task["workflow"], task["job"]) == (runs[2], "sign", "sign")
    assert task["outcomes"] == ["approve", "reject"]
    (run,) = [
        one for one in (await http.get("/runs?waitingFor=task")).json() if one["id"] in runs[2:]
    ]
    assert run["waitingFor"] == "task"
    missing = await http.get("/tasks/nobody")
    assert (missing.status_code, "`ostinato tasks`" in missing.text) == (404, True)
    assert missing.headers["content-type"] == "application/json"


async def test_tasks_are_narrowed_counted_and_paged(http, runs):
    task = await task_of(http, runs[0])
    await http.post(f"/tasks/{task['id']}/complete", json={"outcome": "approve"})
    for query, number in [
        ("", 3), ("?status=pending", 2), ("?status=completed,cancelled", 1), ("?assignee=ann", 2),
        ("?assignee=ann&status=pending", 1), ("?candidate=eve", 3), ("?candidate=ops", 0),
        ("?group=finance&assignee=bob", 1), ("?workflow=sign", 3), ("?workflow=other", 0),
        (f"?run={runs[1]}", 1), ("?overdue=true", 0),
        (f"?idPrefix={task['id']}", 1), ("?overdueAt=1h", 0),
    ]:  # fmt: skip
        assert (await http.get("/tasks/count" + query)).json() == {"count": number}, query
        assert len((await http.get("/tasks" + query)).json()) == number
    page = await http.get("/tasks?limit=2")
    assert len(page.json()) == 2
    assert len((await http.get(page.links["next"]["url"])).json()) == 1
    wrong = await http.get("/tasks?status=open")
    assert (wrong.status_code, "pending, completed, cancelled" in wrong.text) == (422, True)
    assert (await http.get("/tasks?run=nobody")).status_code == 404
    both = await http.get("/tasks?overdue=true&overdueAt=1h")
    assert (both.status_code, "give one" in both.text) == (422, True)


async def test_a_task_is_completed_once(http, runs):
    path = f"/tasks/{(await task_of(http, runs[0]))['id']}/complete"
    answer = {"outcome": "approve", "data": {"why": "fine"}, "by": "ann"}
    done = await http.post(path, json=answer)
    assert (done.status_code, done.json()["status"]) == (200, "completed")
    assert done.json()["answer"].items() >= answer.items()
    assert (await http.post(path, json=answer)).json() == done.json()
    refused = await http.post(path, json=answer | {"by": "bob"})
    assert (refused.status_code, "by ann with 'approve'" in refused.text) == (409, True)
    run = (await http.get(f"/runs/{runs[0]}")).json()
    assert run["output"]["sign"].items() >= answer.items()


async def test_who_calls_is_who_answers(http, runs):
    path = f"/tasks/{(await task_of(http, runs[0]))['id']}/complete"
    assert (await http.post(path, json={"outcome": "reject"})).json()["answer"] == {
        "data": {},
        "outcome": "reject",
        "by": "local operator",
        "at": (await http.get(f"/tasks?run={runs[0]}")).json()[0]["endedAt"],
    }


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "one of approve, reject"),
        ({"outcome": "maybe"}, 422, "'maybe' is no outcome"),
        ({"outcome": "approve", "data": {"why": 7}}, 422, "/data/why"),
        ({"outcome": "approve", "dta": {}}, 422, "dta"),
        ({"outcome": 7}, 422, "outcome"),
    ],
)
async def test_bad_answers_say_what_is_wrong(http, runs, body, status, said):
    path = f"/tasks/{(await task_of(http, runs[0]))['id']}/complete"
    answer = await http.post(path, json=body)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await task_of(http, runs[0]))["status"] == "pending"


async def test_a_stranger_needs_a_key(door, runs):
    async with client_of(door, client="10.0.0.9") as http:
        assert (await http.get("/tasks")).status_code == 401
        assert (await http.post("/tasks/x/complete")).status_code == 401
