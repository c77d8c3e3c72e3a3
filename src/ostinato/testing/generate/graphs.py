"""Graphs of any shape: what no document can write, also what locks, loops or is never reached.

Loops go back from jobs only, and not from those with an ``each``, which may be empty: no loop goes
round without a step, and ``most_steps`` ends it.
"""

from __future__ import annotations

from random import Random

from ostinato.core.expressions import Expression, Template, parse, parse_template
from ostinato.core.graph import FINALLY, ON_FAILURE, Graph, Node
from ostinato.core.model import (
    Action,
    Call,
    Catch,
    Each,
    Emit,
    Job,
    Join,
    Kind,
    OnError,
    Repeat,
    Retry,
    Run,
    Set,
    Split,
    Task,
    WaitEvent,
    WaitUntil,
)
from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.vocabulary import CALLED, EMITTED, EVENTS, HANDLERS, OUTCOMES

GATES = [(join, split) for join in Join for split in Split]
MOST_STEPS = 40


def any_graph(random: Random, *, nodes: int = 8, depth: int = 2, loops: bool = True) -> Graph:
    """At most so many ``nodes`` in each scope, and scopes in scopes ``depth`` deep.

    A run takes an input as ``any_data`` makes it; it ends, waits, or locks. One of more than
    ``MOST_STEPS`` steps fails.
    """
    graph = _Drawing(Chance(random), nodes, loops).graph(depth)
    graph.most_steps = MOST_STEPS
    return graph.seal()


class _Drawing:
    def __init__(self, chance: Chance, most: int, loops: bool) -> None:
        self.chance = chance
        self.most = most
        self.loops = loops
        self.named = 0

    def graph(self, depth: int) -> Graph:
        chance = self.chance
        timeout = chance.one([None, None, None, 7_200_000])
        graph = Graph("made", timeout=timeout)
        self._fill(graph, None, depth)
        for name in chance.some([ON_FAILURE, FINALLY], 0.3):
            scope = graph.add(Node(Kind.SCOPE, name))
            self._fill(graph, scope, 0)
        graph.last = chance.one([None, *graph.root.children])
        return graph

    def _fill(self, graph: Graph, scope: Node | None, depth: int) -> None:
        """Nodes in a row; flows go on, and at times back. The first node starts the scope."""
        chance = self.chance
        made: list[Node] = []
        for _ in range(chance.count(1, self.most if depth else 3)):
            node = graph.add(self._node(depth), scope)
            if node.kind is Kind.SCOPE:
                self._fill(graph, node, depth - 1)
            for before in self._sources(made):
                self._flow(graph, before, node)
            made.append(node)
        if self.loops:
            self._loops(graph, made)
        for node in made:
            self._default(node)

    def _sources(self, made: list[Node]) -> list[Node]:
        """Mostly the node before; none makes one more start."""
        found = self.chance.some(made[-4:], 0.45)
        return found or ([] if self.chance.happens(0.1) else made[-1:])

    def _loops(self, graph: Graph, made: list[Node]) -> None:
        """Also from a job that nothing leads to back to itself: then nothing ever reaches it."""
        for at, node in enumerate(made[1:], 1):
            for target in made[1 : at + 1]:
                share = 0.4 if target is node and not node.incoming else 0.08
                if node.job is not None and node.each is None and self.chance.happens(share):
                    self._flow(graph, node, target)

    def _flow(self, graph: Graph, source: Node, target: Node) -> None:
        guard = None if source.split is Split.ALL else self._guard(graph)
        if f"{source.path}>{target.name}" not in graph.flows:
            graph.flow(source, target, guard=guard)

    def _default(self, node: Node) -> None:
        """Almost always there is one; without it the run may fail, which is an end too."""
        if node.outgoing and node.split is not Split.ALL and not self.chance.happens(0.1):
            flow = self.chance.one(node.outgoing)
            flow.default, flow.guard = True, None

    def _guard(self, graph: Graph) -> Expression:
        known = ["true", "false", "input.flag", "input.n > 1", "vars.first != null"]
        known += [f"default(jobs.{name}.output.again, false)" for name in graph.jobs]
        return parse(self.chance.one(known))

    def _node(self, depth: int) -> Node:
        chance = self.chance
        self.named += 1
        kinds = [Kind.JOB, Kind.GATEWAY] * 3 + [Kind.START, Kind.END] + [Kind.SCOPE] * (depth > 0)
        kind = chance.one(kinds)
        join, split = self._gate(kind)
        works = kind in (Kind.JOB, Kind.SCOPE)
        return Node(
            kind,
            f"n{self.named}",
            join=join,
            split=split,
            job=self._job() if kind is Kind.JOB else None,
            each=self._each() if works and chance.happens(0.15) else None,
            when=parse(chance.one(["input.flag", "true", "false"]))
            if works and chance.happens(0.15)
            else None,
            optional=works and chance.happens(0.2),
            timeout=600_000 if kind is Kind.SCOPE and chance.happens(0.3) else None,
            undo=self._job() if kind is Kind.JOB and chance.happens(0.1) else None,
            on_error=chance.one([*OnError]) if works and chance.happens(0.1) else None,
        )

    def _gate(self, kind: Kind) -> tuple[Join, Split]:
        """Jobs and scopes mostly behave as activities do; any of them may join or choose."""
        if kind is Kind.GATEWAY or self.chance.happens(0.2):
            return self.chance.one(GATES)
        return Join.EACH, Split.ALL

    def _each(self) -> Each:
        chance = self.chance
        return Each(
            items=parse(chance.one(["[1, 2]", "[]", "input.items", "input.n"])),
            name="item",
            at_once=chance.count(1, 3),
            tolerate=chance.one([0, 1, 50]),
            percent=chance.happens(0.3),
        )

    def _job(self) -> Job:
        chance = self.chance
        action = chance.one(ACTIONS)
        return Job(
            action=action,
            input=INPUTS.get(type(action)),
            retry=Retry(attempts=chance.count(1, 2) if isinstance(action, Run | Call) else 1),
            timeout=1_200_000 if chance.happens(0.3) else None,
            callback=isinstance(action, Run | Emit) and chance.happens(0.15),
            repeat=AGAIN if isinstance(action, Run | Call) and chance.happens(0.1) else None,
            catch=CAUGHT if chance.happens(0.1) else (),
        )


ACTIONS: list[Action] = [Run(name) for name in ("ok", *HANDLERS)]
ACTIONS += [Call(parse_template({"workflow": CALLED[0]}))]
ACTIONS += [
    Set(),
    Emit(),
    Task(),
    WaitUntil(60_000),
    WaitEvent((EVENTS[0],)),
    WaitEvent(EVENTS, (), 0),
]

AGAIN = Repeat(until=parse("output == null || output.again == false"), every=1_000, limit=3)
CAUGHT = (
    Catch(on=("Fatal",), output=parse_template({"again": False})),
    Catch(on=("*",), job=Job(action=Run("ok"), retry=Retry(attempts=1))),
)

INPUTS: dict[type, Template] = {
    Run: parse_template({"times": 1, "key": "${ input.key }"}),
    Set: parse_template({"first": "${ input.n }"}),
    Call: parse_template({"n": "${ input.n }"}),
    Task: parse_template({"name": "Sign off ${ input.key }", "outcomes": list(OUTCOMES)}),
    Emit: parse_template({"type": EMITTED[0], "data": "${ input }"}),
}
