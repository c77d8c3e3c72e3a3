"""A function of AWS Lambda: what it is handed is recorded, and the store is real."""

import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import threading
import time
from datetime import timedelta

import pytest

from ostinato import App
from ostinato.aws_lambda import function
from ostinato.config import ApiKey
from ostinato.errors import SettingsError, Unready, UsageError
from ostinato.ports import LetterQuery, Page, RunQuery
from tests.aws_lambda.invocations import (
    Context,
    balancer,
    http_api,
    notified,
    queued,
    rest_api,
    ruled,
    streamed,
    ticked,
)
from tests.stage import Clock, one_job

pytestmark = pytest.mark.seed("A91")

KEY = "k" * 40
HELD = ApiKey("test", hashlib.sha256(KEY.encode()).hexdigest(), frozenset(("*",)))

ON = [{"event": "ORDER"}]
ORDER = one_job({"run": "pack", "with": {"item": "${ event.data.item }"}}, "ship", on=ON)
PACK = {"run": "pack", "with": {"item": 1}}
TELL = one_job({"emit": {"type": "SAID", "bus": "out"}}, "tell", on=ON)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/lambda.db"
    return request.getfixturevalue("new_database")()


class Shop:
    """An app whose function packs; ``packed`` is what it has."""

    def __init__(self, store, document=ORDER, settle=10, **more):
        self.packed = []
        self.app = App(store=store, auth={"keys": (HELD,)}, **more)
        self.app.handler("pack")(self.pack)
        self.app.workflow_document(document)
        self.function = function(self.app, settle=settle)

    def pack(self, item):
        self.packed.append(item)
        return {"packed": item}

    def __call__(self, event, left=60_000):
        return self.function(event, Context(left))

    def look(self, read):
        """What an app on the store sees between two invocations."""

        async def looking():
            async with self.app as app:
                return await read(app)

        return self.function._loop.run_until_complete(looking())

    def statuses(self):
        return [head.status for head in self.look(lambda app: app.runs(RunQuery(), Page(100)))]


@pytest.fixture
def shops():
    """Makes them, and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def make(*arguments, **more):
            shop = Shop(*arguments, **more)
            stack.callback(shop.function.close)
            return shop

        yield make


@pytest.fixture
def open_shop(shops, store):
    return functools.partial(shops, store)


@pytest.fixture
def shop(open_shop):
    return open_shop()


def text(item):
    return json.dumps({"item": item})


class TestRequests:
    def test_a_run_ends_within_the_invocation_that_starts_it(self, shop):
        started = shop(http_api("POST", "/runs", {"workflow": "ship"}, KEY))
        assert started["statusCode"] == 201, started
        run = json.loads(started["body"])["id"]
        seen = shop(http_api("GET", f"/runs/{run}", key=KEY))
        assert (seen["statusCode"], json.loads(seen["body"])["status"]) == (200, "succeeded")

    def test_an_event_is_accepted_and_worked_on(self, shop):
        answer = shop(http_api("POST", "/events", {"type": "ORDER", "data": {"item": 2}}, KEY))
        assert (answer["statusCode"], shop.packed) == (202, [2])
        bridged = http_api("POST", "/event-bridge/events/ORDER", {"item": 3}, KEY)
        answer = shop(bridged)
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"success": True})
        assert shop.packed == [2, 3]

    @pytest.mark.parametrize("made", [http_api, rest_api, balancer])
    def test_whatever_hands_on_requests(self, shop, made):
        assert shop(made("GET", "/ping"))["statusCode"] == 200
        refused = shop(made("GET", "/runs"))
        assert refused["statusCode"] == 401

    def test_a_body_may_come_in_base64(self, shop):
        given = http_api("POST", "/events", {}, KEY)
        body = json.dumps({"type": "ORDER", "data": {"item": 4}}).encode()
        shop(given | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True})
        assert shop.packed == [4]

    def test_without_a_key_nobody_is_let_in(self, tmp_path):
        door = function(App(store=f"sqlite:///{tmp_path}/lambda.db"))
        with contextlib.closing(door), pytest.raises(SettingsError, match="no key is configured"):
            door(http_api("GET", "/ping"), Context())

    def test_what_cannot_be_opened_is_503_and_nothing_is_lost(self, shops, tmp_path):
        store = f"sqlite:///{tmp_path}/lambda.db"
        shop = shops(store)

        async def beside():
            async with App(store=store):
                return await asyncio.to_thread(shop, http_api("GET", "/runs", key=KEY))

        answer = asyncio.run(beside())
        assert (answer["statusCode"], "error" in json.loads(answer["body"])) == (503, True)
        assert shop(http_api("GET", "/runs", key=KEY))["statusCode"] == 200

    def test_a_request_is_answered_before_its_time_is_over(self, open_shop):
        shop = open_shop(one_job({"run": "slow"}, on=ON), settle=0.1)

        @shop.app.handler("slow")
        async def slow():
            await asyncio.sleep(60)

        began = time.monotonic()
        [run] = json.loads(shop(http_api("POST", "/events", {"type": "ORDER"}, KEY))["body"])[
            "runs"
        ]
        assert time.monotonic() - began < 20  # of the 60 s that it could have waited
        waits = http_api("POST", "/runs", {"workflow": "w"}, KEY)
        answer = shop(waits | {"rawQueryString": "wait=50s"}, left=1_000)
        assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (201, "running")
        assert shop(http_api("GET", f"/runs/{run}", key=KEY))["statusCode"] == 200


class TestMessages:
    def test_of_a_queue(self, shop):
        batch = queued(text(1), "{oops", text(2), EventType="ORDER")
        assert shop(batch) == {"batchItemFailures": []}
        assert sorted(shop.packed) == [1, 2]
        assert shop(batch) == {"batchItemFailures": []}  # a queue may deliver twice
        assert len(shop.packed) == 2
        [letter] = shop.look(lambda app: app.dead_letters(LetterQuery()))
        assert (letter.kind, letter.target) == ("incoming", "sqs")

    def test_of_a_topic(self, shop):
        batch = notified(text(1), EventType="ORDER")
        shop(batch)
        shop(batch)
        assert shop.packed == [1]

    def test_of_a_rule(self, shop):
        event = ruled("ORDER", {"item": 1})
        shop(event)
        shop(event)
        assert shop.packed == [1]

    @pytest.mark.parametrize("source", ["aws:kafka", "SelfManagedKafka"])
    def test_of_kafka(self, shop, source):
        batch = streamed("ORDER", b'{"item": 1}', b'{"item": 2}', source=source, key="k")
        shop(batch)
        shop(batch)
        assert sorted(shop.packed) == [1, 2]
        shop(
            streamed(
                "any",
                b'{"item": 3}',
                headers={
                    "ce_type": "ORDER",
                    "ce_id": "1",
                    "ce_source": "s",
                    "ce_specversion": "1.0",
                },
            )
        )
        assert sorted(shop.packed) == [1, 2, 3]

    def test_what_others_write_into_headers_stops_nobody(self, shop):
        batch = streamed("ORDER", b'{"item": 1}', b'{"item": 2}', b"\xff", b'{"item": 3}')
        one, two, _, three = batch["records"]["ORDER-0"]
        one["headers"] = [{"name": [-61, -85, 65]}]  # bytes are signed there
        two["headers"] = [{"name": None}]
        del three["headers"]
        three["value"] = "no base64!"
        shop(batch)
        assert sorted(shop.packed) == [1, 2]
        found = shop.look(lambda app: app.dead_letters(LetterQuery()))
        assert [letter.kind for letter in found] == ["incoming", "incoming"]

    def test_two_clusters_may_have_topics_of_one_name(self, shop):
        for cluster in "ab":
            batch = streamed("ORDER", b'{"item": 1}')
            batch["eventSourceArn"] = f"arn:aws:kafka:eu-west-1:1:cluster/c/{cluster}"
            batch["records"]["ORDER-0"][0]["offset"] = 0
            shop(batch)
        assert shop.packed == [1, 1]

    def test_a_letter_without_a_bus_in_the_settings_can_be_redriven(self, shop):
        shop(queued("{oops"))
        [letter] = shop.look(lambda app: app.dead_letters(LetterQuery()))
        [done] = shop.look(lambda app: app.redrive(letter.id)).letters
        assert (done.outcome, "not JSON" in str(done.reasons)) == ("stays", True)

    def test_of_a_rule_with_what_no_encoding_can_write(self, shop):
        shop(ruled("ORDER", {"item": "\ud83d"}))
        assert shop.packed == ["?"]

    def test_the_bus_that_receives_from_there_reads_them(self, open_shop):
        buses = {
            "first": {"kind": "sqs", "receive": ["https://sqs.eu-west-1.amazonaws.com/1/others"]},
            "second": {"kind": "sqs", "receive": ["orders"]},
        }
        shop = open_shop(ORDER | {"on": [{"event": "ORDER", "bus": "second"}]}, bus=buses)
        shop.app.bus("second").filter(lambda event: b"drop" not in bytes(event.data))
        shop(queued(text("keep"), text("drop"), EventType="ORDER"))
        shop(queued(text("other"), queue="others", EventType="ORDER"))
        assert shop.packed == ["keep"]

    def test_nothing_is_fetched_from_a_bus_of_the_settings(self, open_shop):
        away = {"kafka": {"kind": "kafka", "servers": "127.0.0.1:1", "receive": ["ORDER"]}}
        shop = open_shop(bus=away)
        shop(streamed("ORDER", b'{"item": 1}'))
        assert shop.packed == [1]
        assert shop.app._intakes == {}

    def test_what_aws_does_not_write_is_refused_whole(self, shop):
        batch = queued(text(1), EventType="ORDER")
        del batch["Records"][0]["messageId"]
        with pytest.raises(UsageError, match=r"record of aws:sqs .* 'messageId'"):
            shop(batch)
        assert shop.packed == []


class TestInvoked:
    def test_by_hand_it_takes_what_the_door_for_events_takes(self, shop):
        one = shop({"type": "ORDER", "data": {"item": 1}, "id": "e1"})
        assert (one["id"], one["duplicate"], len(one["runs"])) == ("e1", False, 1)
        several = shop([{"type": "ORDER", "data": {"item": n}} for n in (2, 3)])
        assert (len(several), sorted(shop.packed)) == (2, [1, 2, 3])

    def test_a_source_that_nobody_reads_is_named(self, shop):
        with pytest.raises(UsageError, match=r"nothing here takes what aws:s3 hands over"):
            shop({"Records": [{"eventSource": "aws:s3", "s3": {}}]})

    @pytest.mark.parametrize(
        "given",
        [{}, {"requestContext": {"connectionId": "c"}}, {"requestContext": {"http": None}}, "x", 7],
    )
    def test_what_is_no_event_is_said(self, shop, given):
        with pytest.raises(UsageError):
            shop(given)
        assert shop.statuses() == []


class TestTime:
    def test_a_tick_does_what_is_due(self, open_shop):
        jobs = [{"job": "sleep", "wait": "1h"}, {"job": "pack", "needs": ["sleep"]} | PACK]
        document = {"workflow": "nap", "on": ON, "phases": [{"phase": "p", "jobs": jobs}]}
        clock = Clock()
        shop = open_shop(document, clock=clock)
        shop({"type": "ORDER"})
        assert (shop(ticked()), shop.packed) == (None, [])
        clock.time += 3_600_000
        assert (shop(ticked()), shop.packed) == (None, [1])
        assert shop.statuses() == ["succeeded"]

    def test_a_tick_is_an_event_where_somebody_waits_for_it(self, open_shop):
        daily = one_job(PACK, on=[{"event": "Scheduled Event"}])
        shop = open_shop(daily)
        shop(ticked())
        assert shop.packed == [1]

    def test_what_is_at_work_when_time_is_over_goes_on_in_the_next_one(self, open_shop):
        shop = open_shop(one_job({"run": "slow"}, on=ON))
        begun = threading.Event()

        @shop.app.handler("slow", attempts=1)
        async def slow():
            if not begun.is_set():
                begun.set()
                await asyncio.sleep(60)
            shop.packed.append(1)

        shop({"type": "ORDER", "data": {"item": 1}}, left=1_000)
        assert (begun.is_set(), shop.packed) == (True, [])
        shop(ticked())
        assert shop.packed == [1]
        assert shop.statuses() == ["succeeded"]

    def test_what_goes_out_is_sent_before_it_ends(self, open_shop):
        shop = open_shop(TELL, bus={"out": {"kind": "memory", "place": "said"}})
        shop({"type": "ORDER"})
        [view] = shop.look(lambda app: app.buses())
        assert view.waiting == 0

    def test_a_bus_that_is_away_does_not_hold_it_up(self, open_shop):
        away = {"out": {"kind": "http", "url": "http://127.0.0.1:1/"}}
        shop = open_shop(TELL, bus=away, drain=timedelta(seconds=1))
        shop({"type": "ORDER"})
        [view] = shop.look(lambda app: app.buses())
        assert view.waiting == 1

    @pytest.mark.parametrize("made", [{"type": "ORDER", "data": {"item": 1}}, None])
    def test_a_store_that_hangs_does_not_hold_it_up(self, shops, tmp_path, monkeypatch, made):
        shop = shops(f"sqlite:///{tmp_path}/lambda.db")
        close, hung = shop.app.close, []

        async def hangs(drain=None):
            hung.append(True)
            try:
                await asyncio.sleep(60)
            finally:
                await close(0)

        monkeypatch.setattr(shop.app, "close", hangs)
        began = time.monotonic()
        if made is None:
            assert shop(http_api("GET", "/ping"), left=4_000)["statusCode"] == 200
        else:
            assert shop(made, left=4_000)["duplicate"] is False
        assert hung == [True]
        assert time.monotonic() - began < 30  # of the 60 s

    def test_what_cannot_be_stored_in_its_time_is_said(self, shops, tmp_path, monkeypatch):
        shop = shops(f"sqlite:///{tmp_path}/lambda.db")

        async def hangs(*given, **more):
            await asyncio.sleep(60)

        with monkeypatch.context() as patched:
            patched.setattr(shop.app, "accept", hangs)
            with pytest.raises(Unready, match="before all of it was stored"):
                shop({"type": "ORDER", "data": {"item": 1}}, left=2_000)
        shop({"type": "ORDER", "data": {"item": 1}})
        assert shop.packed == [1]

    @pytest.mark.parametrize("left", [-5, 0, 1, 20])
    def test_without_any_time_nothing_is_lost_but_that(self, shop, left):
        with contextlib.suppress(Unready):
            shop({"type": "ORDER", "id": "e1", "data": {"item": 1}}, left=left)
        shop({"type": "ORDER", "id": "e1", "data": {"item": 1}})
        assert set(shop.packed) == {1}
        assert shop.statuses() == ["succeeded"]

    def test_several_stores_are_a_set_here_too(self, shops, tmp_path):
        shop = shops([f"sqlite:///{tmp_path}/{name}.db" for name in "ab"])
        for number in range(6):
            shop({"type": "ORDER", "data": {"item": number}, "id": f"e{number}"})
        shop(queued(text(6), EventType="ORDER"))
        assert sorted(shop.packed) == list(range(7))
        assert shop.statuses() == ["succeeded"] * 7


class TestBeside:
    def test_a_file_that_another_process_has_is_said(self, shops, tmp_path):
        store = f"sqlite:///{tmp_path}/lambda.db"
        shop = shops(store)

        async def beside():
            async with App(store=store):
                with pytest.raises(Unready, match="is in use by process"):
                    await asyncio.to_thread(shop, {"type": "ORDER", "data": {"item": 1}})

        asyncio.run(beside())
        shop({"type": "ORDER", "data": {"item": 2}})
        assert shop.packed == [2]

    def test_several_at_once_share_a_database(self, shops, new_database):
        store = new_database()
        several = [shops(store) for _ in range(3)]

        def invoke(shop, number):
            for n in range(4):
                shop({"type": "ORDER", "data": {"item": 10 * number + n}})

        threads = [
            threading.Thread(target=invoke, args=pair)
            for pair in zip(several, range(3), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert several[0].statuses() == ["succeeded"] * 12
        assert sorted(item for shop in several for item in shop.packed) == [
            10 * number + n for number in range(3) for n in range(4)
        ]
