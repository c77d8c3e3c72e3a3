"""BullMQ: Redis that dies, a server that is killed, and jobs as nobody should have written them."""

import asyncio
import json
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import unquote
from uuid import uuid4

import httpx2
import pytest
from bullmq import Queue
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ostinato import Event
from ostinato.bus.bullmq import inlets, outlet
from ostinato.bus.bullmq.outlet import job_id
from ostinato.config.buses import BullMqSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError, UsageError
from ostinato.ports import LetterQuery, Page
from tests.buses.test_bullmq import app_on, events_of, sent, until
from tests.crash.load import Server

pytestmark = [pytest.mark.real, pytest.mark.seed("A13")]

MANY = 300

DOCUMENT = """
workflow: count
on: [{event: COUNTED, uid: "${ event.data.n }"}]
phases:
  - phase: only
    jobs: [{job: say, run: echo, with: {n: "${ input.n }"}}]
"""


@pytest.fixture
def settings(redis_server):
    queue = f"faults-{uuid4().hex}"
    return BullMqSettings(name="jobs", url=redis_server.url, receive=(queue,), queue=queue)


@pytest.fixture
async def raw(redis_server):
    options = {"decode_responses": True, "encoding_errors": "surrogateescape"}
    async with Redis.from_url(redis_server.url, **options) as client:
        yield client


def counted(n):
    body = json.dumps({"type": "COUNTED", "n": n}).encode()
    return Message(body=body, headers={"name": "COUNTED", "source": "test"}, id=f"n{n}", time=n)


async def feed(settings, numbers, lot=10):
    """Until the bus has each of them, also while it comes and goes."""
    left = list(numbers)
    writing = outlet(settings)
    while left:
        now, left = left[:lot], left[lot:]
        try:
            await writing.open()
            answers = await writing.send([counted(n) for n in now])
            left += [n for n, why in zip(now, answers, strict=True) if why is not None]
        except BusError:
            left += now
            await asyncio.sleep(0.02)
        finally:
            await writing.close()


async def finished(url, queue, state="completed"):
    try:
        async with Redis.from_url(url) as client:
            return await client.zcard(f"bull:{queue}:{state}")
    except RedisError:
        return 0


async def done(url, queue, wanted):
    while await finished(url, queue) < wanted:
        await asyncio.sleep(0.02)


@pytest.mark.timeout(120)
async def test_redis_is_killed_under_load_and_nothing_is_lost_or_started_twice(mortal_redis):
    queue = "load"
    settings = BullMqSettings(name="jobs", url=mortal_redis.url, receive=(queue,), queue=queue)
    app, begun = app_on(mortal_redis.url, receive=[queue], lock="1s", most=20), Counter()

    @app.consumer("COUNTED", bus="jobs")
    async def heard(event: Event):
        begun[json.loads(bytes(event.data))["n"]] += 1

    async with app:
        feeding = asyncio.create_task(feed(settings, range(MANY)))
        for wanted in (30, 90, 150):
            await done(mortal_redis.url, queue, wanted)
            mortal_redis.kill()
            await asyncio.to_thread(mortal_redis.start)
        await feeding
        await done(mortal_redis.url, queue, MANY)
        stored = await events_of(app, MANY)
        await until(lambda: _so(len(begun) == MANY))
    assert set(begun.values()) == {1}
    assert len(stored) == MANY
    assert await finished(mortal_redis.url, queue, "failed") == 0


async def _so(value):
    return value


class Counting(Server):
    """A server of its own process that takes from a queue."""

    def __init__(self, place, url, queue):
        members = {"KIND": "bullmq", "URL": url, "RECEIVE": queue, "LOCK": "1s", "MOST": "20"}
        bus = {f"OSTINATO_BUS__JOBS__{name}": value for name, value in members.items()}
        super().__init__(f"sqlite:///{place}/runs.db", None, bus)
        (place / "count.yaml").write_text(DOCUMENT)
        self.command = ("serve", str(place / "count.yaml"), "--port", "0")

    async def _heard(self, said):
        if self.tells in said:
            await super()._heard(said)


async def test_a_server_that_stops_under_load_gives_back_what_it_has_in_hand(mortal_redis):
    """Nobody waits for a lock, and no job has lost an attempt or was found stalled."""
    queue = "load"
    settings = BullMqSettings(name="jobs", url=mortal_redis.url, receive=(queue,), queue=queue)
    feeding = asyncio.create_task(feed(settings, range(MANY)))
    for wanted in (50, 150, MANY):
        async with app_on(mortal_redis.url, receive=[queue], lock="60s", most=20):
            await done(mortal_redis.url, queue, wanted)
    await feeding
    async with Redis.from_url(mortal_redis.url) as client:
        rows = [
            await client.hgetall(f"bull:{queue}:{job_id('test', f'n{n}')}") for n in range(MANY)
        ]
    assert {row[b"atm"] for row in rows} == {b"1"}
    assert not any(b"stc" in row for row in rows)


@pytest.mark.timeout(120)
@pytest.mark.slow
async def test_a_server_is_killed_under_load_and_nothing_is_lost_or_started_twice(
    mortal_redis, tmp_path
):
    queue = "load"
    settings = BullMqSettings(name="jobs", url=mortal_redis.url, receive=(queue,), queue=queue)
    async with Counting(tmp_path, mortal_redis.url, queue) as server:
        feeding = asyncio.create_task(feed(settings, range(MANY), lot=5))
        for wanted in (30, 90, 150):
            await done(mortal_redis.url, queue, wanted)
            await server.kill()
            await server.start()
        await feeding
        await done(mortal_redis.url, queue, MANY)
        async with httpx2.AsyncClient(base_url=server.address) as http:
            uids = await until(lambda: _succeeded(http))
            page = (await http.get("/events/count")).json()
    assert sorted(uids, key=int) == [str(n) for n in range(MANY)]
    assert page["count"] == MANY
    assert await finished(mortal_redis.url, queue, "failed") == 0


async def _succeeded(http):
    answer = await http.get("/runs", params={"status": "succeeded", "limit": 1000})
    uids = [run["uid"] for run in answer.json()]
    return uids if len(uids) >= MANY else None


class TestOddJobs:
    async def test_whatever_is_no_job_is_a_dead_letter_and_the_next_one_goes_on(
        self, settings, raw
    ):
        queue = settings.queue
        await sent(settings, counted(1), counted(2), counted(3), counted(4))
        odd = {
            "n1": {"data": "{oops", "timestamp": "soon", "opts": "[7]"},
            "n2": {"data": "\udcff\udcfe", "name": "\udcff"},
            "n3": {"opts": "{bad", "ats": "7"},
        }
        for id, members in odd.items():
            await raw.hset(f"bull:{queue}:{job_id('test', id)}", mapping=members)
        app = app_on(settings.url, receive=[queue])
        async with app:
            await done(settings.url, queue, 4)
            letters = await until(lambda: _letters(app, 2))
            stored = await events_of(app, 2)
        assert all(b"not JSON" in one.reasons for one in letters)
        assert {json.loads(bytes(one.data))["n"] for one in stored} == {3, 4}

    async def test_a_job_that_was_lost_too_often_is_stored_nevertheless(self, settings, raw):
        """Whoever looks after stalled jobs marks it as failed; it is our last chance to see it."""
        await sent(settings, counted(1))
        key = f"bull:{settings.queue}:{job_id('test', 'n1')}"
        await raw.hset(key, "defa", "job stalled more than allowable limit")
        app = app_on(settings.url, receive=[settings.queue])
        async with app:
            await done(settings.url, settings.queue, 1)
            [stored] = await events_of(app, 1)
        assert bytes(stored.data) == b'{"n":1}'

    async def test_a_job_whose_children_failed_fails_and_does_not_come_again(self, settings, raw):
        await sent(settings, counted(1))
        key = f"bull:{settings.queue}:{job_id('test', 'n1')}"
        await raw.zadd(f"{key}:unsuccessful", {"child": 1})
        app = app_on(settings.url, receive=[settings.queue])
        async with app:
            await events_of(app, 1)
            await until(lambda: finished(settings.url, settings.queue, "failed"))

    async def test_a_lock_is_renewed_while_its_job_is_in_hand(self, settings, raw):
        quick = replace(settings, lock=timedelta(milliseconds=600))
        await sent(settings, counted(1))
        [reading] = inlets(quick)
        await reading.open()
        try:
            [received] = await reading.fetch(1)
            key = f"bull:{settings.queue}:{job_id('test', 'n1')}:lock"
            await until(lambda: _renewed(raw, key))
            await reading.done([received])
        finally:
            await reading.close()
        assert await finished(settings.url, settings.queue) == 1

    async def test_a_job_that_others_have_taken_meanwhile_is_no_trouble(self, settings, raw):
        await sent(settings, counted(1), counted(2))
        [reading] = inlets(settings)
        await reading.open()
        try:
            both = await reading.fetch(2)
            await raw.set(f"bull:{settings.queue}:{job_id('test', 'n1')}:lock", "another")
            await raw.delete(f"bull:{settings.queue}:{job_id('test', 'n2')}")
            await reading.done(both)
            assert list(await reading.fetch(2)) == []
        finally:
            await reading.close()

    async def test_what_is_given_back_has_lost_no_attempt(self, settings, raw):
        await sent(settings, counted(1))
        [reading] = inlets(settings)
        attempts = []
        for _ in range(3):
            await reading.open()
            [received] = await reading.fetch(1)
            attempts.append(received.attempt)
            await reading.close()
        key = f"bull:{settings.queue}:{job_id('test', 'n1')}"
        assert attempts == [1, 2, 3]
        assert await raw.hget(key, "atm") is None
        assert await raw.lrange(f"bull:{settings.queue}:wait", 0, -1) == [job_id("test", "n1")]

    async def test_a_fetch_that_is_cancelled_gives_back_what_it_was_given(self, settings, raw):
        [reading] = inlets(settings)
        await reading.open()
        await sent(settings, *map(counted, range(50)))
        fetching = asyncio.create_task(reading.fetch(50))
        await until(lambda: raw.llen(f"bull:{settings.queue}:active"))
        fetching.cancel()
        with suppress(asyncio.CancelledError):
            await fetching
        await reading.close()
        assert await raw.llen(f"bull:{settings.queue}:active") == 0
        assert await raw.llen(f"bull:{settings.queue}:wait") == 50


async def _letters(app, wanted):
    found = await app.dead_letters(LetterQuery(), Page())
    return found if len(found) >= wanted else None


async def _renewed(raw, key):
    """Its span was shorter, and is longer again."""
    before = await raw.pttl(key)
    await asyncio.sleep(0.01)
    return await raw.pttl(key) > before > 0


class TestQueuesAsOthersHaveSetThem:
    async def test_each_job_of_a_scheduler_makes_the_next_one(self, settings):
        queue = Queue(settings.queue, {"connection": settings.url})
        await queue.upsertJobScheduler("ticking", {"every": 100}, "TICK", {"tick": True})
        app = app_on(settings.url, receive=[settings.queue])
        async with app:
            stored = await events_of(app, 3)
        assert {(one.type, bytes(one.data)) for one in stored} == {("TICK", b'{"tick":true}')}
        await queue.removeJobScheduler("ticking")
        await queue.close()

    async def test_a_paused_queue_gives_nothing_until_it_goes_on(self, settings, monkeypatch):
        monkeypatch.setattr("ostinato.bus.bullmq.inlet.PATIENCE", 0.2)
        queue = Queue(settings.queue, {"connection": settings.url})
        await queue.pause()
        await sent(settings, counted(1))
        [reading] = inlets(settings)
        await reading.open()
        try:
            assert list(await reading.fetch(1)) == []
            await queue.resume()
            assert len(await reading.fetch(1)) == 1
        finally:
            await reading.close()
            await queue.close()

    async def test_a_limited_queue_gives_no_more_than_its_limit(self, settings):
        queue = Queue(settings.queue, {"connection": settings.url})
        await queue.setGlobalRateLimit(2, 400)
        await sent(settings, *map(counted, range(6)))
        [reading] = inlets(settings)
        await reading.open()
        began, lots = time.monotonic(), []
        try:
            while sum(lots) < 6:
                found = await reading.fetch(10)
                await reading.done(found)
                lots.append(len(found))
        finally:
            await reading.close()
            await queue.close()
        assert [lot for lot in lots if lot] == [2, 2, 2]
        assert time.monotonic() - began >= 0.7


async def test_a_server_that_answers_nothing_is_away(mortal_redis, monkeypatch):
    monkeypatch.setattr("ostinato.bus.bullmq.server.SILENCE", 0.5)
    monkeypatch.setattr("ostinato.bus.bullmq.inlet.PATIENCE", 0.1)
    settings = BullMqSettings(name="jobs", url=mortal_redis.url, receive=("q",), queue="q")
    [reading], writing = inlets(settings), outlet(settings)
    await reading.open()
    await writing.open()
    mortal_redis.process.send_signal(signal.SIGSTOP)
    try:
        for call in (reading.fetch(1), writing.send([counted(1)])):
            with pytest.raises(BusError, match="cannot be reached"):
                async with asyncio.timeout(5):
                    await call
        await reading.close()
        await writing.close()
    finally:
        mortal_redis.process.send_signal(signal.SIGCONT)


async def test_who_waits_for_jobs_asks_redis_for_little(mortal_redis):
    """Two waits of five seconds: each a look before and after it, and one after stalled jobs."""
    app = app_on(mortal_redis.url, receive=["q"])
    async with app, Redis.from_url(mortal_redis.url) as raw:
        await until(lambda: _calls(raw, "bzpopmin", 1))
        await raw.config_resetstat()
        await until(lambda: _calls(raw, "bzpopmin", 2))
        assert await _calls(raw, "evalsha", 0) <= 6


async def _calls(raw, command, wanted):
    found = (await raw.info("commandstats")).get(f"cmdstat_{command}", {"calls": 0})["calls"]
    return found if found >= wanted else None


class TestRefused:
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("url", "http://127.0.0.1"),
            ("url", "redis://127.0.0.1:port"),
            ("queue", "a:b"),
            ("receive", ("a:b",)),
            ("receive", ("",)),
        ],
    )
    def test_settings_that_cannot_be_right_name_the_bus(self, settings, member, value):
        with pytest.raises(SettingsError, match=r"bus\.jobs"):
            outlet(replace(settings, **{member: value}))

    def test_without_a_queue_nothing_goes_out(self, settings):
        assert outlet(replace(settings, queue=None)) is None

    @pytest.mark.parametrize(
        "message",
        [
            Message(body=b"{oops"), Message(body=b"\xff"), Message(body=b'{"n": NaN}'),
            Message(body=b'{"n": 1e400}'), Message(body=b"[" * 100_000),
            Message(body=b"{}", place="a:b"), Message(body=b"{}", headers={"delay": "soon"}),
            Message(body=b"{}", headers={"priority": "-1"}),
            Message(body=b"{}", headers={"priority": "2097153"}),
            Message(body=b"{}", headers={"attempts": "9" * 5000}),
            Message(body='{"text": "☃"}'.replace("☃", "☃" * 300_000).encode()),
        ],
        ids=[
            "json", "text", "nan", "infinite", "deep", "place", "delay", "priority", "urgent",
            "attempts", "large",
        ],
    )  # fmt: skip
    async def test_what_can_be_no_job_is_refused_alone(self, settings, message):
        writing = outlet(settings)
        await writing.open()
        try:
            answers = await writing.send([counted(1), message, counted(2)])
        finally:
            await writing.close()
        assert [type(one) for one in answers] == [type(None), UsageError, type(None)]
        assert await _waiting(settings) == 2

    async def test_a_wrong_password_says_how_to_mend_it_and_does_not_show_it(self, redis_locked):
        for url in (redis_locked.url, redis_locked.url.replace("//", "//:wrong@")):
            settings = BullMqSettings(name="jobs", url=url, receive=("q",), queue="q")
            for one in (inlets(settings)[0], outlet(settings)):
                with pytest.raises(BusError, match=r"bus\.jobs\.url = redis://USER:PASS") as raised:
                    await one.open()
                await one.close()
                assert "wrong@" not in str(raised.value)
        right = replace(settings, url=redis_locked.url.replace("//", "//:right@"))
        await sent(right, counted(1))

    async def test_redis_without_room_is_waited_for(self, redis_full):
        settings = BullMqSettings(name="jobs", url=redis_full.url, receive=("q",), queue="q")
        writing = outlet(settings)
        await writing.open()
        try:
            answers = await writing.send([counted(1), counted(2)])
        finally:
            await writing.close()
        assert [type(one) for one in answers] == [BusError, BusError]
        assert "maxmemory" in str(answers[0])


@pytest.fixture
def redis_locked():
    yield from _own("--requirepass", "right")


@pytest.fixture
def redis_full():
    yield from _own("--maxmemory", "1kb")


def _own(*options):
    from tests.servers.missing import unless_missing
    from tests.servers.redis import redis

    yield from unless_missing("Redis", lambda: redis(*options, own=True))


async def _waiting(settings):
    async with Redis.from_url(settings.url) as client:
        return await client.llen(f"bull:{settings.queue}:wait")


@pytest.mark.parametrize("id", ["meta", "1", "a:b", "a/b", "%3A", "\n", "ünï"])
def test_the_id_of_a_job_is_of_one_event_alone(id):
    """Never a number, nor the name of a key of BullMQ's own, nor with a colon."""
    made = job_id("a/b:c", id)
    assert ":" not in made
    assert not made.isdigit()
    assert made != job_id("a", f"b:c/{id}")
    assert made.rpartition("/")[0] == "a/b%3Ac"


@given(st.text(), st.text())
def test_the_id_of_a_job_can_be_read_back(source, id):
    escaped, _, last = job_id(source, id).rpartition("/")
    assert (unquote(escaped), unquote(last)) == (source, id)
