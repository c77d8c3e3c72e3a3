"""Topics: what is published, what a topic delivers to a queue, and what it posts here itself."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from ostinato.bus import sns
from ostinato.bus.sns import SnsOutlet
from ostinato.bus.sns.guard import fetched
from ostinato.core.cloudevents import Message
from ostinato.core.patterns import Pattern
from ostinato.errors import BusError, SettingsError, SignatureError, UsageError
from ostinato.web.asgi import application
from tests.buses.aws import Queues, app_with, client, events, fresh, letters, settings, table
from tests.buses.certificates import Signer, encoded, stamp, url_of
from tests.web.conftest import client_of
from tests.web.test_stream import serving

pytestmark = pytest.mark.real


class Topics:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.queues = Queues(endpoint)
        self.sns = client("sns", endpoint)

    def make(self, *, fifo=False):
        """Its ARN."""
        name = fresh("topic") + (".fifo" if fifo else "")
        given = {"FifoTopic": "true"} if fifo else {}
        return self.sns.create_topic(Name=name, Attributes=given)["TopicArn"]

    def subscribed(self, topic, *, raw=False, policy=None, scope=None):
        """A new queue."""
        queue = self.queues.make(fifo=topic.endswith(".fifo"))
        given = {"RawMessageDelivery": str(raw).lower()}
        if policy is not None:
            given |= {"FilterPolicy": json.dumps(policy)}
        if scope is not None:
            given |= {"FilterPolicyScope": scope}
        self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.queues.arn(queue), Attributes=given
        )
        return queue


@pytest.fixture
def topics(moto_server):
    return Topics(moto_server.url)


def message(number, key=None, size=0, **more):
    body = json.dumps({"number": number, "text": "x" * size}).encode()
    return Message(body=body, key=key, id=f"e{number}", headers={"EventType": "T"}, **more)


async def publish(topics, topic, messages):
    outlet = SnsOutlet(settings("sns", topics.endpoint), topic)
    try:
        await outlet.open()
        return list(await outlet.send(messages))
    finally:
        await outlet.close()


def numbers(found):
    return [json.loads(one["Body"])["number"] for one in found]


class TestOut:
    async def test_more_than_a_batch_arrives(self, topics):
        topic = topics.make()
        queue = topics.subscribed(topic, raw=True)
        sent = [message(n, size=40_000) for n in range(25)]
        assert await publish(topics, topic, sent) == [None] * 25
        found = topics.queues.all(queue, 25)
        assert sorted(numbers(found)) == list(range(25))
        assert found[0]["MessageAttributes"]["EventType"]["StringValue"] == "T"

    async def test_a_fifo_topic_has_groups_and_keeps_their_order(self, topics):
        topic = topics.make(fifo=True)
        queue = topics.subscribed(topic, raw=True)
        sent = [message(n, key="ab"[n % 2]) for n in range(12)]
        assert await publish(topics, topic, sent) == [None] * 12
        assert await publish(topics, topic, sent[:2]) == [None] * 2  # the same: dropped there
        found = topics.queues.all(queue, 12)
        groups = {one["Attributes"]["MessageGroupId"] for one in found}
        assert groups == {"a", "b"}
        for group in (0, 1):
            assert [n for n in numbers(found) if n % 2 == group] == list(range(group, 12, 2))

    async def test_one_id_of_two_sources_is_two_messages(self, topics):
        topic = topics.make(fifo=True)
        queue = topics.subscribed(topic, raw=True)
        sent = [message(1, source=source) for source in ("shop-a", "shop-b", "shop-a")]
        assert await publish(topics, topic, sent) == [None] * 3
        found = topics.queues.all(queue, 2)
        assert len({one["Attributes"]["MessageDeduplicationId"] for one in found}) == 2
        assert topics.queues.waiting(queue) == (0, 0)

    async def test_what_is_too_large_is_refused_alone(self, topics):
        topic = topics.make()
        queue = topics.subscribed(topic, raw=True)
        sent = [message(1), message(2, size=300_000), message(3, size=2 << 20), message(4)]
        told = await publish(topics, topic, sent)
        kinds = [type(one) for one in told]
        assert kinds == [type(None), UsageError, UsageError, type(None)]
        assert sorted(numbers(topics.queues.all(queue, 2))) == [1, 4]

    async def test_a_missing_topic_says_how_to_make_it(self, topics):
        missing = "arn:aws:sns:eu-central-1:123456789012:nowhere.fifo"
        with pytest.raises(BusError, match=r"create-topic --name nowhere.fifo --attributes Fifo"):
            await publish(topics, missing, [message(1)])
        here = topics.make()
        told = await publish(topics, here, [message(1, place=missing), message(2)])
        assert isinstance(told[0], UsageError)
        assert told[1] is None

    def test_settings_that_cannot_be_right(self, topics):
        for more, why in (
            ({"topic": "orders"}, r"bus.sns.topic: 'orders' is no topic; write its ARN"),
            ({"receive": ("orders",)}, r"bus.sns.receive"),
        ):
            with pytest.raises(SettingsError, match=why):
                sns.outlet(settings("sns", topics.endpoint, **more))

    async def test_an_app_publishes(self, topics):
        topic = topics.make()
        queue = topics.subscribed(topic, raw=True)
        app = app_with(table("sns", topics.endpoint, topic=topic))
        async with app:
            await app.producer("sns").send("ORDER", {"n": 1}, id="e1")
            [found] = await asyncio.to_thread(topics.queues.all, queue, 1)
        attributes = {k: v["StringValue"] for k, v in found["MessageAttributes"].items()}
        assert attributes == {
            "EventType": "ORDER", "EventId": "e1", "EventSource": "ostinato/app",
        }  # fmt: skip


POLICIES = [
    ({"EventType": ["A"]}, None),
    ({"EventType": [{"prefix": "A"}]}, None),
    ({"EventType": [{"anything-but": ["A"]}]}, None),
    ({"EventType": ["A"], "EventSource": [{"exists": False}]}, None),
    ({"order": {"total": [{"numeric": [">", 10]}]}}, "MessageBody"),
    ({"order": {"lines": [2, 3]}}, "MessageBody"),
]


class TestThroughQueues:
    @pytest.mark.seed("A15")
    @pytest.mark.parametrize("raw", [True, False])
    async def test_raw_and_in_an_envelope_it_is_the_same_event(self, topics, raw):
        topic = topics.make()
        queue = topics.subscribed(topic, raw=raw)
        out = app_with(table("sns", topics.endpoint, topic=topic))
        into = app_with(table("sqs", topics.endpoint, receive=[queue], wait="1s"))
        async with out, into:
            await out.producer("sns").send("ORDER", {"n": "ü"}, id="e1", source="shop")
            [event] = await events(into)
        assert (event.type, json.loads(bytes(event.data))) == ("ORDER", {"n": "ü"})
        assert event.extensions["bus"] == "sqs"

    @pytest.mark.parametrize("form", ["task", "cloudevents"])
    async def test_the_other_forms_arrive_whole(self, topics, form):
        topic = topics.make()
        queue = topics.subscribed(topic)
        out = app_with(table("sns", topics.endpoint, topic=topic, form=form))
        into = app_with(table("sqs", topics.endpoint, receive=[queue], wait="1s"))
        async with out, into:
            await out.producer("sns").send("ORDER", {"n": 1}, source="shop")
            [event] = await events(into)
        assert (event.type, event.source, bytes(event.data)) == ("ORDER", "shop", b'{"n":1}')

    @pytest.mark.parametrize(("policy", "scope"), POLICIES)
    async def test_our_filter_policies_say_what_is_delivered(self, topics, policy, scope):
        topic = topics.make()
        queue = topics.subscribed(topic, raw=True, policy=policy, scope=scope)
        bodies = [
            {"n": n, "order": {"total": total, "lines": lines}}
            for n, (total, lines) in enumerate([(5, [1]), (20, [2, 4]), (10, []), (11, [3])])
        ]
        headers = [{"EventType": "A"}, {"EventType": "AB"}, {"EventType": "B", "EventSource": "s"},
                   {"EventType": "A", "EventSource": "s"}]  # fmt: skip
        sent = [
            Message(body=json.dumps(body).encode(), headers=given)
            for body, given in zip(bodies, headers, strict=True)
        ]
        assert await publish(topics, topic, sent) == [None] * 4
        ours = Pattern.sns(policy, scope="body" if scope else "attributes")
        wanted = [n for n in range(4) if ours.matches(_seen(scope, bodies[n], headers[n]))]
        assert 0 < len(wanted) < 4
        found = topics.queues.all(queue, len(wanted))
        assert sorted(json.loads(one["Body"])["n"] for one in found) == wanted
        assert topics.queues.waiting(queue) == (0, 0)


def _seen(scope, body, headers):
    if scope == "MessageBody":
        return body
    return {name: {"Type": "String", "Value": value} for name, value in headers.items()}


TOPIC = "arn:aws:sns:eu-central-1:123456789012:orders"


class Amazon:
    """What lies on Amazon's hosts, and what was asked of them."""

    def __init__(self, **certificates):
        self.found = {url_of(name): each.pem for name, each in certificates.items()}
        self.asked = []

    async def fetch(self, url):
        self.asked.append(url)
        if url not in self.found and "ConfirmSubscription" not in url:
            raise BusError("sns: nothing is there", which="Amazon's host")
        return self.found.get(url, b"<ConfirmSubscriptionResponse/>")


@asynccontextmanager
async def listening(amazon, **more):
    """An app, and a client of its door from elsewhere."""
    app = app_with(table("topics", "http://127.0.0.1:9", kind="sns", receive=[TOPIC], **more))
    async with app:
        app._connected.found["topics"].guard.certificates.fetch = amazon.fetch
        door = application(app, bind="0.0.0.0")  # noqa: S104 - as a server that others reach
        async with client_of(door, client="192.0.2.7", base="http://ostinato.example") as http:
            yield app, http


async def post(http, posted, bus="topics", **headers):
    kind = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    return await http.post(f"/sns/{bus}", content=encoded(posted), headers=kind | headers)


async def refused(app, http, posted, why, **headers):
    """Whoever has posted learns nothing of the reason; the log does."""
    answer = await post(http, posted, **headers)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Unauthorized"
    guard = app._connected.found["topics"].guard
    with pytest.raises(SignatureError, match=why):
        await guard.message(headers, encoded(posted), app.now())


@pytest.fixture(scope="module")
def signer():
    return Signer()


BODY = '{"type": "ORDER", "data": {"n": 1}}'


class TestPosted:
    @pytest.mark.seed("A15")
    @pytest.mark.parametrize("version", ["1", "2"])
    async def test_what_sns_has_signed_is_an_event(self, signer, version):
        amazon = Amazon(a1=signer)
        posted = signer.notification(
            TOPIC, BODY, SignatureVersion=version, Subject="Ünï\nline", Timestamp=stamp(minutes=50)
        )
        async with listening(amazon) as (app, http):
            answer = await post(http, posted)
            again = await post(http, posted)
            [event] = await events(app)
            [view] = (await app.buses())[0].receives
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
        assert again.status_code == 200
        assert (event.type, event.id) == ("ORDER", posted["MessageId"])
        assert bytes(event.data) == b'{"n": 1}'
        assert event.extensions["bus"] == "topics"
        assert amazon.asked == [url_of()]  # once, for both
        assert (view.place, view.accepted, view.duplicate) == ("orders", 1, 1)

    async def test_attributes_name_the_type(self, signer):
        attributes = {"EventType": {"Type": "String", "Value": "ORDER"}}
        posted = signer.notification(TOPIC, '{"n": 1}', MessageAttributes=attributes)
        async with listening(Amazon(a1=signer)) as (app, http):
            assert (await post(http, posted)).status_code == 200
            [event] = await events(app)
        assert (event.type, bytes(event.data)) == ("ORDER", b'{"n": 1}')

    async def test_what_cannot_be_read_is_a_letter_and_the_next_goes_on(self, signer):
        bad = signer.notification(TOPIC, "no JSON", MessageId="m1")
        good = signer.notification(TOPIC, BODY, MessageId="m2")
        async with listening(Amazon(a1=signer)) as (app, http):
            first, second = await post(http, bad), await post(http, good)
            [letter] = await letters(app)
            [event] = await events(app)
            view = (await app.buses())[0].receives[0]
        assert (first.json(), second.json()) == ({"accepted": 0}, {"accepted": 1})
        assert (letter.kind, letter.target, letter.event_id) == ("incoming", "topics", "m1")
        assert (event.id, view.dead, view.accepted) == ("m2", 1, 1)

    async def test_filters_and_patterns_hold_here_too(self, signer):
        posted = signer.notification(TOPIC, BODY)
        async with listening(Amazon(a1=signer), pattern={"type": ["OTHER"]}) as (app, http):
            assert (await post(http, posted)).json() == {"accepted": 0}
            assert (await app.buses())[0].receives[0].dropped == 1

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"Message": '{"type": "EVIL"}'}, "signature does not fit"),
            ({"MessageId": "other"}, "signature does not fit"),
            ({"Subject": "added"}, "signature does not fit"),
            ({"Signature": "bm9uZQ=="}, "signature does not fit"),
            ({"Signature": "no base64!"}, "signature does not fit"),
            ({"SignatureVersion": "2"}, "signature does not fit"),
            ({"SignatureVersion": "3"}, "known are 1 and 2"),
            ({"Type": "Other"}, "nothing that SNS posts"),
            ({"Timestamp": "yesterday"}, "RFC 3339"),
            ({"TopicArn": f"{TOPIC}-other"}, r"not in `receive` of \[bus.topics\]"),
            ({"Signature": 7}, "nothing that SNS posts"),
        ],
    )
    async def test_what_was_changed_is_refused(self, signer, change, why):
        posted = signer.notification(TOPIC, BODY) | change
        async with listening(Amazon(a1=signer)) as (app, http):
            await refused(app, http, posted, why)
            [view] = (await app.buses())[0].receives
            assert (view.accepted, view.dropped, view.dead) == (0, 0, 0)

    @pytest.mark.parametrize(
        "url",
        [
            "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-a1.pem",
            "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-a1.pem",
            "https://evil.example/SimpleNotificationService-a1.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-a1.pem",
            "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-a1.pem",
            "https://u@sns.eu-central-1.amazonaws.com/SimpleNotificationService-a1.pem",
            "https://evil.example#sns.eu-central-1.amazonaws.com/SimpleNotificationService-a1.pem",
            "https://evil.example\\@sns.eu-central-1.amazonaws.com/x.pem",
            "https://sns.eu-central-1.amazonaws.com/?Action=Publish",
            "https://s3.eu-central-1.amazonaws.com/evil/SimpleNotificationService-a1.pem",
            "https://[",
            "",
            f"{url_of()}?",
            f"{url_of()}?v=2",
            f"{url_of()}#v2",
            f"{url_of()}?{'x' * 70_000}",
            f"{url_of()}?\x01",
            f"{url_of()}\n",
            f" {url_of()}",
            url_of(host="sns.eu-central-1.amazonaws.com\t"),
            url_of("a" * 600),
            url_of("\u0661"),
        ],
    )
    async def test_a_certificate_from_elsewhere_is_not_even_asked_for(self, signer, url):
        posted = signer.notification(TOPIC, BODY, SigningCertURL=url)
        amazon = Amazon(a1=signer)
        async with listening(amazon) as (app, http):
            why = "it has to be at https://sns.eu-central-1.amazonaws.com/"
            await refused(app, http, posted, why)
        assert amazon.asked == []

    @pytest.mark.parametrize(
        ("made", "why"),
        [
            ({"days": (-400, -1)}, "not valid now"),
            ({"days": (1, 400)}, "not valid now"),
            ({"name": "evil.example"}, "not of SNS"),
            ({"name": "evil-sns.amazonaws.com"}, "not of SNS"),
            ({"name": "sns.amazonaws.com.evil.example"}, "not of SNS"),
        ],
    )
    async def test_certificates_that_are_over_or_of_others_are_refused(self, made, why):
        other = Signer(**made)
        async with listening(Amazon(a1=other)) as (app, http):
            await refused(app, http, other.notification(TOPIC, BODY), why)

    @pytest.mark.parametrize(
        "made",
        [
            {"name": "sns-signing.eu-south-1.amazonaws.com"},
            {"name": "sns-cn-north-1.amazonaws.com.cn"},
            {"name": "Amazon", "other": "sns.amazonaws.com"},
        ],
    )
    async def test_the_names_that_sns_has_in_its_regions_are_taken(self, made):
        other = Signer(**made)
        async with listening(Amazon(a1=other)) as (_, http):
            answer = await post(http, other.notification(TOPIC, BODY))
        assert answer.status_code == 200

    async def test_a_key_that_is_not_that_of_the_certificate_is_refused(self, signer):
        async with listening(Amazon(a1=signer)) as (app, http):
            await refused(app, http, Signer().notification(TOPIC, BODY), "does not fit")

    @pytest.mark.parametrize("ago", [{"minutes": 61}, {"days": 30}, {"minutes": -61}])
    async def test_what_is_older_than_an_hour_is_refused(self, signer, ago):
        amazon = Amazon(a1=signer)
        posted = signer.notification(TOPIC, BODY, Timestamp=stamp(**ago))
        async with listening(amazon) as (app, http):
            await refused(app, http, posted, "more than an hour from now")
        assert amazon.asked == []

    async def test_a_certificate_that_cannot_be_had_now_is_asked_for_again(self, signer):
        amazon = Amazon()
        async with listening(amazon) as (_, http):
            away = await post(http, signer.notification(TOPIC, BODY))
            amazon.found[url_of()] = signer.pem
            there = await post(http, signer.notification(TOPIC, BODY))
        assert (away.status_code, there.status_code) == (503, 200)
        assert "retry-after" in away.headers

    async def test_a_raw_delivery_is_refused_and_says_why(self, signer):
        async with listening(Amazon(a1=signer)) as (app, http):
            header = {"x-amz-sns-rawdelivery": "true"}
            await refused(app, http, {}, "turn RawMessageDelivery off", **header)

    @pytest.mark.parametrize(
        ("content", "status"),
        [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[]", 401), (b"{}", 401), (b"[" * 5000, 401)],
    )
    async def test_odd_bodies_are_refused(self, signer, content, status):
        async with listening(Amazon(a1=signer)) as (_, http):
            answer = await http.post("/sns/topics", content=content)
        assert answer.status_code == status

    async def test_a_bus_that_is_none_or_posts_nothing_is_not_there(self, signer):
        async with listening(Amazon(a1=signer)) as (_, http):
            answer = await post(http, signer.notification(TOPIC, BODY), bus="nowhere")
        assert answer.status_code == 404
        assert "[bus.nowhere] makes one" in answer.json()["detail"]


class TestSubscriptions:
    async def test_a_subscription_is_confirmed(self, signer):
        amazon, asked = Amazon(a1=signer), signer.confirmation(TOPIC)
        async with listening(amazon) as (app, http):
            answer = await post(http, asked)
            [view] = (await app.buses())[0].receives
            assert (view.accepted, view.dropped, view.dead) == (0, 0, 0)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0})
        assert amazon.asked == [url_of(), asked["SubscribeURL"]]

    async def test_only_when_that_is_wanted(self, signer):
        amazon = Amazon(a1=signer)
        async with listening(amazon, confirm=False) as (_, http):
            answer = await post(http, signer.confirmation(TOPIC))
        assert (answer.status_code, amazon.asked) == (200, [url_of()])

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/?Action=ConfirmSubscription",
            "http://127.0.0.1/",
            "",
            "https://sns.eu-central-1.amazonaws.com/?\x01",
            "https://sns.eu-central-1.amazonaws.com\n/?Action=ConfirmSubscription",
            f"https://sns.eu-central-1.amazonaws.com/?{'x' * 70_000}",
        ],
    )
    async def test_never_at_another_host_or_what_is_no_url(self, signer, url):
        amazon = Amazon(a1=signer)
        async with listening(amazon) as (_, http):
            answer = await post(http, signer.confirmation(TOPIC, SubscribeURL=url))
        assert (answer.status_code, amazon.asked) == (401, [url_of()])

    async def test_never_for_a_topic_that_is_not_ours(self, signer):
        amazon = Amazon(a1=signer)
        async with listening(amazon) as (_, http):
            answer = await post(http, signer.confirmation(f"{TOPIC}-other"))
        assert (answer.status_code, amazon.asked) == (401, [])

    async def test_never_unsigned(self, signer):
        amazon = Amazon(a1=signer)
        async with listening(amazon) as (_, http):
            answer = await post(http, signer.confirmation(TOPIC) | {"Token": "other"})
        assert (answer.status_code, amazon.asked) == (401, [url_of()])


class TestFetched:
    """What gets certificates, from a server of this test: whose host it is, is asked before."""

    @pytest.mark.parametrize(
        ("status", "size", "error"),
        [
            (200, 2_000, None),
            (404, 10, SignatureError),
            (403, 10, SignatureError),
            (408, 10, BusError),
            (425, 10, BusError),
            (429, 10, BusError),
            (500, 10, BusError),
            (302, 10, BusError),
            (200, 65 << 10, BusError),
        ],
    )
    async def test_only_a_short_answer_of_200_counts(self, status, size, error):
        async def answer(request):
            headers = {"location": "http://127.0.0.1:9/"} if status == 302 else {}
            return web.Response(status=status, body=b"x" * size, headers=headers)

        app = web.Application()
        app.router.add_get("/it.pem", answer)
        async with Server(app) as server:
            url = str(server.make_url("/it.pem"))
            if error is None:
                assert await fetched(url) == b"x" * size
            else:
                with pytest.raises(error):
                    await fetched(url)

    async def test_what_is_no_url_is_not_asked_for(self):
        with pytest.raises(SignatureError, match="is no URL"):
            await fetched("http://127.0.0.1:9/it.pem?\x01")

    async def test_a_host_that_is_away_is_a_bus_error(self):
        with pytest.raises(BusError, match="cannot be had"):
            await fetched("http://127.0.0.1:9/it.pem")


class TestOfMoto:
    """Moto signs what it posts, with a certificate that it shows at the address that it names."""

    async def test_what_it_posts_is_taken(self, topics):
        topic = topics.make()
        app = app_with(table("topics", topics.endpoint, kind="sns", receive=[topic]))
        asked = []

        async def fetch(url):
            asked.append(url)
            return await _pem(topics.endpoint, url)

        async with app, serving(application(app)) as (_, server):
            app._connected.found["topics"].guard.certificates.fetch = fetch
            url = f"{server.url}/sns/topics"
            subscribe = {"TopicArn": topic, "Protocol": "http", "Endpoint": url}
            await asyncio.to_thread(topics.sns.subscribe, **subscribe)
            sent = await asyncio.to_thread(topics.sns.publish, TopicArn=topic, Message=BODY)
            [event] = await events(app)
        assert (event.type, event.id) == ("ORDER", sent["MessageId"])
        assert urlsplit(asked[0]).netloc == "sns.eu-central-1.amazonaws.com"


async def _pem(endpoint, url):
    """From moto, which knows by the credential whose path it is."""
    scope = "a/20260101/eu-central-1/sns/aws4_request"
    told = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"
    async with httpx2.AsyncClient() as http:
        answer = await http.get(endpoint + urlsplit(url).path, headers={"authorization": told})
    return answer.content
