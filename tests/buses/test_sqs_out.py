"""What goes out to queues: in batches, in the forms of the seeds, in order also when some fail."""

import asyncio
import json
from hashlib import sha256

import pytest

from ostinato.bus.sqs import SqsOutlet
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, UsageError
from tests.buses.aws import Queues, app_with, fresh, letters, settings, table
from tests.buses.proxy import Proxy

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # Maven may have to fetch ElasticMQ

PASSING = {"Code": "InternalError", "Message": "try again", "SenderFault": False}
REFUSED = {"Code": "InvalidMessageContents", "Message": "no such letter", "SenderFault": True}
THROTTLED = {"Code": "KmsThrottled", "Message": "slower", "SenderFault": True}


@pytest.fixture
def queues(moto_server):
    return Queues(moto_server.url)


@pytest.fixture
async def proxy(moto_server):
    async with Proxy(moto_server.url) as proxy:
        yield proxy


def message(number, key=None, size=0, **more):
    body = json.dumps({"number": number, "text": "x" * size}).encode()
    return Message(body=body, key=key, id=f"e{number}", headers={"EventType": "T"}, **more)


async def send(endpoint, queue, messages):
    outlet = SqsOutlet(settings("sqs", endpoint), queue)
    try:
        await outlet.open()
        return list(await outlet.send(messages))
    finally:
        await outlet.close()


def digest(source, id):
    return sha256(json.dumps([source, id]).encode()).hexdigest()


def numbers(found):
    return [json.loads(one["Body"])["number"] for one in found]


def fails_once(*wanted, how=PASSING):
    """Entries with these numbers, the first time each."""
    left = set(wanted)

    def fails(operation, entry):
        number = json.loads(entry.get("MessageBody", "{}")).get("number")
        if number not in left:
            return None
        left.remove(number)
        return how

    return fails


class TestBatches:
    async def test_ten_to_a_request(self, queues, proxy):
        queue = queues.make()
        assert await send(proxy.url, queue, [message(n) for n in range(25)]) == [None] * 25
        sizes = [len(one["Entries"]) for one in proxy.requests("SendMessageBatch")]
        assert sorted(sizes) == [5, 10, 10]
        assert sorted(numbers(queues.all(queue, 25))) == list(range(25))

    async def test_256_kilobytes_to_a_request_and_larger_ones_alone(self, queues, proxy):
        queue = queues.make()
        sent = [message(n, size=100 << 10) for n in range(4)] + [message(4, size=300 << 10)]
        assert await send(proxy.url, queue, sent) == [None] * 5
        sizes = [len(one["Entries"]) for one in proxy.requests("SendMessageBatch")]
        assert sorted(sizes) == [1, 2, 2]
        assert sorted(numbers(queues.all(queue, 5))) == [0, 1, 2, 3, 4]

    async def test_what_the_service_refuses_whole_is_sent_in_halves(self, elasticmq_server):
        """ElasticMQ refuses a whole request for one that is larger than its queue takes."""
        queues = Queues(elasticmq_server.url)
        queue = queues.make()
        sent = [message(n, size=300 << 10 if n == 3 else 0) for n in range(6)]
        told = await send(elasticmq_server.url, queue, sent)
        assert [one for one in told if one is not None] == [told[3]]
        assert isinstance(told[3], UsageError)
        assert sorted(numbers(queues.all(queue, 5))) == [0, 1, 2, 4, 5]

    async def test_a_letter_that_sqs_does_not_take_is_refused_alone(self, elasticmq_server):
        queues = Queues(elasticmq_server.url)
        queue = queues.make()
        odd = Message(body='{"number": 1, "odd": "\uffff"}'.encode(), id="odd")
        told = await send(elasticmq_server.url, queue, [message(0), odd, message(2)])
        assert [type(one) for one in told] == [type(None), UsageError, type(None)]
        assert sorted(numbers(queues.all(queue, 2))) == [0, 2]

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"body": b""}, "no empty message"),
            ({"body": b"\xff"}, "texts only"),
            ({"headers": {"a b": "x"}}, "no name of an attribute"),
            ({"headers": {f"a{n}": "x" for n in range(11)}}, "10 attributes"),
            ({"place": "no/such name"}, "no queue"),
        ],
    )
    async def test_what_cannot_be_sent_is_refused_and_the_rest_goes(self, queues, wrong, why):
        queue = queues.make()
        bad = Message(**({"body": b"{}", "id": "bad"} | wrong))
        first, second = await send(queues.endpoint, queue, [bad, message(1)])
        assert isinstance(first, UsageError)
        assert why in str(first)
        assert (second, numbers(queues.all(queue, 1))) == (None, [1])

    async def test_a_message_goes_where_it_says(self, queues):
        here, there = queues.make(), queues.make()
        gone = fresh("gone")
        told = await send(
            queues.endpoint, here,
            [message(1), message(2, place=there), message(3, place=queues.url(there)),
             message(4, place=gone)],
        )  # fmt: skip
        assert told[:3] == [None] * 3
        assert isinstance(told[3], UsageError)
        assert f"aws sqs create-queue --queue-name {gone}" in str(told[3])
        assert numbers(queues.all(here, 1)) == [1]
        assert sorted(numbers(queues.all(there, 2))) == [2, 3]

    async def test_a_queue_that_goes_is_waited_for(self, queues):
        queue = queues.make()
        outlet = SqsOutlet(settings("sqs", queues.endpoint), queue)
        await outlet.open()
        queues.sqs.delete_queue(QueueUrl=queues.url(queue))
        with pytest.raises(BusError, match="create-queue"):
            await outlet.send([message(1), message(2)])
        await outlet.close()


class TestPartialFailures:
    async def test_each_message_has_an_answer_of_its_own(self, queues, proxy):
        queue = queues.make()
        how = {3: PASSING, 5: REFUSED, 7: THROTTLED}
        proxy.fails = lambda operation, entry: how.get(json.loads(entry["MessageBody"])["number"])
        told = await send(proxy.url, queue, [message(n) for n in range(12)])
        assert {n for n, why in enumerate(told) if why is not None} == {3, 5, 7}
        assert [type(told[n]) for n in (3, 5, 7)] == [BusError, UsageError, BusError]
        assert sorted(numbers(queues.all(queue, 9))) == [0, 1, 2, 4, 6, 8, 9, 10, 11]

    async def test_none_of_a_group_is_taken_after_one_that_was_not(self, queues, proxy):
        queue = queues.make(fifo=True)
        proxy.fails = fails_once(4)
        sent = [message(n, key="ab"[n % 2]) for n in range(20)]
        told = await send(proxy.url, queue, sent)
        assert [n for n, why in enumerate(told) if why is not None] == list(range(4, 20, 2))
        left = [sent[n] for n in range(4, 20, 2)]
        assert await send(proxy.url, queue, left) == [None] * 8
        found = [n for n in numbers(queues.all(queue, 20)) if n % 2 == 0]
        assert found == list(range(0, 20, 2))

    async def test_a_request_that_fails_whole_keeps_the_order_too(self, queues, proxy):
        queue = queues.make(fifo=True)
        left = [None, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slower"}]
        proxy.refuses = lambda operation: (
            (left.pop(0) if len(left) > 1 else left[0]) if operation == "SendMessageBatch" else None
        )
        told = await send(proxy.url, queue, [message(n, key="k") for n in range(4)])
        assert [type(why) for why in told] == [type(None), BusError, BusError, BusError]
        assert numbers(queues.all(queue, 1)) == [0]

    async def test_an_app_sends_again_what_failed_and_no_other(self, queues, proxy):
        queue = queues.make(fifo=True)
        proxy.fails = fails_once(1, 2)
        app = app_with(table("sqs", proxy.url, queue=queue))
        async with app:
            producer = app.producer("sqs")
            await producer.send_many("T", [{"number": n} for n in range(4)], subject="one")
            found = await asyncio.to_thread(queues.all, queue, 4)
        assert numbers(found) == [0, 1, 2, 3]

    async def test_what_is_refused_is_a_letter_and_the_next_goes_on(self, queues, proxy):
        queue = queues.make(fifo=True)
        proxy.fails = lambda operation, entry: (
            REFUSED if '"number":1' in entry.get("MessageBody", "") else None
        )
        app = app_with(table("sqs", proxy.url, queue=queue))
        async with app:
            await app.producer("sqs").send_many("T", [{"number": n} for n in range(3)])
            [letter] = await letters(app)
            found = await asyncio.to_thread(queues.all, queue, 2)
        assert (letter.kind, letter.target) == ("outgoing", "sqs")
        assert b"no such letter" in letter.reasons
        assert numbers(found) == [0, 2]


class TestForms:
    @pytest.mark.seed("A12", "A20")
    async def test_bus_style(self, queues):
        """Seed A12: the type in the attribute `EventType`, the data as the body."""
        queue = queues.make()
        app = app_with(table("sqs", queues.endpoint, queue=queue))
        async with app:
            await app.producer(0).send("TENANT_PROVISIONING", {"tenant": {"id": "t1"}}, id="e1")
            [found] = await asyncio.to_thread(queues.all, queue, 1)
        assert found["MessageAttributes"]["EventType"] == {
            "DataType": "String", "StringValue": "TENANT_PROVISIONING",
        }  # fmt: skip
        assert json.loads(found["Body"]) == {"tenant": {"id": "t1"}}

    @pytest.mark.seed("A12")
    async def test_entries_are_called_as_the_seed_calls_them(self, queues, proxy):
        await send(proxy.url, queues.make(), [message(n) for n in range(3)])
        [asked] = proxy.requests("SendMessageBatch")
        assert [one["Id"] for one in asked["Entries"]] == ["msg-0", "msg-1", "msg-2"]

    @pytest.mark.seed("A11")
    async def test_task_style(self, queues):
        """Seed A11: the whole event as the body."""
        queue = queues.make()
        app = app_with(table("sqs", queues.endpoint, queue=queue, form="task"))
        async with app:
            await app.producer("sqs").send("task-created", {"n": 1}, source="task-service")
            [found] = await asyncio.to_thread(queues.all, queue, 1)
        body = json.loads(found["Body"])
        assert list(body) == ["key", "payload", "timestamp", "source"]
        assert (body["key"], body["payload"]) == ("task-created", {"n": 1})
        assert body["source"] == "task-service"

    async def test_cloudevents(self, queues):
        queue = queues.make()
        app = app_with(table("sqs", queues.endpoint, queue=queue, form="cloudevents"))
        async with app:
            await app.producer("sqs").send("T", {"n": 1}, id="e1")
            [found] = await asyncio.to_thread(queues.all, queue, 1)
        body = json.loads(found["Body"])
        assert (body["specversion"], body["type"], body["id"]) == ("1.0", "T", "e1")

    @pytest.mark.parametrize(
        ("key", "members", "group"),
        [
            (None, {"subject": "s1"}, "s1"),
            (None, {}, "T"),
            ("${ event.data.order }", {}, "o7"),
            ("${ event.data.order }", {"subject": "s1"}, "o7"),
        ],
    )
    async def test_the_group_is_the_key_else_the_subject_else_the_type(
        self, queues, key, members, group
    ):
        queue = queues.make(fifo=True)
        more = {} if key is None else {"key": key}
        app = app_with(table("sqs", queues.endpoint, queue=queue, **more))
        async with app:
            await app.producer("sqs").send("T", {"order": "o7"}, id="e1", **members)
            [found] = await asyncio.to_thread(queues.all, queue, 1)
        assert found["Attributes"]["MessageGroupId"] == group
        assert found["Attributes"]["MessageDeduplicationId"] == digest("ostinato/app", "e1")

    @pytest.mark.parametrize("form", ["bus", "task", "cloudevents"])
    async def test_one_id_of_two_sources_is_two_messages(self, queues, form):
        """(source, id) is the name of an event: of one it is always the same, of two never."""
        queue = queues.make(fifo=True)
        app = app_with(table("sqs", queues.endpoint, queue=queue, form=form))
        async with app:
            for source in ("shop-a", "shop-b"):
                await app.producer("sqs").send("PAID", {"s": source}, id="1", source=source)
            found = await asyncio.to_thread(queues.all, queue, 2)
        told = {one["Attributes"]["MessageDeduplicationId"] for one in found}
        assert told == {digest("shop-a", "1"), digest("shop-b", "1")}

    async def test_a_group_or_an_id_that_sqs_does_not_take_is_a_digest(self, queues):
        queue = queues.make(fifo=True)
        sent = [Message(body=b"{}", key="Straße 7", id="ä" * 200)] * 2
        assert await send(queues.endpoint, queue, sent) == [None, None]
        [found] = await asyncio.to_thread(queues.all, queue, 1)
        assert len(found["Attributes"]["MessageGroupId"]) == 64
        assert len(found["Attributes"]["MessageDeduplicationId"]) == 64

    async def test_an_adapter_writes_what_it_wants_and_where(self, queues):
        here, there = queues.make(fifo=True), queues.make(fifo=True)
        app = app_with(table("sqs", queues.endpoint, queue=here))

        @app.bus("sqs").adapt_from("T")
        def write(event):
            return Message(place=there, body=b"own", key="k", id=event.id)

        async with app:
            await app.producer("sqs").send("T", {}, id="e1")
            [found] = await asyncio.to_thread(queues.all, there, 1)
        assert found["Body"] == "own"
        assert found["Attributes"]["MessageDeduplicationId"] == digest("ostinato/app", "e1")
