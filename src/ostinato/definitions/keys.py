"""Every key of a workflow document: one table, from which the reader, the JSON Schema and the
reference page are made.

A ``Key`` is read by its kind (``kinds``, ``actions``, ``document``). ``LATER`` are the keys that
are known and refused with "not yet": a document that has one is never run without it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ACTIONS",
    "GOES_WITH",
    "HTTP_METHODS",
    "LATER",
    "LATER_ACTIONS",
    "NEEDS_CALLBACK",
    "SECTIONS",
    "TRIGGERS",
    "TRIGGER_GOES_WITH",
    "Key",
]


class Key(NamedTuple):
    name: str
    kind: str
    says: str
    required: bool = False


_ACTIONS = (
    Key("run", "handler", "Call a handler, or offer this topic to workers"),
    Key("wait", "wait", "Wait for a span, an instant or an event"),
    Key("task", "task", "Ask people, and wait for their answer"),
    Key("emit", "emit", "Publish an event"),
    Key("set", "values", "Set variables: `vars.<key>`"),
    Key("http", "http", "Make a request"),
    Key("call", "call", "Start a run of another workflow, and wait for its end"),
    Key("end", "end", "End the run here: `succeeded`, `failed` or `cancelled`"),
)
_WITH = (Key("with", "template", "The arguments of `run`, the input of `call`"),)
_HOW = (
    Key("expect", "condition", "Over `output`: when false, the answer is failure `Unexpected`"),
    Key("repeat", "repeat", "Do it again until its output is what is waited for"),
    Key("retry", "retry", "How failed attempts are repeated; a number is `attempts`"),
    Key("timeout", "span", "For one attempt; for a wait, task, call or callback, for the whole"),
    Key("callback", "flag", "Done when someone calls `job.callback_url`"),
    Key("heartbeat", "span", "Fails when nothing is heard for so long"),
)

SECTIONS: dict[str, tuple[Key, ...]] = {
    "workflow": (
        Key("workflow", "name", "The name of the workflow", True),
        Key("description", "text", "What it is for"),
        Key("on", "triggers", "The events and schedules that start a run"),
        Key("input_schema", "json_schema", "JSON Schema: checks the input and fills its defaults"),
        Key("timeout", "span", "Wall time of a whole run"),
        Key("on_error", "on_error", "What happens when a job has failed for good"),
        Key("concurrency", "concurrency", "How many runs at once"),
        Key("rate", "rate", "How many runs begin in a span of time"),
        Key("uid", "uid", "One open run per value, over `input`; what a second start does"),
        Key("dedup", "dedup", "Starts that are one: the second is answered with the first's run"),
        Key("priority", "priority", "Whose jobs go first: 0 to 9 (default 5)"),
        Key("phases", "phases", "What is done, one phase after the other", True),
        Key("output", "output", "The run's result; without it, the last phase's job outputs"),
        Key("on_failure", "jobs", "Done in sequence when the run has failed"),
        Key("finally", "jobs", "Done in sequence at every end"),
    ),
    "trigger": (
        Key("event", "types", "The event type, or a list of them"),
        Key("pattern", "pattern", "Only events that match (EventBridge pattern language)"),
        Key("bus", "text", "Only events that came by this bus; `memory`: that came by none"),
        Key("schedule", "cron", "By the clock: a cron expression"),
        Key("zone", "zone", "The time zone of `schedule` (default UTC)"),
        Key("every", "interval", "By the clock: so long after one another, from 1970 UTC on"),
        Key("overlap", "overlap", "While its last run is open: `skip` (default), `queue`, `allow`"),
        Key("catch_up", "catch_up", "Of missed instants it starts `last` (default), `all`, `none`"),
        Key("jitter", "span", "Starts up to so long later, each instant by its own share"),
        Key("input", "output", "The run's input, over `event`; without it, the event's data"),
        Key("uid", "uid", "One open run per value, over `event`; what a second start does"),
        Key("name", "name", "What it is called; without it, its position in the list"),
        Key("description", "text", "What it is for"),
    ),
    "phase": (
        Key("phase", "name", "The name of the phase", True),
        Key("description", "text", "What it is for"),
        Key("when", "condition", "The phase is skipped unless this is true"),
        Key("each", "each", "A chain of the phase's jobs per item of a list"),
        Key("mode", "mode", "`parallel` (default), `sequential` or `race`"),
        Key("enough", "count", "The phase is over when so many of its jobs have succeeded"),
        Key("on_error", "on_error", "What happens when a job of it has failed for good"),
        Key("timeout", "span", "Wall time of the phase"),
        Key("jobs", "jobs", "What is done in it", True),
    ),
    "job": (
        Key("job", "name", "The name of the job, unique in the workflow", True),
        Key("description", "text", "What it is for"),
        *_ACTIONS,
        *_WITH,
        Key("needs", "names", "Jobs that must be done first"),
        Key("when", "condition", "The job is skipped unless this is true"),
        Key("each", "each", "The job once per item of a list"),
        Key("concurrency", "concurrency", "How many of this job at once, in all runs"),
        Key("rate", "rate", "How many of this job begin in a span of time"),
        Key("optional", "flag", "Its failure does not fail the run"),
        Key("on_error", "on_error", "What happens when it has failed for good"),
        *_HOW,
        Key("catch", "catches", "What stands in for it when it has failed for good"),
        Key("undo", "undo", "What takes it back when the run fails or is cancelled"),
    ),
    "body": (*_ACTIONS, *_WITH, *_HOW),
    "catch": (
        Key("on", "globs", "For errors with these names; `*` stands for anything", True),
        Key("do", "body", "What is done instead; it may read `error`"),
        Key("output", "output", "What the job gives instead; it may read `error`"),
    ),
    "repeat": (
        Key("until", "condition", "Over `output`: it is done when this is true", True),
        Key("every", "span", "From one answer to the next attempt", True),
        Key("limit", "count", "So many times at most, else `RepeatLimit` (default 1000)"),
    ),
    "concurrency": (
        Key("key", "expression", "Each of its values has places of its own"),
        Key("limit", "count", "How many at once", True),
        Key("overflow", "overflow", "Without one: `queue` (default), `reject`, `cancel-running`"),
    ),
    "rate": (
        Key("key", "expression", "Each of its values is counted on its own"),
        Key("limit", "count", "How many", True),
        Key("per", "span", "In so long", True),
    ),
    "uid": (
        Key("key", "expression", "The uid; one open run of the workflow per value"),
        Key("again", "again", "The earlier run is over: `new` (default), `resume`, `refuse`"),
        Key("open", "meanwhile", "While it is open: `same` (default), `signal`, `queue`, `refuse`"),
    ),
    "dedup": (
        Key("key", "expression", "Two starts with the same value are one", True),
        Key("window", "span", "For so long after the first", True),
    ),
    "each": (
        Key("in", "list", "The list", True),
        Key("as", "variable", "The name of the item (default `item`); its position is `index`"),
        Key("at_once", "count", "How many at a time (default 10); 1 is in order"),
        Key("tolerate", "tolerance", "How many may fail: a number, or a share such as 5%"),
    ),
    "retry": (
        Key("attempts", "count", "Counts the first one (default 3)"),
        Key("delay", "duration", "Before the second attempt (default 1s)"),
        Key("factor", "factor", "Each delay is this many times the one before (default 2)"),
        Key("max_delay", "duration", "No delay is longer (default 1h)"),
        Key("jitter", "share", "Delays are spread by ± this share (default 0.2)"),
        Key("within", "span", "For all attempts together"),
        Key("on", "globs", "Only errors with these names; `*` stands for anything"),
        Key("never", "globs", "No error with one of these names"),
    ),
    "wait": (
        Key("until", "instant", "An instant, RFC 3339 text"),
        Key("event", "types", "The event type, or a list of them"),
        Key("match", "match", "Only events that match this pattern"),
        Key("timeout", "span", "Fails when nothing has come for so long"),
        Key("look_back", "look_back", "How far back it may have come: `run`, `none` or a duration"),
    ),
    "task": (
        Key("name", "filled", "What is asked, in a line", True),
        Key("key", "filled", "What kind of task it is, for programs"),
        Key("type", "filled", "What kind of task it is, for people"),
        Key("assignee", "filled", "Whose it is"),
        Key("candidates", "people", "Who may take it: a name, or a list of them"),
        Key("groups", "people", "Whose members may take it"),
        Key("priority", "level", "`low`, `medium` (default) or `high`"),
        Key("severity", "level", "`low`, `medium` (default) or `high`"),
        Key("due", "due", "A duration or an instant: overdue from then on"),
        Key("escalate", "escalations", "Who it goes to when nobody has answered for so long"),
        Key("form", "form", "JSON Schema: checks the answer's `data`, fills its defaults"),
        Key("outcomes", "outcomes", "The words one of which is the answer"),
        Key("data", "template", "What whoever is asked is shown"),
    ),
    "escalation": (
        Key("after", "span", "From the moment the task was opened", True),
        Key("to", "filled", "Its assignee from then on", True),
    ),
    "emit": (
        Key("type", "filled", "The type of the event", True),
        Key("data", "template", "What it carries"),
        Key("subject", "filled", "What it is about"),
        Key("source", "filled", "Who says it; without it, the workflow"),
        Key("headers", "headers", "More attributes of the event, all of them texts"),
        Key("bus", "filled", "The one bus that it goes out on; without it, where its type goes"),
    ),
    "call": (
        Key("workflow", "filled", "The name of the workflow", True),
        Key("version", "version", "This version; without it, the newest when its run begins"),
        Key("uid", "filled", "One open run per value: one that is open already is waited for"),
    ),
    "http": (
        Key("method", "method", "GET without one; POST with a body and without one"),
        Key("url", "filled", "The address", True),
        Key("headers", "values", "The headers"),
        Key("body", "template", "Sent as JSON; a text is sent as it is"),
    ),
}

ACTIONS = tuple(key.name for key in _ACTIONS)
LATER_ACTIONS: tuple[str, ...] = ()
TRIGGERS = ("event", "schedule", "every")
HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

GOES_WITH: dict[str, tuple[str, ...]] = {
    # A key that would do nothing beside an action is an error: nothing written is ignored.
    "with": ("run", "call"),
    "retry": ("run", "http", "call"),
    "timeout": ("run", "http", "wait", "task", "emit", "call"),
    "expect": ("run", "http", "task", "emit", "call"),
    "callback": ("run", "http", "emit"),
    "heartbeat": ("run", "http", "emit"),
    "concurrency": ("run", "http", "wait", "task", "emit", "call"),
    "rate": ("run", "http", "emit", "call"),
    "repeat": ("run", "http", "call"),
    "catch": ("run", "http", "wait", "task", "emit", "set", "call"),
    "undo": ("run", "http", "wait", "task", "emit", "set", "call"),
}

TRIGGER_GOES_WITH: dict[str, tuple[str, ...]] = {
    "pattern": ("event",),
    "bus": ("event",),
    "zone": ("schedule",),
    "overlap": ("schedule", "every"),
    "catch_up": ("schedule", "every"),
    "jitter": ("schedule", "every"),
}

NEEDS_CALLBACK = ("timeout", "expect", "heartbeat")
"""Beside `emit`, these do something only with `callback: true`."""

LATER: dict[str, dict[str, str]] = {
    "phase": {
        "activity": "stages whose jobs are done by plugins",
    },
    "job": {},
    "task": {"remind": "a reminder before it is due"},
}
