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
    "LATER_VALUES",
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


SECTIONS: dict[str, tuple[Key, ...]] = {
    "workflow": (
        Key("workflow", "name", "The name of the workflow", True),
        Key("description", "text", "What it is for"),
        Key("on", "triggers", "The events and schedules that start a run"),
        Key("input_schema", "json_schema", "JSON Schema: checks the input and fills its defaults"),
        Key("timeout", "span", "Wall time of a whole run"),
        Key("phases", "phases", "What is done, one phase after the other", True),
        Key("output", "output", "The run's result; without it, the last phase's job outputs"),
        Key("on_failure", "jobs", "Done in sequence when the run has failed"),
        Key("finally", "jobs", "Done in sequence at every end"),
    ),
    "trigger": (
        Key("event", "types", "The event type, or a list of them"),
        Key("pattern", "pattern", "Only events that match (EventBridge pattern language)"),
        Key("schedule", "cron", "By the clock: a cron expression"),
        Key("zone", "zone", "The time zone of `schedule` (default UTC)"),
        Key("every", "interval", "By the clock: so long after one another, from 1970 UTC on"),
        Key("overlap", "overlap", "While its last run is open: `skip` (default), `queue`, `allow`"),
        Key("catch_up", "catch_up", "Of missed instants it starts `last` (default), `all`, `none`"),
        Key("jitter", "span", "Starts up to so long later, each instant by its own share"),
        Key("input", "output", "The run's input, over `event`; without it, the event's data"),
        Key("uid", "expression", "One open run per value, over `event`"),
        Key("name", "name", "What it is called; without it, its position in the list"),
        Key("description", "text", "What it is for"),
    ),
    "phase": (
        Key("phase", "name", "The name of the phase", True),
        Key("description", "text", "What it is for"),
        Key("when", "condition", "The phase is skipped unless this is true"),
        Key("each", "each", "A chain of the phase's jobs per item of a list"),
        Key("mode", "mode", "`parallel` (default) or `sequential`"),
        Key("timeout", "span", "Wall time of the phase"),
        Key("jobs", "jobs", "What is done in it", True),
    ),
    "job": (
        Key("job", "name", "The name of the job, unique in the workflow", True),
        Key("description", "text", "What it is for"),
        Key("run", "handler", "Call a handler, or offer this topic to workers"),
        Key("wait", "wait", "Wait for a span, an instant or an event"),
        Key("emit", "emit", "Publish an event"),
        Key("set", "values", "Set variables: `vars.<key>`"),
        Key("http", "http", "Make a request"),
        Key("with", "template", "The arguments of `run`"),
        Key("needs", "names", "Jobs that must be done first"),
        Key("when", "condition", "The job is skipped unless this is true"),
        Key("each", "each", "The job once per item of a list"),
        Key("optional", "flag", "Its failure does not fail the run"),
        Key("expect", "condition", "Over `output`: when false, the answer is failure `Unexpected`"),
        Key("retry", "retry", "How failed attempts are repeated; a number is `attempts`"),
        Key("timeout", "span", "For one attempt; for a wait or callback, for the whole"),
        Key("callback", "flag", "Done when someone calls `job.callback_url`"),
        Key("heartbeat", "span", "Fails when nothing is heard for so long"),
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
    "emit": (
        Key("type", "filled", "The type of the event", True),
        Key("data", "template", "What it carries"),
        Key("subject", "filled", "What it is about"),
        Key("source", "filled", "Who says it; without it, the workflow"),
    ),
    "http": (
        Key("method", "method", "GET without one; POST with a body and without one"),
        Key("url", "filled", "The address", True),
        Key("headers", "values", "The headers"),
        Key("body", "template", "Sent as JSON; a text is sent as it is"),
    ),
}

TRIGGERS = ("event", "schedule", "every")
ACTIONS = ("run", "wait", "emit", "set", "http")
LATER_ACTIONS = ("task", "call", "end")
HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

GOES_WITH: dict[str, tuple[str, ...]] = {
    # A key that would do nothing beside an action is an error: nothing written is ignored.
    "with": ("run",),
    "retry": ("run", "http"),
    "timeout": ("run", "http", "wait", "emit"),
    "expect": ("run", "http", "emit"),
    "callback": ("run", "http", "emit"),
    "heartbeat": ("run", "http", "emit"),
}

TRIGGER_GOES_WITH: dict[str, tuple[str, ...]] = {
    "pattern": ("event",),
    "zone": ("schedule",),
    "overlap": ("schedule", "every"),
    "catch_up": ("schedule", "every"),
    "jitter": ("schedule", "every"),
}

_FLOW = {
    "concurrency": "limits on runs or jobs at the same time",
    "rate": "limits on runs or jobs per time",
    "priority": "which goes first when slots are few",
    "dedup": "a window in which a second start counts as the first",
}

LATER: dict[str, dict[str, str]] = {
    "workflow": _FLOW | {"on_error": "what happens when a job fails for good"},
    "phase": {
        "activity": "stages whose jobs are done by plugins",
        "enough": "the phase ends after so many jobs",
        "on_error": "what happens when a job fails for good",
    },
    "job": _FLOW
    | {
        "task": "work for people",
        "call": "another workflow",
        "end": "stops the run",
        "undo": "what takes the job back",
        "catch": "what stands in for a failed job",
        "repeat": "polling",
        "on_error": "what happens when the job fails for good",
    },
    "emit": {"headers": "headers of the event"},
}

LATER_VALUES: dict[tuple[str, str], dict[str, str]] = {
    ("phase", "mode"): {"race": "the first job to succeed ends the phase"},
}
