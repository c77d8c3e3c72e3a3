"""The end of the process, also while a handler's thread does not end.

Python waits for such threads at its exit, for ever if need be. Everything is closed by then, and
their jobs are handed over: nothing that they still do could be recorded.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

HANDLERS = "ostinato-handler"


def leave(code: int) -> NoReturn:
    names = [
        each.name
        for each in threading.enumerate()
        if each.name.startswith(f"{HANDLERS}:") and each.is_alive()
    ]
    if not names:
        sys.exit(code)
    from ostinato.telemetry.logger import logger

    logger("ostinato.server").warning("threads.left", threads=sorted(names))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
