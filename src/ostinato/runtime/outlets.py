"""What leaves after a commit, and where to: jobs, timers, answers, and news for who watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Raw

from ostinato.core import commands as c
from ostinato.core.cloudevents import Event
from ostinato.core.state import State
from ostinato.ports import Batch, DeadLetter, Mail
from ostinato.runtime.change import Applied, Told
from ostinato.runtime.mail import Message
from ostinato.runtime.posts import Post
from ostinato.runtime.resident import Residents
from ostinato.runtime.watching import Watching

Job = tuple[State, c.StartJob]


class Outlets:
    """``dispatch`` gets the jobs that are ready, ``stop_job`` and
    ``withdraw`` a (run, key, attempt). ``hand_out`` sees a batch before it is stored."""

    def __init__(self, residents: Residents) -> None:
        self._residents = residents
        self.watching = Watching()
        self.dispatch: Callable[[Sequence[Job]], None] = lambda jobs: None
        self.stop_job: Callable[[str, str, int], None] = lambda run_id, key, attempt: None
        self.withdraw: Callable[[str, str, int], None] = lambda run_id, key, attempt: None
        self.hand_out: Callable[[Batch, int], None] = lambda batch, now: None
        self.on_offer: Callable[[str, c.OfferJob], None] = lambda run_id, offered: None
        self.on_recall: Callable[[str, str, int], None] = lambda run_id, key, attempt: None
        self.abroad: Callable[[Post, int], None] = lambda post, partition: post.dropped()
        self.on_fenced: Callable[[], None] = lambda: None
        self.on_ended: Callable[[str], None] = lambda run_id: None
        self.on_timer: Callable[[int], None] = lambda due_at: None
        self.on_turn: Callable[[str, c.TakePlaces], None] = lambda run_id, asked: None
        self.on_free: Callable[[str, str], None] = lambda run_id, key: None
        self.on_place: Callable[[str, str], None] = lambda run_id, name: None
        self.on_outgoing: Callable[[str, Iterable[str]], None] = lambda run_id, buses: None
        self.on_letter: Callable[[DeadLetter], None] = lambda letter: None
        self.on_wait: Callable[[str, c.OpenWait], None] = lambda run_id, wait: None
        self.on_mail: Callable[[Mail], None] = lambda mail: None
        self.on_said: Callable[[str, Message], None] = lambda run_id, said: None
        self.on_readable: Callable[[str], None] = lambda run_id: None
        self.on_event: Callable[[Event, Sequence[str], Raw], None] = lambda event, keys, raw: None

    def leave(self, applied: Iterable[Applied]) -> None:
        jobs: list[Job] = []
        for one in applied:
            if one.change.made is not None:
                self._announce(one.change.made)
            for told in one.change.tolds:
                self._leave(told, jobs)
            one.post.done(one.result)
        if jobs:
            self.dispatch(jobs)

    def _announce(self, rows: Batch) -> None:
        for letter in rows.dead_letters:
            self.on_letter(letter)
        for mail in rows.mail.values():
            if mail is not None:
                self.on_mail(mail)

    def _leave(self, told: Told, jobs: list[Job]) -> None:
        state = told.resident.state
        for command in told.commands:
            if type(command) is c.StartJob:
                jobs.append((state, command))
                continue
            if jobs and type(command) in (c.StopJob, c.Withdraw):  # perhaps of one of these
                self.dispatch(jobs)
                jobs.clear()
            self._obey(state, command)
        if self.watching:
            self.watching.tell(told)
        if told.ended:
            self._residents.drop(state.run_id)
            self.on_ended(state.run_id)

    def _obey(self, state: State, command: c.Command) -> None:
        match command:
            case c.StopJob(key, attempt):
                self.stop_job(state.run_id, key, attempt)
            case c.OfferJob():
                self.on_offer(state.run_id, command)
            case c.RecallJob(key, attempt, gently):
                if not gently:
                    self.on_recall(state.run_id, key, attempt)
            case c.Withdraw(key, attempt):
                self.withdraw(state.run_id, key, attempt)
            case c.SetTimer(_, _, due_at):
                self.on_timer(due_at)
            case c.Publish(buses=buses):
                self.on_outgoing(state.run_id, buses)
            case c.TakePlaces():
                self.on_turn(state.run_id, command)
            case c.HoldPlace(name):
                self.on_place(state.run_id, name)
            case c.FreePlaces(key):
                self.on_free(state.run_id, key)
            case c.OpenWait():
                self.on_wait(state.run_id, command)
            case c.CallRun() | c.HangUp() | c.AnswerCall():
                self.on_said(state.run_id, command)
