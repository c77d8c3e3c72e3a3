"""Starting, reading and cancelling runs; callbacks."""

import asyncio

import pytest

from ostinato.app.pages import sealed
from tests.web.conftest import runs_of, token_of

SEED_MEMBERS = {
    "id", "definitionId", "businessKey", "caseInstanceId", "ended", "suspended", "tenantId",
    "links", "uid", "status", "workflow", "version",
}  # fmt: skip


async def test_a_run_is_started(http):
    answer = await http.post("/runs", json={"workflow": "hello", "input": {"a": 1}, "uid": "u"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/runs/{answer.json()['id']}"
    assert answer.json()["workflow"] == "hello"
    assert (answer.json()["uid"], answer.json()["input"]) == ("u", {"a": 1})
    assert "duplicate" not in answer.json()


async def test_a_second_start_of_an_open_uid_answers_with_the_first(http):
    first = await http.post("/runs", json={"workflow": "slow", "uid": "u"})
    again = await http.post("/runs", json={"workflow": "slow", "uid": "u"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["duplicate"]) == (first.json()["id"], True)


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
        (b" " * 6_000_000, 413, "limit"),
    ],
)
async def test_a_start_that_does_not_fit_is_refused(http, app, body, status, said):
    answer = await http.post("/runs", content=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert await runs_of(app) == []


async def test_a_start_answers_at_the_runs_end(http):
    answer = await http.post("/runs?wait=30s", json={"workflow": "broken"})
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["error"]["message"]) == (
        "failed",
        "the boiler exploded",
    )


async def test_a_start_that_waits_is_let_go_when_the_server_stops(http, door, app):
    waiting = asyncio.ensure_future(
        http.post("/runs?wait=5m", json={"workflow": "slow", "uid": "u"})
    )
    await token_of(app, (await app.start_run("slow", {}, uid="u")).id)
    door.stop()
    assert (await waiting).json()["status"] == "waiting"


async def test_a_start_that_waited_long_enough_answers_with_the_run_as_it_is(http):
    answer = await http.post("/runs?wait=10ms", json={"workflow": "slow"})
    assert (answer.status_code, answer.json()["status"]) == (201, "waiting")


async def test_a_wait_that_is_no_duration_is_refused(http, app):
    assert (await http.post("/runs?wait=soon", json={"workflow": "slow"})).status_code == 422
    assert await runs_of(app) == []


# -- the workflow service's way


@pytest.mark.seed("A23")
@pytest.mark.parametrize("which", ["name", "id"])
async def test_execute_answers_with_an_instance(http, app, which):
    (deployed, _) = await app.workflow("hello")
    path = f"/workflows/{getattr(deployed, which)}/execute?wait=5s"
    answer = await http.post(path, json={"input": {}, "uid": "u"})
    body = answer.json()
    assert answer.status_code == 200
    assert body.keys() >= SEED_MEMBERS
    assert (body["definitionId"], body["businessKey"]) == (f"hello:1:{deployed.id}", "u")
    assert (body["ended"], body["suspended"]) == (True, False)
    assert body["links"] == [{"method": "GET", "href": f"/runs/{body['id']}", "rel": "self"}]


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
    assert "tenant" in answer.json()["error"]["details"][0]["message"]


# -- idempotency

STARTS = [("/runs", {"workflow": "slow"}), ("/workflows/slow/execute", {"input": {}})]


@pytest.mark.parametrize(("path", "body"), STARTS)
async def test_a_repeated_key_answers_as_the_first_time(http, app, path, body):
    headers = {"idempotency-key": "k-1"}
    first = await http.post(path, json=body, headers=headers)
    await app.cancel(first.json()["id"])
    await app.wait_ended(first.json()["id"], 5)
    again = await http.post(path, json=body, headers=headers)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(await runs_of(app)) == 1


@pytest.mark.parametrize(("path", "body"), STARTS)
async def test_a_repetition_that_waits_gets_the_same_end(http, path, body):
    headers, path = {"idempotency-key": "k-1"}, path.replace("slow", "hello") + "?wait=5s"
    body = body | ({"workflow": "hello"} if "workflow" in body else {})
    first = await http.post(path, json=body, headers=headers)
    again = await http.post(path, json=body, headers=headers)
    assert first.json()["status"] == "succeeded"
    assert (again.status_code, again.json()) == (first.status_code, first.json())


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


async def test_a_run_is_found_under_each_of_its_names(http):
    started = (await http.post("/runs", json={"workflow": "slow", "uid": "u-1"})).json()
    for name in (started["id"], started["id"][:12], "u-1", "last"):
        assert (await http.get(f"/runs/{name}")).json()["id"] == started["id"]


async def test_a_uid_may_hold_a_slash(http):
    await http.post("/runs", json={"workflow": "slow", "uid": "eu/7"})
    assert (await http.get("/runs/eu%2F7")).json()["uid"] == "eu/7"
    assert (await http.get("/runs/eu%2F7/history")).status_code == 200


@pytest.mark.parametrize("text", ["abc", "-1", "9" * 19, ""])
async def test_a_cursor_of_a_history_that_is_not_ours_is_refused(http, text):
    await http.post("/runs?wait=5s", json={"workflow": "hello"})
    answer = await http.get("/runs/last/history", params={"cursor": sealed(text)})
    assert (answer.status_code, "not a cursor of this list" in answer.text) == (422, True)


async def test_history_is_a_list_of_facts(http):
    await http.post("/runs?wait=5s", json={"workflow": "hello"})
    facts = (await http.get("/runs/last/history")).json()
    assert [fact["seq"] for fact in facts] == list(range(len(facts)))
    assert (facts[0]["type"], facts[-1]["type"]) == ("run.started", "run.succeeded")
    assert isinstance(facts[0]["at"], int)


async def test_a_runs_graph_is_that_of_its_version(http):
    await http.post("/runs", json={"workflow": "hello"})
    graph = (await http.get("/runs/last/graph")).json()
    assert (graph["workflow"], graph["version"]) == ("hello", 1)


@pytest.mark.parametrize("content", [b"", b'{"why": "changed my mind"}'])
async def test_a_run_is_cancelled(http, app, content):
    run_id = (await http.post("/runs", json={"workflow": "slow"})).json()["id"]
    answer = await http.post("/runs/last/cancel", content=content)
    assert (answer.status_code, answer.json()["id"]) == (200, run_id)
    assert (await app.wait_ended(run_id, 5)).status == "cancelled"
    assert (await http.post("/runs/last/cancel", content=content)).status_code == 409


@pytest.mark.parametrize("path", ["", "/history", "/graph", "/stream"])
async def test_an_unknown_run_is_404(http, path):
    assert (await http.get(f"/runs/nobody{path}")).status_code == 404


# -- callbacks


@pytest.fixture
async def token(app):
    return await token_of(app, (await app.start_run("slow", {})).id)


@pytest.mark.parametrize(
    ("body", "status", "output"),
    [
        (b'{"output": {"a": 1}}', "succeeded", {"a": 1}),
        (b'{"output": null}', "succeeded", None),
        (b"{}", "succeeded", None),
        (b"", "succeeded", None),
        (b'{"error": {"name": "E", "message": "m"}}', None, None),
    ],
)
async def test_a_callback_ends_the_job_that_waits(http, app, token, body, status, output):
    answer = await http.post(f"/callbacks/{token}", content=body)
    assert (answer.status_code, answer.content) == (204, b"")
    job = (await http.get("/runs/last")).json()["jobs"][0]
    if status is None:
        assert job["error"] == {"name": "E", "message": "m"}
    else:
        assert (job["status"], job["output"]) == (status, output)
        answer = await http.post(f"/callbacks/{token}", content=body)
        assert answer.status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"output": 1, "error": {"name": "E"}}, 422),
        ({"error": "E"}, 422),
        ({"result": 1}, 422),
    ],
)
async def test_a_callback_that_does_not_fit_changes_nothing(http, token, body, status):
    assert (await http.post(f"/callbacks/{token}", json=body)).status_code == status
    assert (await http.get("/runs/last")).json()["jobs"][0]["status"] == "waiting"


@pytest.mark.parametrize("path", ["/callbacks/nobody", "/callbacks/nobody/heartbeat"])
async def test_a_token_that_nobody_has_is_404(http, path):
    assert (await http.post(path, json={})).status_code == 404


async def test_a_token_that_has_expired_is_410(http, app):
    document = b"""
workflow: hasty
phases: [{phase: one, jobs: [{job: a, run: noop, callback: true, timeout: 1ms}]}]
"""
    await app.deploy_texts([document])
    run = await app.start_run("hasty", {})
    token = await token_of(app, run.id)
    await app.wait_ended(run.id, 5)
    assert (await http.post(f"/callbacks/{token}", json={})).status_code == 410


async def test_waiting_work_may_say_that_it_lives(http, token):
    assert (await http.post(f"/callbacks/{token}/heartbeat")).status_code == 204


async def test_what_does_not_go_on_by_itself_is_found(http, app):
    run = await app.start_run("slow", {})
    await token_of(app, run.id)
    broken = await app.start_run("broken", {})
    await app.wait_ended(broken.id, 5)
    found = (await http.get("/stuck")).json()
    [group] = found["waiting"]
    assert (group["workflow"], group["waitingFor"], group["count"]) == ("slow", "callback", 1)
    assert group["runs"][0]["waits"][0]["since"] == group["since"]
    [failure] = found["failures"]
    assert (failure["name"], failure["message"]) == ("Failed", "the boiler exploded")
    assert failure["example"] == broken.id
    other = (await http.get("/stuck", params={"workflow": "hello", "since": "1h"})).json()
    assert other == {"waiting": [], "failures": [], "overdue": []}
    assert (await http.get("/stuck", params={"since": "soon"})).status_code == 422


async def test_a_run_names_the_one_that_called_it_and_those_it_has_called(http, app):
    job = {"job": "c", "call": {"workflow": "slow", "uid": "below"}}
    await app.deploy({"workflow": "above", "phases": [{"phase": "p", "jobs": [job]}]})
    above = (await http.post("/runs", json={"workflow": "above"})).json()["id"]
    while not (await http.get("/runs", params={"uid": "below"})).json():
        await asyncio.sleep(0)
    [below] = (await http.get("/runs", params={"uid": "below"})).json()
    shown = (await http.get(f"/runs/{above}")).json()
    [child] = shown["children"]
    assert (child["run"], child["step"], child["workflow"]) == (below["id"], "p/c", "slow")
    assert (shown["waitingFor"], shown["waits"][0]["run"]) == ("call", below["id"])
    assert (await http.get(f"/runs/{below['id']}")).json()["parent"] == {
        "run": above,
        "step": "p/c",
    }
    graph = (await http.get(f"/runs/{above}/graph")).json()
    assert [node.get("workflow") for node in graph["nodes"] if node["kind"] == "job"] == ["slow"]
