"""The graph: nodes, and flows between them that may carry a guard. Compiled once per load.

Every way of writing a workflow ends here. A node lives in a scope (the run itself, or a node
of kind ``scope``); a flow never leaves its scope. A node's ``path`` is made of names
(``deploy/push``), so facts can carry names and newer code can load older runs; ``index`` is
its position, for masks.

An inclusive join needs to know which nodes can still send it a token. ``masks`` holds, per
incoming flow, the set of nodes (as bits) from which that flow can be reached without passing
the join itself: BPMN 2.0.2, 13.4.3.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from ostinato.core.expressions import Expression, Template
from ostinato.core.model import (
    Dedup,
    Each,
    Job,
    Join,
    Kind,
    Limit,
    OnError,
    Split,
    UidRule,
)
from ostinato.core.routes import Routes
from ostinato.errors import DefinitionError

ON_FAILURE = "on_failure"
FINALLY = "finally"
UNDO = "~undo"


class Flow:
    """``default`` is taken when no guard of its node is true."""

    __slots__ = ("default", "guard", "index", "name", "source", "target")

    def __init__(
        self, source: Node, target: Node, name: str, guard: Expression | None, default: bool
    ) -> None:
        self.source = source
        self.target = target
        self.name = name
        self.guard = guard
        self.default = default
        self.index = -1


class Node:
    """``children``, ``starts``, ``flows`` and ``inclusive`` (joins) are those inside a scope node,
    ``jobs`` all that are anywhere below it.

    A scope with ``enough`` is over once so many of its children have succeeded. ``way`` are the
    nodes that lead to it.
    """

    __slots__ = (
        "children",
        "each",
        "enough",
        "flows",
        "inclusive",
        "incoming",
        "index",
        "job",
        "jobs",
        "join",
        "kind",
        "limits",
        "masks",
        "name",
        "on_error",
        "optional",
        "outgoing",
        "parent",
        "path",
        "scope",
        "split",
        "starts",
        "timeout",
        "undo",
        "way",
        "when",
    )

    def __init__(
        self,
        kind: Kind,
        name: str,
        *,
        join: Join = Join.EACH,
        split: Split = Split.ALL,
        job: Job | None = None,
        each: Each | None = None,
        when: Expression | None = None,
        optional: bool = False,
        timeout: int | None = None,
        enough: int | None = None,
        on_error: OnError | None = None,
        undo: Job | None = None,
        limits: tuple[Limit, ...] = (),
    ) -> None:
        self.kind = kind
        self.name = name
        self.join = join
        self.split = split
        self.job = job
        self.each = each
        self.when = when
        self.optional = optional
        self.timeout = timeout
        self.enough = enough
        self.on_error = on_error
        self.undo = undo
        self.limits = limits
        self.path = name
        self.index = -1
        self.parent: Node | None = None
        self.way: tuple[Node, ...] = ()
        self.incoming: list[Flow] = []
        self.outgoing: list[Flow] = []
        self.children: list[Node] = []
        self.starts: list[Node] = []
        self.jobs: list[Node] = []
        self.flows: dict[int, Flow] = {}
        self.inclusive: list[Node] = []
        self.masks: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<{self.kind.value} {self.path or 'run'}>"

    @property
    def spec(self) -> Job:
        """What a node of kind job does."""
        if self.job is None:
            raise DefinitionError(f"{self.path!r} is not a job")
        return self.job

    def mode(self) -> OnError:
        """What happens when this fails for good: the nearest word about it."""
        node: Node | None = self
        while node is not None:
            if node.on_error is not None:
                return node.on_error
            node = node.parent
        return OnError.CANCEL

    def walk(self) -> Iterator[Node]:
        """This node and all below it, top down, in the order they were added."""
        yield self
        for child in self.children:
            yield from child.walk()


class Graph:
    """A workflow, ready to run.

    Build one with ``add`` and ``flow``, then ``seal``. ``output`` makes the run's result;
    ``stages`` come after the work: undo, ``on_failure`` and ``finally``.
    ``last`` names the scope whose job outputs are the result without it. ``address`` is the
    web address under which callbacks arrive; jobs whose handler is not ``here`` are offered to
    workers elsewhere (None: all are). A run of more than ``most_steps`` steps fails, and so
    does a job whose process died ``most_deaths`` times, and a call from a run that has
    ``most_depth`` runs above it; ``most_output`` is in bytes, of the run's result. All these are
    set by whoever loads the graph. A run takes a place under each of ``limits`` before it begins;
    ``priority`` (0 to 9) is that of its jobs.
    ``uid`` and ``dedup`` say which starts meet an earlier run, and what comes of that.
    """

    def __init__(
        self,
        workflow: str,
        version: int = 1,
        *,
        timeout: int | None = None,
        output: Template | Expression | None = None,
    ) -> None:
        self.workflow = workflow
        self.version = version
        self.timeout = timeout
        self.output = output
        self.address = ""
        self.routes = Routes()
        self.here: Container[str] | None = None
        self.most_steps = 100_000
        self.most_output = 20 << 20
        self.most_deaths = 3
        self.most_depth = 50
        self.limits: tuple[Limit, ...] = ()
        self.priority = 5
        self.uid: UidRule | None = None
        self.dedup: Dedup | None = None
        self.root = Node(Kind.SCOPE, "")
        self.nodes: dict[str, Node] = {}
        self.jobs: dict[str, Node] = {}
        self.flows: dict[str, Flow] = {}
        self.last: Node | None = None
        self.stages: tuple[Node, ...] = ()

    def add(self, node: Node, scope: Node | None = None) -> Node:
        parent = scope or self.root
        node.parent, node.way = parent, (*parent.way, node)
        node.path = f"{parent.path}/{node.name}" if parent.path else node.name
        if node.path in self.nodes:
            raise DefinitionError(f"two nodes are called {node.path!r}")
        if node.kind is Kind.JOB:
            if node.name in self.jobs:
                raise DefinitionError(f"two jobs are called {node.name!r}")
            self.jobs[node.name] = node
        parent.children.append(node)
        self.nodes[node.path] = node
        return node

    def flow(
        self,
        source: Node,
        target: Node,
        *,
        guard: Expression | None = None,
        default: bool = False,
        name: str = "",
    ) -> Flow:
        if source.parent is not target.parent:
            raise DefinitionError(f"a flow from {source.path!r} leaves its scope")
        name = name or f"{source.path}>{target.name}"
        if name in self.flows:
            raise DefinitionError(f"two flows are called {name!r}")
        flow = Flow(source, target, name, guard, default)
        source.outgoing.append(flow)
        target.incoming.append(flow)
        self.flows[name] = flow
        return flow

    def seal(self) -> Graph:
        """Number everything, find each scope's start, and compute the masks."""
        if any(node.undo is not None for node in self.nodes.values()) and self.undo is None:
            self.add(Node(Kind.UNDO, UNDO))
        after = (self.undo, self.on_failure, self.finally_)
        self.stages = tuple(node for node in after if node is not None)
        for number, flow in enumerate(self.flows.values()):
            flow.index = number
        for number, node in enumerate(self.root.walk()):
            node.index = number
            node.starts = [child for child in node.children if _begins(child)]
            node.jobs = [below for below in node.walk() if below.kind is Kind.JOB]
            node.inclusive = [child for child in node.children if child.join is Join.SOME]
            node.flows = {flow.index: flow for child in node.children for flow in child.outgoing}
            if not node.starts and any(child.incoming for child in node.children):
                where = repr(node.path) if node.path else "the run"
                raise DefinitionError(f"nothing can start in {where}: each node is after another")
            if node.join is Join.ALL and len(node.incoming) < 2:
                node.join = Join.EACH
        for node in self.nodes.values():
            if node.join is Join.SOME:
                node.masks = {flow.index: _mask(flow, node) for flow in node.incoming}
        return self

    @property
    def on_failure(self) -> Node | None:
        return self.nodes.get(ON_FAILURE)

    @property
    def undo(self) -> Node | None:
        return self.nodes.get(UNDO)

    @property
    def finally_(self) -> Node | None:
        return self.nodes.get(FINALLY)


def _begins(node: Node) -> bool:
    if node.parent is not None and not node.parent.path and node.name in (ON_FAILURE, FINALLY):
        return False
    return node.kind is not Kind.UNDO and not node.incoming


def _mask(flow: Flow, join: Node) -> int:
    """The nodes from which ``flow`` can be reached without passing ``join``."""
    mask, todo = 0, [flow.source]
    while todo:
        node = todo.pop()
        if node is join or mask >> node.index & 1:
            continue
        mask |= 1 << node.index
        todo.extend(before.source for before in node.incoming)
    return mask
