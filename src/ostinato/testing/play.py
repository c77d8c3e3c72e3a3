"""Play a graph without an engine: pure, instant, on a virtual clock.

Handlers are plain functions of the job's input. After every event the state is compared with a
replay of the history, so each use is also a test that facts carry all their effects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.codec import decode_facts, encode_facts, encode_value
from ostinato.core.decide import advance
from ostinato.core.facts import Fact, Failure
from ostinato.core.fold import replay
from ostinato.core.graph import Graph, Node
from ostinato.core.state import Scope, State, Step
from ostinato.core.views import RunView, fact_type, run_view
from ostinato.runtime.reports import failure_of

Handler = Callable[[Any], Any]
NOON = 1_800_000_000_000


class Play:
    """One run of ``graph``. Jobs whose handler is missing stay open until told otherwise."""

    def __init__(self, graph: Graph, handlers: Mapping[str, Handler] | None = None) -> None:
        self.graph = graph
        self.handlers = dict(handlers or {})
        self.state = State(graph)
        self.now = NOON
        self.records: list[tuple[int, bytes]] = []
        self.facts: list[Fact] = []
        self.ready: list[c.StartJob] = []
        self.offered: dict[tuple[str, int], c.OfferJob] = {}
        self.recalled: list[c.RecallJob] = []
        self.stopped: list[c.StopJob] = []
        self.timers: dict[tuple[str, str], int] = {}
        self.waits: dict[str, c.OpenWait] = {}
        self.tasks: dict[str, c.PutTask] = {}
        self.answers: list[c.CloseTask] = []
        self.turns: dict[str, c.TakePlaces] = {}
        self.places: dict[str, tuple[str, ...]] = {}
        self.called: dict[str, c.CallRun] = {}
        self.unwanted: list[str] = []
        self.told_above: list[c.AnswerCall] = []
        self.published: list[c.Publish] = []
        self.calls: list[str] = []

    def start(self, input: Any = None, event: Any = None, uid: str | None = None) -> Play:
        data = None if input is None else encode_value(input)
        trigger = None if event is None else encode_value(event)
        return self.tell(e.Start("run", "seed", uid, data, trigger))

    def tell(self, event: e.Event) -> Play:
        facts, commands = advance(self.state, event, self.now)
        if facts:
            self.records.append((self.now, encode_facts(facts)))
            self.facts += facts
        for command in commands:
            self._obey(command)
        self._compare()
        return self

    def _obey(self, command: c.Command) -> None:
        match command:
            case c.StartJob():
                self.ready.append(command)
            case c.OfferJob(key, attempt):
                self.offered[key, attempt] = command
            case c.RecallJob(key, attempt):
                self.recalled.append(command)
                self.offered.pop((key, attempt), None)
            case c.StopJob():
                self.stopped.append(command)
            case c.SetTimer(key, kind, due_at):
                self.timers[key, kind] = due_at
            case c.ClearTimer(key, kind):
                self.timers.pop((key, kind), None)  # it may just have fired
            case c.OpenWait(key):
                self.waits[key] = command
            case c.CloseWait(key):
                del self.waits[key]
            case c.HoldPlace(name):
                self.places[""] = (*self.places.get("", ()), name)
            case c.PutTask(key):
                self.tasks[key] = command
            case c.CloseTask(key) if key in self.tasks:
                del self.tasks[key]
                self.answers.append(command)
            case c.TakePlaces(key):
                self.turns[key] = command
            case c.FreePlaces(key):
                self.turns.pop(key, None)
                self.places.pop(key, None)
            case c.Publish():
                self.published.append(command)
            case c.CallRun(caller):
                self.called[caller.key] = command
            case c.HangUp(key):
                self.unwanted.append(key)
            case c.AnswerCall():
                self.told_above.append(command)

    def _compare(self) -> None:
        if self.state.ended and (self.turns or self.places):
            raise AssertionError(f"it has ended, and keeps {self.turns or self.places}")
        asked = {key for key, step in self.state.open.items() if step.kind == "task"}
        if asked != set(self.tasks):
            raise AssertionError(f"people are asked {set(self.tasks)}, and {asked} wait")
        again = replay(self.graph, [(at, decode_facts(data)) for at, data in self.records])
        live, loaded = snapshot(self.state), snapshot(again)
        if live != loaded:
            raise AssertionError(f"replay differs:\n{live}\n{loaded}")

    def work(self) -> Play:
        """Do the jobs that have handlers, until none is left; who waits for a turn gets it."""
        self.admit_all()
        while todo := [job for job in self.ready if job.handler in self.handlers]:
            self.ready = [job for job in self.ready if job not in todo]
            for job in todo:
                self.do(job)
            self.admit_all()
        return self

    def answer_calls(self) -> bool:
        """Runs that are called end as the handler of the workflow's name does; or, when they are
        not wanted any more, are cancelled. Whether there was any."""
        todo = [key for key, call in self.called.items() if call.workflow in self.handlers]
        for key in todo:
            call = self.called[key]
            if key in self.unwanted:
                self.end_call(key, error=Failure("Cancelled", "it was cancelled"))
                continue
            self.calls.append(key)
            try:
                output = self.handlers[call.workflow](msgspec.json.decode(call.input))
            except Exception as error:
                self.end_call(key, error=Failure(type(error).__name__, str(error)))
            else:
                self.end_call(key, output)
        return bool(todo)

    def end_call(
        self, key: str, output: Any = None, error: Failure | None = None, *, refused: bool = False
    ) -> Play:
        """The run that the step of this key has called ends."""
        call = self.called.pop(key)
        self.unwanted = [one for one in self.unwanted if one != key]
        data = encode_value(output)
        return self.tell(e.CallAnswered(key, call.caller.attempt, data, error, refused))

    def admit_all(self) -> None:
        while self.turns:
            self.admit(*self.turns)

    def admit(self, *keys: str) -> Play:
        """It is the turn of these."""
        for key in keys:
            wants = self.turns.pop(key).wants
            self.places[key] = tuple(want.name for want in wants if want.per is None)
            self.tell(e.PlacesTaken(key))
        return self

    def do(self, job: c.StartJob) -> Play:
        self.calls.append(job.key)
        data = None if job.input is None else msgspec.json.decode(job.input)
        try:
            output = self.handlers[job.handler](data)
        except Exception as error:
            return self.tell(failure_of(job, error))
        return self.tell(e.Completed(job.key, job.attempt, encode_value(output)))

    def complete(self, key: str, output: Any = None) -> Play:
        job = next(job for job in self.ready if job.key == key)
        self.ready.remove(job)
        return self.tell(e.Completed(key, job.attempt, encode_value(output)))

    def fail(self, key: str, name: str = "Oops", *, final: bool = False) -> Play:
        job = next(job for job in self.ready if job.key == key)
        self.ready.remove(job)
        return self.tell(e.Failed(key, job.attempt, Failure(name, name), final))

    def obey_stops(self) -> Play:
        """Running jobs do as they are told and stop."""
        while self.stopped:
            job = self.stopped.pop()
            self.ready = [ready for ready in self.ready if ready.key != job.key]
            self.tell(e.Stopped(job.key, job.attempt))
        return self

    def tick(self) -> Play:
        """Jump to the next timer and fire it."""
        (key, kind), due_at = min(self.timers.items(), key=lambda timer: (timer[1], timer[0]))
        del self.timers[key, kind]
        self.now = max(self.now, due_at)
        return self.tell(e.TimerFired(key, kind, due_at))

    def run(self, input: Any = None, **more: Any) -> Play:
        """Start and play to the end, jumping over every wait."""
        self.start(input, **more)
        while True:
            self.work().obey_stops()
            if self.answer_calls():
                continue
            if self.state.ended or not self.timers or self.ready:
                return self
            self.tick()

    def answer(
        self, key: str, outcome: str | None = None, data: Any = None, by: str = "ann"
    ) -> Play:
        """A person answers the task that is open under this key."""
        attempt = self.tasks[key].attempt
        return self.tell(e.TaskAnswered(key, attempt, encode_value(data), outcome, by))

    def arrive(self, key: str, type: str, data: Any, **members: Any) -> Play:
        event = {"id": "e", "source": "s", "type": type, "data": data} | members
        return self.tell(e.Arrived(key, Raw(msgspec.json.encode(event))))

    @property
    def view(self) -> RunView:
        return run_view(self.state)

    @property
    def status(self) -> str:
        return self.view.status

    @property
    def output(self) -> Any:
        return msgspec.json.decode(self.view.output)

    @property
    def jobs(self) -> dict[str, str]:
        """Step key to status, in order."""
        return {job.key: job.status for job in self.view.jobs}

    @property
    def types(self) -> list[str]:
        return [fact_type(fact) for fact in self.facts]


def snapshot(state: State) -> dict[str, Any]:
    """Everything a state holds, as plain values that can be compared, the order of maps too.

    Left out is what is made again when somebody asks: decoded values and tokens.
    """
    names = (State.__annotations__.keys() | vars(state).keys()) - MADE_AGAIN
    held = {name: getattr(state, name) for name in sorted(names)}
    held["steps"] = [(key, _slots(step)) for key, step in state.steps.items()]
    held["scopes"] = [(key, _slots(scope)) for key, scope in state.scopes.items()]
    return {name: _plain(value) for name, value in held.items()}


MADE_AGAIN = {"graph", "cache", "tokens"}


def _slots(thing: Step | Scope) -> dict[str, Any]:
    return {name: _plain(getattr(thing, name)) for name in type(thing).__slots__}


def _plain(value: Any) -> Any:
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Step | Scope):
        return value.key
    if isinstance(value, Node):
        return value.path
    if isinstance(value, Mapping):
        return [(key, _plain(member)) for key, member in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value
