"""Every form of an event, in and out; the CloudEvents SDK judges what is CloudEvents."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event
from cloudevents.core.bindings.http import to_structured_event as sdk_structured
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core import cloudevents as ce
from ostinato.errors import TooLarge, UsageError

NOW = 1_700_000_000_000
TIME = "2017-10-02T16:24:49Z"
MS = 1_506_961_489_000
JSON = {"content-type": "application/json"}


def new_id() -> str:
    return "made"


def read(body: Any, headers: dict[str, str] = JSON, **limits: int) -> tuple[list[ce.Event], bool]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ce.from_http(headers, encoded, now=NOW, new_id=new_id, limits=ce.Limits(**limits))


def one(body: Any, headers: dict[str, str] = JSON) -> dict[str, Any]:
    events, is_batch = read(body, headers)
    assert not is_batch
    return seen(events[0])


def seen(event: ce.Event) -> dict[str, Any]:
    """Only what is there, so that a table shows what a form gives and nothing else."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    fields["data"] = json.loads(bytes(event.data))
    return {name: value for name, value in fields.items() if value is not None or name == "data"}


def event(type: str = "A", data: Any = None, **others: Any) -> dict[str, Any]:
    return {
        "id": "made",
        "source": "ostinato/http",
        "type": type,
        "time": NOW,
        "data": data,
        **others,
    }


BRIDGE = {
    "version": "0",
    "id": "e-1",
    "detail-type": "A",
    "source": "saas",
    "account": "123",
    "time": TIME,
    "region": "eu-west-1",
    "resources": ["arn:x"],
    "detail": {"x": 1},
}
BRIDGE_EXTRAS = {
    "version": "0",
    "account": "123",
    "region": "eu-west-1",
    "resources": '["arn:x"]',
}
CLOUD = {"specversion": "1.0", "id": "1", "source": "/s", "type": "A"}

FORMS = [
    # (body, the event)
    ({"type": "A", "data": {"x": 1}}, event(data={"x": 1})),
    ({"type": "A"}, event(data={})),
    ({"type": "A", "data": None}, event(data=None)),
    ({"type": "A", "data": [1], "id": "7", "source": "s"}, event(data=[1], id="7", source="s")),
    ({"type": "A", "data": 1, "subject": "t", "time": TIME}, event(data=1, subject="t", time=MS)),
    ({"type": "A", "data": 1, "time": MS}, event(data=1, time=MS)),
    ({"type": "A", "data": 1, "id": None, "source": "", "time": None}, event(data=1)),
    (
        {"type": "A", "data": 1, "traceparent": "00-1", "X-Kept": [1], "no": None},
        event(data=1, extensions={"traceparent": "00-1", "xkept": "[1]"}),
    ),
    ({"type": "A", "data": 1, "description": "d"}, event(data=1, description="d")),
    (BRIDGE, event(data={"x": 1}, id="e-1", source="saas", time=MS, extensions=BRIDGE_EXTRAS)),
    ({"detail-type": "A", "detail": {}}, event(data={}, source="CONTROL-PLANE")),
    (
        {"key": "A", "payload": {"x": 1}, "timestamp": MS, "source": "s", "description": "d"},
        event(data={"x": 1}, time=MS, source="s", description="d"),
    ),
    ({"key": "A", "payload": None}, event(data=None, description="Event A")),
    (
        {"key": "A", "payload": {"source": "in", "description": "in"}, "source": "out"},
        event(data={"source": "in", "description": "in"}, source="in", description="in"),
    ),
    ({**CLOUD, "data": {"x": 1}}, event(data={"x": 1}, id="1", source="/s")),
    ({**CLOUD, "time": TIME, "subject": "t"}, event(id="1", source="/s", time=MS, subject="t")),
    (
        {**CLOUD, "data_base64": b64encode(b'{"x": 1}').decode(), "datacontenttype": "text/json"},
        event(data={"x": 1}, id="1", source="/s", extensions={"datacontenttype": "text/json"}),
    ),
    # the first form that fits: CloudEvents, EventBridge, task, short
    (
        {**CLOUD, "key": "k", "payload": 1, "data": 5},
        event(data=5, id="1", source="/s", extensions={"key": "k", "payload": "1"}),
    ),
    (
        {"detail-type": "A", "detail": 5, "type": "B", "data": 1},
        event(data=5, source="CONTROL-PLANE"),
    ),
]


@pytest.mark.parametrize(("body", "expected"), FORMS)
def test_a_form(body: Any, expected: dict[str, Any]) -> None:
    assert one(body) == expected


def test_an_array_may_mix_all_forms() -> None:
    bodies = [body for body, _ in FORMS]
    events, is_batch = read(bodies)
    assert is_batch
    assert [seen(e) for e in events] == [expected for _, expected in FORMS]
    assert read([]) == ([], True)


@pytest.mark.parametrize(("body", "expected"), FORMS)
def test_an_array_of_one_form_is_read_as_one_by_one(body: Any, expected: dict[str, Any]) -> None:
    events, is_batch = read([body] * 3)
    assert is_batch
    assert [seen(e) for e in events] == [expected] * 3


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"type": "A", "source": "x" * 2_000}, "[1].source"),
        ({"type": ""}, "[1]: the event has no type"),
        ({"type": "A", "time": "noon"}, "[1].time"),
        ({"type": "A", "id": 5}, "[1].id"),
    ],
)
def test_a_refusal_says_which_of_an_array(bad: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read([{"type": "A"}, bad, {"type": "A"}])
    assert said in str(raised.value)


def message(body: Any) -> str:
    return json.dumps(body)


RECORDS = [
    ({"Sns": {"Message": message({"type": "A", "data": 1})}}, event(data=1)),
    ({"Sns": {"Message": message({"type": "A"}), "MessageId": "m"}}, event(data={}, id="m")),
    ({"body": message(BRIDGE), "messageId": "m"}, one(BRIDGE)),
    (
        {"Sqs": {"Message": message({"key": "A", "payload": 2})}},
        event(data=2, description="Event A"),
    ),
    (
        {
            "body": message({"x": 1}),
            "messageId": "m",
            "messageAttributes": {"EventType": {"stringValue": "A", "dataType": "String"}},
        },
        event(data={"x": 1}, id="m", source="CONTROL-PLANE"),
    ),
    (
        {
            "Sns": {
                "Message": message({"type": "A", "data": 3}),
                "MessageAttributes": {"EventType": {"Type": "String", "Value": "A"}},
            }
        },
        event(data=3, source="CONTROL-PLANE"),
    ),
]


def test_records_of_queues_and_notifications() -> None:
    body = {"Records": [record for record, _ in RECORDS]}
    events, is_batch = read(body)
    assert is_batch
    assert [seen(e) for e in events] == [expected for _, expected in RECORDS]
    assert len(read([body, {"type": "B"}])[0]) == len(RECORDS) + 1


# -- the type in the path ----------------------------------------------------------------------


def by_path(body: Any, event_type: str = "A") -> dict[str, Any]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return seen(ce.from_path(event_type, encoded, now=NOW, new_id=new_id))


@pytest.mark.seed("B.8-13")
def test_b8_13_envelope_typed_and_bare_body_give_the_same_data() -> None:
    data = {"tenant": {"id": "t-1"}, "planConfig": {"tier": "premium"}}
    envelope = {**BRIDGE, "detail": data}
    bodies = (envelope, {"type": "A", "data": data}, data)
    assert [by_path(body)["data"] for body in bodies] == [data] * 3
    assert {by_path(body)["type"] for body in bodies} == {"A"}


ROUTED = [
    # (body, data) of an event routed as A
    (b"", {}),
    ({"x": 1}, {"x": 1}),
    ({"detail": {"x": 1}}, {"detail": {"x": 1}}),
    ({"detail-type": "A"}, {"detail-type": "A"}),
    ({"type": "B", "data": {"x": 1}}, {"type": "B", "data": {"x": 1}}),
    ({"data": {"x": 1}}, {"data": {"x": 1}}),
    ({"type": 5, "data": {"x": 1}}, {"type": 5, "data": {"x": 1}}),
    ({"type": "A", "data": {"x": 1}}, {"x": 1}),
    ({"detail-type": "Other", "detail": {"x": 1}}, {"x": 1}),
    ({**CLOUD, "data": {"x": 1}}, {"x": 1}),
    ({"id": 5, "source": 6, "x": 1}, {"id": 5, "source": 6, "x": 1}),
]


@pytest.mark.parametrize(("body", "data"), ROUTED)
def test_only_what_is_plainly_an_envelope_is_unwrapped(body: Any, data: Any) -> None:
    found = by_path(body)
    assert (found["type"], found["data"]) == ("A", data)


def test_an_envelope_by_path_keeps_its_attributes() -> None:
    found = by_path(BRIDGE, "ROUTED")
    assert (found["type"], found["id"], found["source"], found["time"]) == (
        "ROUTED",
        "e-1",
        "saas",
        MS,
    )
    assert by_path({"x": 1})["source"] == ce.CONTROL_PLANE


# -- errors ------------------------------------------------------------------------------------

REFUSED: list[tuple[Any, type[Exception], str]] = [
    ({}, ce.NoEventType, ce.SHORTEST),
    ({"data": {}}, ce.NoEventType, ce.SHORTEST),
    ({"key": "A"}, ce.NoEventType, ce.SHORTEST),
    ({"type": "", "data": {}}, ce.NoEventType, ce.SHORTEST),
    ({"type": None, "data": {}, "x": 1}, ce.NoEventType, ce.SHORTEST),
    ({"specversion": "1.0", "id": "1"}, ce.NoEventType, ce.SHORTEST),
    ([{"type": "A"}, {}], ce.NoEventType, "[1]"),
    (b"", ce.MalformedBody, "not JSON"),
    (b"{", ce.MalformedBody, "not JSON"),
    (b'{"type": "A", "data": NaN}', ce.MalformedBody, "not JSON"),
    (b'{"type": "A", "data": "\xff"}', ce.MalformedBody, "not JSON"),
    (b'{"type": "A", "data": 1e999}', ce.MalformedBody, "data"),
    (b'{"type": "A", "data": ' + b"9" * 5_000 + b"}", ce.MalformedBody, "data"),
    (b'{"type": "A", "data":' + b"[" * 100_000, ce.MalformedBody, "nested"),
    (b'{"type": "A", "data":' + b"[" * 300 + b"]" * 300 + b"}", ce.InvalidEvent, "data: nested"),
    (b"5", ce.InvalidEvent, "JSON object"),
    (b"null", ce.InvalidEvent, "JSON object"),
    ([[]], ce.InvalidEvent, "[0]"),
    ({"type": 5}, ce.InvalidEvent, "type: a text"),
    ({"type": "x" * 257}, ce.InvalidEvent, "type: 1 to 256"),
    ({"type": "a\nb"}, ce.InvalidEvent, "type: holds"),
    ({"type": "A", "id": 5}, ce.InvalidEvent, "id: a text"),
    ({"type": "A", "source": ["s"]}, ce.InvalidEvent, "source: a text"),
    ({"type": "A", "time": "yesterday"}, ce.InvalidEvent, "time: 'yesterday'"),
    ({"type": "A", "time": "2017-10-02T16:24:49"}, ce.InvalidEvent, "RFC 3339"),
    ({"type": "A", "time": -1}, ce.InvalidEvent, "time: not milliseconds"),
    ({"type": "A", "time": True}, ce.InvalidEvent, "time"),
    ({"key": "A", "payload": 1, "timestamp": {}}, ce.InvalidEvent, "timestamp"),
    ([{"type": "A"}, {"type": "A", "subject": 5}], ce.InvalidEvent, "[1].subject"),
    ({**CLOUD, "specversion": "2.0"}, ce.InvalidEvent, "specversion"),
    ({**CLOUD, "data_base64": "?"}, ce.InvalidEvent, "data_base64"),
    ({"Records": 5}, ce.InvalidEvent, "Records: an array"),
    ({"Records": [5]}, ce.InvalidEvent, "Records[0]"),
    ({"Records": [{}]}, ce.InvalidEvent, "Sns.Message"),
    ({"Records": [{"body": "{"}]}, ce.MalformedBody, "Records[0]"),
    ({"Records": [{"body": "{}"}]}, ce.NoEventType, "Records[0]"),
    ({"type": "A", "data": "x" * 1_048_576}, TooLarge, "data"),
    ({"type": "A", "data": 1, "extra": "x" * 1_048_576}, TooLarge, "limit"),
    ([{"type": "A", "data": "x" * 1_048_576}], TooLarge, "limit"),
]


@pytest.mark.parametrize(("body", "error", "said"), REFUSED)
def test_a_refusal_says_which_member_and_why(body: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        read(body)
    assert said in str(raised.value)
    assert isinstance(raised.value, UsageError)


def test_a_batch_is_bound_by_count() -> None:
    with pytest.raises(TooLarge, match="3 events"):
        read([{"type": "A"}] * 3, batch=2)
    with pytest.raises(TooLarge, match="3 events"):
        read({"Records": [{"body": '{"type": "A"}'}] * 3}, batch=2)


def test_a_batch_may_be_larger_than_one_event() -> None:
    assert len(read([{"type": "A", "data": "x" * 60}] * 10, event=100)[0]) == 10


def test_an_object_is_no_batch() -> None:
    with pytest.raises(ce.InvalidEvent, match="array"):
        read(CLOUD, {"content-type": "application/cloudevents-batch+json"})


ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    [
        "type",
        "data",
        "id",
        "source",
        "subject",
        "time",
        "key",
        "payload",
        "timestamp",
        "specversion",
        "data_base64",
        "detail",
        "datacontenttype",
        "description",
        "Records",
        "detail-type",
        "Sns",
        "Sqs",
        "Message",
        "body",
        "MessageId",
    ]
)
LIKELY = st.one_of(ANY_JSON, st.sampled_from(["A", "1.0", TIME, '{"type": "A"}', MS]))
BODIES = st.recursive(
    st.dictionaries(MEMBERS, LIKELY, max_size=5),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(MEMBERS, st.one_of(inner, LIKELY), max_size=5)
    ),
    max_leaves=4,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["ce-type", "ce-id", "ce-source", "ce-specversion", "ce-time", "ce-x", "content-type"]
    ),
    st.one_of(st.text(max_size=6), st.sampled_from(["1.0", "A", TIME, "application/json", "%ff"])),
)
ENCODED = st.one_of(st.binary(max_size=40), st.builds(lambda b: json.dumps(b).encode(), BODIES))


@given(HEADERS, ENCODED)
def test_whatever_comes_is_events_or_a_usage_error(headers: dict[str, str], body: bytes) -> None:
    for attempt in (
        lambda: ce.from_http(headers, body, now=NOW, new_id=new_id)[0],
        lambda: [ce.from_path("A", body, now=NOW, new_id=new_id)],
    ):
        try:
            events = attempt()
        except UsageError as error:
            assert str(error)
            continue
        for found in events:
            assert 0 < len(found.type) <= 256 and found.id and found.source
            assert json.dumps(ce.to_json(found))
            assert again(found) == found


def again(found: ce.Event) -> ce.Event:
    headers = {"content-type": ce.STRUCTURED}
    events, _ = ce.from_http(headers, ce.to_structured(found), now=0, new_id=new_id)
    return events[0]


# -- CloudEvents, judged by the SDK ------------------------------------------------------------

# No text as application/json: the SDK's binary mode writes it without quotes, which is not JSON.
PAYLOADS: list[tuple[Any, str | None]] = [
    ({"x": [1, "é", None]}, "application/json"),
    ([1, 2], None),
    ("<much wow='xml'/>", "application/xml"),
    ("plain é", "text/plain"),
    ({"x": 1}, "application/vnd.x+json"),
]


def sdk_event(data: Any, content_type: str | None) -> CloudEvent:
    attributes: dict[str, Any] = {
        "id": 'q"1 é%',
        "source": "/shop/orders",
        "type": "com.example.A",
        "subject": "t 1",
        "time": datetime.fromtimestamp(MS / 1000, UTC),
        "traceparent": "00-abc",
    }
    if content_type:
        attributes["datacontenttype"] = content_type
    return CloudEvent(attributes=attributes, data=data)


@pytest.mark.parametrize(("data", "content_type"), PAYLOADS)
@pytest.mark.parametrize("write", [sdk_structured, to_binary_event])
def test_what_the_sdk_writes_is_read_and_written_back_the_same(
    write: Callable[[CloudEvent], HTTPMessage], data: Any, content_type: str | None
) -> None:
    sent = write(sdk_event(data, content_type))
    headers = {name.lower(): value for name, value in sent.headers.items()}
    events, is_batch = ce.from_http(headers, bytes(sent.body), now=NOW, new_id=new_id)
    found = seen(events[0])
    assert not is_batch
    assert (found["id"], found["source"]) == ('q"1 é%', "/shop/orders")
    assert found["type"] == "com.example.A"
    assert (found["subject"], found["time"], found["data"]) == ("t 1", MS, data)
    assert found["extensions"]["traceparent"] == "00-abc"
    for message in (structured(events[0]), binary(events[0])):
        back = from_http_event(message)
        assert back.get_data() in (data, as_bytes(data))
        for name in ("id", "source", "type", "subject", "time"):
            assert back.get_attributes()[name] == sdk_event(data, None).get_attributes()[name]
        assert back.get_extension("traceparent") == "00-abc"


def as_bytes(data: Any) -> bytes | None:
    """The SDK gives text that is not JSON back as bytes."""
    return data.encode() if isinstance(data, str) else None


def structured(found: ce.Event) -> HTTPMessage:
    return HTTPMessage({"content-type": ce.STRUCTURED}, ce.to_structured(found))


def binary(found: ce.Event) -> HTTPMessage:
    return HTTPMessage(*ce.to_binary(found))


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/png"])
def test_bytes_that_are_no_text_come_back_as_they_were(content_type: str) -> None:
    headers = {"ce-specversion": "1.0", "ce-type": "A", "ce-id": "1", "ce-source": "s"}
    events, _ = read(b"\x00\xff", {**headers, "content-type": content_type})
    sent, body = ce.to_binary(events[0])
    assert (body, sent["content-type"]) == (b"\x00\xff", content_type)
    assert json.loads(ce.to_structured(events[0]))["data_base64"] == "AP8="
    assert again(events[0]) == events[0]


def test_headers_without_a_type_are_an_event_without_a_type() -> None:
    with pytest.raises(ce.NoEventType):
        read(b"{}", {"ce-id": "1", "ce-source": "s"})


# -- out ---------------------------------------------------------------------------------------


def test_a_listed_event_has_both_sets_of_names() -> None:
    (found,), _ = read({"type": "A", "data": {"x": 1}, "time": TIME, "id": "1", "subject": "t"})
    assert ce.to_json(found) == {
        "id": "1",
        "source": "ostinato/http",
        "type": "A",
        "subject": "t",
        "time": "2017-10-02T16:24:49.000Z",
        "data": {"x": 1},
        "key": "A",
        "payload": {"x": 1},
        "description": None,
        "timestamp": MS,
    }


TIMES = [
    ("1970-01-01T00:00:00Z", 0),
    ("2026-01-02T03:04:05.678Z", 1_767_323_045_678),
    ("2026-01-02T03:04:05.678999Z", 1_767_323_045_678),
    ("2026-01-02T05:04:05.678+02:00", 1_767_323_045_678),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times(text: str, expected: int) -> None:
    assert ce.milliseconds(text) == expected
    assert ce.milliseconds(ce.rfc3339(expected)) == expected


def test_an_event_travels_through_the_codec() -> None:
    (found,), _ = read({"type": "A", "data": {"x": 1}, "traceparent": "00"})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(bytes(found.data))) == b'{"x": 1}'
    assert json.loads(msgspec.json.encode(found))["data"] == {"x": 1}
