"""Starting, reading and cancelling runs; callbacks."""

import asyncio
from dataclasses import replace

import pytest

SEED_MEMBERS = {
    "id", "definitionId", "businessKey", "caseInstanceId", "ended", "suspended", "tenantId",
    "links", "uid", "status", "workflow", "version",
}  # fmt: skip


def ended(head):
    return replace(head, ended_at=1)


async def test_a_run_is_started(http):
    answer = await http.post("/runs", json={"workflow": "hello", "input": {"a": 1}, "uid": "u"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/runs/run-001"
    assert answer.json()["workflow"] == "hello"
    assert "duplicate" not in answer.json()


async def test_a_second_start_of_an_open_uid_answers_with_the_first(http):
    first = await http.post("/runs", json={"workflow": "slow", "uid": "u"})
    again = await http.post("/runs", json={"workflow": "slow", "uid": "u"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"duplicate": True}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "not JSON"),
        (b"{}", 422, "workflow"),
        (b'{"workflow": 1}', 422, "workflow"),
        (b'{"workflow": "hello", "inputs": {}}', 422, "inputs"),
        (b'{"workflow": "nobody"}', 404, "nobody"),
        (b'{"workflow": "hello", "version": 9}', 404, "9"),
        (b'{"workflow": "strict"}', 422, "tenant"),
        (b'{"workflow": "hello", "input": NaN}', 400, "not JSON"),
        (b'{"workflow": "hello", "input": ' + b"[" * 100_000, 400, "nested"),
        (b"[]", 422, "object"),
        (b" " * 3_000_000, 413, "limit"),
    ],
)
async def test_a_start_that_does_not_fit_is_refused(http, app, body, status, said):
    answer = await http.post("/runs", content=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert app.heads == {}


async def test_a_start_answers_at_the_runs_end(http, app):
    waiting = asyncio.ensure_future(http.post("/runs?wait=30s", json={"workflow": "slow"}))
    while "run-001" not in app.heads:
        await asyncio.sleep(0)
    app.heads["run-001"] = ended(app.heads["run-001"])
    app.add_fact("run-001", type="run.succeeded")
    assert (await waiting).json()["endedAt"] == 1


async def test_a_start_that_waited_long_enough_answers_with_the_run_as_it_is(http):
    answer = await http.post("/runs?wait=10ms", json={"workflow": "slow"})
    assert (answer.status_code, answer.json()["status"]) == (201, "waiting")


async def test_a_wait_that_is_no_duration_is_refused(http, app):
    assert (await http.post("/runs?wait=soon", json={"workflow": "slow"})).status_code == 422
    assert app.heads == {}


# -- the workflow service's way


@pytest.mark.seed("A23")
@pytest.mark.parametrize("name", ["hello", "id-hello"])
async def test_execute_answers_with_an_instance(http, name):
    answer = await http.post(f"/workflows/{name}/execute", json={"input": {}, "uid": "u"})
    body = answer.json()
    assert answer.status_code == 200
    assert body.keys() >= SEED_MEMBERS
    assert (body["definitionId"], body["businessKey"]) == ("hello:1:id-hello", "u")
    assert (body["ended"], body["suspended"]) == (True, False)
    assert body["links"] == [{"method": "GET", "href": "/runs/run-001", "rel": "self"}]


@pytest.mark.seed("A23")
@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("nobody", {"input": {}}, 404, "WorkflowNotFound"),
        ("nobody", {"input": {}, "workflowVersion": 1}, 404, "WorkflowNotFound"),
        ("hello", {"input": {}, "workflowVersion": 9}, 404, "WorkflowVersionNotFound"),
        ("strict", {"input": {}}, 400, "InvalidInput"),
        ("hello", {"input": {}, "version": 1}, 422, "UnprocessableEntityError"),
        ("hello", {"uid": "u", "metadata": {}, "stages": {}}, 422, "NotYet"),
    ],
)
async def test_execute_refuses_as_the_seed(http, name, body, status, error):
    answer = await http.post(f"/workflows/{name}/execute", json=body)
    assert (answer.status_code, answer.json()["error"]["name"]) == (status, error)


@pytest.mark.seed("A23")
async def test_input_that_does_not_fit_is_told_in_details(http):
    answer = await http.post("/workflows/strict/execute", json={"input": {}})
    assert answer.json()["error"]["details"][0]["path"] == "/tenant"


# -- idempotency

STARTS = [("/runs", {"workflow": "slow"}), ("/workflows/slow/execute", {"input": {}})]


@pytest.mark.parametrize(("path", "body"), STARTS)
async def test_a_repeated_key_answers_as_the_first_time(http, app, path, body):
    headers = {"idempotency-key": "k-1"}
    first = await http.post(path, json=body, headers=headers)
    app.heads["run-001"] = ended(app.heads["run-001"])
    again = await http.post(path, json=body, headers=headers)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(app.heads) == 1


@pytest.mark.parametrize(("path", "body"), STARTS)
async def test_a_key_with_another_body_is_a_conflict(http, path, body):
    headers = {"idempotency-key": "k-1"}
    await http.post(path, json=body, headers=headers)
    answer = await http.post(path, json=body | {"uid": "u"}, headers=headers)
    assert answer.status_code == 409


async def test_a_refused_start_may_be_tried_again_under_its_key(http):
    headers = {"idempotency-key": "k-1"}
    body = {"workflow": "nobody"}
    for _ in range(2):
        assert (await http.post("/runs", json=body, headers=headers)).status_code == 404


async def test_a_key_has_a_bounded_length(http):
    headers = {"idempotency-key": "k" * 256}
    assert (await http.post("/runs", json={"workflow": "slow"}, headers=headers)).status_code == 422


# -- reading


@pytest.mark.parametrize("name", ["run-001", "run-0", "u-1", "last"])
async def test_a_run_is_found_under_each_of_its_names(http, name):
    started = await http.post("/runs", json={"workflow": "slow", "uid": "u-1"})
    assert (await http.get(f"/runs/{name}")).json() == started.json()


async def test_a_uid_may_hold_a_slash(http):
    await http.post("/runs", json={"workflow": "slow", "uid": "eu/7"})
    assert (await http.get("/runs/eu%2F7")).json()["uid"] == "eu/7"
    assert (await http.get("/runs/eu%2F7/history")).status_code == 200


async def test_history_is_a_list_of_facts(http):
    await http.post("/runs", json={"workflow": "hello"})
    facts = (await http.get("/runs/last/history")).json()
    assert [fact["seq"] for fact in facts] == [0, 1, 2, 3]
    assert facts[0].keys() >= {"seq", "at", "type"}


async def test_a_runs_graph_is_that_of_its_version(http):
    await http.post("/runs", json={"workflow": "hello"})
    graph = (await http.get("/runs/last/graph")).json()
    assert (graph["workflow"], graph["version"]) == ("hello", 1)


@pytest.mark.parametrize("content", [b"", b'{"why": "changed my mind"}'])
async def test_a_run_is_cancelled(http, app, content):
    await http.post("/runs", json={"workflow": "slow"})
    answer = await http.post("/runs/last/cancel", content=content)
    assert (answer.status_code, answer.json()["id"]) == (200, "run-001")
    assert app.facts["run-001"][-1]["by"] == "local operator"


@pytest.mark.parametrize("path", ["", "/history", "/graph", "/stream"])
async def test_an_unknown_run_is_404(http, path):
    assert (await http.get(f"/runs/nobody{path}")).status_code == 404


# -- callbacks


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"output": {"a": 1}}', ("output", {"a": 1})),
        (b'{"output": null}', ("output", None)),
        (b"{}", ("output", None)),
        (b"", ("output", None)),
        (b'{"error": {"name": "E", "message": "m"}}', ("error", {"name": "E", "message": "m"})),
    ],
)
async def test_a_callback_ends_the_job_that_waits(http, app, body, kept):
    app.tokens["t"] = "open"
    answer = await http.post("/callbacks/t", content=body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert app.tokens["t"] == kept


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [
        ("t", {"output": 1, "error": {"name": "E"}}, 422),
        ("t", {"error": "E"}, 422),
        ("t", {"result": 1}, 422),
        ("nobody", {}, 404),
        ("over", {}, 409),
        ("expired", {}, 410),
    ],
)
async def test_a_callback_that_cannot_be_taken_says_why(http, app, token, body, status):
    app.tokens |= {"t": "open", "over": ("output", 1), "expired": "expired"}
    assert (await http.post(f"/callbacks/{token}", json=body)).status_code == status
    assert app.tokens["t"] == "open"


async def test_waiting_work_may_say_that_it_lives(http, app):
    app.tokens["t"] = "open"
    assert (await http.post("/callbacks/t/heartbeat")).status_code == 204
    assert (await http.post("/callbacks/u/heartbeat")).status_code == 404
