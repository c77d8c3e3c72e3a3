"""What a crash point needs to be reached: workflows, and things that happen.

Without a line here a point is met by whatever a plan does; a line makes the plan suit the point
that it aims at, so that few seeds cover much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from zlib import crc32

from ostinato.testing.simulation.documents import SCHEDULED
from ostinato.testing.simulation.faults import ANSWERED, ASKED, REDRIVEN, TAKEN
from ostinato.testing.simulation.happenings import (
    AGE,
    ANSWERS,
    ASKS,
    BACK,
    BRINGS,
    BRINGS_ODD,
    BULK,
    BUS_FAILS,
    BUS_HANGS,
    CALLS,
    CANCELS,
    CLEAN,
    CLEANS,
    CRASH,
    CRASHES,
    CUT_SHORT,
    DEPLOYED,
    DONE,
    DOUBLES,
    DRIVEN,
    EARLY,
    ENDED,
    FAILED,
    FALLS,
    FARS,
    FIRES,
    FORGOTTEN,
    GONE,
    HANDLER_COMES,
    HANDS,
    LATER,
    LINES,
    LOOKS,
    LOST,
    MENDED,
    MET,
    MISREAD,
    MISSED,
    MUTE_DEPLOYED,
    MUTE_REPLIES,
    ODD,
    ORDERS,
    PAUSES,
    PICKED_AGAIN,
    PLAINS,
    PROMISED,
    REOPENED,
    RUSH,
    SIGNALS,
    SLOW,
    STARTS,
    STOP,
    STOPS,
    TOGETHER,
    TURNED,
    TWINS,
    UNKEPT,
    UNKNOWN,
    UNREAD,
    UNSEEN,
    UNSENT,
    UNSURE,
    UNTOLD,
    WATCHES,
    WEBS,
    Happening,
    Scene,
    starts,
    upon,
)
from ostinato.testing.simulation.points import Point, crash_points, function_of, line_of, name_of


@dataclass(frozen=True, slots=True)
class Need:
    """What is ``first`` is there from the beginning, ``happenings`` come at any moment; ``later``
    in the second half then, and in this order. A ``scene`` begins soon after the first half. What
    is ``alone`` has no other workflows beside it, what is ``shared`` a store for several processes;
    ``crew``: so many are there. What is ``filed`` has its data in a file.
    """

    documents: tuple[str, ...] = ()
    happenings: tuple[Happening, ...] = ()
    later: tuple[Happening, ...] = ()
    scene: Scene = ()
    first: tuple[Happening, ...] = ()
    alone: bool = False
    shared: bool = False
    small: bool = False
    forgets: bool = False
    crew: int = 0
    filed: bool = False


BUS = Need(("web", "plain", "order"), (*WEBS, ("fault", ("bus.refuses", 3)), *BUS_FAILS, *UNREAD))
COMES_IN = Need(("plain",), (*BRINGS, CRASH), later=(*BRINGS, STOP))
BRINGS_MANY = (*BRINGS, *BRINGS_ODD)
READ = Need((), BRINGS_ODD * 2, later=BRINGS_MANY)
STOPPED = Need(("strict", "failing", "plain"), STOPS)
CALLING = ("calling", "called", "deep", "single", "early")
SHARED = Need(("strict",), (CRASH, *STOPS, CRASH, *PAUSES), shared=True)
BEGUN = Need(("plain",), CRASHES)
CUT_OFF = Need(("long",), DONE, scene=CUT_SHORT, alone=True, forgets=True, crew=1)
SENDING = Need(("web",), (*WEBS, BUS_HANGS), later=(STOP, STOP))
OLD_RUNS = Need(("long",), DONE, scene=CLEANS, forgets=True)
LOST_LEASES = Need(("far",), FARS, alone=True)
COMING = Need(("far",), scene=HANDLER_COMES, alone=True)
ABROAD = Need(
    ("asked", "strict", "far", "limited"),
    (*ASKS, *CANCELS, *WATCHES, *CANCELS),
    later=(*ANSWERS, *CANCELS),
    shared=True,
    crew=3,
)
IN_DOUBT = Need(
    ABROAD.documents,
    ABROAD.happenings,
    later=ABROAD.later,
    first=(upon(ASKED, "commit.lost", 6), upon(ASKED, "commit.odd", 3)),
    alone=True,
    shared=True,
    crew=3,
)
BROUGHT = Need((), scene=UNKNOWN, shared=True, crew=2)
NEW = Need(("changing",), scene=DEPLOYED, shared=True, crew=3)
HOMES = Need(("order", "picky", "queued", "signalled"), TOGETHER, shared=True, crew=3)
TURNS = Need(("turns",), (SLOW,), scene=BACK, alone=True, crew=1)
UNLEARNT = Need(
    ("turns",), FIRES * 2, first=(MUTE_DEPLOYED, TURNED), alone=True, shared=True, crew=3
)
TURNS_AFAR = Need(("turns",), FIRES * 2, first=(PROMISED, *FIRES), alone=True, shared=True, crew=3)

NEEDS: dict[str, Need] = {
    "sleep": Need(("web",), WEBS),
    "calls": Need(CALLING, (CRASH, CRASH, *CANCELS)),
    "Hear.ready": Need(CALLING, CALLS, first=FALLS),
    "Start._look": Need(
        CALLING,
        (*STARTS[:2], *starts("single", 920, 921)),
        later=(CRASH, *CALLS, GONE, CRASH, GONE, CRASH, *CALLS),
        first=FALLS,
    ),
    "_callers": Need(CALLING, (*STARTS[:1], *CALLS), first=FALLS),
    "HoldFirst.ready": Need(
        ("queued",), LINES * 2, later=(CRASH, *LINES, CRASH), alone=True, shared=True, crew=3
    ),
    "Engine.rest": Need(("failing",), (SLOW, *CANCELS, *LOOKS, SLOW, *LOOKS)),
    "Engine._commit": Need(("bad",), (*ODD, *LOST)),
    "Engine._look_anew": NEW,
    "Engine.make_ready": Need(("changing",), scene=UNSEEN, crew=1),
    "await post.ready(self)": UNLEARNT,
    "errands": ABROAD,
    "late = 0 if now < self._look_at else await self._look_for_all(self._waiting, now)": Need(
        ABROAD.documents, ABROAD.happenings, later=LATER, first=(MUTE_REPLIES,), shared=True, crew=3
    ),
    "arrivals": ABROAD,
    "StartHere.ready": TURNS_AFAR,
    "Join.ready": Need(CALLING, DOUBLES, later=CALLS * 2, first=FALLS, shared=True, crew=3),
    "Admitted.ready": Need(
        ("limited", "queued"), (("burst", ("limited", 9)), *LINES), later=LINES, shared=True, crew=3
    ),
    "Engine._halve": Need(("bad", "plain"), (("burst", ("bad", 9)), *RUSH)),
    "Engine._take_stock": Need((), tuple(("fault", ("commit.gone", 1)) for _ in range(3))),
    "there = await storage.reply(reply.scope, reply.key, reply.at)": Need(
        SCHEDULED, HANDS * 3, first=(upon(ANSWERED, "commit.odd", 4),), shared=True, crew=3
    ),
    "_was_asked": IN_DOUBT,
    "return await _was_asked(storage, [mail for mail in batch.mail.values() "
    "if mail is not None])": IN_DOUBT,
    "kept = await storage.dead_letter(letter.id)": Need(
        ("web",), scene=UNSURE, first=(upon(REDRIVEN, "commit.odd", 3), *WEBS[:3]), alone=True
    ),
    "was_kept": Need(
        ("web",),
        (*LOST, *WEBS[:4]),
        scene=UNSURE,
        first=(upon(REDRIVEN, "commit.odd", 3), upon(TAKEN, "commit.odd", 2)),
    ),
    "Executor._run": Need(("failing", "strict", "mending"), CANCELS, first=MENDED),
    "Executor._kept_secret": Need(("mending",), first=MENDED),
    "Executor._in_thread": Need(("plain",), first=PLAINS),
    "Executor._in_process": Need(("plain",), first=PLAINS),
    "Executor._outcome": Need(("mending",), CANCELS),
    "Executor._run_alone": Need(("poisoned",), (CRASH,)),
    "Executor.close": Need(("strict", "failing"), STOPS),
    "Executor.drain": STOPPED,
    "exporting": OLD_RUNS,
    "http": Need(("web",), WEBS),
    "HttpJobs.close": Need(("web",), (*STOPS, STOP)),
    "inbox": Need(("order",), ORDERS),
    "Accept.ready": HOMES,
    "incidents": Need(("changing",), scene=UNSEEN, crew=1),
    "janitor": OLD_RUNS,
    "Janitor._events": Need(("early",), EARLY, later=(AGE, CLEAN, AGE, CLEAN), forgets=True),
    "Janitor._operations": Need(("broken",), ENDED, later=(*BULK, AGE, AGE, CLEAN), forgets=True),
    "Janitor.close": CUT_OFF,
    "await self.janitor.close()": CUT_OFF,
    "Jobs._expire": LOST_LEASES,
    "LoseLease.ready": Need(("far",), FARS, scene=FORGOTTEN, alone=True, crew=1),
    "Jobs.refresh": COMING,
    "Jobs._take_back": COMING,
    "jobs": Need(("far",), FARS, later=(*CANCELS, CRASH, *FARS, SLOW, STOP, *CANCELS)),
    "claims": Need(("far",), FARS, later=(*CANCELS, CRASH, *FARS, AGE, AGE, CLEAN), forgets=True),
    "offers": Need(("far",), FARS, later=(*FARS, STOP, *FARS)),
    "await self.starter.look(self.wanted)": Need(("picky",), scene=PICKED_AGAIN, alone=True),
    "letters": Need(("picky", "consumer-moody", "web"), FAILED, later=DRIVEN),
    "limiter": Need(("limited", "queued"), (("burst", ("limited", 9)), *LINES, CRASH), later=LINES),
    "meeting": Need(("early", "waiting"), TWINS, later=MET, scene=MISSED),
    "operations": Need(("broken", "early"), (*ENDED, *EARLY), later=(*BULK, CRASH)),
    "operating": Need(("broken", "early"), ENDED, later=BULK),
    "membership": SHARED,
    "Membership._turn": Need((), PAUSES, shared=True),
    "Membership._lose": Need((), PAUSES, shared=True),
    "Membership._recover": Need((), scene=UNTOLD, shared=True, crew=3),
    "Membership._take_up": BROUGHT,
    "Moves.settle_all": Need(("plain",), CRASHES, filed=True),
    "Service.abandon": Need(("strict", "failing"), PAUSES, shared=True),
    "lease": Need(("plain", "strict"), PAUSES, shared=True),
    "intake": COMES_IN,
    "await self._takes.at_work()": Need(
        (), (*BRINGS_MANY, *PAUSES), later=BRINGS_MANY, shared=True
    ),
    "lot = await self._taking.read(received)": READ,
    "taking": READ,
    "lots": READ,
    "Note.ready": COMES_IN,
    "is_new": COMES_IN,
    "outbox": BUS,
    "lane": BUS,
    "await asyncio.sleep(PAUSE)": Need(("web",), (*WEBS, *UNSENT, *BUS_FAILS), alone=True),
    "Outbox.close": SENDING,
    "Lane.close": SENDING,
    "await self.outbox.close()": SENDING,
    "tasks": Need(("asked",), ASKS, later=(*ANSWERS, CRASH, *ANSWERS)),
    "is_open": TURNS,
    "return await _comes(engine, run_id)": TURNS_AFAR,
    "_comes": TURNS_AFAR,
    "if row.waits_for is not None and not await is_open(engine, row.waits_for)": TURNS_AFAR,
    "Unblock.ready": TURNS,
    "planning": Need(SCHEDULED, HANDS, scene=BACK),
    "schedules": Need(SCHEDULED, HANDS),
    "repairs": Need(("broken",), ENDED, later=REOPENED),
    "Service.stop": STOPPED,
    "Service._hand_over": STOPPED,
    "Service._settle": STOPPED,
    "Service.start": BEGUN,
    "Service._own": BEGUN,
    "Service._store": BEGUN,
    "Service._store_start": Need(
        ("poisoned",), first=(*starts("poisoned", 940), upon(b'[["job.started"', "commit.error", 3))
    ),
    "Service.run_once": Need(("early", "turns", "broken"), (*EARLY, *ENDED, *BULK)),
    "Service._turn": Need(("early", "turns"), (*EARLY, *MISREAD, *UNREAD, *UNKEPT)),
    "Headroom.wait": Need(("plain",), (("burst", ("plain", 60)),), small=True),
    "Slots._slot": Need(("failing", "plain"), (("burst", ("plain", 20)),), small=True),
    "starts": Need(
        ("early", "signalled", "queued", "single"),
        (*STARTS[:3], *SIGNALS[:8], *LINES),
        later=(CRASH, *STARTS[3:], *SIGNALS[8:], *LINES),
    ),
    "Starter.look": Need(("single", "queued", "signalled"), SIGNALS, later=(*SIGNALS, *LINES)),
    "timers": Need(("early", "asked", "mending"), (*EARLY, *ASKS, CRASH), later=CANCELS),
    "watching": Need((), WATCHES),
}
"""By line, by class and function, or by module."""


RING = 440
"""Places of the aims: more than there are points. Each point has one of its own, by its name, and
those in front of it that no other has; so one that comes or goes moves few of the others."""


def aim_of(number: int) -> tuple[int, Point, Need]:
    """The places take turns: which turn of its point this is, whose it is, and what that needs."""
    turn, place = divmod(number, RING)
    point, own = _ring()[place]
    need = next((NEEDS[name] for name in names_of(point) if name in NEEDS), Need())
    return (turn if own else turn + 1), point, need


@cache
def _ring() -> tuple[tuple[Point, bool], ...]:
    taken: dict[int, Point] = {}
    for point in sorted(crash_points(), key=name_of):
        place = crc32(name_of(point).encode()) % RING
        while place in taken:
            place = (place + 1) % RING
        taken[place] = point
    return tuple((taken[_next(taken, place)], place in taken) for place in range(RING))


def _next(taken: Mapping[int, Point], place: int) -> int:
    """The first at or behind this place; the ring has no end."""
    return next(at % RING for at in range(place, place + RING) if at % RING in taken)


def names_of(point: Point) -> tuple[str, str, str]:
    """Under which it may be told what it needs, the closest first."""
    return line_of(point), function_of(point), point[0]
