"""One body for every error, and what each error of ours answers."""

import asyncio

import pytest

from ostinato import errors
from ostinato.core.cloudevents import MalformedBody
from ostinato.errors import OstinatoError, Problem
from ostinato.web.errors import error_answer, pointer

PROBLEM = "application/problem+json"
MEMBERS = {"type", "title", "status", "detail", "instance", "errors", "error"}


def every_error(kind=OstinatoError):
    for sub in kind.__subclasses__():
        if sub.__module__ == "ostinato.errors":
            yield sub
            yield from every_error(sub)


STATUS = {
    "NotFoundError": 404, "WorkflowNotFound": 404, "WorkflowVersionNotFound": 404,
    "ConflictError": 409, "Gone": 410, "Busy": 429, "Unloadable": 409,
    "ProtocolMismatch": 409, "TooLarge": 413,
    "UsageError": 422, "InvalidInput": 422, "NotStorable": 422, "NothingIsRunning": 503,
    "DefinitionError": 422, "ExpressionError": 422, "ExpressionTooCostly": 422,
    "PatternError": 422, "AdapterError": 503, "StoreError": 503, "UnknownCommit": 503,
    "Refused": 503, "Overtaken": 503, "Outdated": 503, "StoreLocked": 503, "Fenced": 503,
    "SettingsError": 500, "ProcessDied": 500, "Damaged": 503,
    "ShardAway": 503, "Unsent": 503, "Unready": 503, "OstinatoError": 500,
    "SignatureError": 401, "BusError": 503,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(dict.fromkeys(every_error())), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_its_status(kind):
    assert error_answer(kind("why"), "/").status_code == STATUS[kind.__name__]


def test_malformed_bodies_are_400():
    assert error_answer(MalformedBody("why"), "/").status_code == 400


@pytest.mark.seed("A86")
async def test_the_body_has_the_members_of_both_forms(http):
    answer = await http.get("/runs/nobody")
    body = answer.json()
    assert answer.headers["content-type"] == PROBLEM
    assert body.keys() == MEMBERS
    assert (body["status"], body["title"], body["instance"]) == (404, "Not Found", "/runs/nobody")
    assert body["error"] == {
        "statusCode": 404,
        "name": "NotFoundError",
        "message": body["detail"],
        "code": "ENTITY_NOT_FOUND",
    }


@pytest.mark.seed("A86")
async def test_each_wrong_thing_is_named_by_its_place(http):
    answer = await http.post("/runs", json={"workflow": "strict", "input": {}})
    body = answer.json()
    (error,), (detail,) = body["errors"], body["error"]["details"]
    assert "tenant" in error["message"]
    assert (detail["path"], detail["message"]) == (error["pointer"], error["message"])
    assert body["error"]["code"] == "VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("method", "path", "status", "content_type"),
    [
        ("GET", "/nothing", 404, PROBLEM),
        ("GET", "/runs/nobody", 404, PROBLEM),
        ("POST", "/runs", 400, PROBLEM),
        ("POST", "/workflows", 400, PROBLEM),
        ("GET", "/workflows/nobody/versions", 404, PROBLEM),
        ("GET", "/events/nobody", 404, "application/json"),
        ("GET", "/events?limit=0", 422, "application/json"),
        ("GET", "/workflows/nobody", 404, "application/json"),
        ("POST", "/workflows/nobody/execute", 404, "application/json"),
        ("POST", "/events/trigger", 400, "application/json"),
    ],
)
async def test_the_seeds_routes_answer_errors_as_plain_json(
    http, method, path, status, content_type
):
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)
    assert answer.json()["error"]["statusCode"] == status


def failing(app, monkeypatch, error):
    async def find_run(name):
        raise error

    monkeypatch.setattr(app, "find_run", find_run)


class Log(list):
    def __init__(self):
        self.levels = []

    def error(self, event, **values):
        self.append(str(values))
        self.levels.append("error")

    def info(self, event, **values):
        self.append(str(values))
        self.levels.append("info")


@pytest.fixture
def log(monkeypatch):
    log = Log()
    monkeypatch.setattr("ostinato.web.errors.log", log)
    return log


async def test_what_nobody_expected_is_in_the_log_and_not_in_the_answer(
    http, app, log, monkeypatch
):
    failing(app, monkeypatch, RuntimeError("password hunter2 in /secret/path"))
    answer = await http.get("/runs/nobody")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "hunter2" in log[0]


async def test_a_store_that_fails_is_503_and_tells_the_operator_only(http, app, log, monkeypatch):
    failing(app, monkeypatch, errors.StoreError("disk full at /secret/path"))
    answer = await http.get("/runs/nobody")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "/secret" not in answer.text
    assert "/secret" in log[0]


async def test_a_takeover_is_503_and_no_error_of_the_operators(http, app, log, monkeypatch):
    failing(app, monkeypatch, errors.Fenced("epoch 3 is stale"))
    answer = await http.get("/runs/nobody")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "another process" in answer.json()["detail"]
    assert log.levels == ["info"]


@pytest.mark.parametrize("stops", [True, False])
async def test_a_request_that_a_stop_cuts_off_is_told_to_ask_again(
    http, app, door, monkeypatch, stops
):
    begun = asyncio.Event()

    async def never(*_, **__):
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(app, "accept", never)
    asking = asyncio.create_task(http.post("/events", json={"type": "T", "id": "e"}))
    await begun.wait()
    if stops:
        door.stop()
    asking.cancel()  # so a server ends what it cannot wait for
    if not stops:
        with pytest.raises(asyncio.CancelledError):
            await asking
        return
    answer = await asking
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "ask another" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("", ""),
        ("data.regions[3].name", "/data/regions/3/name"),
        ("[0].type", "/0/type"),
        ("a/b.c~d", "/a~1b/c~0d"),
        ("/already/one", "/already/one"),
    ],
)
def test_paths_become_pointers(path, shown):
    assert pointer(path) == shown


@pytest.mark.parametrize(
    ("path", "body", "shown"),
    [
        ("/dead-letters/redrive", {"where": {"bogus": 1}}, "/where/bogus"),
        ("/dead-letters/redrive", {"bogus": 1}, "/bogus"),
        ("/dead-letters/redrive", {"where": {"kind": 1}}, "/where/kind"),
        ("/runs/bulk", {"where": {"status": ["failed", "x"]}}, "/where/status/1"),
    ],
)
async def test_a_member_that_does_not_fit_is_pointed_at(http, path, body, shown):
    answer = await http.post(path, json=body)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, shown)
    assert "- at" not in answer.text


def test_lines_and_hints_are_told():
    problem = Problem("unknown key", "phases[0].jbos", line=7, column=3, hint="jobs?")
    error = errors.DefinitionError("document", problems=(problem,))
    assert b'"line":7,"column":3,"hint":"jobs?"' in error_answer(error, "/").body
