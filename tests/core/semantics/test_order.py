"""Order, `needs`, `when` and skipping."""

import pytest

from tests.core.semantics.rule import Rule, holds

SKIP = "{job: a, run: echo, when: 1 == 2}"

RULES = [
    Rule(
        "phases-in-order",
        "Phases run one after the other: the next one opens when the one before has ended.",
        """
        phases:
          - {phase: one, jobs: [{job: a, run: echo}, {job: b, run: echo}]}
          - {phase: two, jobs: [{job: c, run: echo}]}
        """,
        calls="one/a one/b two/c",
        has=("job.succeeded one/b", "phase.ended one", "phase.opened two", "job.ready two/c"),
        output={"c": None},
    ),
    Rule(
        "parallel",
        "In a phase all jobs without `needs` are ready at once.",
        "[{job: a, run: open}, {job: b, run: open}]",
        play=lambda play: play.start(),
        status="running",
        jobs={"p/a": "ready", "p/b": "ready"},
    ),
    Rule(
        "sequential",
        "With `mode: sequential` each job follows the one before it, as written.",
        """
        phases:
          - phase: p
            mode: sequential
            jobs: [{job: b, run: open}, {job: a, run: open}]
        """,
        play=lambda play: play.start().complete("p/b"),
        status="running",
        jobs={"p/b": "succeeded", "p/a": "ready"},
    ),
    Rule(
        "needs-all",
        "A job starts when all its `needs` are done, and once, whichever comes last.",
        """
        - {job: a, run: open}
        - {job: b, run: open}
        - {job: c, run: echo, needs: [a, b]}
        """,
        play=lambda play: play.start().complete("p/b").complete("p/a").work(),
        calls="p/c",
        jobs={"p/a": "succeeded", "p/b": "succeeded", "p/c": "succeeded"},
        has=("token.rested", "token.rested", "token.joined", "job.ready p/c"),
    ),
    Rule(
        "needs-not-yet",
        "It does not start before.",
        """
        - {job: a, run: open}
        - {job: b, run: open}
        - {job: c, run: echo, needs: [a, b]}
        """,
        play=lambda play: play.start().complete("p/b").work(),
        status="running",
        jobs={"p/a": "ready", "p/b": "succeeded"},
    ),
    Rule(
        "needs-skipped",
        "A skipped job counts as done.",
        f"[{SKIP}, {{job: b, run: echo, needs: [a]}}]",
        jobs={"p/a": "skipped", "p/b": "succeeded"},
    ),
    Rule(
        "needs-optional",
        "A failed job with `optional: true` counts as done.",
        """
        - {job: a, run: fatal, optional: true}
        - {job: b, run: echo, needs: [a], with: "${ jobs.a.error.name }"}
        """,
        jobs={"p/a": "failed", "p/b": "succeeded"},
        outputs={"p/b": "Fail"},
    ),
    Rule(
        "needs-failed",
        "A failed job without it does not: the run fails and nothing new starts.",
        "[{job: a, run: fatal}, {job: b, run: echo, needs: [a]}]",
        status="failed",
        error="Fail",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "needs-twice",
        "A need named twice is one need.",
        "[{job: a, run: echo}, {job: b, run: echo, needs: [a, a]}]",
        calls="p/a p/b",
    ),
    Rule(
        "needs-earlier-phase",
        "A need of an earlier phase is settled by the order of the phases.",
        """
        phases:
          - {phase: one, jobs: [{job: a, run: echo}]}
          - {phase: two, jobs: [{job: b, run: echo, needs: [a]}]}
        """,
        calls="one/a two/b",
    ),
    Rule(
        "diamond",
        "Several ways to one job make it start once.",
        """
        - {job: a, run: echo}
        - {job: b, run: echo, needs: [a]}
        - {job: c, run: echo, needs: [a]}
        - {job: d, run: echo, needs: [b, c]}
        """,
        calls="p/a p/b p/c p/d",
    ),
    Rule(
        "when-true",
        "`when` is looked at when all needs are done, and sees what they gave.",
        """
        - {job: a, run: echo, with: 7}
        - {job: b, run: echo, needs: [a], when: jobs.a.output == 7}
        """,
        jobs={"p/a": "succeeded", "p/b": "succeeded"},
    ),
    Rule(
        "when-false",
        "When it is false the job is skipped; its output is null and its reason is the condition.",
        f"[{SKIP}, {{job: b, run: echo, needs: [a], with: ['${{ jobs.a.output }}']}}]",
        jobs={"p/a": "skipped", "p/b": "succeeded"},
        outputs={"p/a": None, "p/b": [None]},
        has=("job.skipped p/a",),
        lacks=("job.ready p/a",),
    ),
    Rule(
        "when-no-bool",
        "Anything but true and false is an `ExpressionError` of the job.",
        "[{job: a, run: echo, when: input.x}]",
        input={"x": "yes"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "when-error",
        "An error in `when` fails the job; it never skips it.",
        "[{job: a, run: echo, when: input.x > 1}]",
        input={"x": "text"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "when-error-optional",
        "An optional job forgives an error in its own `when`.",
        "[{job: a, run: echo, when: input.x > 1, optional: true}]",
        input={"x": "text"},
        jobs={"p/a": "failed"},
    ),
    Rule(
        "skip-does-not-spread",
        "Who needs a skipped job runs all the same.",
        f"[{SKIP}, {{job: b, run: echo, needs: [a]}}, {{job: c, run: echo, needs: [b]}}]",
        calls="p/b p/c",
    ),
    Rule(
        "skip-passed-on",
        "Who wants to be skipped with it writes so.",
        f"""[{SKIP}, {{job: b, run: echo, needs: [a], when: 'jobs.a.status == "succeeded"'}}]""",
        jobs={"p/a": "skipped", "p/b": "skipped"},
    ),
    Rule(
        "phase-skipped",
        "A phase whose `when` is false skips each of its jobs; the next phase runs.",
        """
        phases:
          - phase: one
            when: input.go == true
            jobs: [{job: a, run: echo}, {job: b, run: echo, needs: [a]}]
          - {phase: two, jobs: [{job: c, run: echo, with: "${ jobs.b.status }"}]}
        """,
        input={"go": False},
        jobs={"one/a": "skipped", "one/b": "skipped", "two/c": "succeeded"},
        outputs={"two/c": "skipped"},
        has=("phase.skipped one", "job.skipped one/a", "job.skipped one/b", "phase.opened two"),
    ),
    Rule(
        "phase-skipped-each",
        "Also when the phase has an `each`, whose list is then not looked at.",
        """
        phases:
          - phase: p
            when: 1 == 2
            each: {in: input.nothing}
            jobs: [{job: a, run: echo}]
        """,
        jobs={"p/a": "skipped"},
        output={"a": None},
    ),
    Rule(
        "phase-when-error",
        "An error in a phase's `when` fails the run.",
        "phases: [{phase: p, when: input.x > 1, jobs: [{job: a, run: echo}]}]",
        input={"x": "text"},
        status="failed",
        error="ExpressionError",
        jobs={},
    ),
    Rule(
        "with-error",
        "An error in `with` fails the job, without a retry.",
        "[{job: a, run: echo, with: '${ input.x.y }'}]",
        input={"x": "text"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
        calls="",
    ),
    Rule(
        "with-recorded",
        "`with` is worked out once, when the job is ready; every attempt gets the same.",
        "[{job: a, run: h, with: ['${ job.attempt }', '${ job.key }']}]",
        does={"h": [Exception("again"), lambda data: data]},
        outputs={"p/a": [1, "p/a"]},
        calls="p/a p/a",
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_order(rule):
    holds(rule)
