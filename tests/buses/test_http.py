"""Events are posted: in each form, signed, tried again, in order. The receiver is a real server."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from msgspec import Raw

from ostinato import App
from ostinato.bus.http import _seconds, form, inlets, outlet
from ostinato.config import override_settings
from ostinato.config.buses import HttpSettings
from ostinato.core.cloudevents import Event, Message, to_message
from ostinato.errors import BusError, SettingsError, UsageError
from ostinato.ports import LetterQuery, Page
from ostinato.signing import SignatureError, verify_arc, verify_standard, verify_task
from tests.buses.receiver import receiving

pytestmark = pytest.mark.real

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJD" * 8
EVENT = Event(
    "id-1", "here/we", "ORDER_PLACED", 1_700_000_000_000, "s", Raw('{"text":"Ü"}'.encode())
)


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


def settings(receiver, **more):
    return HttpSettings(name="hook", url=f"{receiver.url}/in", **more)


async def posted(given, *messages):
    writing = outlet(given)
    await writing.open()
    try:
        return list(await writing.send(messages))
    finally:
        await writing.close()


def message(n=1, key=None):
    return Message(body=b'{"n": %d}' % n, id=f"e{n}", key=key)


@pytest.mark.seed("A20")
class TestForms:
    async def test_cloudevents_in_headers(self, receiver):
        given = settings(receiver)
        assert await posted(given, to_message(EVENT, form(given))) == [None]
        [post] = receiver.posts
        assert (post.path, post.body) == ("/in", bytes(EVENT.data))
        assert post.headers["ce-type"] == "ORDER_PLACED"
        assert post.headers["ce-id"] == post.headers["webhook-id"] == "id-1"
        assert post.headers["content-type"] == "application/json"

    async def test_cloudevents_in_the_body(self, receiver):
        given = settings(receiver, form="structured")
        await posted(given, to_message(EVENT, form(given)))
        [post] = receiver.posts
        assert post.headers["content-type"].startswith("application/cloudevents+json")
        assert json.loads(post.body)["data"] == {"text": "Ü"}

    async def test_the_task_services_with_its_order_of_members(self, receiver):
        given = settings(receiver, form="task")
        await posted(given, to_message(EVENT, form(given)))
        [post] = receiver.posts
        assert (
            post.body
            == (
                '{"key":"ORDER_PLACED","payload":{"text":"Ü"},"timestamp":1700000000000,'
                '"source":"here/we"}'
            ).encode()
        )
        assert post.headers["content-type"] == "application/json"

    async def test_the_data_alone_with_headers_of_the_settings(self, receiver):
        given = settings(receiver, form="data", headers={"Authorization": "Bearer x"})
        await posted(given, to_message(EVENT, form(given)))
        [post] = receiver.posts
        assert post.body == bytes(EVENT.data)
        assert post.headers["authorization"] == "Bearer x"


class TestSignatures:
    @pytest.mark.parametrize("secret", [WHSEC, f"{OTHER} {WHSEC}"], ids=["one", "two"])
    async def test_standard_webhooks(self, receiver, secret):
        await posted(settings(receiver, secret=secret), message())
        [post] = receiver.posts
        verify_standard(WHSEC, post.body, post.headers)
        assert post.headers["webhook-id"] == "e1"
        with pytest.raises(SignatureError):
            verify_standard("whsec_" + "YWJj" * 8, post.body, post.headers)

    async def test_of_the_task_service(self, receiver):
        await posted(settings(receiver, secret="s3cr3t", sign="task"), message())
        [post] = receiver.posts
        verify_task("s3cr3t", post.body, post.headers)

    async def test_of_the_control_plane(self, receiver):
        await posted(settings(receiver, secret="s3cr3t", sign="arc"), message())
        [post] = receiver.posts
        verify_arc("s3cr3t", post.body, post.headers)

    async def test_without_a_secret_nothing_is_signed(self, receiver):
        await posted(settings(receiver), message())
        [post] = receiver.posts
        assert "webhook-signature" not in post.headers
        assert post.headers["webhook-id"] == "e1"

    async def test_each_attempt_is_signed_anew(self, receiver, monkeypatch):
        """A receiver refuses a signature that has become old, so the first one would not do."""
        given = settings(receiver, secret="s3cr3t", sign="task")
        now = [1_700_000_000_000]
        clock = SimpleNamespace(time_ns=lambda: now[0] * 1_000_000, monotonic=time.monotonic)
        monkeypatch.setattr("ostinato.bus.http.time", clock)
        await posted(given, message())
        now[0] += 3_600_000
        await posted(given, message())
        first, second = receiver.posts
        verify_task("s3cr3t", first.body, first.headers, now=1_700_000_000_000)
        verify_task("s3cr3t", second.body, second.headers, now=now[0])
        assert first.headers["webhook-id"] == second.headers["webhook-id"]

    async def test_an_id_that_no_header_can_hold_is_escaped_and_signed_so(self, receiver):
        odd = Message(body=b"{}", id="a\r\nx-evil: 1 ☃")
        await posted(settings(receiver, secret=WHSEC), odd, Message(body=b"{}"))
        ids = {post.headers["webhook-id"] for post in receiver.posts}
        assert "a%0D%0Ax-evil:%201%20%E2%98%83" in ids
        assert len(ids) == 2
        for post in receiver.posts:
            assert "x-evil" not in post.headers
            verify_standard(WHSEC, post.body, post.headers)


def answering(status, headers=None, body=b""):
    async def answer(post):
        return status, headers or {}, body

    return answer


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    async def test_any_2xx_has_taken_it(self, receiver, status):
        receiver.answer = answering(status)
        assert await posted(settings(receiver), message()) == [None]

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
    async def test_what_may_be_over_later_is_tried_again(self, receiver, status):
        receiver.answer = answering(status, body=b"not now")
        [why] = await posted(settings(receiver), message())
        assert isinstance(why, BusError)
        assert f"answered {status}: not now" in str(why)

    @pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 409, 410, 413, 422])
    async def test_whatever_else_refuses_it_for_good(self, receiver, status):
        receiver.answer = answering(status, {"location": "/elsewhere"}, b"why")
        [why] = await posted(settings(receiver), message())
        assert isinstance(why, UsageError)
        assert f"{status}: why" in str(why)
        assert len(receiver.posts) == 1

    async def test_nobody_there(self, receiver):
        given = HttpSettings(name="hook", url="http://127.0.0.1:1/in")
        with pytest.raises(BusError, match=r"127\.0\.0\.1:1 cannot be reached"):
            await posted(given, message())

    async def test_an_answer_that_does_not_come_or_does_not_end(self, receiver):
        never = asyncio.Event()

        async def hangs(post):
            await never.wait()
            return 204, {}, b""

        receiver.answer = hangs
        given = settings(receiver, timeout=timedelta(milliseconds=200))
        with pytest.raises(BusError, match=r"did not answer in 0\.2 s"):
            await posted(given, message())
        never.set()

    @pytest.mark.parametrize("after", ["30", "date"])
    async def test_retry_after_is_waited_for(self, receiver, after, monkeypatch):
        if after == "date":
            after = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
        receiver.answer = answering(503, {"retry-after": after})
        writing = outlet(settings(receiver))
        [why] = await writing.send([message()])
        assert "503" in str(why)
        receiver.answer = None
        [why] = await writing.send([message()])
        assert isinstance(why, BusError)
        assert "asked not to be asked" in str(why)
        assert len(receiver.posts) == 1
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 31)
        monkeypatch.setattr("ostinato.bus.http.time", clock)
        assert list(await writing.send([message()])) == [None]
        await writing.close()

    @pytest.mark.parametrize("after", ["86400", "date"])
    async def test_retry_after_is_waited_for_an_hour_at_most(self, receiver, after, monkeypatch):
        if after == "date":
            after = format_datetime(datetime.now(UTC) + timedelta(days=365), usegmt=True)
        receiver.answer = answering(503, {"retry-after": after})
        writing = outlet(settings(receiver))
        await writing.send([message()])
        receiver.answer = None
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 3601)
        monkeypatch.setattr("ostinato.bus.http.time", clock)
        assert list(await writing.send([message()])) == [None]
        await writing.close()

    async def test_one_that_is_opened_anew_knows_no_retry_after(self, receiver):
        receiver.answer = answering(503, {"retry-after": "30"})
        writing = outlet(settings(receiver))
        await writing.send([message()])
        receiver.answer = None
        await writing.close()
        await writing.open()
        assert list(await writing.send([message()])) == [None]
        await writing.close()

    async def test_answers_are_of_their_events_when_none_is_taken(self, receiver):
        """Whatever is behind them is not held up, as it is when nobody answers."""
        receiver.answer = answering(503)
        answers = await posted(settings(receiver), message(1, "a"), message(2, "a"), message(3))
        assert [type(why) for why in answers] == [BusError] * 3

    async def test_nobody_there_for_some_is_no_answer_of_others(self, receiver):
        receiver.answer = answering(503)
        away = Message(body=b"{}", place="http://127.0.0.1:1/in")
        first, second = await posted(settings(receiver), away, message())
        assert "cannot be reached" in str(first)
        assert "503" in str(second)
        with pytest.raises(BusError, match="cannot be reached"):
            await posted(settings(receiver), *[Message(key="k", place=away.place)] * 2)

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("", 0), ("5", 5), ("-5", 0), ("soon", 0), ("٣", 0), ("1.5", 0), ("9" * 5000, 3600),
         ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", 0)],
    )  # fmt: skip
    def test_what_retry_after_says(self, text, seconds):
        assert _seconds(text) == seconds


class TestOrder:
    async def test_those_of_one_key_are_posted_one_after_the_other(self, receiver):
        seen = {"a": 0, "b": 0}

        async def answer(post):
            key = post.headers["x-key"]
            seen[key] += 1
            assert seen[key] == 1
            await asyncio.sleep(0)
            seen[key] -= 1
            return 204, {}, b""

        receiver.answer = answer
        messages = [
            Message(body=b"%d" % n, key="ab"[n % 2], headers={"x-key": "ab"[n % 2]})
            for n in range(40)
        ]
        assert await posted(settings(receiver), *messages) == [None] * 40
        for key, first in (("a", 0), ("b", 1)):
            numbers = [int(one.body) for one in receiver.posts if one.headers["x-key"] == key]
            assert numbers == list(range(first, 40, 2))

    async def test_others_go_out_several_at_once(self, receiver):
        enough = asyncio.Event()

        async def answer(post):
            if receiver.at_once == 16:
                enough.set()
            await enough.wait()
            return 204, {}, b""

        receiver.answer = answer
        assert await posted(settings(receiver), *map(message, range(40))) == [None] * 40
        assert receiver.most_at_once == 16

    async def test_none_of_a_key_is_posted_after_one_that_comes_again(self, receiver):
        async def answer(post):
            status = {b'{"n": 2}': 503, b'{"n": 4}': 422}.get(post.body, 204)
            return status, {}, b""

        receiver.answer = answer
        keys = {1: "a", 2: "a", 3: "a", 4: "b", 5: "b"}
        answers = await posted(settings(receiver), *(message(n, key) for n, key in keys.items()))
        kinds = [type(one) for one in answers]
        assert kinds == [type(None), BusError, BusError, UsageError, type(None)]
        assert b'{"n": 3}' not in {post.body for post in receiver.posts}


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"secret": "no base64!"}, "bus.hook.secret"),
            ({"headers": {"x": 7}}, "bus.hook.headers"),
            ({"headers": {"x y": "z"}}, "bus.hook.headers"),
            ({"headers": {"x": "a\r\nevil: 1"}}, "bus.hook.headers"),
        ],
    )
    def test_what_cannot_be_right_is_refused_at_the_start(self, more, said):
        given = HttpSettings(name="hook", url="http://127.0.0.1:1", **more)
        with pytest.raises(SettingsError, match=said):
            outlet(given)

    def test_it_receives_nothing_and_says_where_events_are_posted(self):
        with pytest.raises(SettingsError, match="/events"):
            inlets(HttpSettings(name="hook", receive=("x",)))
        assert inlets(HttpSettings(name="hook")) == []
        assert outlet(HttpSettings(name="hook")) is None

    @pytest.mark.parametrize("place", ["elsewhere", "ftp://127.0.0.1/", "http://", "\0"])
    async def test_a_place_that_is_no_address_is_refused(self, receiver, place):
        odd = Message(body=b"{}", place=place)
        [why, taken] = await posted(settings(receiver), odd, message())
        assert (type(why), taken) == (UsageError, None)

    async def test_headers_of_an_adapter_that_cannot_be_sent_are_refused(self, receiver):
        odd = [
            Message(body=b"{}", headers={"x": "a\r\nevil: 1"}),
            Message(body=b"{}", headers={"x y": "1"}),
            Message(body=b"{}", headers={"x": "☃"}),
        ]
        answers = await posted(settings(receiver), *odd, message())
        assert [type(one) for one in answers] == [*[UsageError] * 3, type(None)]


async def test_what_a_run_emits_is_posted_until_it_is_taken(receiver):
    """Refused for good is a dead letter; refused for now comes again, in its turn."""
    refused = iter([503, 204, 400, 204])

    async def answer(post):
        return next(refused), {}, b""

    receiver.answer = answer
    given = {
        "store": "memory:", "bus.hook.kind": "http", "bus.hook.url": receiver.url,
        "bus.hook.send": ["A"], "bus.hook.secret": WHSEC,
    }  # fmt: skip
    app = App()
    app.configure(override_settings(app.settings, given, by="{name}"))
    async with app:
        await app.producer("hook").send("A", {"n": 1})
        async with asyncio.timeout(20):
            while len(receiver.posts) < 2:
                await asyncio.sleep(0.01)
            await app.producer("hook").send("A", {"n": 2})
            while not (letters := await app.dead_letters(LetterQuery(), Page())):
                await asyncio.sleep(0.01)
    first, second, third = receiver.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (letters[0].kind, letters[0].target) == ("outgoing", "hook")
    for post in (first, second, third):
        verify_standard(WHSEC, post.body, post.headers)


EMITS = """
workflow: pack
on: [{event: ORDER_PLACED, bus: jobs}]
phases:
  - phase: only
    jobs: [{job: told, emit: {type: PARCEL_PACKED, data: {order: "${ input.order }"}}}]
"""


@pytest.mark.seed("A20", "A13")
async def test_what_comes_in_by_one_bus_goes_out_by_another(receiver, redis_server):
    """The task service could bind one connector only, for both directions."""
    queue = f"mixed-{uuid4().hex}"
    given = {
        "store": "memory:", "bus.hook.kind": "http", "bus.hook.url": receiver.url,
        "bus.hook.send": ["PARCEL_*"], "bus.jobs.kind": "bullmq", "bus.jobs.url": redis_server.url,
        "bus.jobs.receive": [queue], "bus.jobs.queue": queue,
    }  # fmt: skip
    app = App()
    app.configure(override_settings(app.settings, given, by="{name}"))
    async with app:
        await app.deploy(EMITS)
        await app.producer("jobs").send("ORDER_PLACED", {"order": 7})
        async with asyncio.timeout(20):
            while not receiver.posts:
                await asyncio.sleep(0.01)
    [post] = receiver.posts
    assert (post.headers["ce-type"], post.body) == ("PARCEL_PACKED", b'{"order":7}')
