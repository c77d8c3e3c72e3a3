"""What brokers refuse, what they do not answer, and what the operator reads then."""

import asyncio

import pytest

from ostinato.bus import kafka
from ostinato.bus.kafka import producer
from ostinato.config.buses import KafkaSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError
from tests.buses.kafka_world import app_with, records
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


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"username": "u"}, "belong together"),
            ({"topic": "my orders"}, "no name of a topic"),
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
            try:
                answers = list(await outlet.send(sent))
            except BusError:
                answers = [BusError("none")] * 60
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
            with pytest.raises(BusError, match="INVALID_RECORD"):
                await outlet.send(self.messages(5))
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
