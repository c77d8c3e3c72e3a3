"""What brokers refuse, what they do not answer, and what the operator reads then."""

import asyncio
import re

import pytest
from confluent_kafka.admin import AclOperation

from ostinato.bus import kafka
from ostinato.bus.kafka import producer
from ostinato.config.buses import KafkaSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError, UsageError
from tests.buses.kafka_world import app_with, letters, records, until
from tests.servers.kafka import PASSWORD, USER
from tests.servers.kafka_mock import PRODUCE, MockCluster
from tests.servers.postgres import free_port

pytestmark = pytest.mark.real

INVALID_RECORD, NOT_ENOUGH_REPLICAS, MSG_SIZE_TOO_LARGE = 87, 19, 10


def settings(servers, **more):
    return KafkaSettings(name="kafka", kind="kafka", servers=servers, **more)


async def trouble(one):
    try:
        await one.open()
    except BusError as error:
        return str(error)
    finally:
        await one.close()
    return ""


class TestRights:
    @pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
    async def test_credentials_open_the_door(self, kafka_server, topic, protocol):
        given = self.given(kafka_server, protocol, PASSWORD)
        outlet, told = kafka.outlet(settings(topic=topic(), **given)), given
        await outlet.open()
        assert await outlet.send([Message(body=b"{}")]) == [None]
        await outlet.close()
        [inlet] = kafka.inlets(settings(receive=(topic(),), **told))
        assert await trouble(inlet) == ""

    @pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
    async def test_wrong_ones_are_named(self, kafka_server, topic, protocol):
        given = self.given(kafka_server, protocol, "wrong")
        [inlet] = kafka.inlets(settings(receive=(topic(),), **given))
        for one in (inlet, kafka.outlet(settings(topic="t", **given))):
            told = await trouble(one)
            assert "see bus.kafka.username and .password" in told
            assert "wrong" not in told

    def given(self, server, protocol, password):
        tls = protocol == "SASL_SSL"
        options = {"ssl.ca.location": str(server.authority)} if tls else None
        at = {"servers": server.at(protocol), "tls": tls, "options": options}
        return {**at, "username": USER, "password": password}

    async def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, kafka_server, monkeypatch
    ):
        monkeypatch.setattr("ostinato.bus.kafka.link.ANSWER", 2.0)
        given = {**self.given(kafka_server, "SASL_SSL", PASSWORD), "options": None}
        told = await trouble(kafka.outlet(settings(topic="t", **given)))
        assert "certificate verify failed" in told

    async def test_a_connection_without_tls_is_told_so(self, kafka_server, monkeypatch):
        monkeypatch.setattr("ostinato.bus.kafka.link.ANSWER", 2.0)
        told = await trouble(kafka.outlet(settings(kafka_server.at("SASL_SSL"), topic="t")))
        assert "bus.kafka.servers" in told


class TestOneTopic:
    """What is wrong with one topic is said of its messages, and the others go out."""

    async def sent(self, given, *places):
        outlet = kafka.outlet(given)
        await outlet.open()
        try:
            return list(await outlet.send([Message(body=b"{}", place=place) for place in places]))
        finally:
            await outlet.close()

    @pytest.mark.parametrize("operation", [AclOperation.ALL, AclOperation.WRITE])
    async def test_that_is_denied(self, kafka_server, topic, operation):
        good, denied = topic(), topic()
        kafka_server.deny(denied, operation)
        own = {"username": USER, "password": PASSWORD, "topic": denied}
        given = settings(kafka_server.at("SASL_PLAINTEXT"), **own)
        first, second = await self.sent(given, denied, good)
        assert (isinstance(first, BusError), second) == (True, None)
        assert f"not allowed: Broker: Topic authorization failed for topic {denied!r}" in str(first)
        assert [str(why) for why in await self.sent(given, denied, "")] == [str(first)] * 2

    async def test_that_is_missing(self, kafka_server, topic):
        given = settings(kafka_server.servers)
        first, second = await self.sent(given, "nowhere", topic())
        assert (isinstance(first, BusError), second) == (True, None)
        assert "--create --topic nowhere" in str(first)
        assert [str(why) for why in await self.sent(given, "nowhere")] == [str(first)]

    @pytest.mark.parametrize("place", [".", "..", "__consumer_offsets"])
    async def test_that_can_never_be_written_to(self, kafka_server, topic, place):
        kafka_server.make("__consumer_offsets", cleanup_policy="compact")
        given = settings(kafka_server.servers)
        answers = await self.sent(given, topic(), place)
        assert [type(why) for why in answers] == [type(None), UsageError]
        assert repr(place) in str(answers[1])

    async def test_that_brokers_say_is_none(self, kafka_server, topic, monkeypatch):
        """As of a name that only later ones refuse."""
        monkeypatch.setattr(producer, "TOPIC", re.compile(".*"))
        answers = await self.sent(settings(kafka_server.servers), topic(), "a b", "..")
        assert [type(why) for why in answers] == [type(None), UsageError, UsageError]

    async def test_and_an_app_goes_on(self, kafka_server, topic):
        good, denied = topic(), topic()
        kafka_server.deny(denied, AclOperation.ALL)
        given = {"servers": kafka_server.at("SASL_PLAINTEXT"), "username": USER,
                 "password": PASSWORD, "form": "data"}  # fmt: skip
        async with app_with(**{f"bus.kafka.{name}": value for name, value in given.items()}) as app:
            telling = app.producer("kafka")
            await telling.send(denied, {"n": 1})
            async with asyncio.timeout(30):
                while not (await app.buses())[0].trouble:
                    await asyncio.sleep(0.01)
            await telling.send("..", {"n": 2})
            await telling.send(good, {"n": 3})
            [record] = await asyncio.to_thread(records, kafka_server, good, 1)
            [letter] = await until(lambda: letters(app, kind="outgoing"))
            assert denied in (await app.buses())[0].trouble
        assert record.value() == b'{"n":3}'
        assert b"no name of a topic" in letter.reasons


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"username": "u"}, "belong together"),
            ({"topic": "my orders"}, "no name of a topic"),
            ({"topic": ".."}, "no name of a topic"),
            ({"receive": ["a/b"]}, "no name of a topic"),
            ({"options": {"no.such.thing": 1}}, "no.such.thing"),
            ({"options": {"session.timeout.ms": "soon"}}, "session.timeout.ms"),
            ({"tls": True, "options": {"ssl.ca.location": "/nowhere"}}, "ssl.ca.location failed"),
        ],
    )
    async def test_what_cannot_be_right_is_refused_at_the_start(self, more, why):
        given = {f"bus.kafka.{name}": value for name, value in ({"receive": ["t"]} | more).items()}
        with pytest.raises(SettingsError, match=why):
            async with app_with(**given):
                pass

    @pytest.mark.parametrize(
        "given",
        [
            {"servers": "u:sek@ret@h:9092,h2:9092"},
            {"servers": "h:9092?password=sek"},
            {"servers": "h:9092", "options": {"bootstrap.servers": "u:sek@h:9092"}},
            {"servers": "h:9092", "options": {"metadata.broker.list": "u:sek@h:9092"}},
        ],
    )
    def test_an_address_that_holds_a_secret_is_refused_unseen(self, given):
        """No client understands it, and it would be in whatever the client says."""
        for half in (kafka.inlets, kafka.outlet):
            with pytest.raises(SettingsError, match="a broker is host:port") as error:
                half(settings(receive=("t",), **given))
            assert "sek" not in str(error.value)

    async def test_options_win(self):
        [inlet] = kafka.inlets(settings("x:1", receive=("t",), options={"group.id": "other"}))
        assert inlet._link.consuming(print)["group.id"] == "other"


class TestOrder:
    """Of those with one key none is taken after one that was not: on the mock, which fails when
    it is told to."""

    def messages(self, count, size=0):
        return [Message(body=b"%d " % n + b"x" * size, key="k") for n in range(count)]

    async def test_what_a_broker_refuses_for_now_is_sent_again_unseen(self):
        with MockCluster() as cluster:
            outlet = kafka.outlet(settings(cluster.servers, topic=cluster.make("t")))
            await outlet.open()
            cluster.fail(PRODUCE, *[NOT_ENOUGH_REPLICAS] * 3)
            sent = self.messages(30)
            assert await outlet.send(sent) == [None] * 30
            await outlet.close()
            found = await asyncio.to_thread(records, cluster, "t", 30)
        assert [one.value() for one in found] == [one.body for one in sent]

    async def test_after_a_batch_that_is_refused_none_of_its_partition_is_taken(self):
        """Several batches are on their way when the first of them is refused."""
        with MockCluster() as cluster:
            more = {"topic": cluster.make("t"), "compression": "none"}
            batches = {"batch.num.messages": 5, "linger.ms": 0}
            outlet = kafka.outlet(settings(cluster.servers, options=batches, **more))
            await outlet.open()
            assert await outlet.send(self.messages(1)) == [None]
            cluster.fail(PRODUCE, INVALID_RECORD)
            sent = self.messages(60, size=100)
            answers = list(await outlet.send(sent))
            taken = answers.index(next(why for why in answers if why is not None))
            assert all(isinstance(why, BusError) for why in answers[taken:])
            assert await outlet.send(sent[taken:]) == [None] * (60 - taken)
            await outlet.close()
            found = [one.value() for one in await asyncio.to_thread(records, cluster, "t", 61)]
        assert list(dict.fromkeys(found[1:])) == [one.body for one in sent]

    async def test_neighbours_of_one_that_is_too_large_are_not_taken_for_it(self):
        """Also when the broker fails while they are sent one by one."""
        with MockCluster() as cluster:
            outlet = kafka.outlet(settings(cluster.servers, topic=cluster.make("t")))
            await outlet.open()
            assert await outlet.send(self.messages(1)) == [None]
            cluster.fail(PRODUCE, MSG_SIZE_TOO_LARGE, INVALID_RECORD)
            answers = await outlet.send(self.messages(5))
            assert "INVALID_RECORD" in str(answers[0])
            assert all(isinstance(why, BusError) for why in answers)
            assert await outlet.send(self.messages(5)) == [None] * 5
            await outlet.close()

    async def test_brokers_that_are_away_are_waited_for_and_then_given_up(self, monkeypatch):
        monkeypatch.setattr(producer, "TAKEN", 1.0)
        with MockCluster() as cluster:
            outlet = kafka.outlet(settings(cluster.servers, topic=cluster.make("t")))
            await outlet.open()
            assert await outlet.send(self.messages(1)) == [None]
            cluster.down()
            with pytest.raises(BusError, match="no broker answers"):
                await outlet.send(self.messages(20))
            await outlet.close()
            cluster.up()
            await outlet.open()
            assert await outlet.send(self.messages(20)) == [None] * 20
            await outlet.close()
            found = [one.value() for one in await asyncio.to_thread(records, cluster, "t", 21)]
        assert list(dict.fromkeys(found[1:])) == [one.body for one in self.messages(20)]

    async def test_a_stop_does_not_wait_for_brokers_that_are_away(self):
        with MockCluster() as cluster:
            outlet = kafka.outlet(settings(cluster.servers, topic=cluster.make("t")))
            await outlet.open()
            assert await outlet.send(self.messages(1)) == [None]
            cluster.down()
            sending = asyncio.create_task(outlet.send(self.messages(5)))
            await asyncio.sleep(0.1)
            sending.cancel()
            async with asyncio.timeout(3):
                await asyncio.gather(sending, return_exceptions=True)
                await outlet.close()


@pytest.mark.slow
async def test_a_broker_that_is_away_stays_visible_and_is_found_again():
    with MockCluster() as cluster:
        topic = cluster.make("t")
        app = app_with(**{"bus.kafka.servers": cluster.servers, "bus.kafka.receive": [topic]})
        cluster.down()
        async with app, asyncio.timeout(50):
            while "no broker answers" not in (await app.buses())[0].receives[0].trouble:
                await asyncio.sleep(0.05)
            cluster.up()
            while (await app.buses())[0].receives[0].trouble:
                await asyncio.sleep(0.05)


def test_nothing_is_connected_by_asking():
    away = settings(f"127.0.0.1:{free_port()}", receive=("t",), username="u", password="p")
    assert kafka.inlets(away)[0].name == "t"
    assert kafka.outlet(away)
