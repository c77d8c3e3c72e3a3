"""Handlers for processes of their own: another process imports this module and finds them here.

What they tell while they are at work stands in files: ``told`` is the path of one.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from ostinato import Event, Fail, Job, Later, Retry


def tell(path, text):
    """Whole or not at all: somebody waits for the file."""
    made = Path(f"{path}.new")
    made.write_text(str(text))
    made.rename(path)


def where():
    return [os.getpid(), threading.current_thread() is threading.main_thread()]


def takes(span: timedelta, times: int = 1) -> float:
    return span.total_seconds() * times


def about(job: Job, event: Event) -> dict:
    return {
        "run": job.run_id, "workflow": job.workflow, "uid": job.uid, "key": job.key,
        "attempt": job.attempt, "same": job.idempotency_key, "token": job.token,
        "callback": job.callback_url, "input": job.input, "event": [event.type, event.source],
        "cancelled": job.cancelled,
    }  # fmt: skip


def says(job: Job, what: str):
    if what == "fail":
        raise Fail("no such thing", "NotThere")
    if what == "raise":
        raise LookupError("said so")
    if what == "retry" and job.attempt == 1:
        return Retry(after="1ms", message="not yet")
    if what == "later":
        return Later()
    if what == "odd":
        return object()
    return job.attempt


def alive(job: Job):
    job.heartbeat()
    job.heartbeat()


def leak(key: str):
    raise LookupError(f"{key} is wrong")


def gives(key: str) -> str:
    return key


def stuck(told: str, job: Job):
    """Code that never lets go of the interpreter: no thread of this process gets a turn."""
    tell(told, os.getpid())
    re.match(r"(a+)+b", "a" * 80)


def stuck_once(told: str, job: Job):
    return stuck(told, job) if job.attempt == 1 else os.getpid()


def parent(told: str):
    """It has started something, and waits for that."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tell(told, f"{os.getpid()} {child.pid}")
    child.wait()


def polite(told: str, job: Job):
    tell(told, os.getpid())
    while not job.cancelled:
        pass
    tell(f"{told}.heard", "yes")
    return os.getpid()


def dies(job: Job, how: str):
    if job.attempt > 1:
        return os.getpid()
    if how.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[how])
    os._exit(int(how))


def waits(told: str, until: str):
    tell(told, os.getpid())
    while not Path(until).exists():
        pass
    return os.getpid()


def asked_to_end():
    """As whoever stops a whole service does; what is forked here hears it as ever."""
    os.kill(os.getpid(), signal.SIGTERM)
    return str(signal.getsignal(signal.SIGTERM))


def in_a_fork():
    here, there = os.pipe()
    if not os.fork():
        os.write(there, str(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL).encode())
        os._exit(0)
    os.wait()
    return os.read(here, 10).decode()


class Tools:
    @staticmethod
    def count(n: int) -> int:
        return n + 1

    def method(self):
        pass
