"""People and workers elsewhere: whichever store their work is in."""

import asyncio

import pytest
from msgspec import Raw

from ostinato.errors import ConflictError, InvalidInput, NotFoundError
from ostinato.ports import TaskQuery
from ostinato.runtime.desk import Broken, Done, Extend, Failed, Fetch, Release, Wanted
from tests.app.shards.conftest import heads_in, parts_of

ASK = """
workflow: ask
phases: [{phase: p, jobs: [{job: a, task: {name: Say, outcomes: [yes, no]}}]}]
"""


async def test_tasks_of_all_stores_are_one_list(shards):
    async with shards.app(2, ASK) as app:
        runs = [await app.start("ask") for _ in range(17)]
        tasks = await app.tasks()
        assert sorted(task.external_id for task in tasks) == sorted(run.id for run in runs)
        assert await app.count_tasks() == 17
        for task in tasks:
            assert (await app.task(task.id)).id == task.id
            done = await app.complete(task.id, outcome="yes", by="me")
            assert done.status == "completed"
        assert [(await run.result(timeout=20))["a"]["outcome"] for run in runs] == ["yes"] * 17
        assert await app.count_tasks(TaskQuery(status=("pending",))) == 0
        with pytest.raises(NotFoundError, match="no task 'nope'"):
            await app.complete("nope")
        firsts = [task.id[0] for task in tasks]  # of 16 digits one comes twice
        with pytest.raises(ConflictError, match="more than one task begins with"):
            await app.task(next(first for first in firsts if firsts.count(first) > 1))


ELSEWHERE = """
workflow: far
phases: [{phase: p, jobs: [{job: a, run: far.away, with: {n: "${ input.n }"}}]}]
input_schema: {type: object}
"""


def fetching(most=10, wait=0, topic="far.away"):
    return Fetch([Wanted(topic, most)], "w", max=most, wait=wait)


async def test_a_worker_gets_the_jobs_of_every_store(shards):
    async with shards.app(2, ELSEWHERE) as app:
        runs = [await app.start("far", n=n) for n in range(4)]
        first = await app.fetch_jobs(fetching(3))
        assert len(first) == 3
        rest = await app.fetch_jobs(fetching(3))
        assert len({job.run_id for job in first + rest}) == 4
        assert [topic.taken for topic in await app.topics()] == [4]
        [worker] = await app.workers()
        assert (worker.name, worker.jobs) == ("w", 4)
        one, *others = first + rest
        await app.release_job(one.id, Release(one.token))
        [one] = await app.fetch_jobs(fetching())
        await app.fail_job(one.id, Broken(one.token, Failed("Oops"), after="1ms"))
        [one] = await app.fetch_jobs(fetching(wait=20_000))
        for job in (one, *others):
            assert await app.extend_job(job.id, Extend(job.token)) is False
            assert await app.complete_job(job.id, Done(job.token, Raw(b"7"))) == []
        assert [await run.result(timeout=20) for run in runs] == [{"a": 7}] * 4
        with pytest.raises(ConflictError):
            await app.complete_job(one.id, Done(one.token, Raw(b"7")))
        with pytest.raises(InvalidInput, match="topics"):
            await app.complete_job(one.id, Done(one.token, fetch=Fetch([], "w")))


async def test_an_answer_brings_the_next_job_from_whichever_store(shards):
    async with shards.app(2, ELSEWHERE) as app:
        runs = [await app.start("far", n=n) for n in range(4)]
        jobs = await app.fetch_jobs(fetching(1))
        while jobs:
            [job] = jobs
            jobs = await app.complete_job(job.id, Done(job.token, Raw(b"1"), fetch=fetching(1)))
        assert [await run.result(timeout=20) for run in runs] == [{"a": 1}] * 4


@pytest.mark.parametrize("number", [0, 1])
async def test_who_waits_is_given_what_comes_first(shards, number):
    async with shards.app(2, ELSEWHERE) as app:
        waiting = asyncio.ensure_future(app.fetch_jobs(fetching(5, wait=60_000)))
        while not any(part.service.jobs.offers for part in parts_of(app)):
            await asyncio.sleep(0)
        run = await parts_of(app)[number].start_run("far", {"n": 1})
        [job] = await waiting
        assert job.run_id == run.id
        assert len(await heads_in(app, number)) == 1
        ended = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        assert await app.fetch_jobs(fetching(5, wait=60_000), ended) == []


async def test_no_more_than_were_asked_for(shards):
    """Both had one at the same moment: one goes back."""
    async with shards.app(2, ELSEWHERE) as app:
        router = app.runs.__self__
        [await app.start("far", n=n) for n in range(2)]
        both = [await part.fetch_jobs(fetching(1)) for part in parts_of(app)]
        for number, [job] in enumerate(both):
            router.remember("job", job.id, number)
        kept = await router._no_more_than(fetching(1), [job for [job] in both])
        assert len(kept) == 1
        [other] = await app.fetch_jobs(fetching(2))
        assert {kept[0].id, other.id} == {job.id for [job] in both}
