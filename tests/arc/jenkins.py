"""A Jenkins as far as builds by its HTTP API go: crumbs, queue items, builds, parameters.

It answers what the real one does: 403 without a crumb, 201 with the place in the queue, a queue
item that becomes `executable`, a build with `result: null` until it is over, 404 for what is not
there, 500 where `buildWithParameters` meets a job without parameters, and parameters that the job
does not declare left out.
"""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

INSIDE = "http://jenkins.invalid:8080"
USER, TOKEN = "ci", "an-api-token"
CRUMB = {"crumbRequestField": "Jenkins-Crumb", "crumb": "c-1"}


class Jenkins:
    """It knows itself by a name that nobody reaches, as one behind a proxy does.

    ``jobs``: names to declared parameters. ``crumbs``: whether a POST needs one. A test moves a
    build on: ``begin`` takes it out of the queue, ``finish`` says how it went."""

    def __init__(self, jobs, *, crumbs=True):
        self.jobs = jobs
        self.crumbs = crumbs
        self.queue = {}
        self.builds = {}
        self.posts = []
        self.broken = 0
        self.asked = 0
        self._lock = Lock()
        handler = type("Handler", (_Requests,), {"jenkins": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # what a test does

    def begin(self, item=1):
        queued = self.queue[item]
        build = {"url": f"{INSIDE}/job/{queued['job']}/{item}/", "result": None,
                 "building": True, "actions": queued["actions"]}  # fmt: skip
        self.builds[item] = build
        queued["executable"] = {"number": item, "url": build["url"]}

    def finish(self, result="SUCCESS", item=1):
        if item not in self.builds:
            self.begin(item)
        self.builds[item] |= {"result": result, "building": False}

    def parameters(self, item=1):
        [action] = [one for one in self.queue[item]["actions"] if "parameters" in one]
        return {one["name"]: one["value"] for one in action["parameters"]}

    # what it answers

    def get(self, path):
        with self._lock:
            self.asked += 1
            if self.broken:
                self.broken -= 1
                return 503, {}
            return self._found(path)

    def _found(self, path):
        if path == "/crumbIssuer/api/json":
            return (200, CRUMB) if self.crumbs else (404, {})
        if path == "/queue/api/json":
            waiting = [dict(one, id=n) for n, one in self.queue.items() if "executable" not in one]
            return 200, {"items": waiting}
        parts = path.removesuffix("/api/json").strip("/").split("/")
        if parts[:2] == ["queue", "item"] and int(parts[2]) in self.queue:
            return 200, self.queue[int(parts[2])]
        if parts[0] == "job" and "/".join(parts[1:]) in self.jobs:
            return 200, {"builds": list(self.builds.values())}
        if parts[0] == "job" and parts[-1].isdecimal() and int(parts[-1]) in self.builds:
            return 200, self.builds[int(parts[-1])]
        return 404, {}

    def post(self, path, form, headers):
        """The status, and where the build stands in the queue."""
        with self._lock:
            if self.crumbs and headers.get(CRUMB["crumbRequestField"]) != CRUMB["crumb"]:
                return 403, None
            job, _, verb = path.removeprefix("/job/").rpartition("/")
            if verb != "buildWithParameters" or job not in self.jobs:
                return 404, None
            if not self.jobs[job]:
                return 500, None
            self.posts.append(form)
            item = len(self.queue) + 1
            given = [{"name": name, "value": form[name]} for name in self.jobs[job] if name in form]
            self.queue[item] = {"job": job, "actions": [{"causes": []}, {"parameters": given}, {}]}
            return 201, f"{INSIDE}/queue/item/{item}/"


class _Requests(BaseHTTPRequestHandler):
    jenkins: Jenkins

    def do_GET(self):
        if self._known():
            self._answer(*self.jenkins.get(urlsplit(self.path).path))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self._known():
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, place = self.jenkins.post(urlsplit(self.path).path, form, self.headers)
            self._answer(status, {}, place)

    def _known(self):
        wanted = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if self.headers.get("authorization") == wanted:
            return True
        self._answer(401, {})
        return False

    def _answer(self, status, body, place=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        if place:
            self.send_header("location", place)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass
