"""Builders: what each is told, how its result comes back, and whose it is."""

import asyncio
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from ostinato.arc import Build, Container, HttpBuilder, LocalProcess, Result
from ostinato.arc.builders.environment import texts
from ostinato.errors import InvalidInput, UsageError
from tests.cli.live import COMMAND, command, serving
from tests.stage import crash, reached

pytestmark = pytest.mark.seed("A57")

BUILD = {
    "workflow": "build",
    "phases": [
        {
            "phase": "build",
            "jobs": [
                {
                    "job": "build", "run": "arc.build", "callback": True, "timeout": "15m",
                    "with": "${ input }", "expect": "output.status == 'succeeded'",
                }
            ],
        }
    ],
    "output": "jobs.build.output",
}  # fmt: skip


def order(builder="LOCAL", job="job", **environment):
    return {"builder": builder, "tier": {"jobIdentifier": job}, "environment": environment}


def script(text):
    return [sys.executable, "-c", text]


def local(text, **more):
    return LocalProcess({"job": script(text)}, **more)


@pytest.fixture
def building(begun):
    """Open a control plane with these builders, and the workflow above."""

    def building(**builders):
        return begun({"builders": builders})

    return building


async def built(plane, given):
    await plane.app.deploy(BUILD)
    return await plane.app.start_run("build", given)


async def ended(plane, given):
    run = await built(plane, given)
    view = await plane.app.wait_ended(run.id, 20)
    return view, msgspec.json.decode(view.output) if view.output else None


# a process here


async def test_a_process_succeeds_with_exit_code_0_and_says_what_it_has_made(building):
    text = (
        "import json, os; print('made', os.environ['size']);"
        "json.dump({'appPlaneUrl': 'https://a'}, open(os.environ['OSTINATO_RESULT'], 'w'))"
    )
    async with building(LOCAL=local(text)) as plane:
        view, output = await ended(plane, order(size="M"))
    assert view.status == "succeeded"
    assert output == {
        "status": "succeeded", "appPlaneUrl": "https://a", "exitCode": 0, "tail": "made M\n",
    }  # fmt: skip


async def test_a_process_that_fails_fails_the_job_once_and_its_last_words_are_kept(building):
    async with building(LOCAL=local("print('x' * 9000); import sys; sys.exit('no room')")) as plane:
        view, _ = await ended(plane, order())
    assert (view.status, view.error.name) == ("failed", "Unexpected")
    assert [job.attempts for job in view.jobs] == [1]
    result = await local("print('x' * 9000, flush=True); raise SystemExit('no room')").run(
        a_build()
    )
    assert (result.status, result.reason) == ("failed", "the command ended with exit code 1")
    assert len(result.output["tail"]) == 4096
    assert result.output["tail"].endswith("no room\n")


async def test_what_a_process_is_told_is_its_order_and_how_to_report(building, monkeypatch):
    monkeypatch.setenv("OSTINATO_ARC__SECRET", "the master")
    monkeypatch.setenv("DATABASE_URL", "postgres://me:secret@db")
    text = "import json, os; json.dump(dict(os.environ), open(os.environ['OSTINATO_RESULT'], 'w'))"
    async with building(LOCAL=local(text)) as plane:
        _, output = await ended(plane, order(tenant={"id": "t-1"}, replicas=3, none=None))
    assert (output["tenant"], output["replicas"]) == ('{"id": "t-1"}', "3")
    assert output["OSTINATO_CALLBACK_URL"].endswith("/callbacks/" + output["OSTINATO_TOKEN"])
    told = {name for name in output if name not in ("PATH", "HOME", "LANG", "LC_ALL", "TZ")}
    assert told - {"TMPDIR", "DOCKER_HOST", "LC_CTYPE", "status", "exitCode", "tail"} == {
        "tenant", "replicas", "OSTINATO_TOKEN", "OSTINATO_CALLBACK_URL", "OSTINATO_KEY",
        "OSTINATO_RESULT",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "PYTHONPATH", "BASH_ENV", "NODE_OPTIONS"])
async def test_no_parameter_makes_a_command_run_other_code(building, name):
    async with building(LOCAL=local("pass")) as plane:
        view, _ = await ended(plane, order(**{name: "evil"}))
    assert view.error.name == "InvalidInput"
    assert name in view.error.message


@pytest.mark.parametrize(
    "environment", [{"a b": "1"}, {"a=b": "1"}, {"": "1"}, {"x": "\0"}, {"OSTINATO_TOKEN": "mine"}],
    ids=["space", "equals", "empty", "nul", "token"],
)  # fmt: skip
def test_what_cannot_be_a_variable_is_refused(environment):
    with pytest.raises(InvalidInput):
        texts(environment)


async def test_a_result_that_is_no_object_is_a_failure():
    for text in ("[1]", "{"):
        result = await local(
            f"import os; open(os.environ['OSTINATO_RESULT'], 'w').write('{text}')"
        ).run(a_build())
        assert result.status == "failed" and "OSTINATO_RESULT" in result.reason


async def test_an_unknown_job_names_those_that_are_known(building):
    async with building(LOCAL=local("pass")) as plane:
        view, _ = await ended(plane, order(job="other"))
    assert view.error.name == "UsageError"
    assert "known are job" in view.error.message
    with pytest.raises(UsageError):
        await local("pass").run(a_build(job="other"))


async def test_an_unknown_builder_names_those_that_are_known(building):
    async with building(LOCAL=local("pass")) as plane:
        view, _ = await ended(plane, order("JENKINS"))
    assert (view.error.name, "known are LOCAL" in view.error.message) == ("UnknownBuilder", True)


async def test_a_process_ends_with_its_job_and_so_does_what_it_has_begun(building, tmp_path):
    fifo, child = tmp_path / "alive", tmp_path / "child.py"
    os.mkfifo(fifo)
    child.write_text(
        f"import time; f = open({str(fifo)!r}, 'w'); f.write('here'); f.flush(); time.sleep(600)"
    )  # the pipe is open for as long as it lives
    text = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, {str(child)!r}]); time.sleep(600)"
    )
    async with building(LOCAL=local(text)) as plane:
        run = await built(plane, order())
        pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert await readable(pipe) == b"here"
        plane.jump(15 * 60 + 1)
        view = await plane.app.wait_ended(run.id, 20)
        assert (view.status, view.error.name) == ("failed", "Timeout")
        assert await readable(pipe) == b""
        os.close(pipe)


async def readable(pipe):
    """What comes next; nothing when the other end is closed."""
    ready = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 20)
    finally:
        asyncio.get_running_loop().remove_reader(pipe)
    return os.read(pipe, 99)


async def test_a_process_may_report_by_itself_and_the_first_report_counts(building, stage):
    async with building(LOCAL=local("import time; time.sleep(600)")) as plane:
        run = await built(plane, order())
        [job] = await plane.app.callbacks(run.id)
        await plane.app.answer(job.token, output={"status": "succeeded", "by": "itself"})
        assert (await run.result(10))["by"] == "itself"


WORKER = """
import sys
from ostinato import App
from ostinato.arc import ControlPlane, LocalProcess

app = App()
SAY = [sys.executable, "-c", "print('here')"]
ControlPlane(app, builders={"LOCAL": LocalProcess({"job": SAY})})
"""


@pytest.mark.real
def test_a_worker_elsewhere_may_build(tmp_path):
    (tmp_path / "build.json").write_bytes(msgspec.json.encode(BUILD))
    (tmp_path / "plane.py").write_text(WORKER)
    with serving(tmp_path, "build.json", "--port", "0", "--json") as server:
        url = server.facts()["address"]
        with subprocess.Popen(
            [*COMMAND, "worker", "plane:app", "--topics", "arc.build", "--url", url], cwd=tmp_path
        ) as worker:
            try:
                given = msgspec.json.encode(order()).decode()
                done = command(
                    tmp_path, "start", "build", "--input", given, "--wait", "--timeout", "15s",
                    "--json", OSTINATO_URL=url,
                )  # fmt: skip
            finally:
                worker.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    output = msgspec.json.decode(done.stdout)["output"]
    assert output == {"status": "succeeded", "exitCode": 0, "tail": "here\n"}


# HTTP


async def test_http_is_told_where_to_report_and_the_report_ends_the_job(building, received):
    async with building(HTTP=HttpBuilder(received.url)) as plane:
        run = await built(plane, order("HTTP", size="M"))
        await reached(plane.app, run.id, "job.waiting")
        [(headers, body)] = received.calls
        said = msgspec.json.decode(body)
        assert (said["job"], said["parameters"]["size"]) == ("job", "M")
        assert headers["idempotency-key"] == said["key"] == f"{run.id}:build/build"
        path = said["callback"].partition("/callbacks/")[2]
        answer = await plane.post(f"/callbacks/{path}", {"output": {"status": "succeeded"}}, {})
        assert answer.status_code == 204
        assert (await run.result(10)) == {"status": "succeeded"}


async def test_after_a_crash_http_is_asked_under_the_same_key(building, stage, received):
    """What it was asked before is the same build; its report still ends the job."""
    from tests.arc.planes import Plane

    app = stage.app()
    plane = Plane(stage, app, builders={"HTTP": HttpBuilder(received.url)})
    await app.__aenter__()
    run = await built(plane, order("HTTP"))
    await reached(app, run.id, "job.waiting")
    await crash(app)
    async with building(HTTP=HttpBuilder(received.url)) as again:
        said = msgspec.json.decode(received.calls[0][1])
        token = said["callback"].rpartition("/")[2]
        await again.app.answer(token, output={"status": "succeeded"})
        assert (await again.app.wait_ended(run.id, 10)).status == "succeeded"
    assert len(received.calls) == 1


async def test_http_that_is_away_is_tried_again(building, received):
    received.answers += [(503, b""), (202, b"")]
    async with building(HTTP=HttpBuilder(received.url)) as plane:
        run = await built(plane, order("HTTP"))
        await reached(plane.app, run.id, "job.retried")
        plane.jump(60)
        await reached(plane.app, run.id, "job.waiting")
        keys = {headers["idempotency-key"] for headers, _ in received.calls}
        assert (len(received.calls), len(keys)) == (2, 1)
        await plane.app.cancel(run.id)


# a container


def engine():
    """The client of a container engine that answers; a skip by name where there is none."""
    if shutil.which("docker") is None:
        pytest.skip("no docker is installed here")
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=20)
    if asked.returncode:
        pytest.skip("docker is installed here, and no engine answers it")
    if subprocess.run(["docker", "image", "inspect", "alpine:3"], capture_output=True).returncode:
        pytest.skip("docker has no image alpine:3 here, and tests fetch none")
    return "docker"


@pytest.mark.real
async def test_a_container_is_told_the_same(building):
    images = {"job": "alpine:3"}
    async with building(CONTAINER=Container(images, engine=engine())) as plane:
        view, _ = await ended(plane, order("CONTAINER", size="M"))
    assert view.status == "succeeded"


async def test_what_a_container_is_started_with_shows_no_values(tmp_path):
    """By a stand-in for the engine's client: what it is given, as words and as environment."""
    client = tmp_path / "engine"
    text = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['size']]))"
    client.write_text(f"#!{sys.executable}\n{text}\n")
    client.chmod(0o755)
    container = Container({"job": "registry/image:1"}, engine=str(client), options=["--network=x"])
    result = await container.run(a_build(environment={"size": "M42"}))
    words, size = msgspec.json.decode(result.output["tail"])
    assert (words[0], words[-2:], size) == ("run", ["--network=x", "registry/image:1"], "M42")
    assert "size" in words and "M42" not in words and "token-1" not in " ".join(words)


async def test_without_an_engine_it_says_so(building):
    async with building(CONTAINER=Container({"job": "i"}, engine="no-such-engine")) as plane:
        view, _ = await ended(plane, order("CONTAINER"))
    assert (view.error.name, "no-such-engine is not installed" in view.error.message) == (
        "SettingsError", True,
    )  # fmt: skip


def a_build(job="job", environment=None):
    return Build(job, environment or {}, "key-1", "token-1", "http://127.0.0.1/callbacks/token-1")


def test_what_a_build_says_of_itself_never_hides_how_it_ended():
    lying = Result("failed", "no", {"status": "succeeded", "reason": "none"})
    assert lying.as_output() == {"status": "failed", "reason": "no"}
