"""What a consumer owes its group: offsets, partitions that come and go, and a sign of life."""

import asyncio

import pytest

from ostinato.bus import kafka
from ostinato.bus.kafka import consumer
from ostinato.config.buses import KafkaSettings
from ostinato.errors import BusError
from tests.buses.kafka_world import committed, put_all, reached

pytestmark = pytest.mark.real

SOON = 30.0


@pytest.fixture
def reader(kafka_server):
    """Makes open inlets, all of one group each topic."""
    made = []

    async def reader(topic, **more):
        given = {"servers": kafka_server.servers, "receive": (topic,), "group": topic} | more
        [inlet] = kafka.inlets(KafkaSettings(name="kafka", kind="kafka", **given))
        made.append(inlet)
        await inlet.open()
        return inlet

    yield reader
    # what is still open says good-bye, or the next test of the group waits for it
    loop = asyncio.new_event_loop()
    for inlet in made:
        loop.run_until_complete(inlet.close())
    loop.close()


def numbered(count, keys=1):
    return [(b'{"n": %d}' % n, str(n % keys), None) for n in range(count)]


async def take(inlet, count):
    found = []
    async with asyncio.timeout(SOON):
        while len(found) < count:
            found += await inlet.fetch(count - len(found))
    return found


async def test_only_what_is_done_without_a_gap_is_committed(kafka_server, topic, reader):
    orders = topic()
    put_all(kafka_server, orders, numbered(6))
    inlet = await reader(orders)
    held = await take(inlet, 6)
    await inlet.done([held[1], held[3]])
    await inlet.done([held[0]])
    await reached(kafka_server, orders, {f"{orders}/0": 2})
    await inlet.done([held[4], held[2]])
    await reached(kafka_server, orders, {f"{orders}/0": 5})
    await inlet.close()
    assert committed(kafka_server, orders) == {f"{orders}/0": 5}


async def test_partitions_are_reckoned_each_by_itself(kafka_server, topic, reader):
    orders = topic(3)
    put_all(kafka_server, orders, numbered(30, keys=10))
    inlet = await reader(orders)
    held = await take(inlet, 30)
    last = {}
    for one in held:
        last.setdefault(one.message.id.rsplit("/", 1)[0], []).append(one)
    assert len(last) > 1
    await inlet.done([one for several in last.values() for one in several[:-1]])
    await reached(
        kafka_server, orders, {place: len(several) - 1 for place, several in last.items()}
    )


async def test_what_is_given_back_comes_again_in_its_order_and_is_not_committed(
    kafka_server, topic, reader
):
    orders = topic()
    put_all(kafka_server, orders, numbered(10))
    inlet = await reader(orders)
    held = await take(inlet, 10)
    await inlet.done(held[:2])
    await inlet.again(held[5:7])
    await inlet.done(held[2:5])
    again = await take(inlet, 5)
    assert [one.message.id for one in again] == [one.message.id for one in held[5:]]
    await inlet.done(again)
    await reached(kafka_server, orders, {f"{orders}/0": 10})


async def test_a_partition_that_goes_to_another_takes_what_was_in_hand_along(
    kafka_server, topic, reader
):
    """``done`` of it is nothing then: the other one has it, and says when."""
    orders = topic(2)
    put_all(kafka_server, orders, numbered(20, keys=20))
    first = await reader(orders)
    held = await take(first, 20)
    second = await reader(orders)
    theirs: list = []
    async with asyncio.timeout(SOON):
        while not theirs:
            await first.fetch(1)
            theirs += await second.fetch(20)
    theirs += await second.fetch(20)
    moved = {one.message.id for one in theirs}
    assert moved < {one.message.id for one in held}
    await first.done(held)
    kept = {one.message.id for one in held} - moved
    place = min(kept).rsplit("/", 1)[0]
    await reached(kafka_server, orders, {place: len(kept)})
    await second.done(theirs)
    await second.close()
    assert sum(committed(kafka_server, orders).values()) == 20


async def test_an_engine_that_lags_is_not_thrown_out_of_the_group(
    kafka_server, topic, reader, monkeypatch
):
    """Beyond ``max.poll.interval.ms``, with more waiting than is taken in ahead."""
    monkeypatch.setattr(consumer, "STILL", 0.02)
    monkeypatch.setattr(consumer, "AHEAD", 3)
    orders = topic()
    brisk = {"session.timeout.ms": 1_500, "heartbeat.interval.ms": 300}
    options = {"max.poll.interval.ms": 2_000, **brisk}
    put_all(kafka_server, orders, numbered(40))
    inlet = await reader(orders, options=options)
    held = await take(inlet, 10)
    await asyncio.sleep(4)
    await inlet.done(held)
    rest = await take(inlet, 30)
    await inlet.done(rest)
    found = [one.message.body for one in (*held, *rest)]
    assert found == [value for value, _, _ in numbered(40)]
    await reached(kafka_server, orders, {f"{orders}/0": 40})


async def test_partitions_that_were_paused_are_read_again_after_others_have_come(
    kafka_server, topic, reader, monkeypatch
):
    """Some stay with it all the time, some go to another one and come back."""
    monkeypatch.setattr(consumer, "STILL", 0.02)
    monkeypatch.setattr(consumer, "AHEAD", 3)
    orders = topic(4)
    put_all(kafka_server, orders, numbered(80, keys=40))
    first = await reader(orders)
    held = await take(first, 1)
    await _met(lambda: len(first._member._held) == 4 and first._member._paused)
    second = await reader(orders)
    await take(second, 1)
    await second.close()
    await _met(lambda: len(first._member._held) == 4)
    ids = {one.message.id for one in held}
    async with asyncio.timeout(SOON):
        while len(ids) < 80:
            ids |= {one.message.id for one in await first.fetch(80)}
    assert len({id.split("/")[1] for id in ids}) == 4


async def test_a_second_consumer_need_not_wait_for_one_that_lags(
    kafka_server, topic, reader, monkeypatch
):
    monkeypatch.setattr(consumer, "STILL", 0.05)
    orders = topic(2)
    put_all(kafka_server, orders, numbered(20, keys=20))
    first = await reader(orders)
    await take(first, 20)
    second = await reader(orders)
    async with asyncio.timeout(10):  # the first one's application does nothing meanwhile
        assert await take(second, 5)


@pytest.mark.parametrize("still", [0.05, 60.0])
async def test_a_name_that_another_process_has_is_said(
    kafka_server, topic, reader, monkeypatch, still
):
    """Once, by the client: whether it comes to one who fetches, or to one who is idle."""
    monkeypatch.setattr(consumer, "STILL", still)
    orders = topic()
    options = {"group.instance.id": "one"}
    first = await reader(orders, options=options)
    assert list(await first.fetch(1)) == []
    second = await reader(orders, options=options)
    assert list(await second.fetch(1)) == []
    with pytest.raises(BusError, match="give each its own"):
        await _work_on(first)


async def test_two_groups_get_everything_each(kafka_server, topic, reader):
    orders = topic()
    put_all(kafka_server, orders, numbered(10))
    for group in ("one", "two"):
        inlet = await reader(orders, group=f"{orders}-{group}")
        assert len(await take(inlet, 10)) == 10


async def test_a_new_group_may_begin_with_what_comes(kafka_server, topic, reader):
    orders = topic()
    put_all(kafka_server, orders, numbered(3))
    inlet = await reader(orders, since="latest")
    taking = asyncio.create_task(take(inlet, 1))
    while not taking.done():
        await asyncio.to_thread(put_all, kafka_server, orders, [(b'{"late": 1}', None, None)])
        await asyncio.sleep(0.2)
    assert [one.message.body for one in await taking] == [b'{"late": 1}']


async def test_a_topic_that_is_taken_away_is_named(kafka_server, topic, reader, monkeypatch):
    monkeypatch.setattr(consumer, "LOOK", 0.0)
    orders = topic()
    put_all(kafka_server, orders, numbered(1))
    inlet = await reader(orders)
    await inlet.done(await take(inlet, 1))
    [gone] = kafka_server.admin.delete_topics([orders]).values()
    await asyncio.to_thread(gone.result)
    with pytest.raises(BusError, match=f"--create --topic {orders}"):
        await _work_on(inlet)


async def _met(condition):
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


async def _work_on(inlet):
    async with asyncio.timeout(SOON):
        while True:
            await inlet.fetch(1)
