"""Each: a job or a phase per item."""

import pytest

from tests.core.semantics.rule import Rule, holds

ITEMS = {"items": ["x", "y", "z"]}


def boom_at(*bad):
    def run(item):
        if item in bad:
            raise ValueError(item)
        return item

    return run


def in_reverse(play):
    play.start(ITEMS)
    for index in (2, 1, 0):
        play.complete(f"p/a[{index}]", index)


RULES = [
    Rule(
        "each-job",
        "A job with `each` runs once per item; its steps are `job[0]`, `job[1]`, …; its output "
        "is the list of theirs.",
        "[{job: a, run: echo, each: {in: input.items, as: one}, with: '${ one }'}]",
        input=ITEMS,
        calls="p/a[0] p/a[1] p/a[2]",
        output={"a": ["x", "y", "z"]},
        has=("phase.opened p/a", "each.resolved p/a", "phase.ended p/a[2]", "phase.ended p/a"),
    ),
    Rule(
        "each-name",
        "Without `as` the item is `item`; `index` is its position.",
        "[{job: a, run: echo, each: {in: input.items}, with: '${ item }${ index }'}]",
        input=ITEMS,
        output={"a": ["x0", "y1", "z2"]},
    ),
    Rule(
        "each-output-order",
        "Outputs stand in the order of the items, whichever ended first.",
        "[{job: a, run: open, each: {in: input.items}}]",
        play=in_reverse,
        output={"a": [0, 1, 2]},
    ),
    Rule(
        "each-empty",
        "An empty list is done at once, succeeded, with output [].",
        """
        - {job: a, run: echo, each: {in: '[]'}}
        - {job: b, run: echo, needs: [a], with: "${ jobs.a }"}
        """,
        jobs={"p/b": "succeeded"},
        outputs={"p/b": {"status": "succeeded", "output": [], "error": None, "attempts": 0}},
    ),
    Rule(
        "each-empty-beside",
        "It is done whatever is done beside it.",
        """
        - {job: a, run: echo, each: {in: '[]'}}
        - {job: b, set: {n: 1}}
        - {job: c, run: echo, needs: [a, b]}
        """,
        jobs={"p/b": "succeeded", "p/c": "succeeded"},
        lacks=("run.stuck",),
    ),
    Rule(
        "each-empty-phase",
        "So is a phase over an empty list.",
        "phases: [{phase: p, each: {in: '[]'}, jobs: [{job: a, run: echo}]}]",
        jobs={},
        output={"a": []},
    ),
    Rule(
        "each-in-order",
        "`at_once: 1` is in order: an item starts when the one before is done.",
        "[{job: a, run: open, each: {in: input.items, at_once: 1}}]",
        play=lambda play: play.start(ITEMS).complete("p/a[0]"),
        status="running",
        jobs={"p/a[0]": "succeeded", "p/a[1]": "ready"},
    ),
    Rule(
        "each-at-once",
        "`at_once: n` keeps n going.",
        "[{job: a, run: open, each: {in: input.items, at_once: 2}}]",
        play=lambda play: play.start(ITEMS).complete("p/a[1]"),
        status="running",
        jobs={"p/a[0]": "ready", "p/a[1]": "succeeded", "p/a[2]": "ready"},
    ),
    Rule(
        "each-ten",
        "Without it ten.",
        "[{job: a, run: open, each: {in: 'input'}}]",
        play=lambda play: play.start(list(range(12))),
        status="running",
        jobs={f"p/a[{index}]": "ready" for index in range(10)},
    ),
    Rule(
        "each-recorded",
        "The list is recorded: it is worked out once.",
        """
        - {job: s, set: {n: [1, 2]}}
        - {job: a, run: echo, needs: [s], each: {in: vars.n, at_once: 1}, with: "${ item }"}
        - {job: t, set: {n: [1, 2, 3]}, needs: [s]}
        """,
        outputs={"p/a[0]": 1, "p/a[1]": 2},
        output={"s": {"n": [1, 2]}, "a": [1, 2], "t": {"n": [1, 2, 3]}},
    ),
    Rule(
        "each-not-a-list",
        "A value that is no list fails the job with `ExpressionError`.",
        "[{job: a, run: echo, each: {in: input.items}}]",
        input={"items": "x"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "each-in-error-optional",
        "An optional job forgives an error in its own `each.in`.",
        "[{job: a, run: echo, each: {in: input.x + 1}, optional: true}, "
        "{job: b, run: echo, needs: [a], with: '${ jobs.a.status }'}]",
        input={"x": "text"},
        jobs={"p/a": "failed", "p/b": "succeeded"},
        outputs={"p/b": "failed"},
    ),
    Rule(
        "each-in-each-error",
        "Also inside a phase with `each`.",
        """
        phases:
          - phase: p
            each: {in: input.items}
            jobs: [{job: a, run: echo, each: {in: input.x + 1, as: no}, optional: true}]
        """,
        input={"items": [1, 2], "x": "text"},
        jobs={"p[0]/a": "failed", "p[1]/a": "failed"},
        output={"a": [None, None]},
    ),
    Rule(
        "each-phase-in-error",
        "In a phase's `each.in` both fail the run.",
        "phases: [{phase: p, each: {in: input.x}, jobs: [{job: a, run: echo}]}]",
        input={"x": 1},
        status="failed",
        error="ExpressionError",
        jobs={},
    ),
    Rule(
        "each-fails",
        "Without `tolerate` the first item that fails for good fails the job; the others are "
        "cancelled.",
        "[{job: a, run: h, each: {in: input.items}, with: '${ item }', retry: 1},"
        " {job: w, wait: 1h}]",
        does={"h": boom_at("x")},
        play=lambda play: play.start(ITEMS).do(play.ready.pop(0)).obey_stops(),
        status="failed",
        error="ValueError",
        jobs={"p/w": "cancelled", "p/a[0]": "failed", "p/a[1]": "cancelled", "p/a[2]": "cancelled"},
    ),
    Rule(
        "each-fails-no-new",
        "Items that had not begun never do.",
        "[{job: a, run: h, each: {in: input.items, at_once: 1}, with: '${ item }', retry: 1}]",
        does={"h": boom_at("x")},
        input=ITEMS,
        status="failed",
        error="ValueError",
        jobs={"p/a[0]": "failed"},
    ),
    Rule(
        "tolerate-number",
        "`tolerate: n` items may fail; their output is null, and the job has succeeded.",
        """
        - job: a
          run: h
          each: {in: input.items, tolerate: 1}
          with: "${ item }"
          retry: 1
        - {job: b, run: echo, needs: [a], with: ["${ jobs.a.status }", "${ jobs.a.error.name }"]}
        """,
        does={"h": boom_at("y")},
        input=ITEMS,
        jobs={
            "p/a[0]": "succeeded",
            "p/a[1]": "failed",
            "p/a[2]": "succeeded",
            "p/b": "succeeded",
        },
        output={"a": ["x", None, "z"], "b": ["succeeded", "ValueError"]},
    ),
    Rule(
        "tolerate-beyond",
        "One more fails the job.",
        "[{job: a, run: h, each: {in: input.items, tolerate: 1}, with: '${ item }', retry: 1}]",
        does={"h": boom_at("x", "z")},
        input=ITEMS,
        status="failed",
        error="ValueError",
        jobs={"p/a[0]": "failed", "p/a[1]": "succeeded", "p/a[2]": "failed"},
    ),
    Rule(
        "tolerate-percent",
        "`tolerate: n%` is a share of all items, rounded down.",
        "[{job: a, run: h, each: {in: input.items, tolerate: 67%}, with: '${ item }', retry: 1}]",
        does={"h": boom_at("x", "z")},
        input=ITEMS,
        jobs={"p/a[0]": "failed", "p/a[1]": "succeeded", "p/a[2]": "failed"},
    ),
    Rule(
        "tolerate-percent-down",
        "Two of three are more than 66%.",
        "[{job: a, run: h, each: {in: input.items, tolerate: 66%}, with: '${ item }', retry: 1}]",
        does={"h": boom_at("x", "z")},
        input=ITEMS,
        status="failed",
        error="ValueError",
    ),
    Rule(
        "tolerate-all",
        "With `tolerate: 100%` all may fail.",
        "[{job: a, run: fatal, each: {in: input.items, tolerate: 100%}}]",
        input=ITEMS,
        output={"a": [None, None, None]},
    ),
    Rule(
        "each-optional",
        "`optional` is about the job as a whole: an item that fails beyond `tolerate` ends it, "
        "failed, and the run goes on.",
        """
        - job: a
          run: h
          each: {in: input.items, at_once: 1}
          with: "${ item }"
          retry: 1
          optional: true
        - {job: b, run: echo, needs: [a], with: "${ jobs.a.status }"}
        """,
        does={"h": boom_at("y")},
        input=ITEMS,
        jobs={"p/a[0]": "succeeded", "p/a[1]": "failed", "p/b": "succeeded"},
        output={"a": ["x", None], "b": "failed"},
    ),
    Rule(
        "each-when",
        "`when` beside `each` is about the job as a whole, before the list is looked at.",
        "[{job: a, run: echo, when: 1 == 2, each: {in: input.nothing}}]",
        jobs={"p/a": "skipped"},
        output={"a": None},
    ),
    Rule(
        "each-retry",
        "Each item is tried again on its own.",
        "[{job: a, run: h, each: {in: '[1, 2]'}, with: '${ item }'}]",
        does={"h": [OSError("once"), lambda data: data]},
        jobs={"p/a[0]": "succeeded", "p/a[1]": "succeeded"},
        calls="p/a[0] p/a[1] p/a[0]",
    ),
    Rule(
        "each-wait",
        "Any kind of job can have one.",
        "[{job: a, wait: 5m, each: {in: '[1, 2]', at_once: 1}}]",
        jobs={"p/a[0]": "succeeded", "p/a[1]": "succeeded"},
        took=600_000,
    ),
    Rule(
        "each-set",
        "Variables are the run's: of several items that set one, the last to do it stays.",
        "[{job: a, set: {n: '${ item }'}, each: {in: '[1, 2]'}}, "
        "{job: b, run: echo, needs: [a], with: '${ vars.n }'}]",
        output={"a": [{"n": 1}, {"n": 2}], "b": 2},
    ),
    Rule(
        "each-phase",
        "A phase with `each` runs its jobs as a chain per item; inside, `jobs.x` is this item's.",
        """
        phases:
          - phase: p
            each: {in: input.items, as: one}
            jobs:
              - {job: a, run: echo, with: "${ one }"}
              - {job: b, run: echo, needs: [a], with: "${ jobs.a.output }${ index }"}
        """,
        input=ITEMS,
        jobs={f"p[{index}]/{job}": "succeeded" for job in "ab" for index in range(3)},
        outputs={"p[1]/b": "y1"},
        output={"a": ["x", "y", "z"], "b": ["x0", "y1", "z2"]},
    ),
    Rule(
        "each-phase-outside",
        "Outside, `jobs.x` has the list of outputs and one status.",
        """
        phases:
          - phase: p
            each: {in: input.items}
            jobs: [{job: a, run: echo, with: "${ index }"}]
          - {phase: q, jobs: [{job: b, run: echo, with: "${ jobs.a }"}]}
        """,
        input=ITEMS,
        output={
            "b": {"status": "succeeded", "output": [0, 1, 2], "error": None, "attempts": 1},
        },
    ),
    Rule(
        "each-phase-fails",
        "A job that fails for good fails its item; within `tolerate` the other items go on.",
        """
        phases:
          - phase: p
            each: {in: input.items, tolerate: 1, at_once: 1}
            jobs:
              - {job: a, run: h, with: "${ item }", retry: 1}
              - {job: b, run: echo, needs: [a]}
        """,
        does={"h": boom_at("y")},
        input=ITEMS,
        jobs={
            "p[0]/a": "succeeded",
            "p[0]/b": "succeeded",
            "p[1]/a": "failed",
            "p[2]/a": "succeeded",
            "p[2]/b": "succeeded",
        },
        output={"a": ["x", None, "z"], "b": [None, None, None]},
        has=("phase.failing p[1]", "phase.ended p[1]", "phase.ended p"),
    ),
    Rule(
        "each-each",
        "Inside an item of a phase a job may have its own list: its steps are `p[0]/a[1]`.",
        """
        phases:
          - phase: p
            each: {in: input, as: row}
            jobs:
              - {job: a, run: echo, each: {in: row, as: cell}, with: "${ cell * 2 }"}
              - {job: b, run: echo, needs: [a], with: "${ sum(jobs.a.output) }"}
        """,
        input=[[1, 2], [3]],
        outputs={"p[0]/a[1]": 4, "p[1]/b": 6},
        output={"a": [[2, 4], [6]], "b": [6, 6]},
    ),
    Rule(
        "each-skipped-items",
        "A job that each item skipped is skipped.",
        """
        phases:
          - phase: p
            each: {in: input.items}
            jobs: [{job: a, run: echo, when: index > 5}]
          - {phase: q, jobs: [{job: b, run: echo, with: "${ jobs.a.status }"}]}
        """,
        input=ITEMS,
        output={"b": "skipped"},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each(rule):
    holds(rule)
