"""A document, its graph, and the document that is written from the graph."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ostinato.core.content import content
from ostinato.core.expressions import parse, parse_template
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Emit, Job, Kind, Run, Set, WaitUntil
from ostinato.definitions import HandlerDefaults, check, compile, load, read, write
from ostinato.errors import DefinitionError
from ostinato.testing.generate import any_document, any_graph
from tests.definitions.samples import big_now, workflow

DOCUMENTS = st.randoms(use_true_random=False).map(any_document)
HEAD = ("on", "input_schema", "description")


@settings(max_examples=300)
@given(DOCUMENTS)
def test_document_to_graph_to_document(data):
    """The document that is written says the same, and is written the same again."""
    note(json.dumps(data))
    graph = compile(read(data))
    written = write(graph)
    again = compile(read(json.loads(json.dumps(written))))
    note(json.dumps(written))
    assert content(again) == content(graph)
    assert write(again) == written


@settings(max_examples=100)
@given(DOCUMENTS)
def test_what_is_written_has_no_errors(data):
    """With what a graph does not know, it is as good as the document it came from."""
    written = write(compile(read(data)))
    errors, _ = check(read(written | {key: data[key] for key in HEAD if key in data}))
    assert errors == []


DEFAULTS = {
    "ok": HandlerDefaults(retry={"attempts": 7, "within": 60_000}, timeout=5_000, heartbeat=1_000)
}


@settings(max_examples=100)
@given(DOCUMENTS)
def test_what_handlers_said_is_written_out(data):
    graph = compile(read(data), DEFAULTS, version=3)
    written = write(graph)
    assert content(compile(read(written), version=3)) == content(graph)


def test_it_is_canonical():
    (document,) = load(big_now())
    written = write(compile(document))
    assert written["phases"][0] == {
        "phase": "prepare",
        "mode": "sequential",
        "jobs": [
            {
                "job": "tier",
                "run": "tenants.tier_details",
                "with": {"tier": "${ input.planConfig.tier }"},
                "retry": 5,
            },
            {"job": "quota", "run": "tenants.reserve_quota"},
        ],
    }
    assert written["output"] == {"appUrl": "jobs.build.output.appUrl"}


SAME: list[tuple[str, dict[str, Any]]] = [
    ("{job: a, run: x, retry: {attempts: 3, delay: 1000ms}}", {"run": "x"}),
    ("{job: a, run: x, retry: {attempts: 2}}", {"run": "x", "retry": 2}),
    ("{job: a, run: x, retry: {on: [A], never: [B, C]}}",
     {"run": "x", "retry": {"on": "A", "never": ["B", "C"]}}),
    ("{job: a, run: x, with: null}", {"run": "x", "with": None}),
    ("{job: a, run: x, with: {t: '${input.n}$${'}}",
     {"run": "x", "with": {"t": "${ input.n }$${"}}),
    ("{job: a, run: x, optional: false, callback: false}", {"run": "x"}),
    ("{job: a, run: x, each: {in: '${ input.l }', as: item, at_once: 10, tolerate: 0}}",
     {"run": "x", "each": {"in": "input.l"}}),
    ("{job: a, run: x, each: {in: input.l, tolerate: 12.50%}}",
     {"run": "x", "each": {"in": "input.l", "tolerate": "12.5%"}}),
    ("{job: a, wait: PT90M}", {"wait": "1h30m"}),
    ("{job: a, wait: {until: input.at}}", {"wait": "${ input.at }"}),
    ("{job: a, timeout: 5m, wait: {event: [T], look_back: run}}",
     {"wait": {"event": "T", "timeout": "5m"}}),
    ("{job: a, wait: {event: T, look_back: 0s}}", {"wait": {"event": "T", "look_back": "none"}}),
    ("{job: a, http: {url: u, method: post}, expect: output.status < 400}",
     {"http": {"url": "u", "method": "POST"}}),
    ("{job: a, run: http, with: {url: u}}", {"run": "http", "with": {"url": "u"}}),
    ("{job: a, run: http, with: {url: u, method: G}, expect: 'true'}",
     {"run": "http", "with": {"url": "u", "method": "G"}, "expect": "true"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "members"), SAME, ids=[str(n) for n in range(len(SAME))])
def test_two_ways_to_say_it_are_written_as_one(text, members):
    (document,) = load(workflow(text))
    (phase,) = write(compile(document))["phases"]
    assert phase["jobs"] == [{"job": "a"} | members]


def one_job(job: Job, **more: Any) -> Graph:
    graph = Graph("w", **more)
    graph.last = graph.add(Node(Kind.SCOPE, "p"))
    graph.add(Node(Kind.JOB, "a", job=job), graph.last)
    return graph.seal()


def test_a_graph_built_by_hand_is_written_too():
    graph = one_job(Job(action=Run("x")), output=parse("jobs.a.output"))
    assert write(graph)["output"] == "jobs.a.output"


NO_DOCUMENT = {
    "a wait with a timeout": Job(action=WaitUntil(1000), timeout=5),
    "an emit without an event": Job(action=Emit()),
    "a set with a retry": Job(action=Set(), input=parse_template({"a": 1})),
    "an expect beside a wait": Job(action=WaitUntil(1000), expect=parse("true")),
}


@pytest.mark.parametrize("why", NO_DOCUMENT)
def test_what_no_document_says_is_told(why):
    """Nothing is written that would do something else."""
    with pytest.raises(DefinitionError, match="no document says what 'w' does: "):
        write(one_job(NO_DOCUMENT[why]))


def test_gateways_and_loops_have_no_document_yet():
    refused = 0
    for seed in range(200):
        graph = any_graph(Random(seed))
        try:
            written = write(graph)
        except DefinitionError as error:
            assert "no document says" in error.message
            refused += 1
        else:
            assert content(compile(read(written))) == content(graph)
    assert refused > 150


def test_the_output_is_compared_too():
    graph = one_job(Job(action=Run("x")), output=parse_template({"a": "text ${ input.n }"}))
    with pytest.raises(DefinitionError, match="no document says"):
        write(graph)
