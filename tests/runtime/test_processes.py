"""Handlers in processes of their own: as others, and killed with what they started."""

import asyncio
import os
import signal
import sys

import pytest
from structlog.testing import capture_logs

from ostinato import App, Event, Run
from ostinato.app import RunEnded
from ostinato.config import Settings
from ostinato.config.settings import SlotSettings
from ostinato.core import events as e
from ostinato.errors import UsageError
from ostinato.runtime.processes import pool as pools
from ostinato.runtime.processes.inline import InLine
from ostinato.runtime.processes.messages import Completed, Frames, Heard, framed
from tests.runtime import heavy
from tests.stage import Gate, Watch, facts_of, one_job, reached, types_of, until

pytestmark = [pytest.mark.real, pytest.mark.skipif(sys.platform == "win32", reason="POSIX")]

ONCE = {"retry": {"attempts": 1}}
AGAIN = {"retry": {"attempts": 2, "delay": "1ms"}}
NAMES = ("where", "takes", "about", "says", "alive", "leak", "gives", "stuck", "stuck_once",
         "parent", "polite", "dies", "waits", "asked_to_end", "in_a_fork")  # fmt: skip


@pytest.fixture
def apart(here):
    """An app whose handlers are those of ``heavy``, each in a process."""

    def make(job=None, *, processes=2, handlers=None, **settings):
        document = job if job is None or "workflow" in job else one_job(job)
        slots = SlotSettings(processes=processes)
        app = here.app(document, handlers, slots=slots, **settings)
        for name in NAMES:
            app.handler(name, process=True)(getattr(heavy, name))
        return app

    return make


def two(first, second):
    jobs = [{"job": "a", "optional": True} | first, {"job": "b"} | second]
    return {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}


def pool_of(app):
    return app.service.executor._processes


async def told(path):
    """What a handler wrote there, as soon as it has."""
    await until_file(path)
    return [int(word) for word in path.read_text().split()]


async def until_file(path):
    while not path.exists():
        await asyncio.sleep(0.01)


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="missing pidfd_open")


# as other handlers


async def test_it_runs_in_another_process_in_its_main_thread(apart):
    async with apart({"run": "where"}) as app:
        first = (await (await app.start("w")).result(20))["j"]
        assert first[0] != os.getpid()
        assert first[1] is True
        assert (await (await app.start("w")).result(20))["j"] == first  # and stays for the next


async def test_arguments_are_checked_and_converted_there(apart):
    async with apart({"run": "takes", "with": {"span": "PT90S", "times": "2"}}) as app:
        assert await (await app.start("w")).result(20) == {"j": 180.0}
        await app.deploy(one_job({"run": "takes", "with": {"span": "soon"}}, "v"))
        with pytest.raises(RunEnded, match="takes: span: ") as ended:
            await (await app.start("v")).result(20)
        assert ended.value.error == "WrongArguments"


async def test_job_and_event_are_injected(apart):
    document = one_job({"run": "about"}, on=[{"event": "GO"}])
    async with apart(document) as app:
        run_id = (await app.emit("GO", {"n": 1}, source="/here")).runs[0]
        loaded = await app.service.engine.residents.load(run_id)
        said = (await Run(app, run_id).result(20))["j"]
    token = loaded.state.token("p/j")
    assert said == {
        "run": run_id, "workflow": "w", "uid": None, "key": "p/j", "attempt": 1,
        "same": f"{run_id}:p/j", "token": token, "callback": f"{app.address}/callbacks/{token}",
        "input": None, "event": ["GO", "/here"], "cancelled": False,
    }  # fmt: skip


async def test_what_a_handler_can_say_besides_a_value(apart):
    async with apart({"run": "says", "with": {"what": "${ input.what }"}} | AGAIN) as app:
        with pytest.raises(RunEnded, match="no such thing") as ended:
            await (await app.start("w", what="fail")).result(20)
        assert ended.value.error == "NotThere"
        retried = await app.start("w", what="retry")
        assert await retried.result(20) == {"j": 2}
        (fact,) = await facts_of(app, retried.id, "job.retried")
        assert (fact["error"].name, fact["error"].message) == ("Retry", "not yet")
        with pytest.raises(RunEnded, match="object cannot be stored as JSON") as ended:
            await (await app.start("w", what="odd")).result(20)
        assert ended.value.error == "NotStorable"
        later = await app.start("w", what="later")
        loaded = await app.service.engine.residents.load(later.id)
        await until(lambda: app.service.executor.running)
        await until(lambda: not app.service.executor.running)
        await app.answer(loaded.state.token("p/j"), output="elsewhere")
        assert await later.result(20) == {"j": "elsewhere"}


async def test_an_error_crosses_by_name_and_text_and_its_traceback_is_logged(apart):
    async with apart({"run": "says", "with": {"what": "raise"}} | ONCE) as app:
        with capture_logs() as logs, pytest.raises(RunEnded, match="said so") as ended:
            await (await app.start("w")).result(20)
        assert ended.value.error == "LookupError"
        (raised,) = (log for log in logs if log["event"] == "job.raised")
        assert "heavy.py" in raised["exception"]
        assert "LookupError: said so" in raised["exception"]


async def test_secrets_are_given_and_taken_out_of_all_it_says(apart):
    jobs = two(
        {"run": "leak", "with": {"key": "${ secrets.KEY }"}} | ONCE,
        {"run": "gives", "with": {"key": "${ secrets.KEY }"}},
    )
    async with apart(jobs, secrets={"KEY": "open-sesame"}) as app:
        with capture_logs() as logs:
            run = await app.start("w")
            assert (await run.result(20))["b"] == "***"
        (failed,) = await facts_of(app, run.id, "job.failed")
        assert failed["error"].message == "*** is wrong"
        assert "open-sesame" not in str(logs)


async def test_a_sign_of_life_reaches_its_run(apart):
    async with apart({"run": "alive"}) as app:
        heard, report = [], app.service.executor._report
        app.service.executor._report = lambda run, event: (heard.append(event), report(run, event))
        await (await app.start("w")).result(20)
    said = [type(event) for event in heard if not isinstance(event, e.Started)]  # slow to begin
    assert said == [e.Heard, e.Heard, e.Completed]


async def test_a_result_beyond_its_limit_is_refused_there(apart, here):
    from ostinato.config.settings import LimitSettings

    app = apart({"run": "gives", "with": {"key": "x" * 200}}, limits=LimitSettings(result=100))
    async with app:
        with pytest.raises(RunEnded, match=r"limits\.result"):
            await (await app.start("w")).result(20)


async def test_a_static_method_is_found_by_its_qualified_name(here):
    app = here.app(one_job({"run": "count", "with": {"n": 1}}))
    app.handler("count", process=True)(heavy.Tools.count)
    async with app:
        assert await (await app.start("w")).result(20) == {"j": 2}


async def test_large_values_cross_both_ways(apart):
    async with apart({"run": "gives", "with": {"key": "${ input.key }"}}) as app:
        key = "é" * 2_000_000
        assert await (await app.start("w", key=key)).result(20) == {"j": key}


def test_the_blocking_twin_has_its_loop_in_a_thread(apart):
    with apart({"run": "where"}).sync as sync:
        assert sync.start("w").result(20)["j"][0] != os.getpid()


# slots


async def test_many_jobs_share_the_processes(apart):
    document = one_job({"run": "where", "each": {"in": "input.items", "as": "it"}})
    async with apart(document) as app:
        output = await (await app.start("w", items=list(range(50)))).result(20)
        assert len({pid for pid, _ in output["j"]}) == len(pool_of(app)) == 2


async def test_there_are_no_more_at_once_than_slots_and_others_do_not_wait(apart, tmp_path):
    wait = {"run": "waits", "with": {"told": str(tmp_path / "a"), "until": str(tmp_path / "go")}}
    again = {"run": "waits", "with": {"told": str(tmp_path / "b"), "until": str(tmp_path / "go")}}
    gate = Gate()
    gate.open.set()
    thread = {"thread": lambda: "done", "gate": gate.__call__}
    async with apart(two(wait, again), processes=1, handlers=thread) as app:
        run = await app.start("w")
        await until_file(tmp_path / "a")
        assert (app.service.executor.running, len(app.service.executor)) == (1, 1)
        for name in thread:
            await app.deploy(one_job({"run": name}, name))
            await (await app.start(name)).result(20)
        assert not (tmp_path / "b").exists()
        (tmp_path / "go").touch()
        output = await run.result(20)
        assert output["a"] == output["b"]
        assert len(pool_of(app)) == 1


async def test_the_loop_turns_while_handlers_compute(apart, tmp_path):
    """In a thread this one would never let go of the interpreter, and nothing here went on."""
    stuck = [{"run": "stuck", "with": {"told": str(tmp_path / name)}} for name in "ab"]
    async with apart(two(*stuck)) as app:
        await app.deploy(one_job({"run": "noop"}, "quick"))
        busy = await app.start("w")
        for name in "ab":
            await until_file(tmp_path / name)
        for _ in range(50):
            await (await app.start("quick")).result(20)
        assert app.service.executor.running == 2
        await app.cancel(busy.id)


# time-outs and cancels


@needs_pidfd
async def test_a_time_out_kills_its_process_and_no_other(apart, tmp_path):
    stuck = {"run": "stuck_once", "with": {"told": str(tmp_path / "stuck")}, "timeout": "50ms"}
    other = {"told": str(tmp_path / "other"), "until": str(tmp_path / "go")}
    async with apart(two(stuck | AGAIN, {"run": "waits", "with": other})) as app:
        run = await app.start("w")
        pids = await told(tmp_path / "stuck")
        watch = Watch(pids)
        neighbour = await told(tmp_path / "other")
        (retried,) = [await reached(app, run.id, "job.retried", "p/a")]
        assert retried["error"].name == "Timeout"
        assert await asyncio.to_thread(watch.ended)
        await reached(app, run.id, "job.succeeded", "p/a")
        (tmp_path / "go").touch()
        output = await run.result(20)
    assert output["a"] not in pids  # a fresh one did the second attempt
    assert output["b"] == neighbour[0]


@needs_pidfd
async def test_what_a_handler_has_started_goes_with_it(apart, tmp_path):
    job = {"run": "parent", "with": {"told": str(tmp_path / "told")}, "timeout": "50ms"} | ONCE
    async with apart(job) as app:
        run = await app.start("w")
        watch = Watch(await told(tmp_path / "told"))
        with pytest.raises(RunEnded, match="took longer"):
            await run.result(20)
        assert await asyncio.to_thread(watch.ended)


@needs_pidfd
async def test_a_cancel_kills_the_process(apart, tmp_path):
    async with apart({"run": "stuck", "with": {"told": str(tmp_path / "told")}}) as app:
        run = await app.start("w")
        watch = Watch(await told(tmp_path / "told"))
        await app.cancel(run.id)
        with pytest.raises(RunEnded) as ended:
            await run.result(20)
        assert ended.value.status == "cancelled"
        assert "job.cancelled" in await types_of(app, run.id)
        assert await asyncio.to_thread(watch.ended)
        await until(lambda: not app.service.executor.running)


async def test_a_handler_that_looks_sees_that_it_is_cancelled(apart, tmp_path):
    async with apart({"run": "polite", "with": {"told": str(tmp_path / "told")}}) as app:
        run = await app.start("w")
        (pid,) = await told(tmp_path / "told")
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(20)
        assert (tmp_path / "told.heard").exists()
        await app.deploy(one_job({"run": "where"}, "v"))
        assert (await (await app.start("v")).result(20))["j"][0] == pid  # it need not be killed


async def test_the_time_of_a_job_begins_when_its_process_is_ready(apart, tmp_path):
    wait = {"told": str(tmp_path / "told"), "until": str(tmp_path / "go")}
    async with apart({"run": "waits", "with": wait, "timeout": "1h"}) as app:
        run = await app.start("w")
        executor = app.service.executor
        await until(lambda: len(pool_of(app)) == 1)
        assert len(executor._deadlines) == 0
        await until_file(tmp_path / "told")
        assert len(executor._deadlines) == 1
        (tmp_path / "go").touch()
        await run.result(20)


# deaths


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("3", "ended by itself, with exit code 3"),
        ("SIGKILL", "was ended by SIGKILL; systems do so when memory runs out"),
        ("SIGSEGV", "was ended by SIGSEGV"),
    ],
)
async def test_a_process_that_dies_fails_its_attempt_and_no_other(apart, tmp_path, how, says):
    wait = {"told": str(tmp_path / "told"), "until": str(tmp_path / "go")}
    document = two({"run": "dies", "with": {"how": how}} | AGAIN, {"run": "waits", "with": wait})
    async with apart(document) as app:
        run = await app.start("w")
        await until_file(tmp_path / "told")
        await reached(app, run.id, "job.succeeded", "p/a")
        (tmp_path / "go").touch()
        await run.result(20)
        (retried,) = await facts_of(app, run.id, "job.retried")
        view = await run.view()
    assert (retried["key"], retried["error"].name) == ("p/a", "ProcessDied")
    assert retried["error"].message == f"the handler's process {says}"
    assert {job.job: job.attempts for job in view.jobs} == {"a": 2, "b": 1}


async def test_one_that_dies_without_work_costs_no_attempt(apart):
    async with apart({"run": "where"}) as app:
        (pid, _) = (await (await app.start("w")).result(20))["j"]
        os.kill(pid, signal.SIGKILL)
        run = await app.start("w")
        assert (await run.result(20))["j"][0] != pid
        assert (await run.view()).jobs[0].attempts == 1


async def test_one_without_work_for_long_leaves(apart, monkeypatch):
    monkeypatch.setattr(pools, "IDLE", 0)
    async with apart({"run": "where"}) as app:
        await (await app.start("w")).result(20)
        await asyncio.wait([process.gone for process in pool_of(app)._all] or [done()])
        assert len(pool_of(app)) == 0


def done():
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def test_it_outlives_a_signal_to_the_whole_service_and_its_forks_do_not(apart):
    async with apart(two({"run": "asked_to_end"}, {"run": "in_a_fork"})) as app:
        output = await (await app.start("w")).result(20)
    assert "function" in output["a"]
    assert output["b"] == "True"


# the end


async def test_a_stop_lets_a_job_end_and_leaves_no_process(apart, tmp_path):
    wait = {"told": str(tmp_path / "told"), "until": str(tmp_path / "go")}
    async with apart({"run": "waits", "with": wait}) as app:
        run, pool = await app.start("w"), pool_of(app)
        await until_file(tmp_path / "told")
        executor = app.service.executor
        closing = asyncio.create_task(app.close())
        await until(lambda: executor._stopping)
        (tmp_path / "go").touch()
        await closing
    assert len(pool) == 0
    async with apart() as app:
        assert "job.succeeded" in await types_of(app, run.id)


async def test_a_stop_leaves_no_process_whose_handler_heard_of_it(apart, tmp_path):
    async with apart({"run": "polite", "with": {"told": str(tmp_path / "told")}}) as app:
        await app.start("w")
        pool = pool_of(app)
        await until_file(tmp_path / "told")
        await app.close(drain=0)
        assert (tmp_path / "told.heard").exists()
    assert len(pool) == 0


@needs_pidfd
async def test_a_stop_kills_what_does_not_end_and_hands_its_job_over(apart, tmp_path):
    job = {"run": "stuck_once", "with": {"told": str(tmp_path / "told")}}
    async with apart(job) as app:
        run, pool = await app.start("w"), pool_of(app)
        watch = Watch(await told(tmp_path / "told"))
        await app.close(drain=0)
    assert len(pool) == 0
    assert await asyncio.to_thread(watch.ended)
    async with apart() as app:
        await reached(app, run.id, "job.succeeded")
        assert {"job.failed", "job.retried"}.isdisjoint(await types_of(app, run.id))


# what cannot be found


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (Gate().__call__, "'h' is async"),
        (lambda: 1, "a lambda has no name"),
        (heavy.Tools().method, "this has none of its own"),
        (test_a_static_method_is_found_by_its_qualified_name, "'h' is async"),
    ],
)
def test_what_a_process_could_not_find_is_refused(function, says):
    with pytest.raises(UsageError, match=says):
        App(store="memory:").handler("h", process=True)(function)


def test_a_function_made_in_a_function_is_refused():
    def inner():
        pass

    with pytest.raises(UsageError, match="is made inside a function"):
        App(store="memory:").handler("h", process=True)(inner)


def wants_app(app: App):
    pass


def wants_run(run: Run):
    pass


@pytest.mark.parametrize("function", [wants_app, wants_run])
def test_what_lives_in_the_engines_process_is_not_injected(function):
    with pytest.raises(UsageError, match="lives in the engine's process; only Job and Event"):
        App(store="memory:").handler("h", process=True)(function)


def test_a_consumer_says_how_to_do_it():
    with pytest.raises(UsageError, match="let its event start a workflow"):
        App(store="memory:").consumer("X", process=True)


async def test_a_name_that_means_another_thing_is_refused_when_the_app_opens(monkeypatch):
    app = App(Settings(store="memory:"))
    app.handler("h", process=True)(heavy.gives)
    monkeypatch.setattr(heavy, "gives", lambda key: key)
    with pytest.raises(UsageError, match=r"tests\.runtime\.heavy\.gives is another thing"):
        await app.open()


async def test_a_module_that_only_this_process_has_fails_the_job(here, monkeypatch):
    import types

    module = types.ModuleType("made_here")
    exec("def f():\n    return 1", vars(module))
    monkeypatch.setitem(sys.modules, "made_here", module)
    app = here.app(one_job({"run": "h"} | ONCE))
    app.handler("h", process=True)(module.f)
    async with app:
        with pytest.raises(RunEnded, match=r"made_here\.f is not found in its process") as ended:
            await (await app.start("w")).result(20)
    assert ended.value.error == "NoHandler"


# without processes


async def test_in_line_nothing_is_started_and_all_else_is_the_same(here):
    class Tested(App):
        _processes = InLine

    app = Tested(Settings(store="memory:"))
    app.handler("where", process=True)(lambda: os.getpid())
    app.handler("says", process=True)(heavy.says)
    app.workflow_document(two({"run": "where"}, {"run": "says", "with": {"what": "retry"}} | AGAIN))
    async with app:
        assert await (await app.start("w")).result(20) == {"a": os.getpid(), "b": 2}


def test_messages_come_out_whole_however_they_come_in():
    data = framed(Heard()) + framed(Completed(b"[1]")) + framed(Heard())
    for size in (1, 3, 1000):
        frames = Frames()
        found = [
            frame
            for start in range(0, len(data), size)
            for frame in frames.feed(data[start : start + size])
        ]
        assert [framed(Heard())[4:], framed(Completed(b"[1]"))[4:], framed(Heard())[4:]] == found


def test_event_is_injected_by_its_own_type():
    assert heavy.about.__annotations__["event"] is Event
