"""A real server in a process of its own, for tests. Its first line on stdout says it is ready."""

import contextlib
import json
import os
import signal
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from ostinato.cli import main; main()"]
PATIENCE = 20  # seconds


class Server:
    def __init__(self, folder, *arguments, **environ):
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *map(str, arguments)],
            cwd=folder,
            env=os.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self):
        assert self.process.stdout
        return self.process.stdout.readline()

    def facts(self):
        """What ``serve --json`` prints when it is ready."""
        line = self.line()
        assert line, self.process.communicate(timeout=PATIENCE)
        return json.loads(line)

    def end(self, number=signal.SIGTERM):
        """The exit code, and all that was printed since."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(folder, *arguments, **environ):
    server = Server(folder, *arguments, **environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def command(folder, *arguments, **environ):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
