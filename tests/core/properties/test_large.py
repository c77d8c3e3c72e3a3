"""A run does the same whether its values are looked after in memory or not: large or small."""

from unittest.mock import patch

from hypothesis import given, settings

from ostinato.core.fold import large
from tests.core.properties.player import SEEDS, WORKFLOWS, Player


class Light(Player):
    """Every value is a large one, and nothing is kept longer than it must be."""

    def tell(self, event):
        before = len(self.facts)
        told = super().tell(event)
        with patch.object(large, "LARGE", 0), patch.object(large, "_FEW", 0):
            large.lighten(self.state, self.facts[before:])
            self.state.large.enough = 0
        return told


@settings(max_examples=150)
@given(WORKFLOWS, SEEDS)
def test_a_run_does_the_same_with_light_values(graph, seed):
    plain, light = (kind(graph, seed).wander(40) for kind in (Player, Light))
    assert light.records == plain.records
    assert light.starts == plain.starts
    assert light.state.status == plain.state.status
    for key, step in plain.state.steps.items():
        if step.open or step.undo_input is not None:
            other = light.state.steps[key]
            assert (other.input, other.undo_input) == (step.input, step.undo_input)
        assert light.state.steps[key].output == step.output
