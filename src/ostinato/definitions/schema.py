"""The JSON Schema of a workflow document, made from the table of keys.

It says what the reader says, as far as a schema can: editors complete and explain by it. A key that
is not delivered yet stands in it with its reason and fits no value, so that an editor explains it
where it is written and does not offer it where it is not.
"""

from __future__ import annotations

import json
from typing import Any

from ostinato.core.cloudevents.event import ATTRIBUTES
from ostinato.core.schedules import CATCH_UPS, OVERLAPS
from ostinato.core.state import OVER
from ostinato.definitions.keys import (
    ACTIONS,
    GOES_WITH,
    HTTP_METHODS,
    LATER,
    LATER_ACTIONS,
    SECTIONS,
    TRIGGER_GOES_WITH,
    TRIGGERS,
    Key,
)
from ostinato.definitions.kinds import NAME, VARIABLE
from ostinato.definitions.tasks import LEVELS

__all__ = ["document_schema"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FILLED: Schema = {"type": "string", "minLength": 1}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^\s*(P[0-9.,WDTHMS]+|([0-9]+(\.[0-9]+)? ?(d|h|m|s|ms) ?)+)\s*$",
    "examples": ["500ms", "30s", "5m", "2h", "3d", "PT5M"],
}
_TEMPLATE: Schema = {"type": "string", "pattern": r"\$\{"}
_EXPRESSION: Schema = {"type": ["string", "boolean", "number", "null"]}


def _one_or_many(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def _list_of(section: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{section}"}}


_KINDS: dict[str, Schema] = {
    "name": {"type": "string", "pattern": f"^{NAME}$"},
    "variable": {"type": "string", "pattern": f"^{VARIABLE}$"},
    "text": _TEXT,
    "filled": _FILLED,
    "handler": _FILLED,
    "version": {"anyOf": [{"type": "integer", "minimum": 1}, _TEMPLATE]},
    "flag": {"type": "boolean"},
    "count": {"type": "integer", "minimum": 1},
    "factor": {"type": "number", "minimum": 1},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "duration": _DURATION,
    "span": _DURATION,
    "look_back": {"anyOf": [{"enum": ["run", "none"]}, _DURATION]},
    "tolerance": {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\d{1,3}(\.\d+)? ?%$"},
        ]
    },
    "mode": {"enum": ["parallel", "sequential", "race"]},
    "on_error": {"enum": ["cancel", "finish", "hold"]},
    "overflow": {"enum": ["queue", "reject", "cancel-running"]},
    "priority": {"type": "integer", "minimum": 0, "maximum": 9},
    "concurrency": {"$ref": "#/$defs/concurrency"},
    "rate": {"$ref": "#/$defs/rate"},
    "uid": {"anyOf": [_EXPRESSION, {"$ref": "#/$defs/uid"}]},
    "again": {"enum": ["new", "resume", "refuse"]},
    "meanwhile": {"enum": ["same", "signal", "queue", "refuse"]},
    "dedup": {"$ref": "#/$defs/dedup"},
    "end": {"enum": [*OVER]},
    "cron": _FILLED,
    "zone": _FILLED,
    "interval": _DURATION,
    "overlap": {"enum": list(OVERLAPS)},
    "catch_up": {"enum": list(CATCH_UPS)},
    "method": {"anyOf": [{"enum": list(HTTP_METHODS)}, _FILLED]},
    "names": {"anyOf": [_FILLED, {"type": "array", "items": _FILLED}]},
    "types": _one_or_many(_FILLED),
    "globs": _one_or_many(_FILLED),
    "expression": _EXPRESSION,
    "instant": _EXPRESSION,
    "list": _TEXT,
    "condition": {"type": ["string", "boolean"]},
    "output": {},
    "template": {},
    "values": {"anyOf": [{"type": "object"}, {"type": "string", "pattern": r"^\$\{"}]},
    "headers": {
        "anyOf": [
            {
                "type": "object",
                "propertyNames": {
                    "pattern": "^[a-z0-9]{1,20}$",
                    "not": {"enum": sorted(ATTRIBUTES)},
                },
            },
            {"type": "string", "pattern": r"^\$\{"},
        ]
    },
    "pattern": {"type": "object", "minProperties": 1},
    "match": {"type": "object"},
    "json_schema": {"type": "object"},
    "wait": {
        "anyOf": [_DURATION, {"type": "string", "pattern": r"\$\{"}, {"$ref": "#/$defs/wait"}]
    },
    "emit": {"$ref": "#/$defs/emit"},
    "http": {"$ref": "#/$defs/http"},
    "call": {"anyOf": [_FILLED, {"$ref": "#/$defs/call"}]},
    "task": {"$ref": "#/$defs/task"},
    "people": _one_or_many(_FILLED),
    "outcomes": _one_or_many(_FILLED),
    "level": {"anyOf": [{"enum": list(LEVELS)}, _TEMPLATE]},
    "due": {"anyOf": [_DURATION, {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d"}, _TEMPLATE]},
    "escalations": {"type": "array", "items": {"$ref": "#/$defs/escalation"}},
    "form": {"type": "object"},
    "each": {"$ref": "#/$defs/each"},
    "retry": {"anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/$defs/retry"}]},
    "repeat": {"$ref": "#/$defs/repeat"},
    "body": {"$ref": "#/$defs/body"},
    "catches": _list_of("catch"),
    "undo": {"anyOf": [_FILLED, {"$ref": "#/$defs/body"}]},
    "triggers": {
        "anyOf": [
            _FILLED,
            {"$ref": "#/$defs/trigger"},
            {"type": "array", "items": {"anyOf": [_FILLED, {"$ref": "#/$defs/trigger"}]}},
        ]
    },
    "phases": _list_of("phase") | {"minItems": 1},
    "jobs": _list_of("job"),
}


def document_schema() -> Schema:
    parts = {name: _section(name) for name in SECTIONS}
    whole = parts.pop("workflow")
    parts["phase"]["properties"]["jobs"]["minItems"] = 1
    for name in ("job", "body"):
        own = {key.name for key in SECTIONS[name]}
        parts[name] |= {
            "oneOf": [{"required": [action]} for action in ACTIONS],
            "dependentSchemas": {
                key: _beside(actions) for key, actions in GOES_WITH.items() if key in own
            },
        }
    parts["catch"]["oneOf"] = [{"required": ["do"]}, {"required": ["output"]}]
    parts["trigger"] |= {
        "oneOf": [{"required": [one]} for one in TRIGGERS],
        "dependentSchemas": {key: _beside(one) for key, one in TRIGGER_GOES_WITH.items()},
    }
    parts["uid"]["minProperties"] = 1
    of_event = {"$ref": "#/$defs/uid", "required": ["key"]}
    parts["trigger"]["properties"]["uid"]["anyOf"] = [_EXPRESSION, of_event]
    parts["wait"]["oneOf"] = [
        {"required": ["until"], "maxProperties": 1},
        {"required": ["event"], "properties": {"until": False}},
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ostinato workflow",
        **whole,
        "$defs": parts,
    }


def _section(name: str) -> Schema:
    properties = {key.name: _member(key) for key in SECTIONS[name]}
    properties |= {key: _later(key, says) for key, says in LATER.get(name, {}).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [key.name for key in SECTIONS[name] if key.required],
        "additionalProperties": False,
    }


def _member(key: Key) -> Schema:
    return {"description": key.says, **_KINDS[key.kind]}


def _later(key: str, says: str) -> Schema:
    what = f"Not yet: {says}"
    if key in LATER_ACTIONS:
        what += " (it will be one of the things a job does)"
    return {"description": what, "not": {}, "doNotSuggest": True, "errorMessage": what}


def _beside(actions: tuple[str, ...]) -> Schema:
    return {"anyOf": [{"required": [action]} for action in actions]}


if __name__ == "__main__":
    print(json.dumps(document_schema(), indent=2))  # noqa: T201 - the published copy
