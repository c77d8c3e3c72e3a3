"""Builders: what each is told, how its result comes back, and whose it is."""

import asyncio
import os
import shutil
import subprocess
import sys
from hashlib import sha256

import msgspec
import pytest

from ostinato.arc import Build, Container, HttpBuilder, LocalProcess, Result
from ostinato.arc.builders.environment import texts
from ostinato.errors import AdapterError, InvalidInput, UsageError
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


async def test_the_end_of_a_process_counts_not_that_of_what_it_leaves_behind(tmp_path):
    """It holds the pipe until the test lets it go."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    left = f"print('here', flush=True); open({str(fifo)!r}).read()"
    text = (
        "import subprocess, sys;"
        f"left = subprocess.Popen([sys.executable, '-c', {left!r}], stdout=subprocess.PIPE);"
        "left.stdout.readline();"  # it is there, and has our stderr
        "print('x' * 50_000); print('done')"
    )
    try:
        result = await asyncio.wait_for(local(text).run(a_build()), 20)
    finally:
        os.close(os.open(fifo, os.O_RDWR))
    assert (result.status, result.output["exitCode"]) == ("succeeded", 0)
    assert result.output["tail"].endswith("x\ndone\n")


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


ENGINE = """
import json, os, pathlib, subprocess, sys, time

here = pathlib.Path(__file__).parent
verb, *words = sys.argv[1:]
name = words[words.index("--name") + 1] if verb == "run" else words[-1]
if verb == "ps":
    name = words[words.index("--filter") + 1].removeprefix("name=^").removesuffix("$")
place = here / name
with open(here / "asked", "a") as asked:
    asked.write(verb + "\\n")

if (here / "away").exists():
    sys.exit("Cannot connect to the Docker daemon")
if verb == "ps":
    if place.exists():
        print((place / "state").read_text())
elif verb == "run":
    if place.exists():
        print(f'Conflict. The container name "/{name}" is already in use')
        sys.exit(125)
    place.mkdir()
    (place / "given").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
    (place / "state").write_text("running")
elif not place.exists():
    sys.exit("Error: No such container: " + name)
elif verb == "wait":
    if (place / "state").read_text() == "running":
        with open(here / "ended") as ended:
            print(ended.read())
    else:
        print((place / "code").read_text())
elif verb == "logs":
    print("out", flush=True); print("err", file=sys.stderr)
elif verb in ("stop", "rm"):
    (place / "state").write_text("exited"); (place / "code").write_text("143")
    if verb == "rm":
        for each in place.iterdir():
            each.unlink()
        place.rmdir()
"""


class Engine:
    """A stand-in for docker: containers of it are folders, and end when they are told to."""

    def __init__(self, folder):
        self.folder = folder
        os.mkfifo(folder / "ended")
        self.client = folder / "engine"
        self.client.write_text(f"#!{sys.executable}\n{ENGINE}")
        self.client.chmod(0o755)
        self.builder = Container(
            {"job": "registry/image:1"}, engine=str(self.client), options=["--network=x"]
        )

    @property
    def asked(self):
        there = self.folder / "asked"
        return there.read_text().split() if there.exists() else []

    @property
    def containers(self):
        return [each for each in self.folder.iterdir() if each.is_dir()]

    def leaves(self, name, state, code=0):
        """A container of an attempt that is gone."""
        place = self.folder / name
        place.mkdir()
        (place / "state").write_text(state)
        (place / "code").write_text(str(code))

    async def waited(self):
        """Returns when somebody waits for the container; what ``ends`` writes ends it."""
        return await asyncio.to_thread(os.open, self.folder / "ended", os.O_WRONLY)

    async def ends(self, code=0):
        pipe = await self.waited()
        (self.containers[0] / "code").write_text(str(code))
        (self.containers[0] / "state").write_text("exited")
        os.write(pipe, f"{code}\n".encode())
        os.close(pipe)


KEY_1 = "ostinato-" + sha256(b"key-1").hexdigest()[:16]


@pytest.fixture
async def docker(tmp_path):
    yield Engine(tmp_path)
    os.close(os.open(tmp_path / "ended", os.O_RDWR))  # nobody is left waiting


async def test_what_a_container_is_started_with_shows_no_values(docker):
    running = asyncio.create_task(docker.builder.run(a_build(environment={"size": "M42"})))
    pipe = await docker.waited()
    words, environment = msgspec.json.decode((docker.containers[0] / "given").read_bytes())
    assert (words[0], words[-2:]) == ("run", ["--network=x", "registry/image:1"])
    assert (environment["size"], docker.containers[0].name) == ("M42", KEY_1)
    assert "size" in words and "M42" not in words and "token-1" not in " ".join(words)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    os.close(pipe)


@pytest.mark.parametrize(("code", "status"), [(0, "succeeded"), (125, "failed")])
async def test_a_container_says_how_it_went_and_goes_when_that_is_stored(docker, code, status):
    running = asyncio.create_task(docker.builder.run(a_build()))
    await docker.ends(code)
    result = await running
    assert (result.status, result.output) == (status, {"exitCode": code, "tail": "out\nerr\n"})
    assert docker.containers
    await result.forget()
    assert docker.containers == []


async def test_a_container_that_a_crash_has_left_is_waited_for(docker):
    docker.leaves(KEY_1, "running")
    running = asyncio.create_task(docker.builder.run(a_build()))
    await docker.ends()
    assert (await running).status == "succeeded"
    assert "run" not in docker.asked


async def test_a_container_that_has_ended_meanwhile_is_not_begun_again(docker):
    docker.leaves(KEY_1, "exited", 3)
    result = await docker.builder.run(a_build())
    assert (result.status, result.output["exitCode"]) == ("failed", 3)
    assert "run" not in docker.asked


async def test_a_container_that_nobody_came_to_start_is_begun(docker):
    docker.leaves(KEY_1, "created")
    running = asyncio.create_task(docker.builder.run(a_build()))
    await docker.ends()
    assert (await running).status == "succeeded"
    assert docker.asked[:3] == ["ps", "rm", "run"]


async def test_a_container_ends_with_its_job(docker):
    running = asyncio.create_task(docker.builder.run(a_build()))
    pipe = await docker.waited()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    os.close(pipe)
    assert (docker.asked[-2:], docker.containers) == (["stop", "rm"], [])


async def test_an_engine_that_does_not_answer_is_no_end_of_a_build(docker):
    """It was begun before the crash: the attempt after this one asks again."""
    docker.leaves(KEY_1, "running")
    (docker.folder / "away").touch()
    with pytest.raises(AdapterError, match="Cannot connect"):
        await docker.builder.run(a_build())
    assert [each.name for each in docker.containers] == [KEY_1]


async def test_the_container_of_a_job_that_is_over_is_gone(building, docker):
    async with building(CONTAINER=docker.builder) as plane:
        run = await built(plane, order("CONTAINER"))
        await docker.ends()
        view = await plane.app.wait_ended(run.id, 20)
    assert (view.status, docker.containers) == ("succeeded", [])


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
