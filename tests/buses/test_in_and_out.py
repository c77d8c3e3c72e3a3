"""What comes in by a bus is stored, then acknowledged; what runs emit goes out on buses."""

import asyncio
from collections import Counter

import pytest
from msgspec import Raw
from msgspec.structs import replace

from ostinato import App, Event
from ostinato.bus import memory
from ostinato.config import override_settings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, NotFoundError, SettingsError, StoreError, UsageError
from ostinato.ports import EventQuery, LetterQuery, Page, RunQuery
from ostinato.runtime import patience

SETTINGS = {
    "store": "memory:",
    "bus.in.kind": "memory",
    "bus.in.receive": ["orders"],
    "bus.out.kind": "memory",
    "bus.out.place": "told",
    "bus.out.send": ["ORDER_*"],
}


@pytest.fixture(autouse=True)
def no_places(monkeypatch):
    monkeypatch.setattr(memory, "PATIENCE", 0.05)
    memory.forget()


def app_with(**more):
    given = {name: value for name, value in (SETTINGS | more).items() if value is not None}
    app = App()
    app.configure(override_settings(app.settings, given, by="{name}"))
    return app


def put(*messages, bus="in", place="orders"):
    memory.place(bus, place).put([memory.Received(message) for message in messages])


def order(number, type="ORDER_PLACED", **more):
    body = b'{"number": %d}' % number
    return Message(body=body, place="orders", id=f"m{number}", headers={"EventType": type}, **more)


async def until(found):
    async with asyncio.timeout(10):
        while not (value := await found()):
            await asyncio.sleep(0)
        return value


async def events(app, **query):
    return [one.event for one in await app.events(EventQuery(**query), Page())]


async def letters(app, **query):
    return await app.dead_letters(LetterQuery(**query), Page())


async def troubles(app, many):
    """Of all that come in and go out, once there are so many."""
    buses = await app.buses()
    found = [each.trouble for bus in buses for each in (bus, *bus.receives) if each.trouble]
    return found if len(found) >= many else []


class TestIn:
    async def test_a_message_is_an_event(self):
        app = app_with()
        put(order(1, time=1_700_000_000_000, key="k"))
        async with app:
            [event] = await until(lambda: events(app))
        assert (event.type, event.id, event.time) == ("ORDER_PLACED", "m1", 1_700_000_000_000)
        assert bytes(event.data) == b'{"number": 1}'
        assert event.extensions == {"bus": "in"}

    async def test_a_consumer_hears_of_its_bus_alone(self):
        app, heard = app_with(), []

        @app.consumer("ORDER_*", bus="in")
        async def on_bus(event: Event):
            heard.append(("bus", event.id))

        @app.consumer("ORDER_PLACED", bus="memory")
        async def on_own(event: Event):
            heard.append(("own", event.id))

        @app.consumer("ORDER_PLACED")
        async def on_any(event: Event):
            heard.append(("any", event.id))

        put(order(1))
        async with app:
            await app.emit("ORDER_PLACED", {"number": 2}, id="e2")
            async with asyncio.timeout(10):
                while len(heard) < 4:
                    await asyncio.sleep(0)
        assert sorted(heard) == [("any", "e2"), ("any", "m1"), ("bus", "m1"), ("own", "e2")]

    async def test_who_sends_over_http_cannot_say_that_it_came_by_a_bus(self):
        async with app_with() as app:
            from ostinato.core.cloudevents import from_http

            body = b'{"specversion":"1.0","type":"A","source":"s","id":"1","bus":"in"}'
            [event], _ = from_http({}, body, now=0, new_id=app.new_id)
        assert not (event.extensions or {}).get("bus")

    async def test_it_is_acknowledged_after_it_is_stored(self):
        app = app_with()
        put(order(1))
        async with app:
            commit, failures = app.storage.commit, [1, 2]

            async def failing(batch):
                if batch.events and failures:
                    failures.pop()
                    raise StoreError("away")
                await commit(batch)

            app.storage.commit = failing
            await until(lambda: events(app))
            assert failures == []
            assert await app.count_events(EventQuery()) == 1

    async def test_what_cannot_be_read_is_a_letter_and_the_next_one_goes_on(self):
        app = app_with()
        broken = Message(place="orders", id="bad", body=b"{oops", headers={"EventType": "A"})
        put(broken, order(2), Message(place="orders", id="none", body=b"\xff\xfe"))
        async with app:
            dead = await until(lambda: _all(letters(app, kind="incoming"), 2))
            found = {one.event_id: one for one in dead}
            view = await counted(app, 3)
        assert found.keys() == {"bad", "none"}
        assert b"not JSON" in found["bad"].reasons
        assert found["bad"].target == "in"
        assert (view.accepted, view.dead) == (1, 2)

    @pytest.mark.seed("A19")
    async def test_a_letter_is_read_again_by_the_adapter_of_today(self):
        put(Message(place="orders", id="odd", body=b"7;ORDER_PLACED"))
        app = app_with()
        async with app:
            [letter] = await until(lambda: letters(app, kind="incoming"))
            stays = await app.redrive(letter.id)
            assert [one.outcome for one in stays.letters] == ["stays"]
            hooks = app.bus("in")

            @hooks.adapt_to("orders")
            def read(message):
                number, type = message.body.decode().split(";")
                return {"type": type, "data": {"number": int(number)}}

            redriven = await app.redrive(letter.id)
            assert [one.outcome for one in redriven.letters] == ["redriven"]
            [event] = await until(lambda: events(app))
            again = await app.redrive(letter.id)
            assert [one.outcome for one in again.letters] == ["already"]
        assert (event.id, bytes(event.data)) == ("odd", b'{"number":7}')

    async def test_an_adapter_that_fails_is_asked_again_and_holds_up_the_lot_once(self):
        app, asked = app_with(), Counter()

        @app.bus("in").adapt_to("orders")
        def read(message):
            asked[message.id] += 1
            if message.id == "m1" or (message.id == "m2" and asked["m2"] < 3):
                raise TimeoutError("the registry does not answer")
            return {"type": "READ", "data": {}}

        put(order(1), order(2), order(3))
        async with app:
            view = await counted(app, 3)
            [letter] = await letters(app)
            newest = [one.id for one in await events(app)]
        assert (view.accepted, view.dead) == (2, 1)
        assert (letter.event_id, b"the registry does not answer" in letter.reasons) == ("m1", True)
        assert newest == ["m3", "m2"]
        assert asked == {"m1": 3, "m2": 3, "m3": 1}

    @pytest.mark.parametrize("store", ["memory:", "sqlite"])
    async def test_what_an_adapter_makes_and_nobody_can_store_is_a_letter(self, store, tmp_path):
        """One of a lot, and the others go on, on every store alike."""
        place = store if store == "memory:" else f"sqlite:///{tmp_path / 'x.db'}"
        app = app_with(**{"store": place, "limits.event": 1_000})
        plain = Event("ok", "s", "READ", 1, None, Raw(b"{}"))
        odd = [
            replace(plain, data=Raw(b"{oops")), replace(plain, data=None, id=None),
            replace(plain, data=float("nan")), replace(plain, data=Raw(b'"' + b"x" * 2_000 + b'"')),
            replace(plain, time=-(10**14)), replace(plain, time=None), replace(plain, type=None),
            replace(plain, type="A\nB"), replace(plain, id="i" * 300), replace(plain, id="\ud800"),
            replace(plain, extensions={"a": 1}), replace(plain, subject=7), b"bytes", 7,
            {"no": "type"}, object(),
        ]  # fmt: skip

        @app.bus("in").adapt_to()
        def read(message):
            number = int(message.id[1:])
            return plain if number == len(odd) else odd[number]

        hostile = {"ce_type": "A\ud800", "EventType": "x\ny"}
        put(
            *(
                Message(place="orders", id=f"m{n}", body=b"", headers=hostile)
                for n in range(len(odd) + 1)
            )
        )
        async with app:
            view = await counted(app, len(odd) + 1)
            assert [one.id for one in await events(app)] == ["ok"]
            found = await app.dead_letters(LetterQuery(kind="incoming"), Page(100))
        assert (view.accepted, view.dead, len(found)) == (1, len(odd), len(odd))

    @pytest.mark.parametrize("raised", [SystemExit, GeneratorExit, KeyboardInterrupt])
    async def test_whatever_an_adapter_raises_is_its_messages_fault(self, raised):
        app = app_with()

        @app.bus("in").adapt_to()
        def read(message):
            if message.id == "m1":
                raise raised
            return {"type": "READ"}

        @app.bus("out").adapt_from()
        def write(event):
            raise raised

        put(order(1), order(2))
        async with app:
            view = await counted(app, 2)
            await app.producer("out").send("A", {})
            found = await until(lambda: _all(letters(app), 2))
        assert (view.accepted, view.dead) == (1, 1)
        assert all(raised.__name__.encode() in one.reasons for one in found)

    async def test_a_consumers_letter_knows_its_bus_and_its_extensions(self):
        app, heard, able = app_with(), [], []

        @app.consumer("TOLD", bus="in", attempts=1)
        async def hear(event: Event):
            if not able:
                raise ValueError("no")
            heard.append(event.extensions)

        body = b'{"specversion": "1.0", "id": "1", "source": "s", "type": "TOLD", "tenant": "t"}'
        put(Message(place="orders", id="m1", body=body))
        async with app:
            [letter] = await until(lambda: letters(app, kind="consumer"))
            able.append(True)
            [done] = (await app.redrive(letter.id)).letters
            async with asyncio.timeout(10):
                while not heard:
                    await asyncio.sleep(0)
        assert (done.outcome, heard) == ("redriven", [{"tenant": "t", "bus": "in"}])

    async def test_an_inlet_is_closed_also_when_it_takes_nothing_back(self, monkeypatch):
        app, closed = app_with(), []
        put(order(1))
        async with app:
            inlet = app._intakes["in"][0].inlet
            close = inlet.close

            async def failing(received):
                raise BusError("away")

            async def counted():
                closed.append(True)
                await close()

            async def hung(events):
                await asyncio.Event().wait()

            monkeypatch.setattr(inlet, "again", failing)
            monkeypatch.setattr(inlet, "close", counted)
            app._door.accept = hung
            put(order(2))
            async with asyncio.timeout(10):
                while not app._intakes["in"][0]._hand:
                    await asyncio.sleep(0)
            await app._take_no_more()
        assert closed == [True]

    async def test_several_events_of_one_message_have_ids_of_their_own(self):
        app = app_with()

        @app.bus("in").adapt_to()
        def read(message):
            return ({"type": "READ", "data": {"n": n}} for n in range(3))

        put(order(1))
        async with app:
            found = await until(lambda: _all(events(app), 3))
            assert await letters(app) == []
        assert sorted(one.id for one in found) == ["m1#0", "m1#1", "m1#2"]

    async def test_what_comes_back_is_what_went_out(self):
        app, heard = app_with(**{"bus.in.receive": ["echo"], "bus.in.place": "echo"}), []

        @app.consumer("ECHO")
        async def hear(event: Event):
            heard.append((event.id, event.source))

        async with app:
            await app.emit("ECHO", {"n": 1}, id="e1", source="here")
            assert len(await events(app)) == 1
            await app.producer("in").send("ECHO", {"n": 1}, id="e1", source="here")
            view = await counted(app, 1)
        assert (view.duplicate, heard) == (1, [("e1", "here")])

    def test_what_is_async_is_refused_where_nobody_would_await_it(self):
        hooks = app_with().bus("in")

        async def never(event):
            return False

        for register in (hooks.filter, hooks.adapt_to(), hooks.adapt_from("A")):
            with pytest.raises(UsageError, match="write it as a `def`"):
                register(never)

    @pytest.mark.seed("A19")
    async def test_adapters_are_of_one_place_and_may_give_none_or_several(self):
        app = app_with(**{"bus.in.receive": ["orders", "pairs"]})
        hooks = app.bus("in")

        @hooks.adapt_to("pairs")
        def read(message):
            if message.body == b"nothing":
                return None
            made = message.body.decode().split(",")
            return [{"type": "HALF", "id": each, "data": {"half": each}} for each in made]

        put(
            Message(place="pairs", id="p1", body=b"a,b"),
            Message(place="pairs", id="p2", body=b"nothing"),
            place="pairs",
        )
        put(order(1))
        async with app:
            await until(lambda: _all(events(app), 3))
            found = {(one.type, one.id) for one in await events(app)}
        assert found == {("HALF", "a"), ("HALF", "b"), ("ORDER_PLACED", "m1")}

    @pytest.mark.seed("A6")
    async def test_filters_and_patterns_drop_and_count(self):
        app = app_with(**{"bus.in.pattern": {"data": {"number": [{"numeric": [">", 1]}]}}})

        @app.bus("in").filter
        def even(event):
            return int(event.id[1:]) % 2 == 0

        put(*(order(number) for number in range(5)))
        async with app:
            await until(lambda: _all(events(app), 2))
            view = await counted(app, 5)
        assert (view.accepted, view.dropped) == (2, 3)

    async def test_a_message_that_comes_twice_is_one_event(self):
        app, runs = (
            app_with(),
            "workflow: w\non: ORDER_PLACED\nphases: [{phase: p, jobs: [{job: a, run: noop}]}]\n",
        )
        async with app:
            await app.deploy(runs)
            put(order(1), order(1), order(2))
            await until(lambda: _all(events(app), 2))
            assert await app.count_runs(RunQuery()) == 2
            view = await counted(app, 3)
        assert (view.accepted, view.duplicate) == (2, 1)

    async def test_one_id_with_two_contents_is_kept_and_flagged(self):
        app = app_with()
        other = Message(
            place="orders", id="m1", body=b'{"number": 9}', headers={"EventType": "ORDER_PLACED"}
        )
        put(order(1))
        async with app:
            await until(lambda: events(app))
            put(other, other)
            [letter] = await until(lambda: letters(app, kind="conflict"))
            assert bytes(letter.event.data) == b'{"number": 9}'
            assert [one.outcome for one in (await app.redrive(letter.id)).letters] == ["stays"]
            put(order(3))
            await until(lambda: _all(events(app), 2))
            assert len(await letters(app)) == 1

    async def test_messages_keep_their_order(self):
        app = app_with()
        put(*(order(number) for number in range(1_000, 2_200)))
        async with app:
            await until(lambda: app.count_events(EventQuery()))
            async with asyncio.timeout(10):
                while await app.count_events(EventQuery()) < 1_200:
                    await asyncio.sleep(0)
            newest = await app.events(EventQuery(), Page(1_000))
        assert [one.event.id for one in newest] == [f"m{n}" for n in range(2_199, 1_199, -1)]

    async def test_nothing_is_fetched_while_there_is_no_room(self):
        more = {"limits.ready": 5, "slots.handlers": 1}
        app, go, done = app_with(**more), asyncio.Event(), []

        @app.consumer("ORDER_PLACED")
        async def slow(event: Event):
            await go.wait()
            done.append(event.id)

        put(*(order(number) for number in range(100, 160)))
        async with app:
            while app.service.headroom.load < 5:
                await asyncio.sleep(0)
            await app.service.engine.rest()
            assert len(memory.place("in", "orders").waiting) >= 50
            go.set()
            async with asyncio.timeout(10):
                while len(done) < 60:
                    await asyncio.sleep(0)

    async def test_a_stop_gives_back_what_is_in_hand(self):
        app = app_with()
        held = asyncio.Event()
        async with app:

            async def never(batch):
                held.set()
                raise StoreError("away")

            commit, app.storage.commit = app.storage.commit, never
            put(order(1), order(2))
            await held.wait()
            await app._take_no_more()
            app.storage.commit = commit
        assert [one.message.id for one in memory.place("in", "orders").waiting] == ["m1", "m2"]


async def counted(app, taken):
    """The counts of the first inlet, once so many messages have been settled."""
    async with asyncio.timeout(10):
        while True:
            view = (await app.buses())[0].receives[0]
            if view.accepted + view.duplicate + view.dropped + view.dead >= taken:
                return view
            await asyncio.sleep(0)


async def _all(found, count):
    value = await found
    return value if len(value) >= count else None


TRIGGERED = """
workflow: v
on: [{event: A, bus: kafak}]
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""
EMITS = """
workflow: w
phases:
  - phase: p
    jobs:
      - {job: all, emit: {type: ORDER_DONE, data: {n: 1}}}
      - {job: own, emit: {type: OTHER, data: {n: 2}}}
      - {job: alone, emit: {type: OTHER, data: {n: 3}, bus: out}}
"""


async def sent(count, place="told"):
    found = memory.place("out", place)
    async with asyncio.timeout(10):
        while len(found.waiting) < count:
            await asyncio.sleep(0)
    return [one.message for one in found.waiting]


class TestOut:
    async def test_a_handler_that_a_stop_lets_end_sends_and_emits(self, tmp_path):
        store = {"store": f"sqlite:///{tmp_path / 'x.db'}"}
        app, begun, go = app_with(**store), asyncio.Event(), asyncio.Event()

        @app.consumer("GO", attempts=1)
        async def last(event: Event):
            begun.set()
            await go.wait()
            await app.producer("out").send("TOLD", {"n": 1})
            await app.emit("SAID", {"n": 2}, id="said")

        async with app:
            await app.emit("GO")
            await begun.wait()
            closing = asyncio.create_task(app.close())
            while app._service is not None:
                await asyncio.sleep(0)
            go.set()
            await closing
        async with app_with(**store) as app:
            assert [one.body for one in await sent(1)] == [b'{"n":1}']
            assert (await app.event("said")).event.type == "SAID"
            assert await letters(app) == []

    async def test_emitted_events_go_where_their_types_go(self):
        async with app_with() as app:
            await app.deploy(EMITS)
            await (await app.start("w")).result(timeout=10)
            messages = await sent(2)
            own = await until(lambda: _all(events(app), 2))
        told = {one.headers["EventType"]: one.body for one in messages}
        assert told == {"ORDER_DONE": b'{"n":1}', "OTHER": b'{"n":3}'}
        assert {(one.type, bytes(one.data)) for one in own} == {
            ("ORDER_DONE", b'{"n":1}'), ("OTHER", b'{"n":2}'),
        }  # fmt: skip

    async def test_a_bus_that_nobody_knows_fails_the_job_and_says_so(self):
        async with app_with() as app:
            await app.deploy(EMITS.replace("bus: out", "bus: kafka"))
            run = await app.start("w")
            with pytest.raises(Exception, match=r"\[bus.kafka\] makes one"):
                await run.result(timeout=10)

    async def test_a_bus_that_nobody_knows_is_told_at_the_deployment(self):
        async with app_with() as app:
            unknown = EMITS.replace("bus: out", "bus: kafka")
            said = {
                unknown: "alone: emit.bus 'kafka' has no place where events go out",
                TRIGGERED: "on[0].bus names 'kafak'",
            }
            for text, why in said.items():
                [deployed] = await app.deploy_texts([text.encode()])
                assert [one for one in deployed.warnings if one.startswith(why)]
            [deployed] = await app.deploy_texts([EMITS.replace("bus: out", "bus: in").encode()])
            assert deployed.warnings == []

    async def test_what_waits_is_told_also_of_a_bus_that_is_no_more(self, tmp_path):
        store = {"store": f"sqlite:///{tmp_path / 'x.db'}"}
        async with app_with(**store) as app:

            async def away(messages):
                raise BusError("away")

            app._connected.senders["out"].outlet.send = away
            await app.producer("out").send_many("A", [1, 2])
            async with asyncio.timeout(10):
                while not (view := (await app.buses())[1]).trouble:
                    await asyncio.sleep(0)
            assert (view.waiting, view.trouble) == (2, "BusError: away")
        none = {"bus.out.kind": None, "bus.out.place": None, "bus.out.send": None}
        async with app_with(**store, **none) as app:
            [_, gone] = await app.buses()
        assert (gone.name, gone.waiting) == ("out", 2)
        assert "[bus.out] in the settings makes one" in gone.trouble

    async def test_a_producer_sends_what_it_has_stored(self):
        async with app_with() as app:
            producer = app.producer("out")
            await producer.send("A", {"n": 1}, id="one", subject="s")
            await producer.send_many("B", [{"n": 2}, {"n": 3}])
            messages = await sent(3)
            with pytest.raises(
                NotFoundError, match=r"^bus 'nowhere' has no place .* there is in, out"
            ):
                await app.producer("nowhere").send("A", {})
        assert [one.body for one in messages] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
        assert messages[0].headers == {
            "EventType": "A", "EventId": "one", "EventSource": "ostinato/app",
        }  # fmt: skip
        assert messages[0].key == "s"

    @pytest.mark.seed("A19")
    async def test_what_an_adapter_cannot_write_is_a_letter_and_is_redriven(self):
        app, able = app_with(), []

        @app.bus("out").adapt_from("A*")
        def write(event):
            if not able:
                raise ValueError("no")
            return Message(place="elsewhere", body=b"written")

        async with app:
            await app.producer("out").send("A1", {})
            [letter] = await until(lambda: letters(app, kind="outgoing"))
            assert (letter.target, b"ValueError: no" in letter.reasons) == ("out", True)
            able.append(True)
            await app.redrive(letter.id)
            [message] = await sent(1, "elsewhere")
        assert message.body == b"written"

    async def test_a_letter_of_a_bus_that_is_no_more_stays(self, tmp_path):
        store = {"store": f"sqlite:///{tmp_path / 'x.db'}"}
        app = app_with(**store)

        @app.bus("out").adapt_from("A")
        def write(event):
            raise ValueError("no")

        async with app:
            await app.producer("out").send("A", {})
            [letter] = await until(lambda: letters(app, kind="outgoing"))
        none = {"bus.out.kind": None, "bus.out.place": None, "bus.out.send": None}
        async with app_with(**store, **none) as app:
            for dry in True, False:
                [done] = (await app.redrive(letter.id, dry_run=dry)).letters
                assert done.outcome == "stays"
                assert "[bus.out] makes one" in done.reasons[0]["message"]

    async def test_a_bus_that_does_not_answer_says_so(self, monkeypatch):
        monkeypatch.setattr(patience, "SILENT", 0.01)
        app, never = app_with(), asyncio.Event()
        why = "it has not answered for 0.01 s, and is waited for"

        async def silent(self, *given):
            await never.wait()
            return [None]

        monkeypatch.setattr(memory.MemoryInlet, "open", silent)
        monkeypatch.setattr(memory.MemoryOutlet, "send", silent)
        async with app:
            await app.producer("out").send("A", 1)
            await until(lambda: troubles(app, 2))
            assert set(await troubles(app, 2)) == {why}
            never.set()

    async def test_a_consumer_publishes_on_another_bus(self):
        app = app_with()

        @app.consumer("ORDER_PLACED", bus="in", publish="BILL", to="out")
        async def bill(event: Event):
            return {"bill": 1}

        put(order(1))
        async with app:
            [message] = await sent(1)
            assert await events(app, type="BILL") == []
        assert (message.headers["EventType"], message.body) == ("BILL", b'{"bill":1}')

    async def test_a_bus_that_is_away_holds_up_no_other(self):
        app = app_with(**{"bus.slow.kind": "memory", "bus.slow.send": ["ORDER_*"]})
        async with app:
            outlet = app._connected.senders["slow"].outlet
            there, hung = asyncio.Event(), outlet.send

            async def hangs(messages):
                await there.wait()
                return await hung(messages)

            outlet.send = hangs
            await app.deploy(EMITS)
            await (await app.start("w")).result(timeout=10)
            await sent(2)
            there.set()
            async with asyncio.timeout(10):
                while not memory.place("slow", "ORDER_DONE").waiting:
                    await asyncio.sleep(0)

    async def test_settings_that_cannot_be_right_are_refused_at_the_start(self):
        for more, why in (
            ({"bus.in.pattern": {"data": 7}}, "bus.in.pattern"),
            ({"bus.x.kind": "nats"}, "no kind of bus"),
        ):
            with pytest.raises(SettingsError, match=why):
                async with app_with(**more):
                    pass
        for named in ({"bus": "nowhere"}, {"to": "nowhere", "publish": "A"}):
            app = app_with()
            app.consumer("A", **named)(lambda event: None)
            with pytest.raises(UsageError, match=r"\[bus.nowhere\] in the settings makes it"):
                async with app:
                    pass
        app = app_with()
        app.bus("nowhere")
        with pytest.raises(UsageError, match=r"\[bus.nowhere\] makes one"):
            async with app:
                pass
