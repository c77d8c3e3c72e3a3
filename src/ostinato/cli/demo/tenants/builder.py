"""Stands for CodeBuild or Jenkins: it takes an order, works on it, and calls back.

    python builder.py          # listens on 127.0.0.1:8099

It knows nothing of Ostinato but the address it is to call. When nobody answers there, it calls
again: builds are not lost because their customer is away for a moment.
"""

import json
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SECONDS = {"pooled-build": 0.8, "bridge-build": 1.5, "silo-build": 1.8}
SIZES = ("S", "M", "L")


class Builder(ThreadingHTTPServer):
    """``pace`` stretches every build; ``calls`` counts callbacks, answered or not."""

    daemon_threads = True

    def __init__(self, port: int = 8099, pace: float = 1.0) -> None:
        super().__init__(("127.0.0.1", port), _Orders)
        self.pace = pace
        self.calls = 0
        self._taken: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, order: dict[str, Any]) -> None:
        """An order that comes twice, under the same key, is one build."""
        if order["key"] not in self._taken:
            self._taken.add(order["key"])
            threading.Thread(target=self._build, args=(order,), daemon=True).start()

    def _build(self, order: dict[str, Any]) -> None:
        time.sleep(SECONDS.get(order["job"], 1) * self.pace)
        answer = {"output": self.built(order)}
        while not self.call_back(order["callback"], answer):
            time.sleep(0.2)

    def built(self, order: dict[str, Any]) -> dict[str, str]:
        given = order["parameters"]
        if given["size"] not in SIZES:
            return {"status": "failed", "reason": f"no size {given['size']}"}
        return {"status": "succeeded", "appUrl": f"https://{given['tenant']}.example.com"}

    def call_back(self, address: str, answer: dict[str, Any]) -> bool:
        """204: it is told. 404, 409, 410: nobody waits any more. Anything else: call again."""
        self.calls += 1
        at, body = urlsplit(address), json.dumps(answer)
        connection = HTTPConnection(at.hostname or "", at.port, timeout=5)
        try:
            connection.request("POST", at.path, body, {"content-type": "application/json"})
            return connection.getresponse().status in (204, 404, 409, 410)
        except OSError:
            return False
        finally:
            connection.close()


class _Orders(BaseHTTPRequestHandler):
    server: Builder

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.server.take(json.loads(self.rfile.read(length)))
        self.send_response(202)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


if __name__ == "__main__":
    builder = Builder()
    print(f"builds are taken at {builder.url}/builds")
    builder.serve_forever()
