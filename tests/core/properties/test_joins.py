"""Tokens meet as BPMN 2.0.2 says (13.4), held against a game of tokens written from its words.

The game knows the picture only: it keeps tokens on flows, and looks for paths anew each time.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings

from ostinato.core import events as e
from ostinato.core.codec import NULL
from ostinato.core.expressions import parse
from ostinato.core.graph import Flow, Graph, Node
from ostinato.core.model import Job, Join, Kind, Run, Split
from ostinato.testing.generate.chance import Chance
from tests.core.properties.player import CHANCE, SEEDS, Player

YES, NO = parse("true"), parse("false")
PLAIN = [(Join.EACH, Split.ALL)]


def flat_graph(random: Random, joins: tuple[Join, ...] = tuple(Join), loops: bool = True) -> Graph:
    """Jobs and gateways in one scope, with guards that are plainly true or false."""
    chance, graph = Chance(random), Graph("w")
    gates = [(join, split) for join in joins for split in Split]
    nodes: list[Node] = []
    for number in range(chance.count(3, 10)):
        job = Job(action=Run("ok")) if chance.happens(0.5) else None
        join, split = chance.one(PLAIN if job and chance.happens(0.7) else gates)
        kind = Kind.JOB if job else Kind.GATEWAY
        node = graph.add(Node(kind, f"n{number}", join=join, split=split, job=job))
        for source in chance.some(nodes[-4:], 0.5) or nodes[-1:]:
            connect(chance, graph, source, node)
        nodes.append(node)
    for node in [node for node in nodes if node.job is not None and loops]:
        for target in chance.some(nodes[1 : nodes.index(node) + 1], 0.15):
            connect(chance, graph, node, target)
    for node in nodes:
        if node.outgoing and node.split is not Split.ALL:
            node.outgoing[-1].default, node.outgoing[-1].guard = True, None
    return graph.seal()


def connect(chance: Chance, graph: Graph, source: Node, target: Node) -> None:
    guard = None if source.split is Split.ALL else chance.one([YES, NO])
    graph.flow(source, target, guard=guard)


class Game:
    """``tokens`` lie on flows, ``open`` jobs hold one each."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.root.children
        self.tokens: Counter[str] = Counter()
        self.flows = {flow.name: flow for node in self.nodes for flow in node.outgoing}
        self.visits: Counter[str] = Counter()
        self.open: dict[str, Node] = {}
        for node in self.nodes:
            if not node.incoming:
                self.enter(node)
        self.rest()

    def finish(self, key: str) -> None:
        self.leave(self.open.pop(key))
        self.rest()

    def rest(self) -> None:
        while any(self.moves(node) for node in self.nodes) or any(map(self.includes, self.nodes)):
            pass

    def enter(self, node: Node) -> None:
        self.visits[node.name] += 1
        count = self.visits[node.name]
        if node.kind is Kind.JOB:
            self.open[f"{node.name}#{count}" if count > 1 else node.name] = node
        else:
            self.leave(node)

    def leave(self, node: Node) -> None:
        for flow in self.taken(node):
            self.tokens[flow.name] += 1

    def taken(self, node: Node) -> list[Flow]:
        if node.split is Split.ALL:
            return node.outgoing
        true = [flow for flow in node.outgoing if flow.guard is YES]
        found = true or [flow for flow in node.outgoing if flow.default]
        return found[:1] if node.split is Split.FIRST else found

    def moves(self, node: Node) -> bool:
        """Exclusive gateways and activities take any token; a parallel one wants all."""
        filled = [flow for flow in node.incoming if self.tokens[flow.name]]
        if node.join is Join.ALL and len(filled) == len(node.incoming) > 0:
            return self.take(node, filled)
        return node.join is Join.EACH and bool(filled) and self.take(node, filled[:1])

    def includes(self, node: Node) -> bool:
        """The inclusive gateway is activated if at least one incoming flow has a token, and no
        token could come to an empty one that could not as well come to a filled one."""
        filled = {flow.name for flow in node.incoming if self.tokens[flow.name]}
        empty = {flow.name for flow in node.incoming} - filled
        if node.join is not Join.SOME or not filled:
            return False
        for reached in self.reaches(node):
            if reached & empty and not reached & filled:
                return False
        return self.take(node, [self.flows[name] for name in filled])

    def take(self, node: Node, flows: list[Flow]) -> bool:
        self.tokens -= Counter(flow.name for flow in flows)
        self.enter(node)
        return True

    def reaches(self, join: Node) -> list[set[str]]:
        """Per token, the flows on all paths that begin with it and do not visit ``join``."""
        lie = [{name} for name in self.tokens if self.tokens[name]]
        held = [
            {flow.name for flow in node.outgoing} for node in self.open.values() if node is not join
        ]
        return [self.onward(found, join) for found in lie + held]

    def onward(self, found: set[str], join: Node) -> set[str]:
        todo = [*found]
        while todo:
            target = self.flows[todo.pop()].target
            if target is not join:
                new = {flow.name for flow in target.outgoing} - found
                found |= new
                todo += new
        return found


def same(play: Player, game: Game) -> None:
    root = play.state.root
    resting = {play.graph.root.flows[index].name: many for index, many in root.resting.items()}
    assert sorted(job.key for job in play.ready) == sorted(game.open)
    assert resting == +game.tokens
    assert play.state.ended == (not game.open and not resting)
    stuck = not game.open and bool(resting)
    assert (play.state.stuck is not None) == stuck
    if stuck:
        assert set(play.view.tokens) == set(resting)


def played(graph: Graph, seed: int, moves: int = 40) -> Player:
    """Jobs end in any order; after each the tokens lie as in the game."""
    play, game = Player(graph, seed).begin(), Game(graph)
    same(play, game)
    while play.ready and moves:
        moves -= 1
        job = play.ready.pop(play.chance.randrange(len(play.ready)))
        play.tell(e.Completed(job.key, job.attempt, NULL))
        game.finish(job.key)
        same(play, game)
    return play


@settings(max_examples=500)
@given(CHANCE.map(flat_graph), SEEDS)
def test_tokens_lie_where_bpmn_says(graph, seed):
    played(graph, seed)


INCLUSIVE = (Join.EACH, Join.SOME)


@settings(max_examples=200)
@given(CHANCE.map(lambda random: flat_graph(random, INCLUSIVE, loops=False)), SEEDS)
def test_inclusive_joins_without_loops_never_lock(graph, seed):
    assert played(graph, seed).status == "succeeded"


@pytest.mark.parametrize("join", Join)
def test_the_graphs_have_joins_that_wait(join):
    """Else the law above would say nothing."""
    graphs = [flat_graph(Random(seed)) for seed in range(100)]
    joins = [node for graph in graphs for node in graph.nodes.values() if len(node.incoming) > 1]
    assert sum(node.join is join for node in joins) > 50
