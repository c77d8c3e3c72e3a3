"""Somebody who plays a run in any order: what can happen next, happens by chance.

Jobs end, fail, defer, die with their process or say nothing; timers fire late and in any order;
events come that fit and that do not; the run is cancelled or taken over; and what was said once
may be said again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_value
from ostinato.core.facts import Failure
from ostinato.core.graph import Graph
from ostinato.core.state import Step
from ostinato.definitions import compile, read
from ostinato.testing.generate import EVENTS, TRIGGERS, any_data, any_document, any_graph
from ostinato.testing.generate.vocabulary import OUTCOMES, PEOPLE
from ostinato.testing.play import Play

CHANCE = st.randoms(use_true_random=False)
SEEDS = st.integers(0, 2**32)

DOCUMENTS = CHANCE.map(any_document)
GRAPHS = CHANCE.map(any_graph)
WORKFLOWS = st.one_of(DOCUMENTS.map(lambda data: compile(read(data))), GRAPHS)
"""Documents and graphs alike, ready to run."""

OUTPUTS = [encode_value({"status": 200, "again": again}) for again in (False, True)]
OUTPUTS += [OUTPUTS[0], NULL, encode_value([1])]
WAITS = ("event", "callback", "task")
ENDS = ("succeeded", "failed", "cancelled")


class Player(Play):
    """``told`` is all that the run was told; ``starts`` the attempts it asked for."""

    def __init__(self, graph: Graph, seed: int, *, compare: bool = False) -> None:
        super().__init__(graph)
        self.chance = Random(seed)
        self.compares = compare
        self.told: list[tuple[int, e.Event]] = []
        self.starts: list[tuple[str, int]] = []
        self.events = 0
        self.trouble = self.chance.choice([0, 0.1, 0.5])

    def _compare(self) -> None:
        if self.compares:
            super()._compare()

    def tell(self, event: e.Event) -> Play:
        self.told.append((self.now, event))
        return super().tell(event)

    def _obey(self, command: c.Command) -> None:
        super()._obey(command)
        if isinstance(command, c.StartJob):
            self.starts.append((command.key, command.attempt))

    def begin(self) -> Player:
        data = any_data(self.chance)
        if self.chance.random() < 0.5:
            self.start(data)
        else:
            self.start(event={"id": "t", "source": "s", "type": TRIGGERS[0], "data": data})
        return self

    def wander(self, moves: int, **more: Any) -> Player:
        """So many things happen, or fewer when the run ends before or has nothing open."""
        self.begin()
        for _ in range(self.chance.randint(0, moves)):
            if self.state.ended:
                break
            self.happen(**more)
        return self

    def happen(self, *, cancels: bool = True) -> None:
        moves: list[Callable[[], Any]] = [self.report] * (6 * bool(self.ready))
        moves += [self.fire] * (2 * bool(self.timers)) + [self.obey_one] * bool(self.stopped)
        moves += [self.hear] * (2 * bool(self.state.open)) + [self.pass_time]
        moves += [self.again] + [self.lose_the_process] * (self.chance.random() < 0.2)
        moves += [self.cancel] * (cancels and self.chance.random() < 0.2)
        moves += [self.hear_of_call] * (3 * bool(self.called))
        moves += [self.take_turn] * (3 * bool(self.turns)) + [self.give_way] * bool(self.places)
        moves += [self.repair] * (self.chance.random() < 0.3)
        self.chance.choice(moves)()

    def take_turn(self) -> None:
        """Or be told that there is none."""
        key = self.chance.choice(list(self.turns))
        if self.chance.random() < self.trouble:
            self.tell(e.PlacesRefused(key, self.turns[key].wants[0].name))
        else:
            self.admit(key)

    def give_way(self) -> None:
        if self.chance.random() < self.trouble / 5:
            key, names = self.chance.choice(list(self.places.items()))
            self.tell(e.Displaced(key, names[0] if names else "nobody's"))

    def hear_of_call(self) -> None:
        """The run that a step has called joined another one, could not begin, or has ended."""
        key = self.chance.choice(list(self.called))
        bad = self.chance.random() < self.trouble
        if not bad and self.chance.random() < 0.2:
            self.tell(e.CallMoved(key, self.called[key].caller.attempt, "elsewhere"))
        elif key in self.unwanted or bad:
            error = Failure("Cancelled" if key in self.unwanted else "Oops", "x")
            self.end_call(key, error=error, refused=self.chance.random() < 0.3)
        else:
            self.end_call(key, msgspec.json.decode(self.output()))

    def report(self) -> None:
        job = self.ready.pop(self.chance.randrange(len(self.ready)))
        key, attempt = job.key, job.attempt
        ways: list[e.Event] = [e.Completed(key, attempt, self.output())] * 5
        ways += [e.Deferred(key, attempt), e.Started(key, attempt), e.HandedOver(key, attempt)]
        if self.chance.random() < self.trouble:
            ways = [e.Failed(key, attempt, Failure("Oops", "x"))] * 3
            ways += [e.Failed(key, attempt, Failure("Fatal", "x"), final=True)]
            ways += [e.Failed(key, attempt, Failure("Retry", "x"), after=1)]
        event = self.chance.choice(ways)
        self.tell(event)
        if isinstance(event, e.Started | e.HandedOver):
            self.ready.append(job)

    def output(self) -> msgspec.Raw:
        return self.chance.choice(OUTPUTS)

    def fire(self) -> None:
        """Mostly the next timer, at times a later one first."""
        if self.chance.random() < 0.7:
            self.tick()
            return
        (key, kind), due_at = self.chance.choice(list(self.timers.items()))
        del self.timers[key, kind]
        self.now = max(self.now, due_at + self.chance.choice([0, 5]))
        self.tell(e.TimerFired(key, kind, due_at))

    def obey_one(self) -> None:
        job = self.stopped.pop(self.chance.randrange(len(self.stopped)))
        self.tell(e.Stopped(job.key, job.attempt))

    def hear(self) -> None:
        """An event, an answer or a sign of life for something that is open."""
        step = self.chance.choice(list(self.state.open.values()))
        if step.kind == "event" and self.chance.random() < 0.5:
            self.answer(step)
        elif step.kind == "event":
            self.send(step.key, self.chance.choice(EVENTS), any_data(self.chance))
        elif step.key in self.tasks:
            self.answer_task(step)
        elif self.chance.random() < 0.3:
            self.tell(e.Heard(step.key, step.attempt))
        elif step.node.spec.callback or step.kind == "callback":
            bad = e.Answered(step.key, error=Failure("No", "x"))
            self.tell(
                bad if self.chance.random() < self.trouble else e.Answered(step.key, self.output())
            )

    def answer_task(self, step: Step) -> None:
        """Mostly with one of its outcomes, and for the task that is open."""
        outcome = self.chance.choice([*OUTCOMES, "none of them"])
        late = self.chance.random() < self.trouble
        data, by = self.output(), self.chance.choice(PEOPLE)
        self.tell(e.TaskAnswered(step.key, step.attempt - late, data, outcome, by))

    def send(self, key: str, type: str, data: Any) -> None:
        self.events += 1
        self.arrive(key, type, data, id=f"e{self.events}")

    def answer(self, step: Step) -> None:
        """What the step waits for, in its most agreeable form."""
        if step.kind == "event":
            self.send(step.key, step.types[0], fitting(step))
        elif step.kind == "task":
            self.tell(e.TaskAnswered(step.key, step.attempt, OUTPUTS[0], OUTCOMES[0], PEOPLE[0]))
        else:
            self.tell(e.Answered(step.key, OUTPUTS[0]))

    def pass_time(self) -> None:
        self.now += self.chance.choice([0, 1, 1000, -5000])

    def again(self) -> None:
        """Something is said once more."""
        _, event = self.chance.choice(self.told)
        if not isinstance(event, e.CancelRequested | e.TakenOver):
            self.tell(event)

    def lose_the_process(self) -> None:
        self.ready.clear()
        self.stopped.clear()
        self.tell(e.TakenOver())

    def cancel(self) -> None:
        self.tell(e.CancelRequested("me", "enough"))

    def repair(self) -> None:
        """A person does something; mostly it is refused, and changes nothing."""
        key = self.chance.choice([*self.state.steps, "no/such"])
        ways: list[e.Event] = [e.PauseRequested("me"), *[e.ResumeRequested("me")] * 2]
        ways += [e.RetryRequested("me", key=one) for one in (key, "")]
        ways.append(e.RetryRequested("me", key=key, input=encode_value({"n": 2})))
        ways += [e.SkipRequested(key, "me", output=NULL, done=self.chance.random() < 0.5)]
        self.tell(self.chance.choice(ways))

    def mend(self, step: Step) -> None:
        """What waits for a person is skipped, or tried again once more."""
        again = [e.RetryRequested("me", key=step.key)] if step.attempt < 9 else []
        self.tell(self.chance.choice([*again, e.SkipRequested(step.key, "me")]))

    def settle(self, moves: int) -> Player:
        """From here on everybody answers well. At most so many moves."""
        while moves and not self.state.ended and self.oblige():
            moves -= 1
        assert moves, f"it goes on and on: {list(self.jobs.items())[-20:]}"
        return self

    def oblige(self) -> bool:
        """One thing that helps the run on, if there is one."""
        waiting = [step for step in self.state.open.values() if step.kind in WAITS]
        held = [step for step in self.state.open.values() if step.kind == "repair"]
        if self.state.paused:
            self.tell(e.ResumeRequested("me"))
        elif self.turns:
            self.admit(self.chance.choice(list(self.turns)))
        elif self.ready:
            job = self.ready.pop(self.chance.randrange(len(self.ready)))
            self.tell(e.Completed(job.key, job.attempt, OUTPUTS[0]))
        elif self.stopped:
            self.obey_one()
        elif self.called:
            self.end_call(self.chance.choice(list(self.called)), {"again": False})
        elif waiting:
            self.answer(self.chance.choice(waiting))
        elif held:
            self.mend(self.chance.choice(held))
        elif self.timers:
            self.tick()
        else:
            return False
        return True


def fitting(step: Step) -> dict[str, Any]:
    """Data that the wait's pattern is for, as far as this generator writes patterns."""
    pattern = {} if step.match is None else msgspec.json.decode(step.match).get("data", {})
    return {name: _fits(tests[0]) for name, tests in pattern.items()}


def _fits(test: Any) -> Any:
    if isinstance(test, dict):
        return test.get("prefix", 1)
    return test
