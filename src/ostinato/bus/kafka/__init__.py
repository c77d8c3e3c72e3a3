"""Kafka: topics that a consumer group reads, and topics that events go out to.

The client is the vendor's blocking one, each in a thread of its own: it fetches ahead and sends in
batches by itself, so that one hand-over carries hundreds of messages.

link      how brokers are spoken to   held      what is in hand of one partition
consumer  the inlet                   producer  the outlet
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, Producer

from ostinato.bus.kafka.consumer import KafkaInlet
from ostinato.bus.kafka.link import Link
from ostinato.bus.kafka.producer import KafkaOutlet
from ostinato.config.buses import KafkaSettings
from ostinato.ports.buses import Inlet, Outlet

READS = "place"


def inlets(settings: KafkaSettings) -> list[Inlet]:
    link = Link(settings)
    if not settings.receive:
        return []
    link.check(Consumer, link.consuming(_nobody))
    return [KafkaInlet(link)]


def outlet(settings: KafkaSettings) -> Outlet:
    link = Link(settings)
    link.check(Producer, link.producing(_nobody))
    return KafkaOutlet(link)


def _nobody(error: KafkaError) -> None:
    pass


def by_type(settings: KafkaSettings) -> bool:
    """An event goes to the topic that is called as its type."""
    return settings.topic is None


def form(settings: KafkaSettings) -> str:
    return "kafka" if settings.form == "cloudevents" else settings.form
