"""``ostinato watch`` without a terminal: what is over is told as that."""

import pytest

from ostinato.cli.watch import Waits

NOW = 1_800_000_000_000
FACT = {"type": "job.waiting", "key": "p/t", "at": NOW}
OPEN = {"key": "p/t", "since": NOW, "kind": "event", "types": ["PAID"]}


class Client:
    """Answers with the runs it was given, one after the other."""

    place = "store"

    def __init__(self, *runs):
        self.left = list(runs)

    async def run(self, name):
        return self.left.pop(0)


def run(*waits, ended=None, began=NOW - 1000):
    jobs = [{"key": "p/t", "startedAt": began, "endedAt": ended}]
    return {"id": "r-1", "startedAt": began, "endedAt": None, "jobs": jobs, "waits": list(waits)}


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ({"kind": "event", "types": ["PAID", "LOST"], "timeoutAt": NOW + 9}, "for PAID or LOST"),
        ({"kind": "callback"}, "for its callback"),
        ({"kind": "task", "input": {"name": "Sign", "assignee": "ann"}}, "for ann to do 'Sign'"),
        ({"kind": "task", "input": {"name": "Sign"}}, "for somebody to do 'Sign'"),
    ],
)
async def test_a_wait_that_is_over_is_the_plain_fact(fact, told):
    waits = Waits(Client(), run(ended=NOW + 5000))
    assert await waits.told({**FACT, **fact}) == told


async def test_a_timer_that_is_over_says_until_when():
    told = await Waits(Client(), run(ended=NOW + 5)).told({**FACT, "kind": "timer", "dueAt": NOW})
    assert told.startswith("until 20")


async def test_a_wait_that_is_open_says_what_would_continue_it():
    waits = Waits(Client(), run(OPEN))
    told = await waits.told({**FACT, "kind": "event", "types": ["PAID"]})
    assert "`ostinato emit PAID …` would continue it" in told


async def test_a_wait_that_began_after_the_run_was_read_is_looked_up():
    waits = Waits(Client(run(OPEN), run(ended=NOW + 70)), run())
    assert "would continue it" in await waits.told({**FACT, "kind": "event", "types": ["PAID"]})
    again = {**FACT, "at": NOW + 60, "kind": "event", "types": ["PAID"]}
    assert await waits.told(again) == "for PAID"


async def test_another_wait_of_the_same_job_is_another_wait():
    waits = Waits(Client(), run({**OPEN, "since": NOW + 60}))
    assert await waits.told({**FACT, "kind": "event", "types": ["PAID"]}) == "for PAID"
