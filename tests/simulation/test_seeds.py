"""Hundreds of simulated worlds keep every promise, and every crash point and fault is met."""

import os
import subprocess
import sys

import pytest

from ostinato.testing.simulation.__main__ import ENOUGH, FULL, say, show
from ostinato.testing.simulation.fleet import play, play_missed
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of
from ostinato.testing.simulation.shrinking import shrink
from tests.simulation.mutations import MUTATIONS, applied

FAULTS = (
    "commit.error", "commit.gone", "commit.kept", "commit.late", "commit.lost", "commit.odd",
    "commit.refused", "fenced", "outage", "read.error", "read.odd", "outbox.error", "slow",
    "bus.error", "bus.hang", "bus.partial", "bus.refuses", "bus.twice", "archive.error",
    "archive.kept", "bus.unsent", "untold", "unheard",
)  # fmt: skip
CRASHES = ("aimed", "failed start", "fell", "kill", "poison", "zombie")
HANDLERS = ("cancelled", "failed", "hung", "stubborn", "zombie")
MET = {"faults": FAULTS, "crashes": CRASHES, "handlers": HANDLERS}


@pytest.mark.slow
@pytest.mark.timeout(580)
def test_every_promise_is_kept_while_everything_goes_wrong_everywhere():
    """All of it in one test, so that these worlds are played once, however tests are dealt out."""
    tally = play(0, FULL, 1)
    play_missed(tally, FULL)
    say("", *tally.table())
    for seed in sorted(tally.red)[:1]:
        show(simulate(plan_of(seed)))
    assert tally.red == {}
    assert tally.coverage >= ENOUGH, tally.missed
    assert [
        name for kind, names in MET.items() for name in names if not tally.counts[kind][name]
    ] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_plays_the_same_again(seed):
    assert simulate(plan_of(seed)).digest == simulate(plan_of(seed)).digest


DIGESTS = """
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of

print([simulate(plan_of(seed)).digest for seed in (36, 48, 54, 60, 80)])
"""


def digests(hash_seed):
    command = [sys.executable, "-c", DIGESTS]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.check_output(command, env=environment, timeout=60)


def test_a_seed_plays_the_same_in_another_process():
    """With bursts and crashes: what is ordered by hash or by address shows there."""
    assert digests("1") == digests("2")


@pytest.mark.slow
@pytest.mark.timeout(580)
def test_a_red_seed_is_made_small_and_stays_red():
    [early] = [one for one in MUTATIONS if one.what == "commands leave before the commit"]
    with applied(early):
        red = next(o for o in (simulate(plan_of(seed)) for seed in range(FULL)) if o.broken)
        least = shrink(red)
    assert least.rules & red.rules
    assert len(least.plan.actions) <= len(red.plan.actions)
    assert not simulate(least.plan).broken  # it is the mutation that is red, not the plan
