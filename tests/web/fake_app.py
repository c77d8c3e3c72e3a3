"""Stands in for the app: keeps what it is given, and plays a few runs without an engine."""

import asyncio
import json
from types import SimpleNamespace

from msgspec import Raw
from ruamel.yaml import YAML

from ostinato.core.views import ErrorView, RunView
from ostinato.errors import (
    Busy,
    ConflictError,
    DefinitionError,
    Gone,
    InvalidInput,
    NotFoundError,
    Problem,
)
from ostinato.ports import Head, StoredEvent, Version

T0 = 1_800_000_000_000


class FakeApp:
    def __init__(self):
        self.kept = {}  # (source, id) → StoredEvent, in order
        self.heads = {}
        self.facts = {}
        self.documents = {}
        self.tokens = {}
        self.replies = {}
        self.triggers = {"ORDER_PLACED": "hello", "BROKEN": "broken", "UNFIT": "strict"}
        self.ready = False
        self.full = False
        self.fails = None
        self.news = asyncio.Event()

    async def __aenter__(self):
        self.ready = True
        return self

    async def __aexit__(self, *exc):
        self.ready = False

    # -- workflows

    async def deploy(self, documents):
        read = []
        for text in documents:
            document = YAML(typ="safe").load(text.decode())
            if not isinstance(document, dict) or "phases" not in document:
                problem = Problem("`phases` is missing", "phases", line=1, hint="add phases: []")
                raise DefinitionError(f"document: {problem}", problems=(problem,))
            read.append(document)
        return [self._deployed(document) for document in read]

    def _deployed(self, document):
        name, data = document["workflow"], json.dumps(document).encode()
        versions = self.documents.setdefault(name, [])
        created = not versions or versions[-1].document != data
        if created:
            number = versions[-1].version + 1 if versions else 1
            versions.append(Version(name, number, "d", data, T0, f"id-{name}"))
        return self._view(versions[-1], created)

    def _view(self, version, created=False):
        return SimpleNamespace(
            id=version.workflow_id,
            name=version.workflow,
            version=version.version,
            created=created,
            input_schema=json.loads(version.document).get("input_schema"),
            description="",
            warnings=[],
        )

    async def workflows(self):
        return [self._view(versions[-1]) for versions in self.documents.values()]

    async def workflow(self, name, version=None):
        for one in reversed(self._versions(name)):
            if version in (None, one.version):
                return self._view(one), one
        raise NotFoundError(f"workflow {name!r} has no version {version}")

    def _versions(self, name):
        name = name.removeprefix("id-").replace("_", "-")
        if not self.documents.get(name):
            raise NotFoundError(f"no workflow is called {name!r}")
        return self.documents[name]

    async def versions(self, name):
        return self._versions(name)

    async def delete_workflow(self, name, version=None):
        versions = self._versions(name)
        versions[:] = [one for one in versions if version not in (None, one.version)]

    def graph(self, name, version=None):
        return {"workflow": name, "version": version, "nodes": [], "flows": []}

    # -- runs

    async def start_run(self, workflow, input, *, uid=None, version=None, wait=True):
        if self.full:
            raise Busy("10000 jobs are ready; try again later", retry_after=2.4)
        _, found = await self.workflow(workflow, version)
        if found.workflow == "strict" and "tenant" not in input:
            problem = Problem("`tenant` is missing", "tenant")
            raise InvalidInput(f"input: {problem}", problems=(problem,))
        for head in self.heads.values():
            if uid is not None and head.uid == uid and head.ended_at is None:
                return self._handle(head.run_id, duplicate=True)
        run_id = f"run-{len(self.heads) + 1:03}"
        self._play(run_id, found, uid)
        return self._handle(run_id, duplicate=False)

    def _handle(self, run_id, duplicate):
        async def view():
            return await self.run_view(run_id)

        return SimpleNamespace(id=run_id, duplicate=duplicate, view=view)

    def _play(self, run_id, version, uid):
        kind = {"slow": "waiting", "broken": "failed"}.get(version.workflow, "succeeded")
        name = "Exploded" if kind == "failed" else None
        ended = None if kind == "waiting" else T0 + 5
        self.heads[run_id] = Head(
            run_id, version.workflow, version.version, kind, T0, uid, ended_at=ended,
            waiting_for="callback" if kind == "waiting" else None,
            error_name=name, error_message="the boiler exploded" if name else None,
        )  # fmt: skip
        facts = [{"type": "run.started"}, {"type": "job.ready", "key": "a"}]
        if kind == "waiting":
            self.tokens[f"token-{run_id}"] = "open"
            facts.append({"type": "job.waiting", "key": "a", "kind": "callback"})
        elif kind == "failed":
            error = ErrorView(name="Exploded", message="the boiler exploded")
            facts.append({"type": "job.retried", "key": "a", "error": error})
        else:
            facts += [{"type": "job.succeeded", "key": "a"}, {"type": "run.succeeded"}]
        self.facts[run_id] = [{"seq": n, "at": T0} | fact for n, fact in enumerate(facts)]

    def add_fact(self, run_id, **fact):
        self.facts[run_id].append({"seq": len(self.facts[run_id]), "at": T0} | fact)
        self.news.set()
        self.news = asyncio.Event()

    async def find_run(self, name):
        found = [h for h in self.heads.values() if h.uid == name or h.run_id.startswith(name)]
        exact = [h for h in found if name in (h.run_id, h.uid)]
        if name == "last" and self.heads:
            return list(self.heads.values())[-1]
        if self.fails:
            raise self.fails
        if not found:
            raise NotFoundError(f"no run is called {name!r}")
        return (exact or found)[0]

    async def run_view(self, run_id):
        head = self.heads[run_id]
        error = ErrorView(name=head.error_name, message=head.error_message or "")
        return RunView(
            id=run_id, workflow=head.workflow, version=head.version, uid=head.uid,
            status=head.status, doing="work", waiting_for=head.waiting_for, started_at=T0,
            ended_at=head.ended_at, input=Raw(b"{}"), output=Raw(b"null"),
            error=error if head.error_name else None, event=None, jobs=[], phases=[], waits=[],
            warnings=[],
        )  # fmt: skip

    async def wait_ended(self, run_id, timeout):
        async with asyncio.timeout(timeout):
            while self.heads[run_id].ended_at is None:
                await self.news.wait()
        return await self.run_view(run_id)

    async def history(self, run_id, after=-1, limit=50):
        return self.facts[run_id][after + 1 : after + 1 + limit]

    async def stream(self, run_id, after=-1):
        while True:
            for fact in self.facts[run_id][after + 1 :]:
                after = fact["seq"]
                yield fact
                if fact["type"] in ("run.succeeded", "run.cancelled"):
                    return
            await self.news.wait()

    async def runs(self, query, page):
        found = [h for h in reversed(self.heads.values()) if self._fits(h, query)]
        return [h for h in found if page.cursor is None or h.run_id < page.cursor][: page.limit]

    async def count_runs(self, query):
        return len([h for h in self.heads.values() if self._fits(h, query)])

    def _fits(self, head, query):
        return (
            (not query.status or head.status in query.status)
            and query.workflow in (None, head.workflow)
            and query.uid in (None, head.uid)
            and query.waiting_for in (None, head.waiting_for)
        )

    async def cancel(self, run_id, *, by="", why=""):
        self.add_fact(run_id, type="run.cancelled", by=by, why=why)
        return await self.run_view(run_id)

    async def once(self, scope, key, body, act):
        if (scope, key) in self.replies:
            kept, answer = self.replies[scope, key]
            if kept != body:
                raise ConflictError(f"Idempotency-Key {key!r} came with another body before")
            return answer, True
        answer = await act()
        self.replies[scope, key] = body, answer
        return answer, False

    async def answer(self, token, *, output=None, error=None):
        state = self.tokens.get(token)
        if state is None:
            raise NotFoundError("no such token")
        if state == "expired":
            raise Gone("this token has expired")
        if state != "open":
            raise ConflictError("this job is over")
        self.tokens[token] = ("error", error) if error else ("output", output)

    async def heartbeat(self, token):
        if token not in self.tokens:
            raise NotFoundError("no such token")

    # -- events

    def expects(self, type):
        return type in self.triggers

    async def accept(self, events, *, wait=True):
        assert not wait, "the door refuses rather than waits"
        if self.full:
            raise Busy("10000 jobs are ready; try again later", retry_after=2.4)
        return [await self._accept(event) for event in events]

    async def _accept(self, event):
        place = event.source, event.id
        if known := self.kept.get(place):
            return SimpleNamespace(**json.loads(known.answer) | {"duplicate": True})
        runs, letters = [], []
        if workflow := self.triggers.get(event.type):
            try:
                data = json.loads(bytes(event.data))
                runs.append((await self.start_run(workflow, data, wait=False)).id)
            except InvalidInput:
                letters.append({"trigger": workflow, "id": "letter-1"})
            except NotFoundError:
                pass
        answer = dict(
            id=event.id, source=event.source, runs=runs, duplicate=False, dead_letters=letters
        )
        self.kept[place] = StoredEvent(event, T0 + len(self.kept), json.dumps(answer).encode())
        return SimpleNamespace(**answer)

    async def events(self, query, page):
        found = [e for e in reversed(self.kept.values()) if self._wanted(e, query)]
        before = int(page.cursor.split("/")[0]) if page.cursor else T0 * 2
        return [one for one in found if one.received_at < before][: page.limit]

    async def count_events(self, query):
        return len([e for e in self.kept.values() if self._wanted(e, query)])

    def _wanted(self, stored, query):
        return query.type in (None, stored.event.type) and query.source in (
            None,
            stored.event.source,
        )

    async def event(self, event_id, source=None):
        for stored in self.kept.values():
            if stored.event.id == event_id and source in (None, stored.event.source):
                return stored
        raise NotFoundError(f"no event has the id {event_id!r}")

    def health(self):
        return {"ready": self.ready, "runs": len(self.heads)}
