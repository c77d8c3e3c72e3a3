"""No node runs twice for one token: the books of all tokens, kept from the facts alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings

from ostinato.core import facts as f
from ostinato.core.graph import UNDO, Graph, Node
from ostinato.core.model import Join, Kind, Split
from ostinato.core.state import TAKEN_BACK, path_of
from tests.core.properties.player import SEEDS, WORKFLOWS, Player

DONE = (f.JobSucceeded, f.JobFailed, f.JobSkipped, f.JobCancelled, f.ScopeEnded, f.ScopeSkipped)
ENTERS = (
    *DONE, f.ScopeOpened, f.GatewayPassed, f.JobQueued, f.JobReady, f.JobOffered, f.JobWaiting,
    f.JobCaught, f.JobHeld, f.JobCalled,
)  # fmt: skip
BREAKS = (f.ScopeFailing, f.RunCancelling, f.ScopeSatisfied, f.RunHalting)
ELSE = (f.ScopeFailing, f.ItemsResolved, f.ScopeSatisfied, f.RunHalting)
TAKES_BACK = (f.UndoNoted, f.UndoPlanned, f.JobUndone)
LEAVES = (f.JobSucceeded, f.JobSkipped, f.ScopeEnded, f.ScopeSkipped, f.GatewayPassed)


class Books:
    """By (scope key, node path): how often a node was entered, and was left. By (scope key, flow):
    tokens that rest. ``done`` are the keys that are over."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.entered: Counter[tuple[str, str]] = Counter()
        self.left: Counter[tuple[str, str]] = Counter()
        self.joined: Counter[tuple[str, str]] = Counter()
        self.rested: Counter[tuple[str, str]] = Counter()
        self.ever: Counter[tuple[str, str]] = Counter()
        self.seen: set[str] = set()
        self.done: set[str] = set()
        self.skipped: set[str] = set()
        self.broken: set[str] = set()

    def write(self, fact: Any) -> None:
        """What is taken back, is no token's work."""
        key = name(fact)
        if isinstance(fact, TAKES_BACK) or str(key).endswith(TAKEN_BACK) or key == UNDO:
            return
        if isinstance(fact, ENTERS):
            self.enter(fact, key)
        elif isinstance(fact, f.TokenRested):
            self.rest(fact.scope, fact.flow)
        elif isinstance(fact, f.TokensJoined):
            self.join(fact.scope, fact.flows)
        elif key is not None and not isinstance(fact, ELSE):
            assert key in self.seen - self.done, f"{fact} of what is not open"
        if isinstance(fact, BREAKS):
            self.broken.add("" if key is None or isinstance(fact, f.RunHalting) else key)

    def enter(self, fact: Any, key: str) -> None:
        assert key not in self.done, f"{fact} after its end"
        if key not in self.seen:
            self.seen.add(key)
            self.come(key)
        if isinstance(fact, DONE):
            self.done.add(key)
        if isinstance(fact, f.ScopeSkipped):
            self.skipped.add(key)
        if isinstance(fact, LEAVES) or (isinstance(fact, f.JobFailed) and self.forgiven(key)):
            self.left[place(key)] += not key.endswith(ITEMS)

    def forgiven(self, key: str) -> bool:
        node = self.node(key)
        return node.optional or (node.parent is not None and node.parent.enough is not None)

    def node(self, key: str) -> Node:
        return self.graph.nodes[path_of(key.removesuffix(" job"))]

    def come(self, key: str) -> None:
        scope, path = place(key)
        if key.endswith(ITEMS):
            assert key.rpartition("[")[0] in self.seen
            return
        self.entered[scope, path] += 1
        most = 1 if scope in self.skipped else self.due(scope, self.graph.nodes[path])
        assert self.entered[scope, path] <= most, f"{key}: no token for it"

    def due(self, scope: str, node: Node) -> int:
        """How often the node may have been entered by now."""
        if not node.incoming:
            return 1
        if node.join is not Join.EACH:
            return self.joined[scope, node.path]
        return sum(self.left[scope, flow.source.path] for flow in node.incoming)

    def rest(self, scope: str, name: str) -> None:
        source = self.graph.flows[name].source
        self.rested[scope, name] += 1
        self.ever[scope, name] += 1
        flows = [name] if source.split is not Split.FIRST else [one.name for one in source.outgoing]
        sent = sum(self.ever[scope, one] for one in flows)
        assert sent <= self.left[scope, source.path], f"{name}: a token from nowhere"

    def join(self, scope: str, names: tuple[str, ...]) -> None:
        targets = {self.graph.flows[name].target for name in names}
        assert len(targets) == 1, names
        (node,) = targets
        assert len(set(names)) == len(names)
        assert node.join is not Join.ALL or len(names) == len(node.incoming)
        for name in names:
            self.rested[scope, name] -= 1
            assert self.rested[scope, name] >= 0, f"{name}: one token joined twice"
        self.joined[scope, node.path] += 1

    def close(self) -> None:
        """Nor is a token lost: where all flows are taken, each is used, and none is left."""
        for scope, node in self.whole_scopes():
            for child in node.children:
                sources = [flow.source for flow in child.incoming]
                if all(source.split is Split.ALL for source in sources):
                    used = self.entered[scope, child.path]
                    assert used == self.due(scope, child), f"{scope}: {child} lost a token"
            for flow in (flow for child in node.children for flow in child.outgoing):
                assert self.rested[scope, flow.name] == 0, f"{scope}: {flow.name}"

    def whole_scopes(self) -> list[tuple[str, Node]]:
        """Those that came to their end without a failure or a cancel in or around them."""
        found = []
        for key in self.done - self.skipped:
            node = self.node(key)
            around = {key[: len(one)] for one in self.broken}
            container = node.each is not None and not key.endswith("]")
            if node.kind is Kind.SCOPE and not container and not around & self.broken:
                found.append((key, node))
        return found


ITEMS = ("]", "] job")


def name(fact: Any) -> Any:
    """The key; an item of a job's list and the job in it have the same one."""
    key = getattr(fact, "key", None)
    scopes = f.ScopeOpened | f.ScopeEnded | f.ScopeFailing | f.ScopeSatisfied
    return f"{key} job" if str(key).endswith("]") and not isinstance(fact, scopes) else key


def place(key: str) -> tuple[str, str]:
    """The scope instance, and the node in it."""
    return key.rpartition("/")[0], path_of(key.removesuffix(" job"))


@settings(max_examples=400)
@given(WORKFLOWS, SEEDS)
def test_no_node_runs_twice_for_one_token(graph, seed):
    play = Player(graph, seed).wander(60)
    books = Books(graph)
    for fact in play.facts:
        books.write(fact)
    books.close()


@settings(max_examples=200)
@given(WORKFLOWS, SEEDS)
def test_an_attempt_begins_once(graph, seed):
    """Attempts of one step are numbered upwards, and each is asked for once."""
    play = Player(graph, seed).wander(60)
    last: Counter[str] = Counter()
    for key, attempt in play.starts:
        assert attempt > last[key]
        last[key] = attempt


@settings(max_examples=200)
@given(WORKFLOWS, SEEDS)
def test_each_item_of_a_list_begins_once_and_in_order(graph, seed):
    play = Player(graph, seed).wander(60)
    opened = [fact.key for fact in play.facts if isinstance(fact, f.ScopeOpened)]
    items = [key[:-1].rpartition("[") for key in opened if key.endswith("]")]
    for container in {name for name, _, _ in items}:
        begun = [int(index) for name, _, index in items if name == container]
        assert begun == list(range(len(begun)))
        assert len(begun) <= len(play.state.scopes[container].items)
