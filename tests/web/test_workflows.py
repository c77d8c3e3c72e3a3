"""Deploying, showing and deleting workflows."""

import json

import pytest

NEW = "workflow: new-one\nphases: [{phase: one, jobs: [{job: a, run: noop}]}]\n"
OURS = {"workflow": "new-one", "phases": [{"phase": "one", "jobs": [{"job": "a", "run": "noop"}]}]}
SEED_MEMBERS = {
    "id", "workflowVersion", "externalIdentifier", "name", "provider", "inputSchema", "description",
}  # fmt: skip
YAML = "application/yaml"


def typed(content_type):
    return {"content-type": content_type} if content_type else {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (YAML, NEW),
        ("text/yaml; charset=utf-8", NEW),
        ("application/json", json.dumps(OURS)),
        ("", NEW),
        ("", json.dumps(OURS)),
    ],
)
async def test_a_document_is_deployed(http, content_type, body):
    first = await http.post("/workflows", content=body, headers=typed(content_type))
    again = await http.post("/workflows", content=body, headers=typed(content_type))
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert first.headers["location"] == "/workflows/new-one"
    assert first.json() == again.json()
    assert first.json().keys() >= SEED_MEMBERS | {"version", "warnings"}
    assert (first.json()["name"], first.json()["workflowVersion"]) == ("new-one", 1)


async def test_a_known_name_gets_a_new_version(http):
    await http.post("/workflows", content=NEW, headers=typed(YAML))
    changed = NEW.replace("job: a", "job: b")
    answer = await http.post("/workflows", content=changed, headers=typed(YAML))
    assert (answer.status_code, answer.json()["version"]) == (201, 2)


async def test_several_are_deployed_together(http):
    files = [
        ("file", ("a.yaml", NEW, YAML)),
        ("file", ("b.json", json.dumps(OURS | {"workflow": "second"}), "application/json")),
        ("file", ("c.yml", NEW.replace("new-one", "third"))),
    ]
    answer = await http.post("/workflows", files=files)
    assert answer.status_code == 201, answer.text
    assert [one["name"] for one in answer.json()] == ["new-one", "second", "third"]


async def test_of_several_all_or_none_are_deployed(http):
    files = [("file", ("a.yaml", NEW, YAML)), ("file", ("b.yaml", "workflow: x\n", YAML))]
    assert (await http.post("/workflows", files=files)).status_code == 422
    assert (await http.get("/workflows/new-one")).status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body", "status", "said"),
    [
        (YAML, "", 400, "empty"),
        (YAML, "workflow: x\nphasis: []\n", 422, "phasis"),
        (YAML, "a: [", 422, ""),
        (YAML, b"workflow: \xff", 400, "UTF-8"),
        (YAML, "../../etc/passwd", 422, ""),
        ("application/json", "{", 400, "not JSON"),
        ("application/json", "3", 400, "JSON"),
        ("application/json", '{"workflow":' * 100_000, 400, "nested"),
        ("application/json", '{"name": "n"}', 422, "found name"),
        ("application/json", '{"name": "n", "bpmnFile": "<x/>"}', 400, "bpmnFile"),
        ("application/json", '{"StartAt": "A", "States": {}}', 422, "not yet"),
        ("application/json", '{"purposeId": "p", "phases": {}}', 422, "not yet"),
        ("application/json", '{"phases": {}}', 422, "not yet"),
        ("application/xml", "<x/>", 422, "BPMN"),
        ("text/xml", "<x/>", 422, "BPMN"),
        ("application/bpmn+xml", "<x/>", 422, "BPMN"),
        ("text/html", "<x/>", 415, "application/yaml"),
        ("application/x-www-form-urlencoded", NEW, 415, "application/yaml"),
        ("multipart/form-data; boundary=b", "nonsense", 400, "multipart"),
        (YAML, " " * 6_000_000, 413, "limit"),
    ],
)
async def test_what_is_no_document_of_ours_is_refused(http, content_type, body, status, said):
    answer = await http.post("/workflows", content=body, headers=typed(content_type))
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert len((await http.get("/workflows")).json()) == 4


async def test_a_document_that_is_wrong_is_told_line_by_line(http):
    body = "workflow: x\nphases:\n  - phase: one\n    jobs: [{job: a, runn: noop}]\n"
    answer = await http.post("/workflows", content=body, headers=typed(YAML))
    (error, *_) = answer.json()["errors"]
    assert (answer.status_code, error["line"]) == (422, 4)


@pytest.mark.seed("A24")
async def test_workflows_are_listed_and_shown(http, app):
    listed = (await http.get("/workflows")).json()
    assert [one["name"] for one in listed] == ["broken", "hello", "slow", "strict"]
    assert listed[0].keys() >= SEED_MEMBERS
    assert (await http.get("/workflows/count")).json() == {"count": 4}
    by_name = (await http.get("/workflows/hello")).json()
    assert by_name == (await http.get(f"/workflows/{listed[1]['id']}")).json()
    assert by_name["document"]["workflow"] == "hello"
    (version,) = (await http.get("/workflows/hello/versions")).json()
    assert version["definitionId"] == f"hello:1:{by_name['id']}"
    old = await http.get(f"/workflows/{version['definitionId']}")
    assert old.json()["id"] == by_name["id"]


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/workflows/nobody", 404, "WorkflowNotFound"),
        ("/workflows/hello?version=9", 404, "WorkflowVersionNotFound"),
        ("/workflows/hello?version=x", 422, "UnprocessableEntityError"),
        ("/workflows/nobody/versions", 404, "WorkflowNotFound"),
    ],
)
async def test_an_unknown_workflow_is_404(http, path, status, name):
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]["name"]) == (status, name)


async def test_a_workflow_is_deleted_and_its_runs_go_on(http, app):
    run = await app.start_run("slow", {})
    assert (await http.delete("/workflows/slow")).status_code == 204
    assert (await http.get("/workflows/slow")).status_code == 404
    assert (await http.delete("/workflows/slow")).status_code == 404
    assert (await http.get(f"/runs/{run.id}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/workflows/hello/version/1", 400),
        ("/workflows/hello/version/7", 404),
        ("/workflows/hello/version/x", 422),
        ("/workflows/nobody/version/1", 404),
    ],
)
async def test_the_latest_version_stays(http, path, status):
    assert (await http.delete(path)).status_code == status


@pytest.mark.seed("A22")
@pytest.mark.seed("B.8-15")
async def test_an_update_is_a_new_version_and_its_triggers_go_on(http):
    triggered = NEW.replace("phases", "on: [{event: GO}]\nphases")
    first = await http.post("/workflows", content=triggered, headers=typed(YAML))
    path = f"/workflows/{first.json()['id']}"
    changed = triggered.replace("run: noop", "run: echo")
    for _ in range(2):  # the same content is no new version
        answer = await http.patch(path, content=changed, headers=typed(YAML))
        assert (answer.status_code, answer.text) == (204, "")
    assert [one["version"] for one in (await http.get(f"{path}/versions")).json()] == [1, 2]
    (run,) = (await http.post("/events", json={"type": "GO", "data": {}})).json()["runs"]
    assert (await http.get(f"/runs/{run}")).json()["version"] == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/workflows/nobody", NEW, 404),
        ("/workflows/hello", NEW, 422),
        ("/workflows/hello", "workflow: hello\n", 422),
        ("/workflows/hello", "", 400),
    ],
)
async def test_an_update_that_does_not_fit_changes_nothing(http, path, body, status):
    before = (await http.get("/workflows/hello/versions")).json()
    answer = await http.patch(path, content=body, headers=typed(YAML))
    assert answer.status_code == status, answer.text
    assert (await http.get("/workflows/hello/versions")).json() == before
