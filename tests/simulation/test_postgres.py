"""The same plans on a real PostgreSQL: every promise is kept there, and a seed is one world."""

import os
import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest

from ostinato.errors import StoreError, UnknownCommit, UsageError
from ostinato.ports import Batch
from ostinato.storage.postgres import questions, statements, statements_jobs
from ostinato.storage.postgres.wire import Ask
from ostinato.testing.simulation import database as databases
from ostinato.testing.simulation.__main__ import main, say
from ostinato.testing.simulation.database import database
from ostinato.testing.simulation.fleet import play
from ostinato.testing.simulation.loop import VirtualLoop
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import ANY, POSTGRES, plan_of
from ostinato.testing.simulation.postgres import PostgresPlace
from ostinato.testing.storage_contract.samples import record
from tests.servers.missing import Missing
from tests.simulation import served

FIRST, SEEDS = 120, 14
"""Those of ``make test``: among them processes that wake up behind their successors."""

NO_FENCE = range(FIRST, FIRST + 60)
"""In some of these such a process still tries to write."""

AGAIN = (3, FIRST)
CRASHES = ("aimed", "kill", "paused", "zombie")


@pytest.fixture(scope="module")
def made(postgres_server):
    with database(postgres_server.url("postgres")) as made:
        yield made


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_promise_is_kept(postgres_server, made):
    server = postgres_server.url("postgres")
    tally = play(FIRST, SEEDS, 1, store="postgres", server=server)
    say("", *tally.table())
    for seed in sorted(tally.red)[:1]:
        say(*map(str, simulate(plan_of(seed, "postgres"), made).broken[:10]))
    assert tally.red == {}
    assert tally.counts["work"]["on postgres"] == SEEDS
    assert [how for how in CRASHES if not tally.counts["crashes"][how]] == []


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_the_fence_a_seed_is_red(made, monkeypatch):
    monkeypatch.setattr(statements, "FENCE", "SELECT $1::text, $2::int8")
    plans = (plan_of(seed, "postgres") for seed in NO_FENCE)
    assert any("zombie.recorded" in simulate(plan, made).rules for plan in plans)


DIGESTS = """
import sys
from ostinato.testing.simulation.database import database
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of

with database(sys.argv[1]) as made:
    for seed in sys.argv[2:]:
        print(simulate(plan_of(int(seed), "postgres"), made).digest)
"""


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_seed_plays_the_same_whatever_was_played_before_it(made, postgres_server):
    """Also in another process, and where transactions have other numbers."""
    command = [sys.executable, "-c", DIGESTS, postgres_server.url("postgres"), *map(str, AGAIN)]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    there = subprocess.check_output(command, env=environment, timeout=120).decode().split()
    here = {seed: simulate(plan_of(seed, "postgres"), made).digest for seed in reversed(AGAIN)}
    assert there == [here[seed] for seed in AGAIN]


# which seeds are there


def test_a_plan_is_the_same_wherever_its_data_is_but_for_connections():
    cut = 0
    for seed in range(40):
        there = plan_of(seed, "postgres")
        asked = tuple(action for action in there.actions if action.kind != "cut")
        assert replace(there, store="memory", actions=asked) == plan_of(seed, "memory")
        cut += len(there.actions) - len(asked)
    assert cut > 0


def test_where_there_is_a_server_some_seeds_are_on_it_and_the_others_as_before():
    chosen = {seed: plan_of(seed, ANY) for seed in range(300)}
    there = [seed for seed, plan in chosen.items() if plan.store == "postgres"]
    assert 0 < len(there) < 3 * POSTGRES * len(chosen)
    for seed in chosen.keys() - set(there):
        assert chosen[seed] == plan_of(seed)
    assert {plan_of(seed).store for seed in chosen} == {"memory", "sqlite"}


def test_a_plan_on_postgresql_wants_a_server(capsys):
    with pytest.raises(UsageError, match="there is no server for it"):
        simulate(plan_of(3, "postgres"))
    with pytest.raises(SystemExit):
        main(["--store", "postgres"])
    assert "--server postgresql://" in capsys.readouterr().err


def test_make_simulate_says_so_when_there_is_no_server(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(served, "postgres", _missing)
    monkeypatch.setattr(served, "main", lambda arguments: asked.append(arguments) or 0)
    monkeypatch.setenv("CI", "")
    assert served.serve(["--seed", "7"]) == 0
    assert asked == [["--seed", "7"]]
    assert capsys.readouterr().out.startswith("no PostgreSQL (none here): ")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Missing):
        served.serve([])


def _missing():
    raise Missing("none here")


# the place


class Two:
    """Two processes at one place, in a world of which there is nothing but a clock."""

    def __init__(self, made):
        self.now = 1_000
        self.broken = []
        self.place = PostgresPlace(made, lambda: self.now, self.breaks, "skip-locked")
        self.first, self.second = self.place.store(), self.place.store()

    def breaks(self, *said):
        self.broken.append(said)


@pytest.fixture
def two(made):
    two = Two(made)
    yield two
    two.place.remove()


def played(work):
    return VirtualLoop(Random(0)).run(work)


async def _opened(two):
    for store in (two.first, two.second):
        await store.open()
        await store.members.renew(100, "here")


@pytest.mark.real
def test_the_worlds_clock_judges_a_lease(two):
    async def work():
        await _opened(two)
        await two.first.members.take(64)
        two.now += 99
        early = await two.second.members.take(64)
        two.now += 1
        return len(early.partitions), len((await two.second.members.take(64)).partitions)

    assert played(work()) == (0, 64)
    assert two.broken == []


@pytest.mark.real
def test_a_hint_is_there_when_the_call_that_sent_it_returns(two):
    heard = []

    async def work():
        await _opened(two)
        two.second.members.listen(lambda news: heard.append(two.now))
        assert (await two.first.members.take(64)).partitions
        two.now += 5
        assert heard == []
        await two.first.members.leave()

    played(work())
    assert heard == [1_005]


@pytest.mark.parametrize("module", [questions, statements, statements_jobs])
def test_only_members_ask_for_the_time_and_send_hints(module):
    """Else they would have to be told the time, and waited for, at other calls too."""
    said = " ".join(text for text in vars(module).values() if isinstance(text, str))
    assert "SELECT" in said
    assert "clock_" not in said
    assert "notify" not in said


@pytest.mark.real
def test_a_dead_process_asks_nothing_and_its_seat_stays(two):
    async def work():
        await _opened(two)
        two.place.abandon(two.first)
        with pytest.raises(StoreError, match="dead"):
            await two.first.busy_runs()
        roll = await two.second.members.renew(100, "here")
        return [seat.id for seat in roll.seats]

    assert played(work()) == ["m0", "m1"]


@pytest.mark.real
@pytest.mark.parametrize("when", ["now", "all"])
def test_connections_that_break_between_two_calls_come_back_and_nobody_notices(two, when):
    async def work():
        epoch = await _begun(two)
        two.place.cut(two.first, when)
        await two.first.commit(Batch(epoch=epoch, records=[record()]))
        two.second.members.listen(lambda news: heard.append(True))
        await two.first.members.leave()
        return await two.second.history("r1")

    heard = []
    assert played(work()) == [record()]
    assert heard == [True]
    assert two.broken == []


@pytest.mark.real
def test_a_connection_that_breaks_during_commit_leaves_it_unknown_and_nothing_kept(two):
    async def work():
        epoch = await _begun(two)
        two.place.cut(two.first, "commit")
        batch = Batch(epoch=epoch, records=[record()])
        with pytest.raises(UnknownCommit, match="cut during COMMIT"):
            await two.first.commit(batch)
        assert await two.first.history("r1") == []
        await two.first.commit(batch)
        return await two.second.history("r1")

    assert played(work()) == [record()]
    assert two.broken == []


async def _begun(two):
    await _opened(two)
    assert (await two.first.members.take(64)).partitions
    return await two.first.join()


@pytest.mark.real
def test_a_transaction_that_is_left_open_is_a_violation(two):
    async def work():
        await _opened(two)
        await two.first.begin()

    _teach(two.first, "begin", "BEGIN")
    played(work())
    assert [rule for rule, _ in two.broken] == ["store.left_open"]


@pytest.mark.real
def test_who_waits_for_another_process_is_a_violation(two, monkeypatch):
    async def work():
        await _opened(two)
        await two.first.lock()
        monkeypatch.setattr(databases, "PATIENCE", 0.1)
        with pytest.raises(StoreError, match="has not answered"):
            await two.second.lock()

    for store in (two.first, two.second):
        _teach(store, "lock", "BEGIN", "LOCK TABLE era")
    played(work())
    assert [rule for rule, _ in two.broken] == ["store.left_open", "store.stuck", "store.left_open"]


def _teach(store, name, *statements):
    async def ask():
        await store._inner._writer.ask(*[Ask(one, kept=False) for one in statements])

    setattr(store._inner, name, ask)
