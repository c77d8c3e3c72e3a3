"""Moto's SQS, SNS and EventBridge, in a process of their own on a free port of this machine.

    with moto() as server:
        client("sqs", endpoint_url=server.url)

After ``forget_keys(server)`` it knows no keys but those that its IAM has made, and refuses others
as AWS does. By itself: ``python -m tests.servers.moto`` shows a URL and serves until Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from threading import Thread

import httpx2

from tests.servers.child import HOST, Child, child
from tests.servers.missing import Missing


@contextmanager
def moto() -> Iterator[Child]:
    """Raises ``Missing``."""
    if find_spec("moto") is None or find_spec("flask") is None:
        raise Missing("moto: `pip install moto flask flask-cors`")
    with child([sys.executable, "-m", "tests.servers.moto", "--child"]) as server:
        yield server


def forget_keys(server: Child) -> None:
    httpx2.post(f"{server.url}/moto-api/reset-auth", content=b"0").raise_for_status()


def serve() -> None:
    """The child: its port on a line, and it ends when its input does."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server(HOST, 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)  # polls that wait would keep it


if __name__ == "__main__":
    if "--child" in sys.argv:
        serve()
    with suppress(KeyboardInterrupt), moto() as here:
        sys.stdout.write(f"{here.url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    sys.exit(0)
