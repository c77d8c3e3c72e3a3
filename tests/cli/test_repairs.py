"""What the commands that mend a run say: only what is true of it then."""

import pytest

from ostinato.cli import cancel, repairs

HELD = {"key": "p/a:undo", "kind": "repair", "since": 1}
EVENT = {"key": "p/b", "kind": "event", "types": ["GO"], "since": 1}


def run(status, *waits, ended=None):
    return {"id": "r", "workflow": "w", "status": status, "endedAt": ended, "waits": [*waits]}


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (run("cancelled", ended=1), ["run r of w is cancelled"]),
        (run("failed", ended=1), ["run r of w is failed"]),
        (run("waiting", EVENT), ["run r of w is being cancelled: ostinato watch r"]),
    ],
)
def test_a_cancel_of_what_goes_on(of, said):
    assert list(cancel.lines(of, running=True)) == said


def test_a_cancel_of_what_waits_for_a_person():
    first, held = cancel.lines(run("waiting", HELD, EVENT), running=True)
    assert first == "run r of w is being cancelled, and goes no further by itself"
    assert held.startswith("p/a:undo: failed for good, waiting for a person")
    assert "`ostinato retry r p/a:undo` or `ostinato skip r p/a:undo` would continue it" in held


def test_a_retry_in_a_paused_run_waits_until_it_is_resumed():
    said = list(repairs.lines(run("paused", EVENT), "retry", "is tried again"))
    assert said == [
        "run r of w is tried again, once it is no longer paused",
        "paused; `ostinato resume r` lets it go on",
    ]


@pytest.mark.parametrize(
    ("of", "verb", "said"),
    [
        (run("running"), "retry", "run r of w told"),
        (run("paused"), "signal", "run r of w told"),
        (run("succeeded", ended=1), "skip", "run r of w told; it has succeeded"),
        (run("cancelled", ended=1), "skip", "run r of w told; it is cancelled"),
    ],
)
def test_what_was_done_is_said_first(of, verb, said):
    assert next(repairs.lines(of, verb, "told")) == said


def test_what_still_waits_for_a_person_is_said_after_any_repair():
    _, held = repairs.lines(run("waiting", HELD), "resume", "is no longer paused")
    assert "waiting for a person" in held
