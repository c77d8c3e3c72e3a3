"""Programs with handlers in processes: as a script, without its guard, and killed."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.stage import Watch

pytestmark = pytest.mark.real

APP = """
import asyncio, os, re, subprocess, sys
from ostinato import App, Job

app = App(store="memory:", slots={"processes": 2})


@app.handler("add", process=True)
def add(a: int, b: int) -> list[int]:
    return [a + b, os.getpid()]


@app.handler("stuck", process=True)
def stuck() -> None:
    print(os.getpid(), flush=True)
    re.match("(a+)+b", "a" * 80)


@app.handler("parent", process=True)
def parent() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    print(os.getpid(), child.pid, flush=True)
    child.wait()


def document(*jobs):
    return {"workflow": "w", "phases": [{"phase": "p", "jobs": list(jobs)}]}

"""

ADD = """
async def main():
    async with app:
        await app.deploy(document({"job": "j", "run": "add", "with": {"a": 1, "b": 2}}))
        (total, pid) = (await (await app.start("w")).result(30))["j"]
        print(total, pid != os.getpid())
"""

STUCK = """
async def main():
    async with app:
        await app.deploy(document({"job": "a", "run": "stuck"}, {"job": "b", "run": "parent"}))
        await (await app.start("w")).result()
"""

GUARDED = '\nif __name__ == "__main__":\n    asyncio.run(main())\n'
BARE = "\nasyncio.run(main())\n"


def run(path, text, *command):
    path.write_text(text)
    return subprocess.run(
        [sys.executable, *(command or [path])],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_script_finds_its_own_handlers(tmp_path):
    done = run(tmp_path / "app.py", APP + ADD + GUARDED)
    assert (done.stdout, done.returncode) == ("3 True\n", 0), done.stderr


def test_so_does_a_module_that_is_run(tmp_path):
    done = run(tmp_path / "app.py", APP + ADD + GUARDED, "-m", "app")
    assert (done.stdout, done.returncode) == ("3 True\n", 0), done.stderr


def test_a_script_without_its_guard_is_told_to_have_one(tmp_path):
    retry = APP.replace("process=True", "process=True, attempts=1")
    done = run(tmp_path / "app.py", retry + ADD + BARE)
    assert done.returncode == 1
    assert 'put what runs it below `if __name__ == "__main__":`' in done.stderr
    assert "ended by itself before the handler began, with exit code 1" in done.stderr


def test_a_handler_that_stands_in_no_file_is_refused(tmp_path):
    done = run(tmp_path / "app.py", "", "-c", APP)
    assert "it stands in no file" in done.stderr


def test_an_app_without_such_handlers_has_nothing_of_it(tmp_path):
    seen = '    print("multiprocessing" in sys.modules)\n'
    done = run(tmp_path / "app.py", APP.replace(", process=True", "") + ADD + GUARDED + seen)
    assert done.stdout == "3 False\nFalse\n", done.stderr


def test_a_program_that_forgets_to_close_its_app_ends_all_the_same(tmp_path):
    forgets = ADD.replace("async with app:", "if await app.open() or await app.begin() or True:")
    done = run(tmp_path / "app.py", APP + forgets + GUARDED)
    assert (done.stdout, done.returncode) == ("3 True\n", 0), done.stderr


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="missing pidfd_open")
def test_no_process_outlives_an_engine_that_is_killed(tmp_path):
    """Not one that never lets go of the interpreter, nor one that a handler has started."""
    path = tmp_path / "app.py"
    path.write_text(APP + STUCK + GUARDED)
    with subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        pids = [int(pid) for _ in range(2) for pid in engine.stdout.readline().split()]
        assert len(pids) == 3
        watch = Watch(pids)
        engine.send_signal(signal.SIGKILL)
    assert watch.ended()


def test_it_ends_by_itself_where_the_kernel_cannot_be_asked(tmp_path):
    """It hears that nobody is at the other end."""
    text = """
import os, socket, sys
from ostinato.runtime.processes.child import Child
os.setpgrp()
print("up", flush=True)
Child(socket.socket(fileno=int(sys.argv[1]))).run()
"""
    here, there = socket.socketpair()
    with there, here:
        process = subprocess.Popen(
            [sys.executable, "-c", text, str(there.fileno())],
            pass_fds=[there.fileno()],
            stdout=subprocess.PIPE,
        )
    with process:
        assert process.wait(60) == -signal.SIGKILL
