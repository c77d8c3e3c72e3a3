"""What comes in by queues: hidden as long as it is in hand, stored before it is deleted."""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from ostinato.bus.sqs import SqsInlet, hand, inlets, outlet
from ostinato.errors import BusError, SettingsError, StoreError
from tests.buses.aws import Queues, app_with, client, events, letters, settings, table
from tests.buses.proxy import Proxy
from tests.servers.moto import forget_keys, moto

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # Maven may have to fetch ElasticMQ

SECOND = timedelta(seconds=1)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def queues(elasticmq_server):
    """Moto's threads may give one message to two polls at once; ElasticMQ never does."""
    return Queues(elasticmq_server.url)


@pytest.fixture
async def proxy(elasticmq_server):
    async with Proxy(elasticmq_server.url) as proxy:
        yield proxy


def inlet_of(endpoint, queue, **more):
    given = {"wait": SECOND, "visibility": 60 * SECOND} | more
    return SqsInlet(settings("sqs", endpoint, **given), queue)


@pytest.fixture
async def opened():
    """Makes inlets, and closes them."""
    made = []

    async def make(*args, **more):
        inlet = inlet_of(*args, **more)
        made.append(inlet)
        await inlet.open()
        return inlet

    yield make
    for inlet in made:
        await inlet.close()


def put(queues, queue, count, **more):
    return [queues.put(queue, json.dumps({"number": n}), **more) for n in range(count)]


class TestHidden:
    async def test_what_is_in_hand_is_shown_to_nobody(self, queues, opened):
        """For twice and a half the time for which the queue hides it."""
        queue = queues.make()
        put(queues, queue, 12)
        first = await opened(queues.endpoint, queue, visibility=3 * SECOND)
        second = await opened(queues.endpoint, queue, visibility=3 * SECOND)
        held = list(await first.fetch(100))
        while len(held) < 12:
            held += await first.fetch(100)
        until = time.monotonic() + 7.5
        while time.monotonic() < until:
            assert await second.fetch(10) == []
        await first.done(held)
        assert queues.waiting(queue) == (0, 0)

    async def test_without_that_it_would_be(self, queues, opened, monkeypatch):
        monkeypatch.setattr(hand.Hand, "_hidden", lambda self: asyncio.sleep(0, True))
        queue = queues.make()
        put(queues, queue, 1)
        first = await opened(queues.endpoint, queue, visibility=2 * SECOND)
        second = await opened(queues.endpoint, queue, visibility=2 * SECOND)
        [held] = await first.fetch(10)
        async with asyncio.timeout(10):
            while not (found := await second.fetch(10)):
                pass
        assert [one.message.id for one in found] == [held.message.id]
        assert found[0].attempt == 2

    async def test_a_slow_store_has_each_message_once(self, queues):
        """Seed A11: what is handled longer than it is hidden."""
        queue = queues.make()
        first, second = (
            app_with(table("sqs", queues.endpoint, receive=[queue], visibility="3s", wait="1s"))
            for _ in range(2)
        )
        slow, began = asyncio.Event(), asyncio.Event()
        async with first:
            commit = first.storage.commit

            async def slowly(batch):
                if batch.events:
                    began.set()
                    await slow.wait()
                await commit(batch)

            first.storage.commit = slowly
            put(queues, queue, 3, EventType="T")
            await began.wait()
            async with second:
                until = time.monotonic() + 7.5
                while time.monotonic() < until:
                    assert (await second.buses())[0].receives[0].accepted <= 2
                    await asyncio.sleep(0.1)
                apart = (await second.buses())[0].receives[0].accepted
            slow.set()
            await events(first, 3 - apart)
            async with asyncio.timeout(10):
                while queues.waiting(queue) != (0, 0):
                    await asyncio.sleep(0.05)

    async def test_a_queue_that_cannot_be_told_is_told_again_soon(self, queues, proxy, opened):
        queue = queues.make()
        put(queues, queue, 2)
        failing = {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slower"}
        left = [failing] * 2
        proxy.refuses = lambda operation: (
            left.pop() if left and operation == "ChangeMessageVisibilityBatch" else None
        )
        first = await opened(proxy.url, queue, visibility=8 * SECOND)
        second = await opened(queues.endpoint, queue)
        held = await first.fetch(10)
        until = time.monotonic() + 9
        while time.monotonic() < until:
            assert await second.fetch(10) == []
        await first.done(held)
        assert left == []

    async def test_nobody_is_told_of_what_is_done(self, queues, proxy, opened):
        queue = queues.make()
        put(queues, queue, 2)
        inlet = await opened(proxy.url, queue, visibility=2 * SECOND)
        await inlet.done(await inlet.fetch(10))
        for _ in range(3):
            await inlet.fetch(10)
        assert proxy.requests("ChangeMessageVisibilityBatch") == []

    async def test_what_came_while_nobody_listened_any_more_is_given_back(self, queues):
        queue = queues.make()
        put(queues, queue, 1)
        inlet = inlet_of(queues.endpoint, queue)
        await inlet.open()
        fetching = asyncio.create_task(inlet.fetch(10))
        async with asyncio.timeout(10):
            while not inlet._hand._held:
                await asyncio.sleep(0)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        await inlet.close()
        assert queues.waiting(queue) == (1, 0)


DYING = """
import asyncio, sys
from datetime import timedelta
from tests.buses.test_sqs_in import inlet_of

async def main():
    inlet = inlet_of(*sys.argv[1:], visibility=timedelta(seconds=2))
    await inlet.open()
    held = await inlet.fetch(10)
    print(len(held), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


class TestKilled:
    async def test_what_a_killed_process_had_in_hand_comes_again_to_others(self, queues, opened):
        queue = queues.make()
        put(queues, queue, 3)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DYING, queues.endpoint, queue,
            stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        async with asyncio.timeout(30):
            held = int(await child.stdout.readline())
        second = await opened(queues.endpoint, queue)
        began = time.monotonic()
        found = []
        while time.monotonic() < began + 4:  # twice as long as they are hidden
            found += await second.fetch(10)
        assert (held, len(found)) == (3, 0)
        child.kill()
        await child.wait()
        async with asyncio.timeout(20):
            while len(found) < 3:
                found += await second.fetch(10)
        assert {one.attempt for one in found} == {2}
        await second.done(found)


class TestFetch:
    async def test_one_fetch_fills_what_is_asked_for(self, queues, proxy, opened):
        queue = queues.make()
        for n in range(95):
            queues.put(queue, str(n))
        inlet = await opened(proxy.url, queue)
        found = await inlet.fetch(80)
        assert len({one.message.id for one in found}) == 80
        assert len(proxy.requests("ReceiveMessage")) == 8
        await inlet.done(found)
        assert queues.waiting(queue) == (15, 0)

    async def test_a_poll_waits_as_long_as_the_settings_say(self, queues, proxy, opened):
        inlet = await opened(proxy.url, queues.make(), wait=2 * SECOND)
        assert await inlet.fetch(500) == []
        [asked] = proxy.requests("ReceiveMessage")
        assert (asked["WaitTimeSeconds"], asked["MaxNumberOfMessages"]) == (2, 10)
        assert asked["VisibilityTimeout"] == 60

    async def test_a_message_has_all_that_sqs_says_of_it(self, queues, opened):
        queue = queues.make(fifo=True)
        queues.sqs.send_message(
            QueueUrl=queues.url(queue),
            MessageBody="{}",
            MessageGroupId="g",
            MessageDeduplicationId="d",
            MessageAttributes={
                "text": {"DataType": "String", "StringValue": "ä"},
                "number": {"DataType": "Number", "StringValue": "7.50"},
                "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        )
        inlet = await opened(queues.endpoint, queue)
        [first] = await inlet.fetch(10)
        await inlet.again([first])
        [found] = await inlet.fetch(10)
        message = found.message
        assert message.headers == {"text": "ä", "number": "7.50", "bytes": "AP8="}
        assert (message.place, message.key, message.id) == (queue, "g", first.message.id)
        assert abs(message.time - time.time() * 1000) < 60_000
        assert (first.attempt, found.attempt) == (1, 2)

    async def test_a_queue_may_be_named_by_its_url(self, queues, opened):
        queue = queues.make()
        inlet = await opened(queues.endpoint, queues.url(queue))
        put(queues, queue, 1)
        [found] = await inlet.fetch(10)
        assert (inlet.name, found.message.place) == (queue, queue)
        await inlet.done([found])


class TestDone:
    async def test_what_is_not_deleted_is_deleted_again(self, queues, proxy, opened):
        queue = queues.make()
        put(queues, queue, 5)
        failing = ["msg-1", "msg-3"]

        def fails(operation, entry):
            if operation == "DeleteMessageBatch" and entry["Id"] in failing:
                failing.remove(entry["Id"])
                return {"Code": "InternalError", "Message": "once", "SenderFault": False}

        proxy.fails = fails
        inlet = await opened(proxy.url, queue)
        await inlet.done(await inlet.fetch(10))
        assert [len(one["Entries"]) for one in proxy.requests("DeleteMessageBatch")] == [5, 2]
        assert queues.waiting(queue) == (0, 0)

    async def test_what_is_never_deleted_is_an_error(self, queues, proxy, opened):
        queue = queues.make()
        put(queues, queue, 2)
        how = {"Code": "InternalError", "Message": "for ever", "SenderFault": False}
        proxy.fails = lambda operation, entry: how if operation == "DeleteMessageBatch" else None
        inlet = await opened(proxy.url, queue)
        held = await inlet.fetch(10)
        with pytest.raises(BusError, match=r"2 messages of .*for ever"):
            await inlet.done(held)
        await inlet.again(held)
        assert queues.waiting(queue) == (2, 0)

    async def test_a_receipt_that_has_expired_is_no_error(self, queues, proxy, opened):
        queue = queues.make()
        put(queues, queue, 2)
        how = {"Code": "ReceiptHandleIsInvalid", "Message": "expired", "SenderFault": True}
        proxy.fails = lambda operation, entry: (
            how if operation == "DeleteMessageBatch" and entry["Id"] == "msg-0" else None
        )
        inlet = await opened(proxy.url, queue)
        await inlet.done(await inlet.fetch(10))
        assert len(proxy.requests("DeleteMessageBatch")) == 1


SEED_BUS = '{"tenant": {"id": "t1", "name": "Ünï"}}'
SEED_TASK = (
    '{"key": "task-created", "payload": {"createdTasks": []}, "timestamp": 1700000000000,'
    ' "source": "task-service", "description": "made"}'
)


class TestForms:
    @pytest.mark.seed("A12")
    async def test_bus_style(self, queues):
        """Seed A12: the attribute `EventType`, and a body of JSON; deleted after dispatch."""
        queue = queues.make()
        app, heard = app_with(table("sqs", queues.endpoint, receive=[queue], wait="1s")), []

        @app.consumer("TENANT_PROVISIONING", bus=0)
        async def hear(event):
            heard.append(event)

        id = queues.put(queue, SEED_BUS, EventType="TENANT_PROVISIONING")
        async with app:
            [event] = await events(app)
            async with asyncio.timeout(10):
                while not heard or queues.waiting(queue) != (0, 0):
                    await asyncio.sleep(0.02)
        assert (event.type, event.id) == ("TENANT_PROVISIONING", id)
        assert json.loads(bytes(event.data)) == json.loads(SEED_BUS)
        assert event.extensions["bus"] == "sqs"

    @pytest.mark.seed("A11")
    async def test_task_style(self, queues):
        """Seed A11: the whole event is the body."""
        queue = queues.make()
        app = app_with(table("sqs", queues.endpoint, receive=[queue], wait="1s"))
        queues.put(queue, SEED_TASK)
        async with app:
            [event] = await events(app)
        assert (event.type, event.source, event.time) == (
            "task-created", "task-service", 1_700_000_000_000,
        )  # fmt: skip
        assert json.loads(bytes(event.data)) == {"createdTasks": []}
        assert event.description == "made"

    @pytest.mark.seed("A20")
    async def test_several_queues_in_and_others_out(self, queues):
        """Seed A20: connectors of one kind, several in and several out."""
        one, two, three, four = (queues.make() for _ in range(4))
        app = app_with(
            table("a", queues.endpoint, kind="sqs", receive=[one, two], wait="1s"),
            table("b", queues.endpoint, kind="sqs", receive=[three], queue=four, wait="1s"),
        )
        for number, queue in enumerate((one, two, three)):
            queues.put(queue, '{"n": 1}', EventType=f"T{number}")
        async with app:
            found = await events(app, 3)
            await app.producer("b").send("OUT", {"n": 2})
            [sent] = await asyncio.to_thread(queues.all, four, 1)
        assert {(one.type, one.extensions["bus"]) for one in found} == {
            ("T0", "a"), ("T1", "a"), ("T2", "b"),
        }  # fmt: skip
        assert sent["MessageAttributes"]["EventType"]["StringValue"] == "OUT"

    @pytest.mark.seed("A12")
    async def test_poison_is_a_letter_and_the_next_goes_on(self, queues):
        """In a FIFO queue, where it would hold up its group for ever."""
        queue = queues.make(fifo=True)
        bodies = ['{"n": 1', '"text"', '{"no": "type"}', '{"type": "T", "data": {"n": 2}}']
        for number, body in enumerate(bodies):
            queues.sqs.send_message(
                QueueUrl=queues.url(queue), MessageBody=body, MessageGroupId="g",
                MessageDeduplicationId=f"d{number}",
            )  # fmt: skip
        app = app_with(table("sqs", queues.endpoint, receive=[queue], wait="1s"))
        async with app:
            found = await letters(app, 3)
            [event] = await events(app)
            async with asyncio.timeout(10):
                while queues.waiting(queue) != (0, 0):
                    await asyncio.sleep(0.02)
            view = (await app.buses())[0].receives[0]
        assert {one.kind for one in found} == {"incoming"}
        assert any(b"not JSON" in one.reasons for one in found)
        assert bytes(event.data) == b'{"n": 2}'
        assert (view.accepted, view.dead) == (1, 3)

    async def test_what_was_not_stored_goes_back_at_a_stop(self, queues):
        queue = queues.make()
        put(queues, queue, 3, EventType="T")
        app, held = app_with(table("sqs", queues.endpoint, receive=[queue], wait="1s")), []
        there = asyncio.Event()
        async with app:
            commit = app.storage.commit

            async def never(batch):
                if batch.events:
                    held.append(batch)
                    there.set()
                    raise StoreError("away")
                await commit(batch)

            app.storage.commit = never
            await there.wait()
            await app._take_no_more()
            app.storage.commit = commit
        assert queues.waiting(queue) == (3, 0)


class TestTroubles:
    async def told(self, inlet):
        with pytest.raises(BusError) as caught:
            async with asyncio.timeout(20):
                await inlet.open()
        await inlet.close()
        return str(caught.value)

    async def test_a_missing_queue_says_how_to_make_it(self, queues):
        told = await self.told(inlet_of(queues.endpoint, "nowhere.fifo"))
        assert "aws sqs create-queue --queue-name nowhere.fifo --attributes FifoQueue=true" in told
        told = await self.told(inlet_of(queues.endpoint, f"{queues.endpoint}/1/nowhere"))
        assert "there is no queue nowhere at http" in told

    async def test_wrong_credentials_are_told_and_right_ones_found_again(self):
        with moto() as server:
            queue = Queues(server.url).make()
            iam = client("iam", server.url)
            iam.create_user(UserName="u")
            key = iam.create_access_key(UserName="u")["AccessKey"]
            forget_keys(server)
            told = await self.told(inlet_of(server.url, queue))
            assert "AWS does not know this key" in told
            assert "access_key_id and secret_access_key under [bus.sqs]" in told
            own = {"access_key_id": key["AccessKeyId"]}
            told = await self.told(inlet_of(server.url, queue, **own))
            assert "SignatureDoesNotMatch" in told
            own["secret_access_key"] = key["SecretAccessKey"]
            told = await self.told(inlet_of(server.url, queue, **own))
            assert "the key of [bus.sqs] needs the permission sqs:GetQueueUrl" in told
            assert own["secret_access_key"] not in told

    async def test_no_region_and_no_credentials(self, queues, monkeypatch, tmp_path):
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        told = await self.told(inlet_of(queues.endpoint, "q", region=None))
        assert 'region = "eu-central-1" under [bus.sqs], or AWS_REGION' in told
        without = {"access_key_id": None, "secret_access_key": None}
        told = await self.told(inlet_of(queues.endpoint, "q", **without))
        assert "no credentials" in told
        monkeypatch.setenv("AWS_PROFILE", "nobody")
        told = await self.told(inlet_of(queues.endpoint, "q", **without))
        assert "profile (nobody)" in told

    async def test_the_region_of_the_environment(self, queues, monkeypatch):
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        inlet = inlet_of(queues.endpoint, queues.make(), region=None)
        await inlet.open()
        await inlet.close()

    async def test_an_endpoint_that_is_away_is_named(self):
        told = await self.told(inlet_of("http://127.0.0.1:9", "q"))
        assert "sqs: http://127.0.0.1:9 cannot be reached" in told

    async def test_an_app_says_what_is_wrong_and_goes_on_when_it_is_mended(self, queues):
        queue = "late-" + queues.make()
        app = app_with(table("sqs", queues.endpoint, receive=[queue], wait="1s"))
        async with app:
            async with asyncio.timeout(10):
                while not (trouble := (await app.buses())[0].receives[0].trouble):
                    await asyncio.sleep(0.01)
            assert f"aws sqs create-queue --queue-name {queue}" in trouble
            queues.sqs.create_queue(QueueName=queue)
            queues.put(queue, "{}", EventType="T")
            await events(app)
            assert (await app.buses())[0].receives[0].trouble == ""

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"wait": timedelta()}, r"bus.sqs.wait: SQS waits 1s to 20s"),
            ({"wait": 21 * SECOND}, r"bus.sqs.wait"),
            ({"visibility": SECOND}, r"bus.sqs.visibility"),
            ({"visibility": 13 * 3600 * SECOND}, r"2s to 12h"),
            ({"receive": ("arn:aws:sqs:eu-central-1:1:q",)}, r"bus.sqs.receive: .*its URL"),
            ({"queue": "a b"}, r"bus.sqs.queue: 'a b' is no queue"),
        ],
    )
    def test_settings_that_cannot_be_right(self, more, why):
        given = settings("sqs", "http://127.0.0.1:9", **more)
        with pytest.raises(SettingsError, match=why):
            inlets(given)
        with pytest.raises(SettingsError, match=why):
            outlet(given)

    def test_without_a_queue_nothing_goes_out(self):
        assert outlet(settings("sqs", "http://127.0.0.1:9")) is None
