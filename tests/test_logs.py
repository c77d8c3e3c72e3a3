"""Where the log goes can be changed at any moment, also for loggers that have spoken before."""

import subprocess
import sys

TALK = """
from ostinato.config import LogSettings
from ostinato.telemetry.logger import logger
from ostinato.telemetry.logs import configure_logs, divert_logs

log = logger("ostinato.tests")
configure_logs(LogSettings())
log.info("first")
back = divert_logs(lambda event: print(event["event"]))
log.info("second")
back()
log.info("third")
"""


def test_a_log_that_a_server_has_set_up_is_diverted_and_comes_back():
    done = subprocess.run([sys.executable, "-c", TALK], capture_output=True, text=True, check=True)
    assert done.stdout == "second\n"
    assert [word for word in ("first", "second", "third") if word in done.stderr] == [
        "first",
        "third",
    ]


WHO_EMBEDS = """
from ostinato.telemetry.logger import logger

def fail():
    header = "Bearer " + "".join(["hid", "den"])
    raise ValueError("no")

try:
    fail()
except ValueError:
    logger("ostinato.test").exception("it.failed")
"""


def test_by_itself_a_log_shows_no_local_variables():
    """They hold headers, and keys in them."""
    done = subprocess.run(
        [sys.executable, "-c", WHO_EMBEDS], capture_output=True, text=True, check=True
    )
    said = done.stdout + done.stderr
    assert "ValueError: no" in said
    assert "hidden" not in said
