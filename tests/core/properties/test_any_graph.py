"""Any graph ends, waits visibly for something named, or is an incident that names its tokens."""

from __future__ import annotations

from hypothesis import given, settings

from ostinato.core.graph import Graph
from ostinato.core.model import Join
from tests.core.properties.player import ENDS, GRAPHS, SEEDS, Player
from tests.core.semantics.rule import history_is_whole

MOVES = 2_000
WAITS = ("timer", "event", "callback", "task", "retry", "repeat", "call", "joined", "ending")


class Watched(Player):
    """At every moment somebody can tell what the run is about."""

    def tell(self, event):
        super().tell(event)
        if self.state.run_id:
            self.look()
        return self

    def look(self):
        view = self.view
        if view.status in ENDS:
            assert not self.state.open
        elif view.status == "paused":
            assert self.state.paused
        elif view.waiting_for == "repair" and self.state.stuck is None:
            assert any(step.kind == "repair" for step in self.state.open.values())
        elif view.waiting_for == "repair":
            self.look_at_incident()
        elif view.status == "waiting":
            assert view.waiting_for in WAITS
            assert self.waited_for()
        else:
            assert view.status == "running"
            assert self.state.busy == len(self.at_work()) > 0

    def look_at_incident(self):
        """Its tokens are those that rest in some scope where nothing else is open."""
        reason, tokens = self.state.stuck
        assert reason == "deadlock"
        assert tokens
        resting = [
            f"{scope.prefix}{scope.node.flows[index].name}"
            for scope in self.state.scopes.values()
            for index in scope.resting
        ]
        assert set(tokens) <= set(resting)

    def at_work(self):
        return [
            step
            for step in self.state.open.values()
            if step.status in ("ready", "running", "cancelling")
        ]

    def waited_for(self):
        """Each open step has a timer, or somebody outside who knows its name."""
        timed = {key for key, _ in self.timers}
        return all(
            step.key in timed
            or (step.kind == "event" and step.key in self.waits)
            or (step.kind == "task" and step.key in self.tasks)
            or step.kind in ("callback", "repair")
            or (step.kind in ("call", "joined", "ending") and step.key in self.called)
            for step in self.state.open.values()
        )


@settings(max_examples=300)
@given(GRAPHS, SEEDS)
def test_no_graph_hangs_without_a_word(graph: Graph, seed: int):
    play = Watched(graph, seed).wander(60).settle(MOVES)
    history_is_whole(play)
    if not play.state.ended:
        assert play.view.incident == "deadlock", "open, and nothing can move it"


@settings(max_examples=100)
@given(GRAPHS, SEEDS)
def test_without_joins_that_want_every_token_no_scope_locks(graph: Graph, seed: int):
    """A parallel join may wait in vain, and crossed inclusive ones; nothing else does."""
    if any(node.join is not Join.EACH for node in graph.nodes.values()):
        for node in graph.nodes.values():
            node.join = Join.EACH
        graph.seal()
    play = Player(graph, seed).wander(60).settle(MOVES)
    assert play.state.ended
