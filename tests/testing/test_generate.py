"""The made-up workflows have everything that the language has, and nothing that is refused."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from ostinato.core.graph import Graph, Node
from ostinato.core.model import Join, Kind, Run, Split
from ostinato.definitions import check, read
from ostinato.definitions.keys import GOES_WITH
from ostinato.errors import DefinitionError
from ostinato.testing.generate import (
    EMITTED,
    EVENTS,
    HANDLERS,
    TRIGGERS,
    Pair,
    any_document,
    any_event,
    any_graph,
    pairs,
    pairs_in,
)
from ostinato.testing.generate.pairs import DOES, JOB_KEYS

SEEDS = range(500)
DOCUMENTS = [any_document(Random(seed)) for seed in SEEDS]
GRAPHS = [any_graph(Random(seed)) for seed in SEEDS]


def test_every_document_is_without_errors():
    for seed, data in zip(SEEDS, DOCUMENTS, strict=True):
        errors, _ = check(read(json.loads(json.dumps(data))), list(HANDLERS), strict=True)
        assert errors == [], (seed, data)


def test_every_pair_of_constructs_is_made_and_no_other():
    assert frozenset().union(*map(pairs_in, DOCUMENTS)) == pairs()


SAMPLES: dict[str, Any] = {
    "run": {"run": "ok"},
    "emit": {"emit": {"type": "NOTED"}},
    "set": {"set": {"first": 1}},
    "call": {"call": "other"},
    "http": {"http": {"url": "https://shop.invalid"}},
    "wait span": {"wait": "5m"},
    "wait until": {"wait": {"until": "'90s'"}},
    "wait event": {"wait": {"event": "PAID"}},
    "task": {"task": {"name": "Sign off"}},
    "needs": {"needs": ["before"]},
    "when": {"when": "input.flag"},
    "each": {"each": {"in": "[1]"}},
    "optional": {"optional": True},
    "retry": {"retry": 2},
    "timeout": {"timeout": "5m"},
    "expect": {"expect": "output == 1"},
    "callback": {"callback": True},
    "concurrency": {"concurrency": {"limit": 2}},
    "rate": {"rate": {"limit": 2, "per": "1s"}},
    "heartbeat": {"heartbeat": "5m"},
    "end": {"end": "failed"},
    "on_error": {"on_error": "finish"},
    "repeat": {"repeat": {"until": "output == 1", "every": "5m"}},
    "catch": {"catch": [{"on": "*", "output": None}]},
    "undo": {"undo": "ok"},
}


@pytest.mark.parametrize("key", JOB_KEYS)
@pytest.mark.parametrize("does", DOES)
def test_a_pair_is_what_the_language_accepts(key, does):
    """Some keys have sense only beside a callback."""
    with_callback = {"callback": True} if does in GOES_WITH["callback"] else {}
    job = {"job": "a"} | SAMPLES[does] | SAMPLES[key] | with_callback
    phase = {"phase": "p", "jobs": [{"job": "before", "run": "ok"}, job]}
    try:
        errors, _ = check(read({"workflow": "w", "phases": [phase]}), list(HANDLERS))
    except DefinitionError as error:
        errors = list(error.problems)
    assert (errors == []) == (Pair(key, does) in pairs()), errors


def test_the_same_seed_makes_the_same():
    assert [any_document(Random(seed)) for seed in range(20)] == DOCUMENTS[:20]


def test_what_is_left_out_is_nowhere():
    left_out = ("on", "http", "later", "timeout", "each")
    for seed in range(100):
        text = json.dumps(any_document(Random(seed), without=left_out))
        assert not any(f'"{word}"' in text for word in left_out), text


def test_a_document_has_a_bounded_size():
    for seed in range(100):
        made = any_document(Random(seed), phases=2, jobs=1, workflow="little")
        assert made["workflow"] == "little"
        assert len(made["phases"]) <= 2
        assert all(len(phase["jobs"]) == 1 for phase in made["phases"])


def test_whoever_plays_knows_every_handler_and_event():
    documents = [read(data) for data in DOCUMENTS]
    does = [(document.at(job.path), job) for document in documents for job in document.jobs()]
    handlers = {job.action.handler for _, job in does if isinstance(job.action, Run)}
    waited = {name for _, job in does for name in getattr(job.action, "types", ())}
    emitted = {written["emit"]["type"] for written, _ in does if "emit" in written}
    started = {name for document in documents for on in document.triggers for name in on.types}
    assert handlers == {*HANDLERS, "http"}
    assert (waited, emitted, started) == ({*EVENTS}, {*EMITTED}, {*TRIGGERS})
    assert not emitted & started, "a made-up workflow would start itself for ever"
    assert {any_event(Random(seed))["type"] for seed in range(50)} == {*EVENTS}


def test_graphs_have_every_kind_of_node_and_flow():
    nodes = [node for graph in GRAPHS for node in graph.nodes.values()]
    assert {node.kind for node in nodes} == {*Kind}
    gates = {(node.join, node.split) for node in nodes if len(node.incoming) > 1}
    assert gates == {(join, split) for join in Join for split in Split}
    flows = [flow for node in nodes for flow in node.outgoing]
    assert {(flow.guard is not None, flow.default) for flow in flows} == {
        (True, False),
        (False, True),
        (False, False),
    }
    assert any(node.each and node.kind is Kind.SCOPE for node in nodes)
    assert any(node.path.count("/") == 2 for node in nodes)


@pytest.mark.parametrize("shape", ["a loop", "a node that nothing reaches", "many starts"])
def test_graphs_of_every_shape(shape):
    assert any(SHAPES[shape](graph.root) for graph in GRAPHS)


def loops(scope: Node) -> bool:
    return any(node in reached([node]) for node in scope.children)


def unreached(scope: Node) -> bool:
    return bool({*scope.children} - reached(scope.starts) - {*scope.starts} - ends(scope))


def ends(scope: Node) -> set[Node]:
    return {node for node in scope.children if node.name in ("on_failure", "finally")}


def reached(todo: list[Node]) -> set[Node]:
    found: set[Node] = set()
    todo = list(todo)
    while todo:
        targets = {flow.target for flow in todo.pop().outgoing} - found
        found |= targets
        todo += targets
    return found


SHAPES = {
    "a loop": loops,
    "a node that nothing reaches": unreached,
    "many starts": lambda scope: len(scope.starts) > 1,
}


def test_loops_without_a_job_are_never_made():
    """They would go round for ever in one instant."""
    for graph in GRAPHS:
        for node in graph.nodes.values():
            if node.kind is Kind.GATEWAY:
                assert node not in reached_without_jobs(node)


def reached_without_jobs(start: Node) -> set[Node]:
    found, todo = set(), [start]
    while todo:
        targets = {flow.target for flow in todo.pop().outgoing} - found
        found |= targets
        todo += [node for node in targets if node.kind is not Kind.JOB]
    return found


def test_no_loops_when_none_are_wanted():
    for seed in SEEDS:
        graph: Graph = any_graph(Random(seed), loops=False, depth=0)
        assert not loops(graph.root)
