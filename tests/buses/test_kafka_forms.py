"""What the task service has on Kafka, and CloudEvents, through an app and a real broker."""

import asyncio
import json

import pytest

from ostinato import Event
from tests.buses.kafka_world import (
    app_with,
    codecs,
    events,
    letters,
    put,
    put_all,
    reached,
    records,
    until,
)
from tests.stage import one_job

pytestmark = pytest.mark.real

# A message as the task service's producers send it, and the event it publishes itself.
TENANT = b'{"tenantId": "t-17", "plan": {"name": "gold", "seats": 25}}'
WHOLE = b'{"key":"TASK_DONE","payload":{"taskKey":"review","status":"completed"},"source":"task-service","timestamp":1700000000000}'  # noqa: E501


@pytest.fixture
def app_on(kafka_server):
    def made(**bus):
        named = {f"bus.kafka.{name}": value for name, value in bus.items()}
        given = {
            "bus.kafka.servers": kafka_server.servers,
            "bus.kafka.group": "g-" + str(id(named)),
        }
        return app_with(**given | named)

    return made


@pytest.mark.seed("A9")
class TestIn:
    async def test_the_topic_is_the_type_and_the_value_the_payload(
        self, app_on, kafka_server, topic
    ):
        tenants = topic()
        put(kafka_server, tenants, TENANT, "t-17")
        async with app_on(receive=[tenants]) as app:
            [event] = await until(lambda: events(app))
        [record] = records(kafka_server, tenants, 1)
        assert (event.type, event.source, bytes(event.data)) == (tenants, "kafka", TENANT)
        assert event.time == record.timestamp()[1]
        assert event.id == f"{tenants}/0/0"

    async def test_an_empty_value_is_an_empty_payload(self, app_on, kafka_server, topic):
        tenants = topic()
        put_all(kafka_server, tenants, [(b"", None, None), (None, "gone", None)])
        async with app_on(receive=[tenants]) as app:
            found = await until(lambda: events(app), 2)
        assert [bytes(event.data) for event in found] == [b"{}", b"{}"]

    async def test_whole_events_are_read_where_the_settings_say_so(
        self, app_on, kafka_server, topic
    ):
        tasks = topic()
        put(kafka_server, tasks, WHOLE)
        async with app_on(receive=[tasks], read="task") as app:
            [event] = await until(lambda: events(app))
        assert (event.type, event.source, event.time) == (
            "TASK_DONE", "task-service", 1_700_000_000_000,
        )  # fmt: skip
        assert json.loads(bytes(event.data)) == {"taskKey": "review", "status": "completed"}

    async def test_what_is_no_json_is_a_letter_and_the_next_one_goes_on(
        self, app_on, kafka_server, topic
    ):
        orders = topic()
        bad = [(b"{oops", "k", [("trace", b"\xff1")]), (b"\xff\xfe", None, None)]
        put_all(kafka_server, orders, [*bad, (b'{"n": 3}', None, None)])
        async with app_on(receive=[orders]) as app:
            [event] = await until(lambda: events(app))
            found = {one.event_id: one for one in await until(lambda: letters(app), 2)}
        assert bytes(event.data) == b'{"n": 3}'
        assert found.keys() == {f"{orders}/0/0", f"{orders}/0/1"}
        held = json.loads(bytes(found[f"{orders}/0/0"].event.data))
        assert held == {
            "place": orders,
            "key": "k",
            "body": "{oops",
            "headers": {"trace": r"\xff1"},
        }

    async def test_it_goes_on_where_its_group_was(self, app_on, kafka_server, topic):
        orders = topic()
        put(kafka_server, orders, b'{"n": 1}')
        async with app_on(receive=[orders], group=orders) as app:
            await until(lambda: events(app))
            await reached(kafka_server, orders, {f"{orders}/0": 1})
        put(kafka_server, orders, b'{"n": 2}')
        async with app_on(receive=[orders], group=orders) as app:
            [event] = await until(lambda: events(app))
        assert bytes(event.data) == b'{"n": 2}'

    async def test_cloudevents_in_headers_are_events(self, app_on, kafka_server, topic):
        orders = topic()
        headers = [("ce_specversion", b"1.0"), ("ce_type", b"ORDER_PLACED"), ("ce_id", b"o 1 %"),
                   ("ce_source", "/Größe".encode()), ("content-type", b"application/json"),
                   ]  # fmt: skip
        put(kafka_server, orders, b'{"order": 1}', headers=headers)
        async with app_on(receive=[orders]) as app:
            [event] = await until(lambda: events(app))
        assert (event.type, event.id, event.source) == ("ORDER_PLACED", "o 1 %", "/Größe")

    async def test_zstd_and_the_others_are_read(self, app_on, kafka_server, topic):
        orders = topic()
        for codec in ("zstd", "lz4", "snappy", "gzip", "none"):
            put(
                kafka_server,
                orders,
                b'{"text": "%s"}' % (b"x" * 500),
                **{"compression.type": codec},
            )
        async with app_on(receive=[orders]) as app:
            await until(lambda: events(app), 5)
        assert set(codecs(kafka_server, orders)) == {"zstd", "lz4", "snappy", "gzip", "none"}


SUBJECT = {"source": "shop", "id": "e1", "subject": "o-7"}


@pytest.mark.seed("A10")
class TestOut:
    @pytest.mark.parametrize(
        ("key", "wanted"),
        [
            (None, b"o-7"),
            ('${ "" }', b""),
            ("fixed", b"fixed"),
            ("${ event.data.order }", b"17"),
        ],
    )
    async def test_a_whole_event_goes_out_with_its_key(
        self, app_on, kafka_server, topic, key, wanted
    ):
        told = topic()
        more = {} if key is None else {"key": key}
        async with app_on(topic=told, form="task", **more) as app:
            await app.producer("kafka").send("ORDER_PLACED", {"order": 17}, **SUBJECT)
            [record] = await asyncio.to_thread(records, kafka_server, told, 1)
        value = json.loads(record.value())
        assert list(value) == ["key", "payload", "timestamp", "source"]
        assert (value["key"], value["payload"], value["source"]) == (
            "ORDER_PLACED", {"order": 17}, "shop",
        )  # fmt: skip
        assert record.key() == wanted

    @pytest.mark.seed("A8")
    @pytest.mark.parametrize(
        ("type", "payload"),
        [
            ("task-created", {"createdTasks": [{"id": "t1", "status": "pending"}]}),
            ("user-task-completed", {"task": {"id": "t1"}, "userTask": {"id": "u1"}}),
            ("task-completed", {"taskId": "t1"}),
        ],
    )
    async def test_a_run_says_what_the_task_service_says(
        self, app_on, kafka_server, topic, type, payload
    ):
        told = topic()
        say = {"emit": {"type": type, "source": "task-service", "data": payload, "bus": "kafka"}}
        async with app_on(topic=told, form="task") as app:
            await app.deploy(one_job(say))
            await app.start("w")
            [record] = await asyncio.to_thread(records, kafka_server, told, 1)
        value = json.loads(record.value())
        assert list(value) == ["key", "payload", "timestamp", "source"]
        assert isinstance(value.pop("timestamp"), int)
        assert value == {"key": type, "payload": payload, "source": "task-service"}

    @pytest.mark.parametrize("codec", ["gzip", "zstd"])
    async def test_what_goes_out_is_compressed(self, app_on, kafka_server, topic, codec):
        told = topic()
        more = {} if codec == "gzip" else {"compression": codec}
        async with app_on(topic=told, **more) as app:
            await app.producer("kafka").send("A", {"text": "x" * 2_000})
            await asyncio.to_thread(records, kafka_server, told, 1)
        assert codecs(kafka_server, told) == [codec]

    async def test_cloudevents_go_out_in_headers(self, app_on, kafka_server, topic):
        told = topic()
        async with app_on(topic=told) as app:
            await app.producer("kafka").send("ORDER_PLACED", {"order": 17}, **SUBJECT)
            [record] = await asyncio.to_thread(records, kafka_server, told, 1)
        headers = {name: value.decode() for name, value in record.headers()}
        assert headers.pop("ce_time")
        assert headers == {
            "ce_specversion": "1.0", "ce_id": "e1", "ce_source": "shop", "ce_subject": "o-7",
            "ce_type": "ORDER_PLACED", "content-type": "application/json",
        }  # fmt: skip
        assert record.value() == b'{"order":17}'

    async def test_without_a_topic_the_type_is_the_topic(self, app_on, kafka_server):
        kafka_server.make("INVOICE_SENT")
        async with app_on(form="data") as app:
            await app.producer("kafka").send("INVOICE_SENT", {"n": 1})
            [record] = await asyncio.to_thread(records, kafka_server, "INVOICE_SENT", 1)
            await app.producer("kafka").send("de.shop/invoice sent", {"n": 2})
            [letter] = await until(lambda: letters(app, kind="outgoing"))
        assert (record.value(), record.headers()) == (b'{"n":1}', None)
        assert b"no name of a topic" in letter.reasons

    async def test_one_that_is_too_large_is_a_letter_and_the_others_go_out(
        self, app_on, kafka_server, topic
    ):
        told = topic(max_message_bytes="2000")
        sizes = [10, 5_000, 20, 30]
        async with app_on(topic=told, compression="none") as app:
            await app.producer("kafka").send_many("A", [{"text": "x" * size} for size in sizes])
            [letter] = await until(lambda: letters(app, kind="outgoing"))
            found = await asyncio.to_thread(records, kafka_server, told, 3)
        assert [len(one.value()) for one in found] == [21, 31, 41]
        assert b"max.message.bytes" in letter.reasons

    async def test_a_topic_that_is_missing_is_waited_for(self, app_on, kafka_server):
        async with app_on(form="data") as app:
            await app.producer("kafka").send("LATE_ONE", {"n": 1})
            async with asyncio.timeout(30):
                while not (trouble := (await app.buses())[0].trouble):
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(kafka_server.make, "LATE_ONE")
            [record] = await asyncio.to_thread(records, kafka_server, "LATE_ONE", 1)
        assert f"kafka-topics.sh --bootstrap-server {kafka_server.servers} --create" in trouble
        assert "--topic LATE_ONE" in trouble
        assert record.value() == b'{"n":1}'


def _telling(way):
    async def tell(event: Event):
        return {"way": way, "n": json.loads(bytes(event.data))["n"]}

    tell.__name__ = way
    return tell


@pytest.mark.seed("A20")
async def test_several_connectors_in_and_out_and_any_in_to_any_out(kafka_server, topic):
    ins, outs = [topic(2) for _ in range(3)], [topic() for _ in range(2)]
    buses = {"bus.one.receive": ins[:2], "bus.two.receive": ins[1:], "bus.left.topic": outs[0],
             "bus.right.topic": outs[1]}  # fmt: skip
    for name in ("one", "two", "left", "right"):
        buses |= {f"bus.{name}.kind": "kafka", f"bus.{name}.servers": kafka_server.servers}
        buses |= {f"bus.{name}.group": f"{ins[0]}-{name}", f"bus.{name}.form": "data"}
    app = app_with(**buses)
    for bus in ("one", "two"):
        for to in ("left", "right"):
            app.consumer("*", bus=bus, publish="TOLD", to=to)(_telling(f"{bus}_{to}"))

    for number, one in enumerate(ins):
        put(kafka_server, one, b'{"n": %d}' % number)
    async with app:
        found = {to: await asyncio.to_thread(records, kafka_server, to, 4) for to in outs}
    told = {
        to: sorted(
            (value["way"], value["n"]) for one in several if (value := json.loads(one.value()))
        )
        for to, several in found.items()
    }
    for to, name in zip(outs, ("left", "right"), strict=True):
        assert told[to] == [
            (f"one_{name}", 0), (f"one_{name}", 1), (f"two_{name}", 1), (f"two_{name}", 2),
        ]  # fmt: skip
