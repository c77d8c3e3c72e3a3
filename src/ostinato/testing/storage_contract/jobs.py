"""Jobs for workers elsewhere: offered, claimed once, held, given back, ended by who holds them."""

from __future__ import annotations

import pytest
from msgspec import structs

from ostinato.errors import Refused
from ostinato.ports import (
    JobCount,
    JobEnd,
    JobFree,
    JobQuery,
    JobRow,
    JobStop,
    Page,
    Removal,
    Storage,
)
from ostinato.testing.storage_contract.hooks import Hooks, write
from ostinato.testing.storage_contract.samples import NOW, claim, ended, head, job, record


def ids(rows: list[JobRow]) -> list[str]:
    return [row.id for row in rows]


async def claimed(storage: Storage, **members: object) -> list[str]:
    return ids(await storage.claim_jobs(claim(**members)))  # type: ignore[arg-type]


class JobPromises(Hooks):
    async def test_an_offered_job_comes_back_as_it_was_given(self) -> None:
        async with self.opened() as storage:
            whole = job(timeout=7, deaths=2)
            await write(storage, jobs=[whole])
            assert await storage.job("j1") == whole
            assert await storage.job("j2") is None

    async def test_a_claim_is_a_lease_with_a_token(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job()])
            mine = structs.replace(
                job(), token="t1", worker="w1", claimed_at=NOW, lease_until=NOW + 100
            )
            assert await storage.claim_jobs(claim()) == [mine]
            assert await storage.job("j1") == mine
            assert await claimed(storage, token="t2") == []

    async def test_nobody_holds_a_job_for_longer_than_its_own_time(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job(timeout=40)])
            (mine,) = await storage.claim_jobs(claim())
            assert mine.lease_until == NOW + 40
            held = await storage.extend_job("j1", "t1", 500, NOW + 10)
            assert held is not None
            assert held.lease_until == NOW + 40

    async def test_the_higher_priority_comes_first_and_then_the_older(self) -> None:
        async with self.opened() as storage:
            offered = [job("j1", NOW + 2), job("j2", NOW), job("j3", NOW), job("j4", NOW + 9)]
            offered[3] = structs.replace(offered[3], priority=9)
            await write(storage, jobs=offered)
            assert await claimed(storage, most=3) == ["j4", "j2", "j3"]
            assert await claimed(storage) == ["j1"]

    async def test_topics_take_turns_and_each_gives_no_more_than_is_asked(self) -> None:
        async with self.opened() as storage:
            many = [job(f"a{number}", NOW) for number in range(9)]
            await write(storage, jobs=[*many, job("b1", NOW + 5, "b"), job("c1", NOW, "c")])
            assert await claimed(storage, topics={"b": 9, "a": 9}, most=3) == ["b1", "a0", "a1"]
            assert await claimed(storage, topics={"a": 2, "b": 9}) == ["a2", "a3"]
            assert await claimed(storage, topics={"a": 0, "z": 3}) == []
            assert await claimed(storage, topics={}) == []

    async def test_a_lease_is_extended_by_whoever_holds_it(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job(), job("j2")])
            await storage.claim_jobs(claim(most=1))
            held = await storage.extend_job("j1", "t1", 100, NOW + 50)
            assert held is not None
            assert held == await storage.job("j1")
            assert (held.lease_until, held.claimed_at) == (NOW + 150, NOW)
            assert await storage.extend_job("j1", "t2", 100, NOW) is None
            assert await storage.extend_job("j2", "t1", 100, NOW) is None
            assert await storage.extend_job("gone", "t1", 100, NOW) is None

    async def test_leases_that_are_over_are_found_oldest_first(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job("j1"), job("j2", NOW + 1), job("j3", NOW + 2)])
            assert await storage.next_lease() is None
            await storage.claim_jobs(claim(most=1, lease=50))
            await storage.claim_jobs(claim(most=1, lease=20))
            assert await storage.next_lease() == NOW + 20
            assert ids(await storage.due_leases(NOW + 19, 9)) == []
            assert ids(await storage.due_leases(NOW + 50, 9)) == ["j2", "j1"]
            assert ids(await storage.due_leases(NOW + 50, 1)) == ["j2"]

    async def test_a_job_ends_by_the_token_of_who_holds_it(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job()])
            await storage.claim_jobs(claim())
            for token in ("t2", ""):
                with pytest.raises(Refused):
                    await write(storage, records=[record()], jobs=[JobEnd("j1", token)])
            assert await storage.history("r1") == []
            await write(storage, records=[record()], jobs=[JobEnd("j1", "t1")])
            assert await storage.job("j1") is None
            with pytest.raises(Refused):
                await write(storage, jobs=[JobEnd("j1", "t1")])

    async def test_a_job_ends_without_a_token_whoever_holds_it(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job(), job("j2")])
            await storage.claim_jobs(claim(most=1))
            await write(storage, jobs=[JobEnd("j1"), JobEnd("j2"), JobEnd("j3")])
            assert await storage.job_counts() == []

    async def test_a_job_that_is_given_back_stands_where_it_stood(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job("j1"), job("j2", NOW + 1)])
            await storage.claim_jobs(claim(most=1))
            with pytest.raises(Refused):
                await write(storage, jobs=[JobFree("j1", "t2", 1)])
            await write(storage, jobs=[JobFree("j1", "t1", 1)])
            assert await storage.job("j1") == structs.replace(job(), deaths=1)
            assert await storage.next_lease() is None
            assert await claimed(storage, token="t2") == ["j1", "j2"]
            assert await storage.extend_job("j1", "t1", 100, NOW) is None

    async def test_a_job_is_stopped_or_goes_when_nobody_has_it(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job("j1"), job("j2", NOW + 1), job("j3", NOW + 2)])
            await storage.claim_jobs(claim(most=2))
            stops = [JobStop("j1"), JobStop("j2", gently=True), JobStop("j3"), JobStop("j4")]
            await write(storage, jobs=stops)
            kept = {row.id: row.cancelled for row in await storage.jobs(JobQuery(), Page())}
            assert kept == {"j1": True, "j2": False}
            held = await storage.extend_job("j1", "t1", 100, NOW)
            assert held is not None
            assert held.cancelled

    async def test_an_offer_may_end_in_the_batch_that_makes_it(self) -> None:
        async with self.opened() as storage:
            await write(storage, jobs=[job(), JobStop("j1"), job("j2"), JobEnd("j2")])
            assert await storage.job_counts() == []

    async def test_jobs_are_counted_and_narrowed_by_every_member_given(self) -> None:
        async with self.opened() as storage:
            rows = [job("j1"), job("j2", NOW + 1), job("j3", NOW + 2, "b", run_id="r2")]
            await write(storage, jobs=rows)
            await storage.claim_jobs(claim(most=1))
            assert await storage.job_counts() == [
                JobCount("a", None, 1, NOW + 1),
                JobCount("a", "w1", 1, NOW),
                JobCount("b", None, 1, NOW + 2),
            ]
            for query, found in [
                (JobQuery(), ["j3", "j2", "j1"]),
                (JobQuery(topic="a"), ["j2", "j1"]),
                (JobQuery(worker="w1"), ["j1"]),
                (JobQuery(run_id="r2"), ["j3"]),
                (JobQuery(claimed=True), ["j1"]),
                (JobQuery(claimed=False, topic="a"), ["j2"]),
            ]:
                assert ids(await storage.jobs(query, Page())) == found, query
            assert ids(await storage.jobs(JobQuery(), Page(1, "j3"))) == ["j2"]
            assert await storage.jobs(JobQuery(), Page(cursor="gone")) == []

    async def test_jobs_go_with_their_run(self) -> None:
        async with self.opened() as storage:
            rows = [job("j1"), job("j2", run_id="r2")]
            await write(storage, new_heads=[ended("r1"), head("r2")], jobs=rows)
            await storage.claim_jobs(claim(most=1))
            await write(storage, removal=Removal(runs=["r1", "r2"]))
            assert ids(await storage.jobs(JobQuery(), Page())) == ["j2"]

    async def test_what_is_large_in_a_job_is_kept_once_and_read_back_whole(self) -> None:
        large = b'{"x":"%b"}' % (b"x" * 20_000)
        offered = job(brief=b'{"input":%b}' % large)
        records = [record(data=b'[["job.offered","p/j",%b,1]]' % large)]
        async with self.opened() as storage:
            await write(storage, new_heads=[ended("r1")], records=records, jobs=[offered])
            assert await storage.job("j1") == offered
            assert (await storage.claim_jobs(claim()))[0].brief == offered.brief
            assert self.count_values(storage) == 1
