"""AsyncAPI documents of odd applications: held against AsyncAPI's own schema, and complete."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, Field

from ostinato import App, Event, EventType
from ostinato.config import override_settings
from tests.servers.missing import Missing
from tests.servers.node import installed

ROOT = Path(__file__).resolve().parents[2]


class Item(BaseModel):
    number: int


def other_item():
    class Item(BaseModel):
        name: str
        inside: list["Part"] = []

    return Item


class Part(BaseModel):
    weight: float


class Order(BaseModel):
    item: Item


class Refund(BaseModel):
    item: Item
    why: str = ""


Other = other_item()


class Parcel(BaseModel):
    item: Other


class Tree(BaseModel):
    children: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pet(BaseModel):
    """With a member that is called as a word of JSON Schema."""

    animal: Annotated[Cat | Dog, Field(discriminator="kind")]
    discriminator: str = ""


@dataclass
class Pair:
    both: tuple[int, str]


@pytest.fixture(scope="module")
def specification():
    try:
        folder = installed(ROOT / "tests/web/node", ROOT / ".cache/node-asyncapi")
    except Missing as error:
        pytest.skip(f"missing AsyncAPI's schema: {error}")
    file = folder / "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
    return jsonschema_rs.Draft7Validator(json.loads(file.read_bytes()))


MANY = {
    "bus.a.kind": "memory",
    "bus.a.receive": ["x/y", "x-y", "x y", "out", "ünï cödé"],
    "bus.a.place": "told",
    "bus.a.send": ["*"],
    "bus.a-b.kind": "memory",
    "bus.a-b.receive": ["c"],
    "bus.ostinato.kind": "memory",
    "bus.ostinato.receive": ["b"],
    "bus.ostinato.place": "told",
    "bus.ostinato.send": ["a/b"],
}
ALL_KINDS = {
    "bus.kafka.kind": "kafka",
    "bus.kafka.receive": ["orders", "refunds"],
    "bus.kafka.send": ["ORDER_*"],
    "bus.kafka.servers": "one.example:9092,two.example:9092",
    "bus.sqs.kind": "sqs",
    "bus.sqs.receive": ["https://sqs.eu-west-1.amazonaws.com/123456789012/orders"],
    "bus.sqs.queue": "told",
    "bus.sqs.send": ["*"],
    "bus.sqs.region": "eu-west-1",
    "bus.sns.kind": "sns",
    "bus.sns.topic": "arn:aws:sns:eu-west-1:123456789012:told",
    "bus.sns.send": ["ORDER_*"],
    "bus.sns.region": "eu-west-1",
    "bus.bridge.kind": "eventbridge",
    "bus.bridge.send": ["ORDER_PAID"],
    "bus.bridge.region": "eu-west-1",
    "bus.jobs.kind": "bullmq",
    "bus.jobs.receive": ["in"],
    "bus.jobs.queue": "told",
    "bus.jobs.send": ["*"],
    "bus.jobs.url": "redis://user:hidden@redis.example:6379/2",
    "bus.posts.kind": "http",
    "bus.posts.url": "https://receiver.example/events?key=1",
    "bus.posts.send": ["*"],
}
ODD_TYPES = [
    EventType("a/b", Order), EventType("a-b", Refund), EventType("Item", Pair),
    EventType("~0~1/é %20", dict[str, int]), EventType("#/$ref", list[Item]),
    EventType("Parcel", Parcel), EventType("Tree", Tree), EventType("PET", Pet),
    EventType("NUMBER", int, about="one number"),
]  # fmt: skip
APPS = {
    "nothing": ({}, []),
    "odd names": (MANY, ODD_TYPES),
    "the same in another order": (dict(reversed(MANY.items())), ODD_TYPES[::-1]),
    "every kind of bus": (ALL_KINDS, [EventType("ORDER_PLACED", Order), "ORDER_*", "a/b"]),
}


async def described(settings, types):
    """By an app that knows its documents and has begun nothing, so no bus need be there."""
    app = App()
    app.configure(override_settings(app.settings, {"store": "memory:"} | settings, by="{name}"))
    for number, type in enumerate(types):
        app.consumer(type)(consumer_called(f"on_{number}"))
    await app.open(begins=False)
    try:
        return json.loads(json.dumps(app.asyncapi()))
    finally:
        await app.close(drain=0)


def consumer_called(name):
    async def consume(event: Event): ...

    consume.__name__ = name
    return consume


def references(value):
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "$ref" and isinstance(each, str):
                yield each
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def resolved(document, reference):
    for step in reference.removeprefix("#/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.parametrize("name", APPS)
async def test_it_is_valid_and_refers_to_what_is_there(specification, name):
    document = await described(*APPS[name])
    wrong = [
        f"{each.instance_path}: {each.message}" for each in specification.iter_errors(document)
    ]
    assert wrong == []
    for reference in references(document):
        assert resolved(document, reference) is not None, reference


async def test_the_schema_would_find_a_wrong_one(specification):
    document = await described({}, [])
    document["channels"]["events"]["address"] = 1
    assert not specification.is_valid(document)


async def test_every_place_has_a_channel_of_its_own():
    document = await described(MANY, ODD_TYPES)
    channels = document["channels"]
    found = {
        (each["servers"][0]["$ref"].removeprefix("#/servers/"), each["address"])
        for each in channels.values()
    }
    [mine] = [key for key in document["servers"] if key.startswith("ostinato-")]
    places = [("a", place) for place in (*MANY["bus.a.receive"], "told")]
    assert found == {("ostinato", "/events"), ("a-b", "c"), (mine, "b"), (mine, "told"), *places}
    assert len(document["operations"]) == len(channels) == len(found)
    assert (channels["a-x-y"]["address"], channels["a-out"]["address"]) == ("x-y", "told")
    assert document["servers"]["ostinato"]["protocol"] == "http"
    assert document["servers"][mine]["protocol"] == "memory"


async def test_every_type_has_a_message_and_its_own_model():
    document = await described(MANY, ODD_TYPES)
    messages = document["components"]["messages"]
    names = Counter(each["name"] for each in messages.values())
    assert names == Counter([*(type.name for type in ODD_TYPES), "*"])
    assert messages["a-b"]["name"] == "a-b"
    payloads = {each["name"]: each["payload"] for each in messages.values()}

    def model(name):
        return resolved(document, payloads[name]["$ref"])

    def item_of(name):
        return resolved(document, model(name)["properties"]["item"]["$ref"])["properties"]

    assert item_of("a/b") == item_of("a-b")
    assert item_of("a/b").keys() == {"number"}
    assert item_of("Parcel").keys() == {"name", "inside"}
    assert model("Item")["properties"].keys() == {"both"}
    tree = resolved(document, model("Tree")["$ref"])
    assert tree["properties"]["children"]["items"] == model("Tree")
    assert model("PET")["properties"]["animal"]["discriminator"] == "kind"
    assert model("PET")["properties"]["discriminator"]["type"] == "string"


async def test_a_model_inside_several_others_is_there_once():
    types = [EventType("PLACED", Order), EventType("REFUNDED", Refund), EventType("Item", Item)]
    document = await described({"bus.a.kind": "memory", "bus.a.send": ["*"]} | PLACE, types)
    assert set(document["components"]["schemas"]) == {"PLACED", "REFUNDED", "Item"}


PLACE = {"bus.a.place": "told"}


async def test_keys_are_the_same_whatever_came_first():
    one, other = [await described(*APPS[name]) for name in list(APPS)[1:3]]
    assert one["components"] == other["components"]
    assert one["servers"] == other["servers"]
    assert one["channels"].keys() == other["channels"].keys()
