"""A real HTTP server in a thread, for what is sent out."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Received:
    """``calls``: headers (names in lower case) and body of each; ``answers``: the next ones."""

    def __init__(self):
        self.calls = []
        self.answers = []
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = received.take(headers, body, self.path)
                self.send_response(status)
                if status != 204:
                    self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def take(self, headers, body, path):
        self.calls.append((headers, body))
        return self.answers.pop(0) if self.answers else (204, b"")

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
