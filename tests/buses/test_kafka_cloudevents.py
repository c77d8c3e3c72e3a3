"""CloudEvents on Kafka: the SDK of CloudEvents reads what we write, and we read what it writes."""

import json

import pytest
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.cloudevents import Event, Limits, Message, Reader, to_message
from ostinato.errors import UsageError

READER = Reader("kafka", "place", lambda: "made", Limits())
NOW = 1_700_000_000_123

printable = st.text(min_size=1, max_size=30).filter(str.isprintable)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=5), values)  # a bare text, the SDK does not quote
TRICKY = ["100%25 of €", 'a b"c', "Ünï☃日本", "%", "plain"]


def read(message, place="orders"):
    """As the connector hands over what the SDK has written: header values are UTF-8."""
    headers = {name: value.decode() for name, value in message.headers.items()}
    return READER.events(Message(place=place, body=message.value, headers=headers), NOW)


def written(event):
    message = to_message(event, "kafka")
    headers = {name: value.encode() for name, value in message.headers.items()}
    return sdk.KafkaMessage(headers, message.key, message.body)


class TestIn:
    @given(id=printable, source=printable, type=printable, subject=printable, data=objects)
    def test_what_the_sdk_writes_in_headers_is_read(self, id, source, type, subject, data):
        given = {"id": id, "source": source, "type": type, "subject": subject, "tenant": subject,
                 "datacontenttype": "application/json"}  # fmt: skip
        [event] = read(sdk.to_binary_event(CloudEvent(given, data)))
        assert (event.id, event.source, event.type, event.subject) == (id, source, type, subject)
        assert json.loads(bytes(event.data)) == data
        assert event.extensions == {"tenant": subject, "bus": "kafka"}

    @pytest.mark.parametrize("text", TRICKY)
    def test_headers_of_kafka_are_not_percent_encoded(self, text):
        given = {"id": text, "source": "s", "type": "T", "datacontenttype": "application/json"}
        [event] = read(sdk.to_binary_event(CloudEvent(given, {})))
        assert event.id == text

    def test_headers_of_http_still_are(self):
        headers = {"ce-id": "100%25", "ce-type": "T", "ce-source": "s", "ce-specversion": "1.0"}
        [event] = READER.events(Message(body=b"{}", headers=headers), NOW)
        assert event.id == "100%"

    @given(id=printable, data=values)
    def test_a_structured_message_is_read(self, id, data):
        given = {"id": id, "source": "s", "type": "T", "datacontenttype": "application/json"}
        [event] = read(sdk.to_structured_event(CloudEvent(given, data)))
        assert (event.id, event.type, json.loads(bytes(event.data))) == (id, "T", data)

    def test_a_batch_is_as_many_events(self):
        one = sdk.to_structured_event(CloudEvent({"source": "s", "type": "T"}, {"n": 1}))
        body = b"[" + one.value + b"," + one.value.replace(b'"n": 1', b'"n": 2') + b"]"
        headers = {"content-type": b"application/cloudevents-batch+json"}
        events = read(sdk.KafkaMessage(headers, None, body))
        assert [json.loads(bytes(event.data)) for event in events] == [{"n": 1}, {"n": 2}]

    def test_data_that_is_no_json_is_kept_as_it_is(self):
        given = {"source": "s", "type": "T", "datacontenttype": "application/octet-stream"}
        [event] = read(sdk.to_binary_event(CloudEvent(given, b"\x00\xff")))
        again = sdk.from_kafka_event(written(event))
        assert again.get_data() == b"\x00\xff"

    def test_a_time_that_is_none_is_refused(self):
        headers = {"ce_specversion": "1.0", "ce_type": "T", "ce_time": "yesterday"}
        with pytest.raises(UsageError, match="RFC 3339"):
            READER.events(Message(body=b"{}", headers=headers), NOW)


class TestOut:
    @given(id=printable, type=printable, subject=st.none() | printable, data=values)
    def test_the_sdk_reads_what_we_write(self, id, type, subject, data):
        event = Event(id, "s", type, NOW, subject, _raw(data), {"tenant": id})
        found = sdk.from_kafka_event(written(event))
        assert (found.get_id(), found.get_type(), found.get_subject()) == (id, type, subject)
        assert found.get_time().timestamp() * 1000 == pytest.approx(NOW)
        assert found.get_extension("tenant") == id
        assert found.get_data() == data

    @pytest.mark.parametrize("text", TRICKY)
    def test_headers_hold_the_text_itself(self, text):
        message = to_message(Event(text, "s", "T", NOW, None, _raw({})), "kafka")
        assert message.headers["ce_id"] == text
        assert message.headers["content-type"] == "application/json"


def _raw(data):
    import msgspec

    return msgspec.Raw(json.dumps(data).encode())
