"""CodeBuild at moto's server, by AWS's own client; and its reports, as EventBridge brings them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import msgspec
import pytest

from ostinato.arc import Build, CodeBuild
from ostinato.arc.builders.code_build import result_of
from ostinato.arc.results import STATE_CHANGE, read_report
from tests.arc.test_builders import BUILD, built, order

pytestmark = pytest.mark.seed("A57")

KEYS = {
    "region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test",
}  # fmt: skip
PROJECT = {
    "name": "silo-build", "serviceRole": "arn:aws:iam::123456789012:role/build",
    "source": {"type": "S3", "location": "bucket/path"}, "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def moto_url():
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        pytest.skip(f"missing moto: {error}")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def tapped(moto_url):
    """moto behind a door that keeps what CodeBuild is asked: moto forgets the environment."""
    asked = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append((self.headers["x-amz-target"].partition(".")[2], json.loads(body)))
            headers = {n: v for n, v in self.headers.items() if n.lower() != "host"}
            answer = httpx2.post(moto_url + self.path, content=body, headers=headers)
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def project(moto_url):
    from aiobotocore.session import get_session

    async with get_session().create_client("codebuild", endpoint_url=moto_url, **KEYS) as client:
        await client.create_project(**PROJECT)
        yield client
        await client.delete_project(name=PROJECT["name"])


def a_build(job="silo-build", key="run:build"):
    return Build(job, {"size": "M"}, key, "token-1", "http://here/callbacks/token-1")


@pytest.mark.real
async def test_a_build_is_started_with_its_order_and_looked_at(project, tapped):
    url, asked = tapped
    result = await CodeBuild(poll=0.001, endpoint_url=url, **KEYS).run(a_build())
    assert result.status == "succeeded"  # moto's builds all are
    [started] = [body for verb, body in asked if verb == "StartBuild"]
    variables = {one["name"]: one["value"] for one in started["environmentVariablesOverride"]}
    assert started["projectName"] == "silo-build"
    assert variables == {
        "size": "M", "OSTINATO_KEY": "run:build", "OSTINATO_TOKEN": "token-1",
        "OSTINATO_CALLBACK_URL": "http://here/callbacks/token-1",
    }  # fmt: skip
    assert {one["type"] for one in started["environmentVariablesOverride"]} == {"PLAINTEXT"}
    assert [body for verb, body in asked if verb == "BatchGetBuilds"] == [
        {"ids": [result.output["buildId"]]}
    ]


@pytest.mark.real
async def test_one_key_is_one_idempotency_token(project, tapped):
    url, asked = tapped
    builder = CodeBuild(poll=None, endpoint_url=url, **KEYS)
    for key in ("a", "a", "b"):
        assert await builder.run(a_build(key=key)) is None
    tokens = [body["idempotencyToken"] for _, body in asked]
    assert tokens[0] == tokens[1] != tokens[2]
    assert len(tokens[0]) == 64


@pytest.mark.real
async def test_a_project_that_is_missing_is_named(project, tapped):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="other-build"):
        await CodeBuild(endpoint_url=tapped[0], **KEYS).run(a_build("other-build"))


@pytest.mark.parametrize(
    ("status", "ended"),
    [("SUCCEEDED", "succeeded"), ("FAILED", "failed"), ("FAULT", "failed"), ("STOPPED", "failed"),
     ("TIMED_OUT", "failed"), ("IN_PROGRESS", None)],
)  # fmt: skip
def test_each_status_is_a_result_or_none_yet(status, ended):
    result = result_of({"id": "b:1", "buildStatus": status})
    assert (result and result.status) == ended


# reports


def state_change(token, status="SUCCEEDED"):
    """As AWS documents the event, cut to what names the build."""
    variables = [{"name": "size", "value": "M", "type": "PLAINTEXT"}]
    if token:
        variables.append({"name": "OSTINATO_TOKEN", "value": token, "type": "PLAINTEXT"})
    return {
        "version": "0", "id": f"c030038d-{status}", "detail-type": STATE_CHANGE,
        "source": "aws.codebuild", "account": "123456789012", "time": "2027-01-01T16:14:28Z",
        "region": "us-west-2",
        "resources": ["arn:aws:codebuild:us-west-2:123456789012:build/silo-build:8745a7a9"],
        "detail": {
            "build-status": status, "project-name": "silo-build",
            "build-id": "arn:aws:codebuild:us-west-2:123456789012:build/silo-build:8745a7a9",
            "additional-information": {
                "environment": {"image": "i", "environment-variables": variables},
                "build-complete": True, "initiator": "MyCodeBuildDemoUser",
            },
            "current-phase": "COMPLETED", "version": "1",
        },
    }  # fmt: skip


def script_event(token, outcome="SUCCESS"):
    """What ARC's build script puts on the bus: its whole environment."""
    environment = {
        "CODEBUILD_BUILD_SUCCEEDING": "1" if outcome == "SUCCESS" else "0",
        "CODEBUILD_BUILD_ID": "silo-build:8745a7a9", "tenant": '{"id":"t-1"}',
        "OSTINATO_TOKEN": token, "APP_PLANE_REDIRECT_URL": "https://a",
    }  # fmt: skip
    return {
        "version": "0", "id": f"script-{token}-{outcome}",
        "detail-type": f"TENANT_PROVISIONING_{outcome}",
        "source": "saas.tenant.provisioning.codebuild", "account": "1", "region": "r",
        "time": "2027-01-01T16:14:28Z", "resources": [], "detail": environment,
    }  # fmt: skip


@pytest.fixture
async def waiting(begun, project, moto_url):
    """Two builds of one tenant that only reports can end: the plane, and their runs."""
    builders = {"CODE_BUILD": CodeBuild(poll=None, endpoint_url=moto_url, **KEYS)}
    async with begun({"builders": builders}) as plane:
        given = order("CODE_BUILD", "silo-build", tenant={"id": "t-1"})
        await plane.app.deploy(BUILD)
        runs = [await built(plane, given) for _ in range(2)]
        yield plane, runs


async def token_of(plane, run):
    [job] = await plane.app.callbacks(run.id)
    return job.token


async def reported(plane, event):
    """What has become of a report."""
    answer = await plane.post("/events", event, {"content-type": "application/json"})
    assert answer.status_code == 202
    views = [await plane.app.wait_ended(run, 10) for run in answer.json()["runs"]]
    return [msgspec.json.decode(view.jobs[0].output) for view in views]


@pytest.mark.real
@pytest.mark.parametrize("form", [state_change, script_event], ids=["state change", "script"])
async def test_a_report_ends_the_run_of_its_token_and_no_other_of_the_tenant(waiting, form):
    plane, (first, second) = waiting
    event = form(await token_of(plane, second))
    assert await reported(plane, event) == [{"matched": True}]
    assert (await second.result(10))["status"] == "succeeded"
    assert not (await first.view()).ended_at
    await plane.app.cancel(first.id)


@pytest.mark.real
@pytest.mark.parametrize(
    ("form", "outcome"), [(state_change, "FAILED"), (script_event, "FAILURE")],
    ids=["state change", "script"],
)  # fmt: skip
async def test_a_report_of_failure_fails_its_run(waiting, form, outcome):
    plane, (first, second) = waiting
    await reported(plane, form(await token_of(plane, first), outcome))
    assert (await plane.app.wait_ended(first.id, 10)).status == "failed"
    await plane.app.cancel(second.id)


@pytest.mark.real
async def test_a_second_report_and_a_late_one_change_nothing(waiting):
    plane, (first, second) = waiting
    token = await token_of(plane, first)
    await reported(plane, state_change(token))
    [late] = await reported(plane, state_change(token, "FAILED"))
    assert not late["matched"] and "already succeeded" in late["why"]
    assert (await plane.app.wait_ended(first.id, 10)).status == "succeeded"
    plane.jump(15 * 60 + 1)
    await plane.app.wait_ended(second.id, 10)
    [late] = await reported(plane, script_event(await token_of(plane, second)))
    assert not late["matched"] and "timed out" in late["why"]


@pytest.mark.real
async def test_reports_of_nobodys_builds_are_let_pass(waiting):
    plane, runs = waiting
    [unmatched] = await reported(plane, state_change(None))
    assert unmatched == {"matched": False, "why": "it has no token of ours"}
    [unmatched] = await reported(plane, script_event("01abc.0000"))
    assert not unmatched["matched"]
    assert await reported(plane, state_change("x", "IN_PROGRESS")) == []
    own = {"type": "TENANT_PROVISIONING_SUCCESS", "data": {"tenantId": "t-1"}}
    assert await reported(plane, own) == []
    for run in runs:
        await plane.app.cancel(run.id)


@pytest.mark.parametrize(
    "data",
    [{}, {"build-status": 7}, {"build-status": "FAILED", "additional-information": None},
     {"build-status": "FAILED", "additional-information": {"environment": {
         "environment-variables": [7, {"name": "OSTINATO_TOKEN", "value": 7}]}}}],
    ids=["empty", "number", "null", "odd"],
)  # fmt: skip
def test_odd_reports_are_nobodys(data):
    assert read_report(STATE_CHANGE, data) is None
    assert read_report("TENANT_PROVISIONING_SUCCESS", {"OSTINATO_TOKEN": 7}) is None
