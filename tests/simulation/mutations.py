"""The code that keeps each promise, removed: what a simulation must turn red for.

A mutation is a change of the text of one function, made while a test runs. ``rules`` are those of
which one must be seen to break. A text that is no longer there is an error, so this table cannot
grow old unnoticed.
"""

import ast
import importlib
import inspect
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType


@dataclass(frozen=True)
class Mutation:
    """``promise`` is the number in the design; ``where`` is module:function. ``store`` is that of
    the seeds: on a file a process is alone, and no safety look of several makes up for what it
    misses.
    """

    promise: int
    what: str
    where: str
    old: str
    new: str
    rules: frozenset[str]
    store: str = ""

    def __str__(self):
        return f"{self.promise}: {self.what}"


def mutation(promise, what, where, old, new, *rules, store=""):
    return Mutation(promise, what, f"ostinato.{where}", old, new, frozenset(rules), store)


@contextmanager
def applied(mutation):
    function = _function(mutation.where)
    before = function.__code__
    function.__code__ = _mutated(function, mutation)
    try:
        yield
    finally:
        function.__code__ = before


def _function(where):
    module, _, path = where.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    return found.fget if isinstance(found, property) else found


def _mutated(function, mutation):
    lines, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(lines))
    assert text.count(mutation.old) == 1, f"{mutation.where} does not have {mutation.old!r} once"
    tree = ast.parse(text.replace(mutation.old, mutation.new))
    tree.body.insert(0, ast.parse("from __future__ import annotations").body[0])
    ast.increment_lineno(tree, first - 1)
    code = compile(tree, inspect.getfile(function), "exec")
    return next(one for one in code.co_consts if isinstance(one, CodeType))


MUTATIONS = (
    # 1. Accepted means durable
    mutation(
        1, "answers are given before the commit", "runtime.engine:Engine._apply",
        "applied.append(Applied(post, change, post.apply(self, change, now)))",
        "applied.append(Applied(post, change, post.apply(self, change, now)))\n"
        "            hasattr(post, 'then') or Post.done(post, applied[-1].result)",
        "event.lost", "start.lost", "answer.differs",
    ),
    mutation(
        1, "an event is not looked up", "runtime.inbox:Accept.known_events",
        "return await engine.known_events()",
        "return {}",
        "client.hangs", "event.started_twice", "answer.differs", "loop.hangs",
    ),
    mutation(
        1, "an idempotent answer is not kept", "runtime.starts:Begin._remember",
        "change.rows.replies.append(row)",
        "pass",
        "answer.differs",
    ),
    mutation(
        1, "an event is not stored with its runs", "runtime.inbox:Accept._take",
        "change.rows.events.append(",
        "list().append(",
        "event.lost", "event.started_twice", "answer.differs",
    ),
    mutation(
        1, "an idempotent answer is not looked up", "runtime.starts:Begin.ready",
        "self.early = await engine.storage.reply(once.scope, once.key, engine.now)",
        "self.early = None",
        "client.hangs", "answer.differs", "loop.hangs",
    ),
    mutation(
        1, "a planned instant has another id each time", "core.schedules:event_of",
        "id=event_id(schedule_id, planned)",
        "id=event_id(schedule_id, planned) + str(object())[-9:]",
        "schedule.twice",
    ),
    mutation(
        1, "a schedule does not move on with its event", "core.schedules:_moved",
        "return _planned(plan, row, plan.after(done), now)",
        "return row",
        "schedule.late", "loop.hangs", "client.hangs",
    ),
    mutation(
        1, "two of one event in a tick do not know each other", "runtime.inbox:Accept.apply",
        'engine.fresh["event", *pair] = change',
        "pass",
        "client.refused", "engine.overtaken",
    ),
    mutation(
        1, "two of one key in a tick do not know each other", "runtime.starts:Begin._remember",
        'engine.fresh["reply", once.scope, once.key] = change',
        "pass",
        "client.refused", "engine.overtaken",
    ),
    mutation(
        1, "a start that is one with others is not remembered", "runtime.starts:Starter._remember",
        "change.rows.replies.append(row)",
        "pass",
        "dedup.twice",
    ),
    mutation(
        1, "two that are one in a tick do not know each other", "runtime.starts:Starter._remember",
        'self.engine.fresh["reply", *mark] = change',
        "pass",
        "client.refused", "engine.overtaken",
    ),
    mutation(
        1, "whoever answers second is told that the answer counts",
        "runtime.tasks:AnswerTask.apply",
        "refuse_ended(self.row, self.event.by, self.event.outcome, bytes(self.event.data))",
        "pass",
        "task.twice",
    ),
    mutation(
        1, "the same answer again is refused", "core.tasks:refuse_second",
        'if status == "pending" or',
        'if status == "pending" and',
        "answer.differs",
    ),
    mutation(
        1, "two answers in a tick do not know each other", "runtime.tasks:AnswerTask.apply",
        'stored(engine, change, "task", self.task_id, "")',
        "pass",
        "answer.differs",
    ),
    mutation(
        1, "an answer is acknowledged that changed nothing", "runtime.tasks:AnswerTask.apply",
        "engine.tell(change, self.resident, self.event, now)",
        "pass",
        "task.lost",
    ),
    mutation(
        1, "what is old goes before its time", "core.retention:before",
        "now - kept",
        "now",
        "retention.early",
    ),
    mutation(
        1, "an answer goes while it is good", "runtime.janitor:Janitor._replies",
        "yield Removal(at=now, replies=replies)",
        "yield Removal(at=now + 10**9, replies=list(self.engine.storage.inner._disk.replies))",
        "retention.early",
    ),
    mutation(
        1, "a run goes that the archive does not have", "runtime.janitor:Janitor._runs_of",
        "await self._exporter.export(runs)",
        "pass",
        "retention.unexported",
    ),
    mutation(
        1, "what does not fit a trigger leaves no letter", "runtime.inbox:Accept._bury",
        "change.rows.dead_letters.append(letter)",
        "pass",
        "letter.lost",
    ),
    mutation(
        1, "a consumer that fails leaves no letter", "runtime.engine:Engine.tell",
        "note_failed(self, change, state, now)",
        "pass",
        "letter.unwritten",
    ),
    # 2. Recorded before next
    mutation(
        2, "a task is not written down", "runtime.change:_put_task",
        "batch.tasks.append(row)",
        "pass",
        "task.rows",
    ),
    mutation(
        2, "a task that is over stays open", "core.decide.steps:silent",
        "if step.kind in CLOSED:",
        'if step.kind == "event":',
        "task.rows",
    ),
    mutation(
        2, "an answer is not noted with its task", "core.decide.asking:answered",
        "return [closed, *succeeded(",
        "return [*succeeded(",
        "task.lost",
    ),
    mutation(
        2, "a task is passed on once", "core.decide.asking:escalate",
        "*_escalating(step.key, next_at),",
        "",
        "timer.lost",
    ),
    mutation(
        2, "a redrive does not mark its letter", "runtime.letters:Redrive.apply",
        "self._mark(change, letter.attempts, letter.reasons, now, runs)",
        "pass",
        "event.started_twice",
    ),
    mutation(
        2, "a letter is redriven again", "runtime.letters:Redrive.apply",
        "if letter.redriven_at is not None:",
        "if False:",
        "client.refused", "engine.overtaken",
    ),
    mutation(
        2, "two redrives in a tick do not know each other", "runtime.letters:Redrive.apply",
        'engine.fresh["letter", letter.id, ""] = change',
        "pass",
        "client.refused", "engine.overtaken",
    ),
    mutation(
        2, "commands leave before the commit", "runtime.engine:Engine._commit",
        "await self.storage.commit(batch)",
        "self.outlets.leave(applied); await self.storage.commit(batch)",
        "begun.unrecorded",
    ),
    mutation(
        2, "an unknown commit counts as kept", "runtime.engine:Engine._take_stock",
        "kept = await self._was_kept(batch)",
        "kept = True",
        "begun.unrecorded", "event.lost", "start.lost",
    ),
    mutation(
        2, "an unknown commit counts as lost", "runtime.engine:Engine._take_stock",
        "kept = await self._was_kept(batch)",
        "self.epoch = await self.storage.join(); kept = False",
        "answer.differs", "event.started_twice", "innocent.incident", "begun.twice", "run.hangs",
        "client.hangs",
    ),
    mutation(
        2, "no new epoch after an unknown commit", "runtime.engine:Engine._was_kept",
        "self.epoch = await self.storage.join()",
        "pass",
        "innocent.incident", "transition.twice", "run.hangs", "client.hangs", "answer.differs",
        "history.gap",
    ),
    mutation(
        2, "memory stays ahead of a store that kept nothing", "runtime.engine:Engine._undo",
        "self.residents.spoil(told.resident)",
        "pass",
        "history.gap", "run.hangs", "run.stuck", "history.replay",
    ),
    mutation(
        2, "a change on top of one that was refused is committed", "runtime.engine:Engine._halve",
        "standing = [one for one in applied[middle:] if one.change.stands]",
        "standing = applied[middle:]",
        "history.gap", "history.replay", "history.start",
    ),
    mutation(
        2, "places are not freed with the end", "runtime.change:_free_places",
        "_free(batch, (run.run_id, command.key))",
        "pass",
        "limit.kept",
    ),
    mutation(
        2, "who is open does not know that others wait", "core.decide.turns:followed",
        "return [RunFollowed(event.name), HoldPlace(event.name)]",
        "return []",
        "run.hangs", "innocent.incident", "uid.two_open",
    ),
    mutation(
        2, "one in line passes another", "runtime.lines:Lines.is_behind",
        "return turn.owner != self.first(want.name) or self._off_until.get(want.name, 0) > now",
        "return False",
        "uid.passed",
    ),
    mutation(
        2, "what came of a run of many is not kept", "runtime.operations:Step.apply",
        "change.rows.settled.append(self.row(outcome, reason))",
        "pass",
        "bulk.left", "bulk.twice",
    ),
    mutation(
        2, "a uid is free before the end of its run is stored", "runtime.standing:Standing._who",
        'stored(engine, change, "freed", *pair)',
        "pass",
        "client.hangs", "loop.hangs", "engine.overtaken",
    ),
    # 3. At least once, with a key that stays
    mutation(
        3, "the idempotency key changes with the attempt",
        "runtime.handlers:Job.idempotency_key",
        'return f"{self.run_id}:{self._command.key}"',
        'return f"{self.run_id}:{self._command.key}:{self._command.attempt}"',
        "key.changes",
    ),
    mutation(
        3, "jobs of a dead process are not begun again", "runtime.takeover:take_over",
        "engine.post_first([Tell(run_id, e.TakenOver()) for run_id in runs])",
        "pass",
        "run.hangs",
    ),
    mutation(
        3, "a job begins again without a start fact", "runtime.executor:Executor._run_alone",
        "stands = await self.store_start(attempt.key)",
        "stands = True",
        "begun.without_start",
    ),
    mutation(
        3, "what was ready is not dispatched at a retry", "core.decide.timers:_again_due",
        "step.deaths)",
        "step.deaths)[:1]",
        "run.hangs", "innocent.incident",
    ),
    mutation(
        3, "a report counts for whatever attempt is open", "core.decide.reporting:busy_step",
        "step.attempt != attempt or",
        "",
        "error.foreign", "output.foreign",
    ),
    mutation(
        3, "an attempt without a start fact is a death", "core.decide.takeover:_taken_up",
        "step.deaths + step.started",
        "step.deaths + 1",
        "abandoned.early",
    ),
    mutation(
        3, "a job that kills its process is begun for ever", "core.decide.takeover:_taken_up",
        "deaths >= state.graph.most_deaths",
        "False",
        "process.restarts",
    ),
    mutation(
        3, "what was cancelled before it had a slot begins", "runtime.executor:Executor._run",
        "if attempt.reported:\n        return\n    task",
        "task",
        "begun.after_end",
    ),
    mutation(
        3, "what is ready and cancelled in one commit begins", "runtime.outlets:Outlets._leave",
        "if jobs and",
        "if False and",
        "begun.after_end",
    ),
    # 1. Accepted means durable, also by a bus
    mutation(
        1, "a message is acknowledged and not stored", "runtime.taking:Taking.store",
        "self._answered(lot, await self._stores.accept(events))",
        "pass",
        "bus.early",
    ),
    mutation(
        1, "a message that nobody can read leaves no letter", "runtime.taking:Taking.store",
        "await self._stores.bury(letters)",
        "pass",
        "bus.early",
    ),
    mutation(
        1, "what is stored is not acknowledged", "runtime.intake:Intake._take",
        "await self.inlet.done(received)",
        "pass",
        "bus.left",
    ),
    mutation(
        1, "a process that gets its share later takes nothing in", "app.sharing:Sharing._take_up",
        "self._at_work.set()",
        "pass",
        "bus.lost", "bus.left",
    ),
    # 4. Out at least once
    mutation(
        4, "an event is taken away before the bus has it", "runtime.lane:Lane._send",
        "dead += await self._sent(free)",
        "pass",
        "outbox.lost",
    ),
    mutation(
        4, "an outbox that could not be read is forgotten", "runtime.lane:Lane.run_once",
        "self.waiting = True",
        "pass",
        "outbox.lost", store="sqlite",
    ),
    mutation(
        4, "a published event is not in the transaction", "runtime.change:_publish",
        "batch.outgoing.append(Outgoing(event, run.run_id, bus=bus))",
        "pass",
        "emit.unstored",
    ),
    mutation(
        4, "each sending has an id of its own", "runtime.lane:Lane._sent",
        "await self.bus.send([one.event for one in outgoing])",
        "await self.bus.send([__import__('msgspec').structs.replace("
        "one.event, id=one.event.id + '!') for one in outgoing])",
        "sent.unrecorded",
    ),
    mutation(
        4, "a bus that failed is not tried again", "runtime.lane:Lane._send",
        "self._ring()",
        "pass",
        "outbox.lost", "outbox.left", store="sqlite",
    ),
    mutation(
        4, "what a bus refuses is gone without a dead letter", "runtime.lane:Lane._one_by_one",
        "dead.append(self._letter(one, error))",
        "pass",
        "outbox.lost",
    ),
    mutation(
        4, "an outgoing event is redriven and does not go out", "runtime.letters:Redrive._send",
        "change.rows.outgoing += self._outgoing(engine, now)",
        "pass",
        "letter.marked",
    ),
    # 5. Early events wait
    mutation(
        5, "an event goes that a run may look back to", "runtime.janitor:Janitor._events",
        "if may_go(event.received_at, event.keyed, old, back[event.type])",
        "if event.received_at < old",
        "retention.looked_back",
    ),
    mutation(
        5, "a wait does not look back", "runtime.meeting:Meeting._look_back",
        "self.engine.post(Tell(run_id, e.Arrived(wait.key, encoded(event))))",
        "pass",
        "wait.unheard",
    ),
    mutation(
        5, "an event does not look for waits", "runtime.meeting:Meeting._find_waits",
        "self.engine.post(Tell(wait.run_id, e.Arrived(wait.key, raw)))",
        "pass",
        "wait.unheard",
    ),
    mutation(
        5, "what met while the process died is not told", "runtime.takeover:_tell_missed",
        "engine.post(Tell(wait.run_id, e.Arrived(wait.key, encoded(event))))",
        "pass",
        "wait.unheard",
    ),
    mutation(
        5, "an event counts more than once", "core.decide.reporting:_was_heard",
        "return state.heard.get(name, step.waiting_from) < step.waiting_from",
        "return False",
        "event.twice",
    ),
    mutation(
        5, "a wait looks back behind the beginning of its run",
        "runtime.meeting:Meeting._look_back",
        "(wait.since or 0) - self.engine.apart",
        "0",
        "event.before",
    ),
    mutation(
        5, "an event is forgotten before the store has said who waits",
        "runtime.meeting:Meeting.run_once",
        "await self._find_waits(*self.events[0])\n        self.events.popleft()",
        "await self._find_waits(*self.events.popleft())",
        "wait.unheard",
    ),
    mutation(
        5, "a wait is forgotten before the store has said what came",
        "runtime.meeting:Meeting.run_once",
        "await self._look_back(*self.waits[0])\n        self.waits.popleft()",
        "await self._look_back(*self.waits.popleft())",
        "wait.unheard", store="sqlite",
    ),
    mutation(
        5, "a wait hears what came while the store was away, before it began",
        "runtime.meeting:Meeting._find_waits",
        "find_waits(event.type, keys, pair)",
        "find_waits(event.type, keys, None)",
        "event.before",
    ),
    mutation(
        5, "a store goes by clocks, and not by what came first",
        "storage.memory.disk:Disk._was_before",
        "return number <= began",
        "return False",
        "event.before",
    ),
    # 6. Takeover
    mutation(
        6, "the fence is not looked at", "storage.memory.adapter:MemoryStorage.commit",
        "batch.epoch != self._epoch",
        "False",
        "zombie.recorded",
    ),
    mutation(
        6, "a lease is not renewed", "runtime.membership:Membership._turn",
        "await self._renew()\n",
        "pass\n",
        "client.hangs", "run.hangs",
    ),
    mutation(
        6, "jobs begin by a lease that is over", "runtime.executor:Executor._run",
        "not self.lease.runs",
        "False",
        "begun.by_another",
    ),
    mutation(
        6, "timers of a dead process are forgotten", "runtime.moves:Moves._know",
        "await service.timers.refresh()",
        "pass",
        "run.hangs",
    ),
    mutation(
        6, "suspects are not alone", "runtime.executor:Executor.__init__",
        "Slots(1, self._run_alone",
        "Slots(99, self._run_alone",
        "innocent.abandoned",
    ),
    mutation(
        6, "a stop waits for no report", "runtime.service:Service._hand_over",
        "self._report(run_id, e.HandedOver(key, attempt))",
        "pass",
        "stopped.abandoned",
    ),
    mutation(
        6, "schedules of a dead process are forgotten", "runtime.service:Service.lead",
        "await self.schedules.refresh()",
        "pass",
        "schedule.late",
    ),
    mutation(
        6, "repairs of many runs die with their process", "runtime.service:Service.lead",
        "await self.operations.refresh()",
        "pass",
        "bulk.hangs",
    ),
    mutation(
        6, "what runs had said is forgotten with the process",
        "runtime.mailroom:Mailroom.refresh",
        "self.bring(mail)",
        "pass",
        "run.hangs", "mail.left",
    ),
    mutation(
        2, "what a run has heard is not taken away", "runtime.change:_join",
        "batch.mail |= rows.mail",
        "batch.mail |= {line: mail for line, mail in rows.mail.items() if mail is not None}",
        "mail.left",
    ),
    mutation(
        2, "what was called is called again", "runtime.calls:Start.apply",
        "change.rows.mail[self.mail.line] = None",
        "pass",
        "mail.left", "call.refused", "call.differs",
    ),
    mutation(
        9, "a run that nobody wants any more goes on", "core.decide.steps:silent",
        "if step.kind in CLOSED:",
        'if step.kind in CLOSED and step.kind != "call":',
        "call.orphan", "run.hangs",
    ),
    mutation(
        9, "who waits for a run is not told of its end", "core.decide.calls:answers",
        "for caller in state.callers",
        "for caller in ()",
        "run.hangs",
    ),
    mutation(
        9, "a run does not wait for what it has called to be cancelled",
        "core.decide.ending:_stop_step",
        'if step.kind in ("call", "ending") and step.status == "waiting":',
        "if False:",
        "call.early",
    ),
    mutation(
        6, "turns of a dead process are forgotten", "runtime.limiter:Limiter.refresh",
        "self.come(turn, lines)",
        "pass",
        "run.hangs", "limit.kept",
    ),
    # 7. Running runs keep their definition
    mutation(
        7, "a loaded run has the newest definition", "app.catalog:DeployedWorkflows.graph",
        "return self.registry.graph(workflow, version)",
        "return self.registry.graph(workflow, self.registry.find(workflow).version)",
        "history.replay", "head.differs", "innocent.incident",
    ),
    mutation(
        7, "a fork does again what was done", "core.decide.jobs:begin_job",
        "if key in state.given:",
        "if False:",
        "fork.again",
    ),
    # 8. No hidden ceilings
    mutation(
        8, "each step loads its run again", "runtime.engine:Engine.run_once",
        "self.residents.shrink()",
        "self.residents._runs.clear()",
        "cost.reread",
    ),
    mutation(
        8, "each step writes its head", "runtime.resident:Resident.new_head",
        "shown == self.head",
        "False",
        "cost.head",
    ),
    mutation(
        8, "runs that have ended stay in memory", "runtime.outlets:Outlets._leave",
        "self._residents.drop(state.run_id)",
        "pass",
        "cost.memory",
    ),
    mutation(
        8, "a large value is not in the transaction", "storage.memory.values:Values._keep",
        "self.data |= found.values",
        "self.data.update(list(found.values.items())[1:])",
        "world.raised",
    ),
    mutation(
        8, "a large value is not in the file", "storage.sqlite.values:keep",
        "db.executemany(sql.ADD_VALUE, found.values.items())",
        "db.executemany(sql.ADD_VALUE, list(found.values.items())[1:])",
        "world.raised",
    ),
    mutation(
        8, "a value goes with the first who used it", "storage.sqlite.values:sweep",
        "if not used:",
        "if True:",
        "world.raised",
    ),
    mutation(
        8, "what is old is kept until somebody asks", "runtime.janitor:Janitor._ring",
        "self.engine.wake.set()",
        "pass",
        "retention.late",
    ),
    # 9. Never a silent hang
    mutation(
        9, "what nobody waits for is not tried again", "runtime.engine:Engine._again_or_fail",
        "self.post_first(again)",
        "pass",
        "run.hangs", "timer.missed",
    ),
    mutation(
        9, "nobody wakes up for a timer", "runtime.alarm:Alarm._ring",
        "self._wake.set()",
        "pass",
        "run.hangs", "timer.missed",
    ),
    mutation(
        9, "a refused result is no incident", "runtime.engine:Engine._halve",
        'self._fail_run(post, error, f"the store refused: {error}")',
        "pass",
        "run.hangs",
    ),
    mutation(
        9, "deadlines of jobs do not ring", "runtime.executor:Executor._time_out",
        "attempt.stop()",
        "return",
        "run.hangs",
    ),
    mutation(
        9, "a timer is told after what moved it", "runtime.timers:Timers.run_once",
        "self.engine.post_first([Fire(self, timer) for timer in new])",
        "[self.engine.post(Fire(self, timer)) for timer in new]",
        "timer.lost",
    ),
    mutation(
        9, "a handler is not told that its job is cancelled", "runtime.outlets:Outlets._obey",
        "self.stop_job(state.run_id, key, attempt)",
        "pass",
        "cancel.unheard",
    ),
    mutation(
        9, "timers fire before they are due", "runtime.timers:Timers.run_once",
        "due_timers(now, ",
        "due_timers(now + 5_000, ",
        "time.ahead",
    ),
    mutation(
        9, "a run's time goes back with the clock", "core.decide.advance:advance",
        "max(before, now)",
        "now",
        "time.back",
    ),
    mutation(
        9, "a schedule is not told that its run has ended",
        "runtime.schedules:Schedules.run_ended",
        "self.engine.post(Unblock(self, sorted(ids)))",
        "pass",
        "schedule.late",
    ),
    mutation(
        9, "a schedule does not see the run that is open", "runtime.schedules:Fire.turn",
        "busy = self.plan.overlap != \"allow\" and",
        "busy = False and",
        "schedule.overlaps",
    ),
    mutation(
        9, "a clock that went back is not noticed",
        "runtime.schedules:Schedules.clock_went_back",
        "self.engine.post(Alter(self, None, planned(brought_back)))",
        "pass",
        "schedule.asleep",
    ),
    mutation(
        9, "a schedule goes on in a pause", "core.schedules:paused",
        "due_at=None, waits_for=None, ",
        "waits_for=None, ",
        "schedule.paused",
    ),
    mutation(
        9, "schedules fire before they are due", "core.schedules:turn",
        "row.due_at is None or row.due_at > now:",
        "row.due_at is None:",
        "schedule.early",
    ),
    mutation(
        9, "a store that broke its word ends the tick", "runtime.engine:Engine._commit",
        "await self._take_stock(applied, batch, now)\n    else:",
        "raise\n    else:",
        "run.hangs", "client.hangs",
    ),
    # Jobs elsewhere: offered once, held by one, ended by whoever holds them
    mutation(
        3, "a stale token counts", "runtime.claims:held",
        "if row is not None and row.token == token:",
        "if row is not None:",
        "job.stale",
    ),
    mutation(
        3, "a lease that is over is not noticed", "runtime.jobs:Jobs._expire",
        "new = [row for row in due if row.id not in self._losing]",
        "new = []",
        "run.hangs",
    ),
    mutation(
        3, "an offer is not stored with its fact", "runtime.change:_offer_job",
        "batch.jobs.append(row)",
        "pass",
        "run.hangs",
    ),
    mutation(
        3, "a topic that was found empty stays so", "runtime.offers:Offers.offered",
        "self._empty.discard(topic)",
        "pass",
        "run.hangs",
    ),
    mutation(
        3, "an offer is not taken back", "runtime.change:_recall_job",
        "batch.jobs.append(JobStop(name, command.gently))",
        "pass",
        "job.after_end", "job.left",
    ),
    mutation(
        3, "a worker is not told that it should stop", "core.decide.steps:stop_job",
        "return kind(step.key, step.attempt)",
        "return kind(step.key, step.attempt, True) if kind is RecallJob "
        "else kind(step.key, step.attempt)",
        "job.untold",
    ),
    mutation(
        6, "a takeover begins again what a worker has", "core.decide.takeover:taken_over",
        "if step.topic is None:",
        "if True:",
        "job.taken_away",
    ),
    mutation(
        3, "what is over stays with its worker", "runtime.claims:_OfClaim._let_go",
        "change.rows.jobs.append(end)",
        "pass",
        "job.left", "job.after_end", "job.two_hands", "run.hangs", "job.taken_away",
    ),
    # Several processes: a run has one of them, and what concerns it is done there
    mutation(
        1, "a run begins in a partition of another process", "runtime.engine:Engine.run_id",
        "return run_id if partition is None else in_partition(run_id, partition)",
        "return run_id",
        "zombie.recorded", "begun.by_another",
    ),
    mutation(
        1, "a start under a uid begins where it came in", "runtime.starts:Starter.start",
        "if one.far:",
        "if False:",
        "zombie.recorded", "begun.by_another",
    ),
    mutation(
        2, "what was done for another process is not answered", "runtime.errands:Serve._answer",
        "change.rows.replies.append(",
        "list().append(",
        "client.hangs", "bulk.hangs", "loop.hangs",
    ),
    mutation(
        2, "what a process was told stays where it lay", "runtime.mailroom:Take.apply",
        "change.rows.mail[self.mail.line] = None",
        "pass",
        "mail.left",
    ),
    mutation(
        2, "what was said later is heard at once", "runtime.mailroom:Mailroom.bring",
        "if len(queue) == 1:",
        "if True:",
        "mail.twice", "mail.order",
    ),
    mutation(
        2, "a place is given that is taken", "runtime.limiter:Limiter._is_full",
        "return len(self._holders.get(want.name, ())) >= want.limit",
        "return False",
        "limit.over",
    ),
    mutation(
        6, "the hub forgets who has places elsewhere", "runtime.limiter:Limiter._find",
        "self.engine.territory.hub:",
        "here:",
        "innocent.incident", "limit.over",
    ),
    mutation(
        6, "a partition is given while a job in it is at work", "runtime.moves:Moves._idle",
        "service.executor.at_work() | ",
        "",
        "given.abandoned",
    ),
    mutation(
        6, "what has not begun in a partition that was given begins", "runtime.moves:Moves._let_go",
        "service.executor.give(given)",
        "pass",
        "begun.by_another", "begun.after_end",
    ),
    mutation(
        6, "runs of a partition that was given stay in memory", "runtime.engine:Engine.give",
        "self.residents.give(partitions)",
        "pass",
        "zombie.recorded", "begun.by_another", "innocent.incident", "run.stuck", "client.refused",
    ),
    mutation(
        6, "who takes a partition does not read what lies there", "runtime.moves:Moves.settle",
        "await self._know(partitions, orphans=taken.orphans)",
        "pass",
        "run.hangs", "run.stuck", "mail.left",
    ),
    mutation(
        6, "who was buried may write", "storage.memory.members:Table.free",
        "self.new_epoch(name)",
        "pass",
        "zombie.recorded",
    ),
    mutation(
        9, "who is late keeps what it has", "runtime.membership:Membership._move",
        "elif late or (",
        "elif (",
        "client.hangs", "run.hangs", "run.stuck", "loop.hangs",
    ),
    mutation(
        9, "nobody looks for mail without a hint", "runtime.mailroom:Mailroom._set_alarm",
        "whole = self.engine.territory.owned is None",
        "whole = True",
        "mail.left", "run.hangs",
    ),
    mutation(
        9, "nobody looks for an answer without a hint", "runtime.errands:Errands.sent",
        "self.alarm.expect(int(self._look_at))",
        "pass",
        "client.hangs",
    ),
    mutation(
        9, "what is another process's to do nobody does", "runtime.engine:Engine._prepare",
        "self.outlets.abroad(post, error.partition)",
        "pass",
        "client.hangs", "loop.hangs", "stop.silent",
    ),
    mutation(
        9, "a turn is not asked for where turns are given", "runtime.turns:FarTurns.ask",
        "self.engine.post(Say(",
        "list().append(Say(",
        "run.hangs",
    ),
    mutation(
        9, "a place that is free again is not given back", "runtime.turns:FarTurns.free",
        "self.engine.post(Say(",
        "list().append(Say(",
        "run.hangs",
    ),
    mutation(
        9, "a run elsewhere does not hear that it has its places", "runtime.turns:AdmitAfar.apply",
        "rows.mail[told.line] = told",
        "pass",
        "run.hangs",
    ),
    # 10. One run's bad data never fails another's batch
    mutation(
        10, "a batch that is refused is not halved", "runtime.engine:Engine._commit",
        "await self._halve(applied, now, error)",
        "self._put_back(applied, error)",
        "run.hangs", "client.hangs",
    ),
    mutation(
        10, "the whole of a refused batch is at fault", "runtime.engine:Engine._halve",
        "if len(applied) == 1:\n",
        "if applied:\n        for one in applied[1:]:\n            self._undo(one.change)\n"
        "            self._fail_run(one.post, error, 'refused')\n",
        "innocent.incident",
    ),
    mutation(
        10, "odd errors of handlers are not caught", "runtime.executor:Executor._outcome",
        "except BaseException as error:  # a handler may raise anything, even SystemExit",
        "except OstinatoError as error:",
        "run.hangs", "loop.broken",
    ),
)  # fmt: skip
