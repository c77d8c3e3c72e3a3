"""Gateways: graphs that no document can write yet, joined as BPMN 2.0.2 says."""

import pytest

from ostinato.core import events as e
from ostinato.core.expressions import parse, parse_template
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Job, Join, Kind, Run, Set, Split
from ostinato.errors import DefinitionError
from tests.core.semantics.rule import Rule, holds

GATES = {
    "xor": (Join.EACH, Split.FIRST),
    "and": (Join.ALL, Split.ALL),
    "or": (Join.SOME, Split.SOME),
    "merge": (Join.EACH, Split.ALL),
}


def node(name):
    """``or:x`` is a gateway; ``start``, ``end``; ``set:n`` counts ``vars.n``; else a job."""
    kind, _, rest = name.rpartition(":")
    if kind in GATES:
        join, split = GATES[kind]
        return Node(Kind.GATEWAY, rest, join=join, split=split)
    if kind == "set":
        count = parse_template({rest: f"${{ default(vars.{rest}, 0) + 1 }}"})
        return Node(Kind.JOB, rest, job=Job(action=Set(), input=count))
    if rest.startswith(("start", "end")):
        return Node(Kind.START if rest.startswith("start") else Kind.END, rest)
    handler = "open" if rest.startswith("o_") else "echo"
    return Node(Kind.JOB, rest, job=Job(action=Run(handler)))


def flows(text, graph=None, scope=None):
    """``a -> b [guard] -> c; b -> d [default]``: nodes by name, made when first named."""
    graph = graph or Graph("w")
    for chain in filter(None, map(str.strip, text.split(";"))):
        before = None
        for part in map(str.strip, chain.split(" -> ")):
            name, _, guard = part.partition(" [")
            path = name.rpartition(":")[2]
            full = f"{scope.path}/{path}" if scope else path
            target = graph.nodes.get(full) or graph.add(node(name), scope)
            if before is not None:
                guard = guard.rstrip("]")
                condition = parse(guard) if guard not in ("", "default") else None
                graph.flow(before, target, guard=condition, default=guard == "default")
            before = target
    return graph


def made(text):
    return lambda: flows(text).seal()


def nested(inner, outer, **more):
    """``outer`` has a node ``sub``, a scope in which ``inner`` is."""

    def make():
        graph = Graph("w")
        sub = graph.add(Node(Kind.SCOPE, "sub", **more))
        return flows(outer, flows(inner, graph, sub)).seal()

    return make


UPSTREAM = (
    "start -> or:split; split -> a [input.a] -> or:join; split -> o_b [input.b] -> c -> join; "
    "split -> d [default] -> join; join -> e -> end"
)
LOOP = (
    "start -> merge:top -> set:n -> or:pick; pick -> top [vars.n < 3]; pick -> done [vars.n >= 3]"
)
CROSSED = (
    "start -> and:fork; fork -> a -> or:one; fork -> b -> or:two; "
    "one -> xor:x; x -> end [true]; x -> two [default]; two -> xor:y; y -> end2 [true]; "
    "y -> one [default]"
)
INNER_LOOP = (
    "start -> or:fork; fork -> a [true] -> or:join; fork -> o_b [true] -> xor:again; "
    "again -> o_b [default]; again -> join [jobs.o_b.output == 'out']; join -> z"
)


RULES = [
    Rule(
        "xor-first",
        "An exclusive gateway takes the first flow whose guard is true, in the order written.",
        graph=made("start -> xor:g; g -> a [input > 5]; g -> b [input > 1]; g -> c [default]"),
        input=3,
        jobs={"b": "succeeded"},
    ),
    Rule(
        "xor-default",
        "When none is, the default.",
        graph=made("start -> xor:g; g -> a [default]; g -> b [input > 1]"),
        input=0,
        jobs={"a": "succeeded"},
    ),
    Rule(
        "xor-none",
        "Without a default the run fails.",
        graph=made("start -> xor:g; g -> a [input > 5]; g -> b [input > 1]"),
        input=0,
        status="failed",
        error="ExpressionError",
        jobs={},
    ),
    Rule(
        "guard-error",
        "An error in a guard fails the run; it never counts as false.",
        graph=made("start -> xor:g; g -> a [input.x > 5]; g -> b [default]"),
        input={"x": "text"},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "xor-merge",
        "Every token that comes to an exclusive join goes through: a job behind it runs again, "
        "as `job#2`.",
        graph=made("start -> and:g; g -> a -> merge:m; g -> b -> m; m -> c"),
        jobs={"a": "succeeded", "b": "succeeded", "c": "succeeded", "c#2": "succeeded"},
    ),
    Rule(
        "and",
        "A parallel gateway takes all flows, and joins one token of each.",
        graph=made("start -> and:f; f -> a -> and:j; f -> b -> j; f -> c -> j; j -> d"),
        jobs=dict.fromkeys("abcd", "succeeded"),
        calls="a b c d",
    ),
    Rule(
        "and-waits",
        "It waits for the last.",
        graph=made("start -> and:f; f -> a -> and:j; f -> o_b -> j; j -> d"),
        play=lambda play: play.start().work(),
        status="running",
        jobs={"o_b": "ready", "a": "succeeded"},
    ),
    Rule(
        "and-loop",
        "In a loop it joins each time round.",
        graph=made(
            "start -> merge:top; top -> and:f; f -> a -> and:j; f -> set:n -> j; j -> xor:x; "
            "x -> top [vars.n < 3]; x -> end [default]"
        ),
        jobs={
            **dict.fromkeys(("a", "n", "a#2", "n#2", "a#3", "n#3"), "succeeded"),
        },
    ),
    Rule(
        "and-deadlock",
        "A parallel join that an exclusive split feeds can never be full: an incident `deadlock` "
        "that names the flows where tokens rest.",
        graph=made("start -> xor:x; x -> a [true]; x -> b [default]; a -> and:j; b -> j; j -> c"),
        status="waiting",
        waits="repair",
        jobs={"a": "succeeded"},
        has=("token.rested", "run.stuck"),
        play=lambda play: [
            play.run(),
            (play.view.incident, play.view.tokens) == ("deadlock", ("a>j",)) or 1 / 0,
        ],
    ),
    Rule(
        "and-no-deadlock-yet",
        "It is not one while something is open that may still come.",
        graph=made("start -> and:f; f -> a -> and:j; f -> o_b -> j; j -> c"),
        play=lambda play: play.start().work(),
        status="running",
        lacks=("run.stuck",),
    ),
    Rule(
        "deadlock-cancel",
        "A cancel ends it.",
        graph=made("start -> xor:x; x -> a [true]; x -> b [default]; a -> and:j; b -> j; j -> c"),
        play=lambda play: play.run().tell(e.CancelRequested()),
        status="cancelled",
    ),
    Rule(
        "deadlock-inside",
        "Inside a scope it is the same.",
        graph=nested(
            "xor:x -> a [true]; x -> b [default]; a -> and:j; b -> j", "start -> sub; start -> c"
        ),
        status="waiting",
        waits="repair",
        jobs={"c": "succeeded", "sub/a": "succeeded"},
    ),
    Rule(
        "deadlock-timeout",
        "The time-out of a scope that is forgiven ends the incident in it.",
        graph=nested(
            "xor:x -> a [true]; x -> b [default]; a -> and:j; b -> j",
            "start -> sub -> o_c",
            timeout=1000,
            optional=True,
        ),
        play=lambda play: play.start().work().tick(),
        status="running",
        jobs={"sub/a": "succeeded", "o_c": "ready"},
        has=("run.stuck", "phase.failing sub", "phase.ended sub"),
    ),
    Rule(
        "deadlock-false",
        "A scope that has just opened is no deadlock of the tokens beside it.",
        graph=nested(
            "start2",
            "start -> and:f; f -> sub -> and:j; f -> merge:m -> merge:n -> merge:o -> j; j -> c",
        ),
        jobs={"c": "succeeded"},
        lacks=("run.stuck",),
    ),
    Rule(
        "or-all",
        "An inclusive gateway takes every flow whose guard is true; its join waits for all tokens "
        "that can still come …",
        graph=made(UPSTREAM),
        input={"a": True, "b": True},
        play=lambda play: play.start({"a": True, "b": True}).work(),
        status="running",
        jobs={"a": "succeeded", "o_b": "ready"},
    ),
    Rule(
        "or-all-come",
        "… and goes on once.",
        graph=made(UPSTREAM),
        play=lambda play: play.start({"a": True, "b": True}).work().complete("o_b").work(),
        jobs=dict.fromkeys(("a", "o_b", "c", "e"), "succeeded"),
    ),
    Rule(
        "or-one",
        "It does not wait for what was never begun.",
        graph=made(UPSTREAM),
        input={"a": True, "b": False},
        jobs={"a": "succeeded", "e": "succeeded"},
    ),
    Rule(
        "or-default",
        "The default is taken only when no guard is true.",
        graph=made(UPSTREAM),
        input={"a": False, "b": False},
        jobs={"d": "succeeded", "e": "succeeded"},
    ),
    Rule(
        "or-dies",
        "A token that ends elsewhere is waited for no longer.",
        graph=made(
            "start -> and:f; f -> a -> or:j; f -> o_b -> xor:x; x -> j [default]; "
            "x -> end [jobs.o_b.output == 1]; j -> c"
        ),
        play=lambda play: [
            play.start().work(),
            "c" not in play.jobs or 1 / 0,
            play.complete("o_b", 1).work(),
        ],
        jobs={"o_b": "succeeded", "a": "succeeded", "c": "succeeded"},
    ),
    Rule(
        "or-loop",
        "In a loop, each time round.",
        graph=made(LOOP),
        jobs=dict.fromkeys(("n", "n#2", "n#3", "done"), "succeeded"),
    ),
    Rule(
        "or-inner-loop",
        "A loop before it is waited for, however often it goes round.",
        graph=made(INNER_LOOP),
        play=lambda play: [
            play.start().work().complete("o_b", "in").work().complete("o_b#2", "in"),
            "z" not in play.jobs or 1 / 0,
            play.complete("o_b#3", "out").work(),
        ],
        jobs=dict.fromkeys(("a", "o_b", "o_b#2", "o_b#3", "z"), "succeeded"),
    ),
    Rule(
        "or-crossed",
        "Two inclusive joins that can each still get the other's token wait for each other: a "
        "deadlock, as in BPMN.",
        graph=made(CROSSED),
        status="waiting",
        waits="repair",
        jobs={"a": "succeeded", "b": "succeeded"},
    ),
    Rule(
        "or-own-path",
        "A token that can reach both an empty flow and a filled one is not waited for.",
        graph=made(
            "start -> and:f; f -> merge:p -> or:j; f -> o_b -> xor:x; x -> p [false]; "
            "x -> q [default]; q -> j; j -> z"
        ),
        play=lambda play: play.start().work(),
        status="running",
        jobs={"o_b": "ready", "z": "succeeded"},
    ),
    Rule(
        "nested",
        "A scope is one node: it ends when no token is left in it.",
        graph=nested("a -> and:f; f -> b; f -> c", "start -> sub -> d"),
        calls="sub/a sub/b sub/c d",
        has=("phase.opened sub", "phase.ended sub", "job.ready d"),
    ),
    Rule(
        "nested-again",
        "Entered again it is another: `sub#2/a`.",
        graph=nested(
            "a", "start -> merge:top -> sub -> set:n -> xor:x; x -> top [vars.n < 2]; x -> end"
        ),
        jobs=dict.fromkeys(("sub/a", "n", "sub#2/a", "n#2"), "succeeded"),
    ),
    Rule(
        "ends",
        "A run ends when its last token does.",
        graph=made("start -> a -> end; start2 -> o_b -> end2"),
        play=lambda play: play.start().work(),
        status="running",
        jobs={"o_b": "ready", "a": "succeeded"},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_gateways(rule):
    holds(rule)


def test_a_scope_in_which_nothing_can_start_is_refused():
    with pytest.raises(DefinitionError, match="nothing can start"):
        flows("a -> b -> a").seal()
