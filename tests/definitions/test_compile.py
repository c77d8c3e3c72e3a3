"""Documents to graphs: the shape, and how it plays."""

import pytest

from ostinato.core.model import Retry
from ostinato.definitions import HandlerDefaults, compile, load
from ostinato.errors import DefinitionError
from ostinato.testing.play import Play
from tests.definitions.samples import big_now, workflow


def graph(text, handlers=None):
    (document,) = load(text)
    return compile(document, handlers)


def flows(text):
    return sorted(f"{flow.source.path} > {flow.target.path}" for flow in graph(text).flows.values())


A, B, C = ("{job: a, run: t}", "{job: b, run: t, needs: [a]}", "{job: c, run: t, needs: [a, b]}")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (workflow(A, "{job: b, run: t}"), []),
        (workflow(A, B, C), ["one/a > one/b", "one/a > one/c", "one/b > one/c"]),
        (workflow(A, "{job: b, run: t}", phase="mode: sequential"), ["one/a > one/b"]),
        (workflow(A, B, C, phase="mode: sequential"), ["one/a > one/b", "one/b > one/c"]),
        (workflow(A, "{job: b, run: t, needs: [a, a]}"), ["one/a > one/b"]),
        (workflow(more="- {phase: two, jobs: [{job: b, run: t, needs: [a]}]}"), ["one > two"]),
        (
            workflow(tail="finally: [{job: x, run: t}, {job: y, run: t}]"),
            ["finally/x > finally/y"],
        ),
    ],
)
def test_flows(text, wanted):
    assert flows(text) == wanted


def test_the_big_example():
    made = graph(big_now())
    assert [node.path for node in made.root.starts] == ["prepare"]
    assert made.last.path == "announce"
    assert made.timeout == 7_200_000
    assert made.on_failure.children[0].path == "on_failure/tell-failed"
    assert made.nodes["deploy"].each.at_once == 3


def test_a_phase_keeps_its_members():
    node = graph(workflow(phase="timeout: 5m\nwhen: 1 < 2")).nodes["one"]
    assert (node.timeout, node.when.text) == (300_000, "1 < 2")


DEFAULTS = {"t": HandlerDefaults(retry={"attempts": 7, "delay": 5}, timeout=9, heartbeat=3)}


@pytest.mark.parametrize(
    ("job", "retry", "timeout"),
    [
        ("{job: a, run: t}", Retry(attempts=7, delay=5), 9),
        ("{job: a, run: t, retry: 2}", Retry(attempts=2, delay=5), 9),
        ("{job: a, run: t, retry: {delay: 1s}, timeout: 1s}", Retry(attempts=7, delay=1000), 1000),
        ("{job: a, run: u}", Retry(), None),
        ("{job: a, wait: 5m}", Retry(attempts=1), None),
    ],
)
def test_the_document_beats_the_handlers_decorator_key_by_key(job, retry, timeout):
    spec = graph(workflow(job), DEFAULTS).nodes["one/a"].spec
    assert (spec.retry, spec.timeout) == (retry, timeout)


def test_needs_that_make_no_order_do_not_compile():
    with pytest.raises(DefinitionError, match="a → b → a"):
        graph(workflow("{job: a, run: t, needs: [b]}", B))


def test_a_document_runs():
    text = workflow(
        "{job: a, run: echo, with: {x: '${ input.x }'}}",
        "{job: b, set: {y: '${ jobs.a.output.x + 1 }'}, needs: [a]}",
        "{job: c, run: echo, with: '${ i }', each: {in: '[1, 2]', as: i}, needs: [b]}",
        "{job: d, run: echo, when: vars.y > 5, needs: [c]}",
        more="""
        - phase: two
          each: {in: jobs.c.output}
          jobs:
            - {job: e, wait: "${ string(item) + 's' }"}
            - {job: f, emit: {type: E, data: {n: "${ item }"}}, needs: [e]}
        """,
        tail="output: {y: vars.y, c: jobs.c.output, d: jobs.d.status, f: size(jobs.f.output)}",
    )
    play = Play(graph(text), {"echo": lambda value: value}).run({"x": 1})
    assert play.status == "succeeded", play.view
    assert play.output == {"y": 2, "c": [1, 2], "d": "skipped", "f": 2}
    assert [event.type for event in play.published] == ["E", "E"]


def test_an_http_answer_of_400_is_a_failure():
    text = workflow("{job: a, http: {url: u}, retry: 1}")
    play = Play(graph(text), {"http": lambda request: {"status": 404}}).run({})
    assert play.status == "failed"
    assert play.view.error is not None
    assert play.view.error.name == "Unexpected"


def test_on_failure_and_finally_run():
    text = workflow(
        "{job: a, run: bad, retry: 1}",
        tail="""
        on_failure: [{job: b, run: echo, with: "${ run.error.name }"}]
        finally: [{job: c, run: echo}]
        """,
    )

    def bad(value):
        raise KeyError(value)

    play = Play(graph(text), {"echo": lambda value: value, "bad": bad}).run({})
    assert play.jobs == {"one/a": "failed", "on_failure/b": "succeeded", "finally/c": "succeeded"}


def test_a_wait_finds_its_event():
    text = workflow('{job: a, wait: {event: X, match: {data: {id: ["${ input.id }"]}}}}')
    play = Play(graph(text)).start({"id": 7})
    (wait,) = play.waits.values()
    assert (wait.types, wait.paths) == (("X",), ("data.id",))
    play.arrive("one/a", "X", {"id": 7})
    assert play.status == "succeeded"
    assert play.output["a"]["data"] == {"id": 7}
