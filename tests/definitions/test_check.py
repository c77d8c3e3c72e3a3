"""What check finds: a row per finding, and rows that are fine."""

import time
from itertools import pairwise

import pytest

from ostinato.app import App
from ostinato.definitions import check, check_text, load, report
from ostinato.definitions.check import BUILT_IN
from tests.definitions.samples import BIG, big_now, numbered, workflow


def checked(text, **options):
    (document,) = load(text)
    errors, warnings = check(document, **options)
    return [str(one) for one in errors], [str(one) for one in warnings]


A = "{job: a, run: noop}"
B_OF = "{{job: b, run: noop, with: {{x: '${{ {} }}'}}}}".format
SCHEMA = "input_schema: {properties: {plan: {properties: {tier: {}}}}, additionalProperties: false}"
TWO = "- phase: two\n  jobs: [{job: z, run: noop}]"

ERRORS = [
    # needs
    (workflow(A, "{job: b, run: noop, needs: [aa]}"), "no such job (did you mean `a`?)"),
    (workflow("{job: a, run: noop, needs: [z]}", more=TWO), "comes in a later phase"),
    (workflow("{job: a, run: noop, needs: [a]}"), "`a` needs itself"),
    (
        workflow(
            "{job: a, run: noop, needs: [c]}",
            "{job: b, run: noop, needs: [a]}",
            "{job: c, run: noop, needs: [b]}",
        ),
        "`needs` go in a circle: a → c → b → a",
    ),
    (
        workflow("{job: a, run: noop, needs: [b]}", B_OF("1"), phase="mode: sequential"),
        "comes later in the sequence",
    ),
    (
        workflow(A, tail="on_failure: [{job: f, run: noop, needs: [a]}]"),
        "write when: jobs.a.status == \"succeeded\"",
    ),
    # names
    (workflow(B_OF("inptu.x")), "unknown name `inptu` (did you mean `input`?)"),
    (workflow(A, B_OF("a.output")), "unknown name `a` (the job is jobs.a)"),
    (workflow(B_OF("item")), "unknown name `item`"),
    (workflow("{job: a, run: noop, when: item > 1, each: {in: '[1]'}}"), "`each` on the phase"),
    (workflow("{job: a, run: noop, with: '${ output }'}"), "known in `expect`"),
    (workflow("{job: a, run: noop, when: secrets.KEY == 'x'}"), "`secrets` are not known here"),
    (workflow("{job: a, set: {k: '${ secrets.KEY }'}}"), "secrets stand in `with` and `http`"),
    (workflow("{job: a, emit: {type: X, data: '${ secrets.KEY }'}}"), "would be recorded here"),
    (workflow("{job: a, run: noop, with: '${ upper(secrets.KEY) }'}"), "handed on as it is"),
    (workflow("{job: a, run: noop, with: '${ secrets }'}"), "write ${ secrets.NAME }"),
    (
        workflow("{job: a, call: other, with: {k: '${ secrets.KEY }'}}"),
        "a secret cannot be given to another workflow",
    ),
    (workflow(tail="output: {x: secrets.KEY}"), "`secrets` are not known here"),
    (workflow(phase="when: job.attempt > 1"), "`job` is known inside a job"),
    (workflow(head="on: [{event: A, uid: jobs.x.output}]"), "unknown name `jobs`"),
    (workflow(head="on: [{event: A, input: {x: run.id}}]"), "unknown name `run`"),
    (workflow(tail="output: {x: hello}"), "a text stands in quotes of its own: \"'hello'\""),
    (workflow(B_OF("run.idd")), "`run` has no member `idd` (did you mean `id`?)"),
    (workflow(B_OF("job.callbackUrl")), "did you mean `callback_url`?"),
    (
        workflow("{job: a, set: {x: 1}, catch: [{on: X, output: [1]}]}"),
        "catch[0].output: job `a` sets variables, and this output is no map of them",
    ),
    # jobs
    (workflow(A, B_OF("jobs.aa.output")), "no job is called `aa` (did you mean `a`?)"),
    (workflow(A, B_OF("jobs.a.ouput")), "a job has no member `ouput` (did you mean `output`?"),
    (workflow(A, B_OF("jobs.a.appUrl")), "what it returned is jobs.a.output.appUrl"),
    (workflow(B_OF("jobs.z.output"), more=TWO), "`z` comes later"),
    (workflow(B_OF("jobs.b.output")), "`b` is this job"),
    (workflow("{job: a, run: noop, when: jobs.b.output}", "{job: b, run: noop, needs: [a]}"),
     "`b` comes after this job"),
    (workflow(A, phase="when: jobs.a.output"), "in this phase, which has not begun"),
    (workflow(tail="finally: [{job: z, run: noop}]\noutput: jobs.z.output"), "`z` comes later"),
    # values
    (workflow("{job: a, run: noop, when: \"'text'\"}"), "true or false is expected, and `'text'`"),
    (workflow("{job: a, run: noop, when: 1 + size(input.x)}"), "gives a number"),
    (workflow("{job: a, run: noop, when: jobs.a.status}"), "gives a text"),
    (workflow("{job: a, run: noop, expect: '[1]'}"), "gives a list"),
    (workflow("{job: a, run: noop, each: {in: input.a == 1}}"), "a list is expected"),
    (workflow("{job: a, run: noop, each: {in: \"'eu'\"}}"), "a list is written \"['a', 'b']\""),
    (workflow("{job: a, wait: {until: \"'tomorrow'\"}}"), "'tomorrow' is not an instant"),
    (workflow("{job: a, wait: {until: 'true'}}"), "an instant is expected"),
    (workflow(tail="output: 1 / 0"), "this always fails"),
    # input
    (workflow(B_OF("input.regions"), head=SCHEMA), "`input.regions` is not in input_schema"),
]  # fmt: skip

WARNINGS = [
    (workflow(A, B_OF("jobs.a.output")), "may not be done when this is evaluated (add needs: [a])"),
    (workflow("{job: a, run: noop, when: jobs.a.status == 'done'}"), "no job's status is 'done'"),
    (workflow(phase="when: false"), "phase `one` is never reached: its `when` is always false"),
    (workflow(phase="when: 1 > 2"), "phase `one` is never reached"),
    (workflow("{job: a, run: fail}", more=TWO), "phase `two` is never reached: `a` always fails"),
    (workflow("{job: a, run: noop, when: false}"), "job `a` never runs"),
    (workflow("{job: a, run: noop, expect: 1 == 2}"), "job `a` always fails"),
    (workflow("{job: a, run: noop, heartbeat: 1m}"), "only once the handler has returned Later()"),
    (workflow("{job: a, wait: {event: X}}"), "looks at every event of its type"),
    (
        workflow("{job: a, wait: {event: X, match: {type: [Y], data: {id: [1]}}}}"),
        'no event can fit: it wants type to be "Y", of X',
    ),
    (
        workflow(A, head="on: [{event: X}, {event: X, pattern: {type: [Y]}}]"),
        'on[1].pattern: no event can fit: it wants type to be "Y", of X',
    ),
    (
        workflow(A, head="on: {event: X, pattern: {detail-type: [{suffix: Z}]}}"),
        "on.pattern: no event can fit",
    ),
    (workflow("{job: a, wait: {event: X, match: {data: {a: [1, 2]}}}}"), "looks at every event"),
    (workflow("{job: a, run: ehco}"), "no handler is called `ehco`; it is taken for a topic"),
    (workflow("{job: a, run: noop, undo: ehco}"), "phases[0].jobs[0].undo: no handler is called"),
    (workflow("{job: a, run: noop, catch: [{on: X, do: {run: ehco}}]}"), "catch[0].do.run: no"),
    (workflow("{job: a, run: noop, undo: {wait: {event: X}}}"), "looks at every event"),
    (workflow(B_OF("vars.x")), "no job sets `vars.x`"),
    (workflow("{job: a, set: {xx: 1}}", B_OF("vars.x")), "sets `vars.x` (did you mean `xx`?)"),
    (workflow(B_OF("input.plan.teir"), head=SCHEMA), "`input.plan.teir` is not in input_schema"),
    # schedules
    (workflow(head="on: [{every: 1h, catch_up: all}]"), "starts only the first missed instant"),
    (workflow(head="on: [{every: 1h, catch_up: none, overlap: queue}]"), "`none` drops what"),
    (workflow(head="on: [{every: 5m, jitter: 1h}]"), "longer than the 5m between two starts"),
    (workflow(head="on: [{every: 1h}]\ninput_schema: {required: [tenant]}"),
     "on[0]: {scheduledFor} is no input of this workflow"),
    (workflow(head="on: [{every: 1h, input: {a: 1}}]\ninput_schema: {required: [tenant]}"),
     "on[0].input: what it gives is no input of this workflow"),
    (workflow(head="on: [{every: 1h, input: event.data.no + 1}]"), "no run can start by the clock"),
    (
        workflow(
            "{job: a, run: noop, each: {in: '[1]'}}", phase="each: {in: '[1]'}"
        ),
        "hides the item of the phase's `each`",
    ),
]  # fmt: skip

FINE = [
    # behind a failure that is dealt with
    workflow("{job: a, run: fail, catch: [{on: X, output: 1}]}", more=TWO),
    workflow("{job: a, set: {x: 1}, catch: [{on: X, output: null}, {on: Y, output: {x: 2}}]}"),
    workflow("{job: a, run: fail, on_error: finish}", more=TWO),
    workflow("{job: a, run: fail}", phase="on_error: hold", more=TWO),
    workflow("{job: a, run: fail}", A.replace("a,", "b,"), phase="mode: race", more=TWO),
    workflow(head="""
        on:
          - {schedule: "0 3 * * *", zone: Europe/Berlin, overlap: queue, catch_up: all, jitter: 5m}
          - {every: 15m, name: often, input: {day: event.data.scheduledFor}, uid: event.id}
          - {schedule: "@daily"}
        input_schema: {type: object}"""),
    workflow("{job: a, run: noop, with: {k: 'Bearer ${ secrets.KEY } for ${ input.n }'}}"),
    workflow("{job: a, http: {url: 'http://x', headers: {a: '${secrets.KEY}'}}}"),
    workflow(A, head="on: {event: X, pattern: {detail-type: [X], detail: {a: [1]}}}"),
    workflow("{job: a, wait: {event: X, match: {detail-type: ['${ input.t }'], data: {id: [1]}}}}"),
    workflow(B_OF("default(input.x, event.data.x)")),
    workflow(B_OF("now()")),
    workflow(B_OF("input.l.map(x, x + 1)")),
    workflow(A, "{job: b, run: noop, needs: [a], when: jobs.a.status == 'failed'}"),
    workflow(A, B_OF("jobs.a.output"), phase="mode: sequential"),
    workflow(A, "{job: m, run: noop, needs: [a]}", "{job: b, run: noop, needs: [m], when: "
             "jobs.a.attempts > 1}"),
    workflow("{job: a, run: noop, expect: output.x == 1 && job.attempt < 3}"),
    workflow("{job: a, run: noop, with: '${ item + index }', each: {in: input.l}}"),
    workflow("{job: a, run: noop, with: '${ r }', when: r > 1}", phase="each: {in: '[]', as: r}"),
    workflow(B_OF("vars.x"), "{job: c, set: '${ input }'}"),
    workflow("{job: c, set: {x: 1}}", B_OF("vars.x")),
    workflow("{job: c, run: noop, catch: [{on: Timeout, do: {set: {x: 1}}}]}",
             tail="output: {late: vars.x}"),
    workflow("{job: c, run: noop, undo: {set: {x: 1}}}",
             tail="on_failure: [{job: f, run: noop, when: vars.x == 1}]"),
    workflow(A, tail="on_failure: [{job: f, run: log, with: {message: '${ run.error.message } ${ "
             "jobs.a.status }'}}, {job: g, run: noop, needs: [f]}]"),
    workflow(tail="output: jobs.a.output"),
    workflow(B_OF("input.plan.tier.x"), head=SCHEMA),
    workflow(B_OF("input.x"), head="input_schema: {anyOf: [{properties: {x: {}}}]}"),
    workflow("{job: a, wait: {event: X, match: {data: {a: ['${ input.a }']}}}}"),
    workflow("{job: a, wait: {until: \"date('2027-01-01T00:00:00Z')\"}}"),
    workflow("{job: a, run: fail, optional: true}", more=TWO),
    workflow(head="on: [{event: A, uid: event.data.x, input: {a: event.data, b: 1}}]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"), ERRORS, ids=[f"{n} {r[1]:.40}" for n, r in enumerate(ERRORS)]
)
def test_errors(text, said):
    errors, _ = checked(text)
    assert any(said in one for one in errors), errors


@pytest.mark.parametrize(("text", "said"), WARNINGS, ids=numbered(WARNINGS))
def test_warnings(text, said):
    _, warnings = checked(text)
    assert any(said in one for one in warnings), warnings


@pytest.mark.parametrize("text", FINE, ids=range(len(FINE)))
def test_fine(text):
    assert checked(text) == ([], [])


def test_many_warnings_hide_no_error():
    jobs = [f"{{job: j{n}, run: topic}}" for n in range(300)]
    errors, warnings = checked(workflow(*jobs, "{job: z, run: noop, with: '${ nope }'}"))
    assert (len(errors), len(warnings)) == (1, 200)


def test_many_jobs_are_checked_quickly():
    names = [f"j{n}" for n in range(2_000)]
    jobs = [f"{{job: {a}, run: noop, needs: [{b}]}}" for a, b in pairwise([*names, names[0]])]
    begun = time.perf_counter()
    errors, _ = checked(workflow(*jobs))
    assert len(errors) == 1
    assert time.perf_counter() - begun < 20


def test_handlers():
    text = workflow("{job: a, run: tenants.make}")
    assert "taken for a topic" in checked(text)[1][0]
    assert checked(text, handlers=["tenants.make"]) == ([], [])
    ((error,), warnings) = checked(text, handlers=["tenants.mkae"], strict=True)
    assert error == (
        "phases[0].jobs[0].run: no handler is called `tenants.make` (did you mean `tenants.mkae`?)"
    )
    assert warnings == []


def test_the_big_example_is_fine_but_for_its_handlers():
    errors, warnings = checked(big_now())
    assert errors == []
    assert {one.split("`")[1] for one in warnings} == {
        "tenants.tier_details", "tenants.reserve_quota", "builders.start",
        "tenants.deploy_region", "tenants.smoke_test", "tenants.release_quota", "builders.stop",
    }  # fmt: skip


def test_a_wait_in_a_catch_that_no_event_can_fit():
    wait = "{event: PAID, match: {type: [OTHER]}}"
    text = workflow(f"{{job: a, run: noop, catch: [{{on: '*', do: {{wait: {wait}}}}}]}}")
    assert any("catch[0].do.wait.match: no event can fit" in one for one in checked(text)[1])


def test_the_report_of_check():
    text = workflow("{job: a, run: x, with: '${ inptu }'}")
    assert report(check_text("w.yaml", text)) == {
        "ok": False,
        "files": [
            {
                "file": "w.yaml",
                "workflow": "sample",
                "errors": [
                    {
                        "path": "phases[0].jobs[0].with",
                        "line": 5,
                        "column": 32,
                        "message": "unknown name `inptu`",
                        "hint": "did you mean `input`?",
                    }
                ],
                "warnings": [
                    {
                        "path": "phases[0].jobs[0].run",
                        "line": 5,
                        "column": 23,
                        "message": "no handler is called `x`; it is taken for a topic that workers"
                        " elsewhere serve",
                    }
                ],
            }
        ],
    }
    assert report(check_text("w.yaml", workflow())) == {
        "ok": True,
        "files": [{"file": "w.yaml", "workflow": "sample", "errors": [], "warnings": []}],
    }
    (unread,) = check_text("w.yaml", BIG)
    assert unread["workflow"] is None
    assert len(unread["errors"]) == 1
    assert [
        one["workflow"]
        for one in check_text(
            "w.yaml",
            workflow() + "---\n" + workflow(head="description: x").replace("sample", "other"),
        )
    ] == ["sample", "other"]


def test_check_knows_the_built_in_handlers():
    assert sorted(App(store="memory:").handlers.names()) == sorted(BUILT_IN)
