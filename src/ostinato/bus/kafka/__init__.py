"""Kafka: topics that a consumer group reads, and topics that events go out to.

The client is the vendor's blocking one, each in a thread of its own: it fetches ahead and sends in
batches by itself, so that one hand-over carries hundreds of messages.

link    how brokers are spoken to      held    what is in hand of one partition
inlet   the consumer                   outlet  the producer
"""

from __future__ import annotations

from ostinato.bus.kafka.inlet import KafkaInlet
from ostinato.bus.kafka.link import Link
from ostinato.bus.kafka.outlet import KafkaOutlet
from ostinato.config.buses import KafkaSettings
from ostinato.ports.buses import Inlet, Outlet

READS = "place"


def inlets(settings: KafkaSettings) -> list[Inlet]:
    link = Link(settings)
    return [KafkaInlet(link)] if settings.receive else []


def outlet(settings: KafkaSettings) -> Outlet:
    return KafkaOutlet(Link(settings))


def by_type(settings: KafkaSettings) -> bool:
    """An event goes to the topic that is called as its type."""
    return settings.topic is None


def form(settings: KafkaSettings) -> str:
    return "kafka" if settings.form == "cloudevents" else settings.form
