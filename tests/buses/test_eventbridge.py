"""EventBridge: what goes out to an event bus, what its rules send to a queue, and its door."""

import asyncio
import json
from collections import Counter

import pytest

from ostinato.bus import eventbridge
from ostinato.bus.eventbridge import EventBridgeOutlet
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError, UsageError
from ostinato.web.asgi import application
from tests.buses.aws import Queues, app_with, client, events, fresh, letters, settings, table
from tests.buses.proxy import Proxy
from tests.web.conftest import client_of

pytestmark = pytest.mark.real


class EventBuses:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.queues = Queues(endpoint)
        self.events = client("events", endpoint)

    def make(self):
        """Its name."""
        name = fresh("bus")
        self.events.create_event_bus(Name=name)
        return name

    def heard(self, bus, *, pattern=None, **target):
        """A new queue that gets what comes; ``target``: how it is transformed."""
        queue, rule = self.queues.make(), fresh("rule")
        wanted = pattern or {"source": [{"prefix": ""}]}
        self.events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(wanted))
        to = {"Id": "queue", "Arn": self.queues.arn(queue), **target}
        self.events.put_targets(Rule=rule, EventBusName=bus, Targets=[to])
        return queue


@pytest.fixture
def buses(moto_server):
    return EventBuses(moto_server.url)


@pytest.fixture
async def proxy(moto_server):
    async with Proxy(moto_server.url) as proxy:
        yield proxy


def message(number, size=0, type="T", **more):
    body = json.dumps({"number": number, "text": "x" * size}).encode()
    return Message(body=body, id=f"e{number}", headers={"DetailType": type}, **more)


async def put(endpoint, bus, messages):
    outlet = EventBridgeOutlet(settings("eventbridge", endpoint, bus=bus))
    try:
        await outlet.open()
        return list(await outlet.send(messages))
    finally:
        await outlet.close()


def details(found):
    return [json.loads(one["Body"])["detail"] for one in found]


def numbers(found):
    return sorted(one["number"] for one in details(found))


THROTTLED = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"}
INTERNAL = {"ErrorCode": "InternalFailure", "ErrorMessage": "once"}
REFUSED = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "not yours"}


def fails_once(*wanted, how=INTERNAL):
    left = set(wanted)

    def fails(operation, entry):
        number = json.loads(entry["Detail"]).get("number")
        if number not in left:
            return None
        left.remove(number)
        return how

    return fails


class TestOut:
    @pytest.mark.seed("A14")
    async def test_an_entry_has_the_four_members_of_the_seed(self, buses, proxy):
        """Seed A14: Detail, DetailType, Source (CONTROL-PLANE), EventBusName."""
        bus = buses.make()
        queue = buses.heard(bus)
        app = app_with(table("eventbridge", proxy.url, bus=bus))
        async with app:
            await app.producer(2).send("TENANT_DEPLOYMENT", {"tenant": {"id": "t1"}})
            [found] = await asyncio.to_thread(buses.queues.all, queue, 1)
        [[entry]] = [asked["Entries"] for asked in proxy.requests("PutEvents")]
        assert json.loads(entry.pop("Detail")) == {"tenant": {"id": "t1"}}
        del entry["Time"]
        assert entry == {
            "DetailType": "TENANT_DEPLOYMENT", "Source": "CONTROL-PLANE", "EventBusName": bus,
        }  # fmt: skip
        body = json.loads(found["Body"])
        assert (body["detail-type"], body["source"]) == ("TENANT_DEPLOYMENT", "CONTROL-PLANE")

    async def test_it_is_of_the_time_of_its_event_however_often_it_is_sent(self, buses):
        bus = buses.make()
        queue = buses.heard(bus)
        late = message(1, time=1_700_000_000_999)
        await put(buses.endpoint, bus, [late, late, message(2)])
        found = await asyncio.to_thread(buses.queues.all, queue, 3)
        times = Counter(json.loads(one["Body"])["time"] for one in found)
        assert times["2023-11-14T22:13:20Z"] == 2

    async def test_a_time_that_is_none_is_refused_alone(self, buses):
        bus = buses.make()
        sent = [message(1, time=10**18), message(2)]
        why, fine = await put(buses.endpoint, bus, sent)
        assert isinstance(why, UsageError)
        assert fine is None

    @pytest.mark.seed("A14", "A17")
    async def test_several_have_their_type_each(self, buses):
        """Seed A14: in a batch the type is `entry.type`, and the entry the Detail."""
        bus = buses.make()
        queue = buses.heard(bus)
        app = app_with(table("eventbridge", buses.endpoint, bus=bus))
        async with app:
            producer = app.producer("eventbridge")
            await producer.send_multiple([{"type": "A", "n": 1}, {"type": "B", "n": 2}])
            await producer.send_many("C", [{"n": 3}])
            await producer.send_multiple([{"n": 4}], "D")
            with pytest.raises(UsageError, match="its `type`"):
                await producer.send_multiple([{"n": 5}])
            found = await asyncio.to_thread(buses.queues.all, queue, 4)
        told = {json.loads(one["Body"])["detail-type"]: json.loads(one["Body"]) for one in found}
        assert {type: body["detail"] for type, body in told.items()} == {
            "A": {"type": "A", "n": 1}, "B": {"type": "B", "n": 2}, "C": {"n": 3}, "D": {"n": 4},
        }  # fmt: skip

    @pytest.mark.seed("A14")
    async def test_ten_entries_and_256_kilobytes_to_a_request(self, buses, proxy):
        bus = buses.make()
        queue = buses.heard(bus)
        small = [message(n) for n in range(25)]
        large = [message(n, size=100 << 10) for n in range(25, 30)]
        assert await put(proxy.url, bus, small + large) == [None] * 30
        asked = [one["Entries"] for one in proxy.requests("PutEvents")]
        assert max(len(entries) for entries in asked) == 10
        assert all(sum(len(one["Detail"]) for one in each) <= 256 << 10 for each in asked)
        assert numbers(buses.queues.all(queue, 30)) == list(range(30))

    @pytest.mark.seed("A14")
    async def test_each_entry_has_an_answer_of_its_own(self, buses, proxy):
        """BUS BUG-B1: FailedEntryCount was not looked at."""
        bus = buses.make()
        queue = buses.heard(bus)
        how = {3: THROTTLED, 5: REFUSED}
        proxy.fails = lambda operation, entry: how.get(json.loads(entry["Detail"])["number"])
        told = await put(proxy.url, bus, [message(n) for n in range(12)])
        assert [n for n, why in enumerate(told) if why is not None] == [3, 5]
        assert (type(told[3]), type(told[5])) == (BusError, UsageError)
        assert numbers(buses.queues.all(queue, 10)) == [0, 1, 2, 4, *range(6, 12)]

    @pytest.mark.seed("A14")
    async def test_an_app_sends_again_what_failed_and_no_other(self, buses, proxy):
        bus = buses.make()
        queue = buses.heard(bus)
        proxy.fails = fails_once(1, 4)
        app = app_with(table("eventbridge", proxy.url, bus=bus))
        async with app:
            await app.producer("eventbridge").send_many("T", [{"number": n} for n in range(6)])
            found = await asyncio.to_thread(buses.queues.all, queue, 6)
        assert numbers(found) == list(range(6))

    async def test_what_is_refused_is_a_letter_and_the_next_goes_on(self, buses, proxy):
        bus = buses.make()
        queue = buses.heard(bus)
        proxy.fails = lambda operation, entry: REFUSED if entry["DetailType"] == "BAD" else None
        app = app_with(table("eventbridge", proxy.url, bus=bus))
        async with app:
            producer = app.producer("eventbridge")
            await producer.send("BAD", {"number": 1})
            await producer.send("T", {"number": 2})
            [letter] = await letters(app)
            found = await asyncio.to_thread(buses.queues.all, queue, 1)
        assert b"not yours" in letter.reasons
        assert numbers(found) == [2]

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"body": b"{"}, "MalformedDetail"),
            ({"body": b"\xff"}, "no text"),
            ({"headers": {}}, "1 to 128 letters"),
            ({"headers": {"DetailType": "T" * 129}}, "1 to 128 letters"),
            ({"body": b'"%s"' % (b"x" * (1 << 20))}, "1,048,576"),
            ({"place": "nowhere"}, "aws events create-event-bus --name nowhere"),
        ],
    )
    async def test_what_cannot_be_sent_is_refused_alone(self, buses, wrong, why):
        bus = buses.make()
        queue = buses.heard(bus)
        bad = Message(**({"body": b"{}", "headers": {"DetailType": "T"}} | wrong))
        first, second = await put(buses.endpoint, bus, [bad, message(1)])
        assert isinstance(first, UsageError)
        assert why in str(first)
        assert (second, numbers(buses.queues.all(queue, 1))) == (None, [1])

    async def test_data_that_is_no_object_stands_in_data(self, buses):
        """EventBridge takes objects only."""
        bus = buses.make()
        queue = buses.heard(bus)
        app = app_with(table("eventbridge", buses.endpoint, bus=bus))
        async with app:
            await app.producer("eventbridge").send("T", [1, 2])
            found = await asyncio.to_thread(buses.queues.all, queue, 1)
        assert details(found) == [{"data": [1, 2]}]

    async def test_a_bus_that_is_missing_says_how_to_make_it(self, buses):
        with pytest.raises(BusError, match=r"aws events create-event-bus --name nowhere"):
            await put(buses.endpoint, "nowhere", [message(1)])

    async def test_a_service_that_is_away_is_named(self):
        with pytest.raises(BusError, match=r"events: http://127.0.0.1:9 cannot be reached"):
            await put("http://127.0.0.1:9", "default", [message(1)])

    def test_settings_that_cannot_be_right(self):
        given = settings("eventbridge", "http://127.0.0.1:9", receive=("x",))
        with pytest.raises(SettingsError, match=r"a rule send to a queue of SQS, or to POST"):
            eventbridge.inlets(given)
        given = settings("eventbridge", "http://127.0.0.1:9", source="aws.s3")
        with pytest.raises(SettingsError, match=r"Amazon's own"):
            eventbridge.outlet(given)


DATA = {"tenant": {"id": "t1"}, "n": 1}
TRANSFORMED = {
    "InputPathsMap": {"type": "$.detail-type", "data": "$.detail"},
    "InputTemplate": '{"type": "<type>", "data": <data>}',
}
ENVELOPE = {
    "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "TENANT",
    "source": "CONTROL-PLANE", "account": "123456789012", "time": "2026-01-02T03:04:05Z",
    "region": "eu-central-1", "resources": [], "detail": DATA,
}  # fmt: skip


class TestThroughQueues:
    @pytest.mark.seed("A3", "B.8-13")
    @pytest.mark.parametrize("target", [{}, {"InputTransformer": TRANSFORMED}])
    async def test_envelopes_and_what_was_made_of_them_are_the_same_event(self, buses, target):
        """B.8 fact 13, through a rule of moto's."""
        bus = buses.make()
        queue = buses.heard(bus, **target)
        out = app_with(table("eventbridge", buses.endpoint, bus=bus))
        into = app_with(table("sqs", buses.endpoint, receive=[queue], wait="1s"))
        async with out, into:
            await out.producer(2).send("TENANT", DATA)
            [event] = await events(into)
        assert (event.type, json.loads(bytes(event.data))) == ("TENANT", DATA)
        assert event.extensions["bus"] == "sqs"

    async def test_only_the_detail(self, buses):
        """Of that nothing says what it is; an adapter does."""
        bus = buses.make()
        only = {"InputPathsMap": {"data": "$.detail"}, "InputTemplate": "<data>"}
        queue = buses.heard(bus, InputTransformer=only)
        into = app_with(table("sqs", buses.endpoint, receive=[queue], wait="1s"))

        @into.bus("sqs").adapt_to(queue)
        def read(message):
            return {"type": "TENANT", "data": json.loads(message.body)}

        async with into:
            await put(buses.endpoint, bus, [message(7)])
            [event] = await events(into)
        assert (event.type, json.loads(bytes(event.data))["number"]) == ("TENANT", 7)


FORMS = [ENVELOPE, {"type": "TENANT", "data": DATA}, DATA]
PATH = "/event-bridge/events/TENANT"


class TestDoor:
    @pytest.mark.seed("A2", "A3", "B.8-13")
    @pytest.mark.parametrize("body", FORMS)
    @pytest.mark.parametrize("named", [None, "eventbridge", "cloud"])
    async def test_envelope_and_type_and_bare_body_are_the_same_event(self, body, named):
        """B.8 fact 13; the bus is whichever of this kind is in the settings."""
        tables = [] if named is None else [_bridge(named)]
        app = app_with(*tables)
        async with app, client_of(application(app)) as http:
            answer = await http.post(PATH, json=body)
            [event] = await events(app)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert (event.type, json.loads(bytes(event.data))) == ("TENANT", DATA)
        assert event.source == "CONTROL-PLANE"
        assert event.extensions["bus"] == (named or "eventbridge")
        if body is ENVELOPE:
            assert event.id == ENVELOPE["id"]

    @pytest.mark.seed("A2")
    async def test_consumers_of_the_bus_hear_it_and_those_of_others_do_not(self):
        """Seed A2: consumers of QueueType 2; also without any settings."""
        app, heard = app_with(), []

        @app.consumer("TENANT", bus=2)
        async def mine(event):
            heard.append("mine")

        @app.consumer("TENANT", bus="sqs")
        async def other(event):
            heard.append("other")

        @app.consumer("TENANT")
        async def any_(event):
            heard.append("any")

        async with app, client_of(application(app)) as http:
            assert (await http.post(PATH, json=DATA)).json() == {"success": True}
        assert sorted(heard) == ["any", "mine"]

    @pytest.mark.seed("A2")
    async def test_a_consumer_that_fails_is_500(self):
        app = app_with()

        @app.consumer("TENANT", bus=2)
        async def broken(event):
            raise ValueError("boiler")

        async with app, client_of(application(app)) as http:
            answer = await http.post(PATH, json=DATA)
        assert answer.status_code == 500
        assert "boiler" in answer.text

    async def test_filters_patterns_and_adapters_hold_here_too(self):
        app = app_with(_bridge("eventbridge", pattern={"data": {"n": [1]}}))

        @app.bus("eventbridge").adapt_to("ODD")
        def read(message):
            return [{"type": "HALF", "id": each, "data": {"n": 1}} for each in "ab"]

        async with app, client_of(application(app)) as http:
            dropped = await http.post(PATH, json={"n": 2})
            taken = await http.post(PATH, json=DATA)
            several = await http.post("/event-bridge/events/ODD", json={})
            found = await events(app, 3)
        assert {one.status_code for one in (dropped, taken, several)} == {200}
        assert [one.type for one in found] == ["TENANT", "HALF", "HALF"]

    @pytest.mark.parametrize("configured", [True, False])
    @pytest.mark.parametrize(
        ("content", "status"), [(b"{", 400), (b"[]", 422), (b"7", 422), (b"\xff", 400), (b"", 200)]
    )
    async def test_what_is_no_event_is_refused_as_ever(self, configured, content, status):
        app = app_with(*([_bridge("eventbridge")] if configured else []))
        async with app, client_of(application(app)) as http:
            answer = await http.post(PATH, content=content)
        assert answer.status_code == status


def _bridge(name, **more):
    return table(name, "http://127.0.0.1:9", kind="eventbridge", **more)
