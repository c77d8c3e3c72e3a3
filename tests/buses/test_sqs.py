"""SQS keeps the contract of buses, standard and FIFO, on two servers that others have written."""

from datetime import timedelta

import pytest

from ostinato.bus.sqs import SqsInlet, SqsOutlet
from ostinato.testing.bus_contract import BusContract
from tests.buses.aws import Queues, fresh, settings

pytestmark = pytest.mark.real

NOBODY = "http://127.0.0.1:9"  # the port of `discard`, where nobody listens


class Contract(BusContract):
    fifo = False
    largest = 1 << 20

    @pytest.fixture(autouse=True)
    def server(self, request):
        server = request.getfixturevalue(self.server_name)
        self.queues = Queues(server.url)

    def settings(self, **more):
        given = {"wait": timedelta(seconds=1), "visibility": timedelta(seconds=60)} | more
        return settings("sqs", given.pop("endpoint", self.queues.endpoint), **given)

    async def make_place(self):
        return self.queues.make(fifo=self.fifo)

    def inlet(self, place):
        return SqsInlet(self.settings(), place)

    def outlet(self, place):
        return SqsOutlet(self.settings(), place)

    def missing_inlet(self):
        return SqsInlet(self.settings(), fresh("missing") + (".fifo" if self.fifo else ""))

    def lost_inlet(self):
        return SqsInlet(self.settings(endpoint=NOBODY), "any")

    def lost_outlet(self):
        return SqsOutlet(self.settings(endpoint=NOBODY), "any")


class Standard(Contract):
    keeps_order = False
    has_keys = False


class Fifo(Contract):
    fifo = True


class TestStandardOfMoto(Standard):
    server_name = "moto_server"


class TestStandardOfElasticMq(Standard):
    server_name = "elasticmq_server"


class TestFifoOfMoto(Fifo):
    server_name = "moto_server"


class TestFifoOfElasticMq(Fifo):
    server_name = "elasticmq_server"
