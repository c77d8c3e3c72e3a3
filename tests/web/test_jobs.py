"""The routes of workers elsewhere: fetch, complete, fail, extend, release, and who they are."""

import asyncio

import pytest

from tests.stage import until
from tests.web.conftest import client_of

FAR = b"""
workflow: far
phases: [{phase: p, mode: sequential, jobs: [{job: a, run: far, retry: 1}, {job: b, run: far}]}]
"""
ASKED = {"topics": ["far"], "worker": "w1", "max": 5, "lease": "10s"}


@pytest.fixture
async def far(app):
    await app.deploy_texts([FAR])
    return await app.start("far")


@pytest.fixture
async def web(door):
    async with client_of(door) as client:
        yield client


async def taken(web, **more):
    answer = await web.post("/jobs/fetch", json=ASKED | more)
    assert answer.status_code == 200
    return answer.json()


async def test_a_job_is_fetched_and_completed(app, web, far):
    (job,) = await taken(web)
    assert (job["topic"], job["attempt"], job["input"]) == ("far", 1, None)
    assert job["idempotencyKey"] == f"{far.id}:p/a"
    assert job["leaseUntil"] > app.now()
    told = {"token": job["token"], "output": {"x": 1}}
    answer = await web.post(f"/jobs/{job['id']}/complete", json=told)
    assert (answer.status_code, answer.content) == (204, b"")
    run = (await web.get(f"/runs/{far.id}")).json()
    assert (run["jobs"][0]["output"], run["jobs"][0]["worker"]) == ({"x": 1}, "w1")
    assert run["waitingFor"] == "worker"
    assert (run["waits"][0]["topic"], run["waits"][0]["kind"]) == ("far", "worker")
    assert (await web.get("/runs?waitingFor=worker")).json()[0]["id"] == far.id


async def test_the_next_job_comes_with_the_answer(web, far):
    (job,) = await taken(web)
    told = {"token": job["token"], "fetch": ASKED}
    answer = await web.post(f"/jobs/{job['id']}/complete", json=told)
    assert (answer.status_code, answer.json()[0]["key"]) == (200, "p/b")


async def test_a_job_fails_with_what_is_said(web, far):
    (job,) = await taken(web)
    told = {"token": job["token"], "error": {"name": "Oops", "message": "no"}, "retry": False}
    assert (await web.post(f"/jobs/{job['id']}/fail", json=told)).status_code == 204
    run = (await web.get(f"/runs/{far.id}")).json()
    assert run["error"] == {"name": "Oops", "message": "no", "job": "a"}


async def test_a_job_is_held_given_back_and_cancelled(app, web, far):
    (job,) = await taken(web)
    held = {"token": job["token"], "lease": "20s"}
    assert (await web.post(f"/jobs/{job['id']}/extend", json=held)).status_code == 204
    back = {"token": job["token"]}
    assert (await web.post(f"/jobs/{job['id']}/release", json=back)).status_code == 204
    (job,) = await taken(web)
    await app.cancel(far.id)
    held = {"token": job["token"], "lease": 20_000}
    answer = await web.post(f"/jobs/{job['id']}/extend", json=held)
    assert (answer.status_code, answer.json()) == (200, {"cancelled": True})


VERBS = ["complete", "fail", "extend", "release"]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_stale_token_is_409_and_an_unknown_job_404(web, far, verb):
    (job,) = await taken(web)
    body = {"token": "stale"} | ({"error": {"name": "Oops"}} if verb == "fail" else {})
    answer = await web.post(f"/jobs/{job['id']}/{verb}", json=body)
    assert (answer.status_code, answer.json()["error"]["name"]) == (409, "ConflictError")
    assert "not yours" in answer.json()["detail"]
    answer = await web.post(f"/jobs/nobody.knows/{verb}", json=body)
    assert (answer.status_code, answer.json()["error"]["name"]) == (404, "NotFoundError")


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/jobs/fetch", {}, 422, "topics"),
        ("/jobs/fetch", ASKED | {"topics": []}, 422, "topics: one to 100"),
        ("/jobs/fetch", ASKED | {"lease": "soon"}, 422, "lease: 'soon' is not a duration"),
        ("/jobs/fetch", ASKED | {"wait": "2m"}, 422, "wait: 120,000 is not within 0 to 60,000"),
        ("/jobs/fetch", ASKED | {"more": 1}, 422, "more"),
        ("/jobs/fetch", ASKED | {"protocol": 9, "version": "9"}, 409, "protocol 9"),
        ("/jobs/x/complete", {}, 422, "token"),
        ("/jobs/x/complete", {"token": "t", "output": 1, "error": {}}, 422, "error"),
        ("/jobs/x/fail", {"token": "t"}, 422, "error"),
        ("/jobs/x/fail", {"token": "t", "error": {"name": "E"}, "after": "x"}, 422, "after: 'x'"),
        ("/jobs/x/extend", {"token": "t", "lease": "1ms"}, 422, "lease: 1 is not within"),
        ("/jobs/x/release", {"token": 1}, 422, "token"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(web, path, body, status, told):
    answer = await web.post(path, json=body)
    assert answer.status_code == status
    assert told in answer.text


async def test_who_waits_is_answered_when_something_is_offered(app, door, web):
    await app.deploy_texts([FAR])
    waiting = asyncio.create_task(taken(web, wait="1m"))
    await until(lambda: len(app.service.jobs.offers) == 1)
    await app.start("far")
    assert [job["key"] for job in await waiting] == ["p/a"]


async def test_who_waits_is_answered_with_nothing_when_the_server_stops(app, door, web):
    waiting = asyncio.create_task(taken(web, wait="1m"))
    await until(lambda: len(app.service.jobs.offers) == 1)
    door.stop()
    assert await waiting == []


class Leaver:
    """A client that hangs up as soon as the server knows that it waits."""

    def __init__(self, body):
        self.left = asyncio.Event()
        self.sent = []
        self._body = body

    async def receive(self):
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)


async def test_a_worker_that_has_gone_is_given_nothing(app, door):
    await app.deploy_texts([FAR])
    leaver = Leaver(b'{"topics":["far"],"worker":"w1","wait":60000}')
    scope = {
        "type": "http", "method": "POST", "path": "/jobs/fetch", "raw_path": b"/jobs/fetch",
        "query_string": b"", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "scheme": "http", "root_path": "",
    }  # fmt: skip
    asked = asyncio.create_task(door(scope, leaver.receive, leaver.send))
    await until(lambda: len(app.service.jobs.offers) == 1)
    leaver.left.set()
    await asked
    assert len(app.service.jobs.offers) == 0
    run = await app.start("far")
    assert (await app.run_view(run.id)).waiting_for == "worker"
    assert (await app.topics())[0].offered == 1


async def test_workers_and_topics_are_listed(web, far):
    await taken(web, version="0.0.1", max=1)
    (worker,) = (await web.get("/workers")).json()
    assert (worker["name"], worker["topics"], worker["jobs"]) == ("w1", ["far"], 1)
    assert worker["late"] is False
    assert "0.0.1" in worker["skew"]
    (topic,) = (await web.get("/topics")).json()
    assert (topic["topic"], topic["offered"], topic["taken"]) == ("far", 0, 1)
    assert topic["askedAt"] is not None
