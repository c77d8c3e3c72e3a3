"""Kafka keeps the contract of buses: against a real broker."""

from itertools import count

import pytest

from ostinato.bus import kafka
from ostinato.config.buses import KafkaSettings
from ostinato.testing.bus_contract import BusContract
from tests.servers.postgres import free_port

pytestmark = pytest.mark.real

_groups = count()


def settings(servers, **more):
    return KafkaSettings(name="kafka", kind="kafka", servers=servers, **more)


class TestKafka(BusContract):
    largest = 1_100_000
    redelivers_after = 10.0

    @pytest.fixture(autouse=True)
    def _server(self, kafka_server, topic):
        self.servers = kafka_server.servers
        self.topic = topic

    async def make_place(self):
        return self.topic(partitions=2)

    def inlet(self, place):
        [inlet] = kafka.inlets(settings(self.servers, receive=(place,), group=f"of-{place}"))
        return inlet

    def outlet(self, place):
        return kafka.outlet(settings(self.servers, topic=place))

    def missing_inlet(self):
        return self.inlet("nowhere")

    def lost_inlet(self):
        away = settings(f"127.0.0.1:{free_port()}", receive=("t",))
        [inlet] = kafka.inlets(away)
        return inlet

    def lost_outlet(self):
        return kafka.outlet(settings(f"127.0.0.1:{free_port()}", topic="t"))
