"""What a message of a bus says, and whose it is where it does not say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostinato.core.cloudevents import Event, Limits, Message, Reader
from ostinato.errors import UsageError

READINGS = ("place", "body", "job")
TYPED = {"EventType": "ORDER"}
BRIDGE = {"detail-type": "ORDER", "detail": {"n": 1}}
CLOUD = {"specversion": "1.0", "type": "ORDER", "data": {"n": 1}}
RECORD = {"body": '{"n": 1}', "messageAttributes": {"EventType": {"stringValue": "ORDER"}}}
NOTIFIED = {"Type": "Notification", "TopicArn": "arn:t", "MessageId": "m"}


def read(message: Message, bus: str = "orders", reading: str = "body") -> Event:
    reader = Reader(bus, reading, lambda: "made", Limits())
    [event] = reader.events(message, 7)
    return event


def message(body: Any, /, **headers: str) -> Message:
    return Message(place="t", body=json.dumps(body).encode(), headers=headers, id="t/0/0")


class TestSource:
    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            ({"n": 1}, TYPED),
            ([1], TYPED),
            ({"type": "ORDER", "data": 1}, TYPED),
            (BRIDGE, TYPED),
            (BRIDGE, {}),
            (CLOUD, TYPED),
            (CLOUD, {}),
            (CLOUD, {"content-type": "application/cloudevents+json"}),
            ({"n": 1}, {"ce-type": "ORDER"}),
            ({"Records": [RECORD]}, {}),
            (NOTIFIED | {"Message": json.dumps(BRIDGE)}, {}),
            ({"type": "ORDER", "data": 1}, {}),
        ],
    )
    def test_of_what_says_none_it_is_the_bus(
        self, reading: str, body: Any, headers: dict[str, str]
    ) -> None:
        """Two buses may give two messages one id: the place, and the number in it."""
        event = read(message(body, **headers), reading=reading)
        assert (event.source, event.id) == ("orders", "t/0/0")

    def test_of_the_task_services_form_it_is_the_bus(self) -> None:
        assert read(message({"key": "ORDER", "payload": {}})).source == "orders"

    @pytest.mark.parametrize("body", [{"n": 1}, {"source": "inside", "n": 1}, [1], 5])
    def test_a_topic_that_is_the_type_gives_none(self, body: Any) -> None:
        event = read(message(body), reading="place")
        assert (event.source, event.type, json.loads(bytes(event.data))) == ("orders", "t", body)

    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            ({"n": 1}, TYPED | {"EventId": "1", "EventSource": "shop"}),
            ([1], TYPED | {"EventId": "1", "EventSource": "shop"}),
            (BRIDGE | {"source": "shop"}, TYPED),
            (BRIDGE | {"source": "shop"}, {}),
            (CLOUD | {"source": "shop"}, {}),
            ({"n": 1}, {"ce-type": "ORDER", "ce-source": "shop"}),
            ({"type": "ORDER", "data": 1, "source": "shop"}, TYPED),
        ],
    )
    def test_one_that_is_said_stays(self, reading: str, body: Any, headers: dict[str, str]) -> None:
        assert read(message(body, **headers), reading=reading).source == "shop"

    @pytest.mark.parametrize("said", ["CONTROL-PLANE", "ostinato/http"])
    @pytest.mark.parametrize("reading", ["body", "job"])
    def test_also_one_that_doors_would_give(self, reading: str, said: str) -> None:
        body = {"type": "ORDER", "data": 1, "source": said}
        assert read(message(body), reading=reading).source == said

    def test_two_buses_keep_their_messages_apart(self) -> None:
        one, two = (read(message({"n": 1}, **TYPED), bus) for bus in ("east", "west"))
        assert (one.id, one.source, two.id, two.source) == ("t/0/0", "east", "t/0/0", "west")


class TestEventType:
    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize("data", [[1, 2], "text", 5, 1.5, True, None, [], "", {"n": 1}])
    def test_the_body_is_its_data_whatever_json_it_is(self, reading: str, data: Any) -> None:
        event = read(message(data, **TYPED), reading=reading)
        assert (event.type, json.loads(bytes(event.data))) == ("ORDER", data)

    def test_an_empty_body_is_an_empty_object(self) -> None:
        event = read(Message(headers=TYPED, id="1"), reading="place")
        assert (event.type, bytes(event.data)) == ("ORDER", b"{}")

    @pytest.mark.parametrize("body", [b"{oops", b"[1,", b"text", b"\xff", b"[" * 100_000])
    def test_what_is_no_json_is_none(self, body: bytes) -> None:
        with pytest.raises(UsageError, match=r"not JSON|nested too deeply"):
            read(Message(body=body, headers=TYPED))

    @pytest.mark.parametrize("data", [[1, 2], "text", 5, None])
    def test_of_a_record_too(self, data: Any) -> None:
        record = RECORD | {"body": json.dumps(data)}
        event = read(message({"Records": [record]}))
        assert (event.type, json.loads(bytes(event.data))) == ("ORDER", data)

    @pytest.mark.parametrize(
        ("body", "why"), [("[1]", "not a JSON object"), ("[1,", "not JSON"), ("{oops", "not JSON")]
    )
    def test_without_it_a_record_is_an_object(self, body: str, why: str) -> None:
        with pytest.raises(UsageError, match=why):
            read(message({"Records": [{"body": body}]}))

    def test_without_it_the_reason_says_so(self) -> None:
        with pytest.raises(UsageError, match="no header EventType says what it is"):
            read(message([1]))
