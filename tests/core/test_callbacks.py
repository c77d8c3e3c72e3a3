"""Who holds a callback token, and when an answer by it is too late."""

import pytest

from ostinato.core import events as e
from ostinato.core.callbacks import holder
from ostinato.core.facts import Failure
from ostinato.errors import ConflictError, Gone, NotFoundError
from ostinato.testing.play import Play
from tests.core.semantics.rule import graph_of, handlers


def playing(job):
    text = f"[{{job: a, run: echo}}, {{job: b, run: echo, callback: true, {job}}}]"
    return Play(graph_of(text), handlers({})).start().work()


def token(play, key="p/b"):
    return play.state.token(key)


def answer(play, error=None):
    return play.tell(e.Answered("p/b", None, error and Failure(error, "no")))


def test_an_open_step_is_found_by_its_token():
    play = playing("timeout: 1h")
    assert holder(play.state, token(play)) is play.state.steps["p/b"]


def test_nobody_holds_a_token_that_was_made_up():
    play = playing("timeout: 1h")
    for made_up in ("", "run.0", "é", token(play) + "0"):
        with pytest.raises(NotFoundError):
            holder(play.state, made_up)


@pytest.mark.parametrize("limit", ["timeout: 1m", "heartbeat: 1m, retry: 1"])
def test_what_ran_out_of_time_is_gone(limit):
    play = playing(limit).tick()
    with pytest.raises(Gone, match="p/b of run run has timed out"):
        holder(play.state, token(play))


@pytest.mark.parametrize("name", ["Timeout", "HeartbeatTimeout", "Oops"])
def test_a_failure_is_a_conflict_whatever_its_name(name):
    play = answer(playing("timeout: 1h"), name)
    with pytest.raises(ConflictError, match="already failed") as raised:
        holder(play.state, token(play))
    assert not isinstance(raised.value, Gone)


def test_a_cancelled_step_is_a_conflict_though_an_attempt_ran_out_of_time():
    play = playing("heartbeat: 1m, retry: 2").tick()
    assert play.state.steps["p/b"].error.name == "HeartbeatTimeout"
    play.tell(e.CancelRequested())
    with pytest.raises(ConflictError, match="already cancelled") as raised:
        holder(play.state, token(play))
    assert not isinstance(raised.value, Gone)


def test_each_step_is_hashed_once(monkeypatch):
    text = "[{job: a, run: echo}, {job: b, run: open, needs: [a]}]"
    play = Play(graph_of(text), handlers({})).start()
    state, made = play.state, []
    make = type(state).token
    monkeypatch.setattr(type(state), "token", lambda self, key: made.append(key) or make(self, key))
    first = make(state, "p/a")
    for _ in range(2):
        assert holder(state, first).key == "p/a"
    assert made == ["p/a"]
    play.work()
    assert holder(state, make(state, "p/b")).key == "p/b"
    assert made == ["p/a", "p/b"]
