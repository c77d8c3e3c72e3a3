"""Documents to specs: every key that is delivered, and every way to write one wrongly."""

import time

import pytest

from ostinato.core.model import Again, Each, Emit, Meanwhile, Run, Set, WaitEvent, WaitUntil
from ostinato.core.patterns import Pattern
from ostinato.definitions import load, read
from ostinato.definitions.keys import LATER, SECTIONS
from ostinato.errors import DefinitionError
from tests.definitions.samples import BIG, LATER_IN_BIG, big_now, numbered, workflow


def loaded(text):
    (document,) = load(text)
    return document


def job(written):
    return next(loaded(workflow(written)).jobs())


def problems(text):
    with pytest.raises(DefinitionError) as caught:
        load(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_big_example_lacks_only_what_comes_later():
    said = problems(BIG)
    assert [f"not yet: `{key}`" in one for key, one in zip(LATER_IN_BIG, said, strict=True)] == [
        True
    ] * len(LATER_IN_BIG)


def test_the_big_example_without_what_comes_later():
    document = loaded(big_now())
    assert [phase.name for phase in document.phases] == [
        "prepare", "build", "deploy", "approve", "announce",
    ]  # fmt: skip
    assert document.timeout == 7_200_000
    (trigger,) = document.triggers
    assert trigger.types == ("TENANT_PROVISIONING",)
    assert trigger.uid.text == "event.data.tenant.id"
    data = {"planConfig": {"tier": "basic"}}
    assert not Pattern(trigger.pattern).matches({"type": "TENANT_PROVISIONING", "data": data})


A_JOB = [
    ("{job: a, run: noop}", {"action": Run("noop"), "retry": {}, "timeout": None}),
    ("{job: a, run: t, retry: 5}", {"retry": {"attempts": 5}}),
    (
        """{job: a, run: t, retry: {attempts: 5, delay: 1s, factor: 2, max_delay: 1m, jitter: 0.2,
             within: 10m, on: [Timeout, payments.*], never: Invalid*}}""",
        {
            "retry": {
                "attempts": 5, "delay": 1_000, "factor": 2, "max_delay": 60_000, "jitter": 0.2,
                "within": 600_000, "on": ("Timeout", "payments.*"), "never": ("Invalid*",),
            }
        },
    ),
    ("{job: a, run: t, timeout: 1h30m}", {"timeout": 5_400_000}),
    ("{job: a, run: t, timeout: PT5M}", {"timeout": 300_000}),
    ("{job: a, run: t, callback: true, heartbeat: 1m}", {"callback": True, "heartbeat": 60_000}),
    ("{job: a, run: t, optional: true}", {"optional": True}),
    ("{job: a, run: t, needs: b}", {"needs": ("b",)}),
    ("{job: a, run: t, needs: []}", {"needs": ()}),
    ("{job: a, wait: 5m}", {"action": WaitUntil(300_000), "input": None}),
    ("{job: a, wait: {until: input.start}}", {"action": WaitUntil()}),
    ('{job: a, wait: "${ input.pause }"}', {"action": WaitUntil()}),
    ("{job: a, wait: {event: X}}", {"action": WaitEvent(("X",))}),
    (
        """{job: a, wait: {event: [X, Y], match: {data: {b: ["${ input.b }"], a: [1, 2]}},
             timeout: 20m, look_back: run}}""",
        {"action": WaitEvent(("X", "Y"), ("data.b",)), "timeout": 1_200_000},
    ),
    ("{job: a, wait: {event: X, look_back: none}}", {"action": WaitEvent(("X",), look_back=0)}),
    ("{job: a, wait: {event: X, look_back: 5m}}", {"action": WaitEvent(("X",), (), 300_000)}),
    ("{job: a, wait: {event: X}, timeout: 5m}", {"timeout": 300_000}),
    ("{job: a, emit: {type: X, data: {b: 1}, subject: s}}", {"action": Emit()}),
    ("{job: a, emit: {type: X}, callback: true, timeout: 5m}", {"callback": True}),
    ("{job: a, set: {b: 1}}", {"action": Set()}),
    ("{job: a, http: {url: 'http://x/'}}", {"action": Run("http")}),
]  # fmt: skip


@pytest.mark.parametrize(("written", "members"), A_JOB, ids=[row[0][:60] for row in A_JOB])
def test_a_job(written, members):
    made = job(written)
    assert {name: getattr(made, name) for name in members} == members


def test_each():
    each = job("{job: a, run: t, each: {in: input.l, as: x, at_once: 3, tolerate: 5%}}").each
    assert (each.items.text, each.name, each.at_once) == ("input.l", "x", 3)
    assert each.may_fail(100) == 5
    assert job("{job: a, run: t, each: {in: '[1]', tolerate: 2}}").each.may_fail(100) == 2
    plain = job("{job: a, run: t, each: {in: '[1]'}}").each
    assert plain == Each(items=plain.items, name="item")


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("{job: a, run: t, with: {b: 'x ${ 1 + 1 }', c: '${ [1] }', d: '$${ }'}}",
         {"b": "x 2", "c": [1], "d": "${ }"}),
        ("{job: a, run: t, with: '${ [1] }'}", [1]),
        ("{job: a, wait: {until: \"'2027-01-01'\"}}", {"until": "2027-01-01"}),
        ("{job: a, wait: {until: \"${ '2027-01-01' }\"}}", {"until": "2027-01-01"}),
        ("{job: a, wait: \"${ '5' + 'm' }\"}", {"until": "5m"}),
        ("{job: a, emit: {type: \"X${ 1 }\", data: [\"${ 2 }\"]}}", {"type": "X1", "data": [2]}),
        ("{job: a, set: {b: \"${ 1 }\"}}", {"b": 1}),
        ("{job: a, http: {url: u, body: {x: \"${ 1 }\"}}}",
         {"method": "GET", "url": "u", "body": {"x": 1}}),
        ("{job: a, http: {method: post, url: u}}", {"method": "POST", "url": "u"}),
    ],
)  # fmt: skip
def test_what_a_job_is_given(written, rendered):
    assert job(written).input.render({}) == rendered


def test_http_expects_success_unless_told_otherwise():
    assert job("{job: a, http: {url: u}}").expect.text == "output.status < 400"
    assert job("{job: a, http: {url: u}, expect: output.status == 404}").expect.text == (
        "output.status == 404"
    )


@pytest.mark.parametrize(
    ("written", "types"),
    [
        ("on: [{event: A}]", [("A",)]),
        ("on: A", [("A",)]),
        ("on: {event: [A, B]}", [("A", "B")]),
        ("on: [A, {event: B}]", [("A",), ("B",)]),
        ("on: []", []),
    ],
)
def test_triggers(written, types):
    document = loaded(workflow(head=written))
    assert [trigger.types for trigger in document.triggers] == types
    assert [trigger.index for trigger in document.triggers] == list(range(len(types)))


def test_a_triggers_input():
    context = {"event": {"data": {"b": 2}}}
    (one,) = loaded(workflow(head="on: [{event: A, input: event.data.b}]")).triggers
    assert one.input.evaluate(context) == 2
    (one,) = loaded(workflow(head="on: [{event: A, input: {x: event.data.b, y: 1}}]")).triggers
    assert one.input.render(context) == {"x": 2, "y": 1}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('output: "1 + 1"', 2),
        ('output: "${ 1 + 1 }"', 2),
        ("output: {a: 1 + 1, b: [\"'x'\", 3, null], c: {d: \"${ true }\"}}",
         {"a": 2, "b": ["x", 3, None], "c": {"d": True}}),
    ],
)  # fmt: skip
def test_in_output_every_text_is_an_expression(written, value):
    output = loaded(workflow(tail=written)).output
    assert (output.evaluate if hasattr(output, "evaluate") else output.render)({}) == value


def test_conditions_may_be_written_either_way():
    for written in ("when: 1 < 2", 'when: "${ 1 < 2 }"', "when: true"):
        assert job(f"{{job: a, run: t, {written}}}").when.evaluate({}) is True


REFUSED = [
    # names
    ("workflow: 1x\nphases: []", "workflow: a name is expected"),
    (workflow("{job: 'a b', run: t}"), "a name is expected"),
    (workflow("{job: " + "a" * 65 + ", run: t}"), "a name is expected"),
    (workflow("{job: a, run: t}", "{job: a, run: u}"), "two jobs are called `a`"),
    (workflow(tail="finally: [{job: a, run: t}]"), "two jobs are called `a`"),
    (workflow("{run: t}"), "`job` is missing"),
    ("workflow: w\nphases: [{phase: finally, jobs: [{job: a, run: t}]}]", "no phase is called"),
    ("workflow: w\nphases: [{phase: p, jobs: [{job: a, run: t}]}, {phase: p, jobs: [{job: b, run: "
     "t}]}]", "two phases are called `p`"),
    # shape
    ("", "the document is empty"),
    ("- a", "a map is expected, not a list"),
    ("workflow: w", "`phases` is missing"),
    ("phases: [{phase: p, jobs: [{job: a, run: t}]}]", "`workflow` is missing"),
    ("workflow: w\nphases: []", "at least one phase"),
    ("workflow: w\nphases: {}", "a list is expected, not a map"),
    ("workflow: w\nphases: [{phase: p}]", "`jobs` is missing"),
    ("workflow: w\nphases: [{phase: p, jobs: []}]", "at least one job"),
    # unknown keys
    (workflow(head="inputschema: {}"), "unknown key `inputschema` (did you mean `input_schema`?)"),
    (workflow(tail="onFailure: []"), "did you mean `on_failure`?"),
    (workflow("{job: a, run: t, rerty: 3}"), "unknown key `rerty` (did you mean `retry`?)"),
    (workflow(phase="needs: [a]"), "`needs` belongs to a job"),
    (workflow("{job: a, run: t, retry: {attempt: 1}}"), "did you mean `attempts`?"),
    (workflow("{job: a, run: t, each: {in: '[]', att_once: 1}}"), "did you mean `at_once`?"),
    (workflow("{job: a, run: t, zzz: 1}"), "its keys: job description run"),
    # one action
    (workflow("{job: a}"), "this one has nothing to do"),
    (workflow("{job: a, run: t, wait: 5m}"), "this one has `run` and `wait`"),
    (workflow("{job: a, task: {}}"), "`name` is missing"),
    (workflow("{job: a, task: Sign}"), "a map is expected, not the text 'Sign'"),
    (workflow("{job: a, task: {name: ''}}"), "a text is expected, and this one is empty"),
    (workflow("{job: a, task: {name: x, assigne: y}}"), "did you mean `assignee`?"),
    (workflow("{job: a, task: {name: x, priority: hgih}}"), "did you mean `high`?"),
    (workflow("{job: a, task: {name: x, due: soon}}"), "a duration or an instant is expected"),
    (workflow("{job: a, task: {name: x, due: 5}}"), "write 2d, 2027-01-31T12:00:00Z, or ${"),
    (workflow("{job: a, task: {name: x, outcomes: []}}"), "a word, or a list of them, is expected"),
    (workflow("{job: a, task: {name: x, outcomes: [y, y]}}"), "'y' stands here twice"),
    (workflow("{job: a, task: {name: x, candidates: 7}}"), "a name, or a list of them, is"),
    (workflow("{job: a, task: {name: x, form: text}}"), "a JSON Schema, a map, is expected"),
    (workflow("{job: a, task: {name: x, form: {type: 7}}}"), "not a JSON Schema"),
    (workflow("{job: a, task: {name: x, escalate: [{after: 1d}]}}"), "`to` is missing"),
    (
        workflow(
            "{job: a, task: {name: x, escalate: [{after: 1d, to: y}, {after: 24h, to: z}]}}"
        ),
        "it comes no later than the one before",
    ),
    (workflow("{job: a, task: {name: x}, retry: 2}"), "`retry` does nothing beside `task`"),
    (workflow("{job: a, task: {name: x}, callback: true}"), "`callback` does nothing beside"),
    (workflow("{job: a, run: t, task: {}}"), "this one has `run` and `task`"),
    # keys that would do nothing
    (workflow("{job: a, wait: 5m, with: {}}"), "`with` does nothing beside `wait`"),
    (workflow("{job: a, set: {}, retry: 3}"), "`retry` does nothing beside `set`"),
    (workflow("{job: a, set: {}, timeout: 3s}"), "`timeout` does nothing beside `set`"),
    (workflow("{job: a, wait: 5m, timeout: 3s}"), "does nothing beside a wait for a span"),
    (workflow("{job: a, emit: {type: X}, timeout: 3s}"), "`timeout` does nothing beside `emit`"),
    (workflow("{job: a, wait: {event: X}, expect: 'true'}"), "`expect` does nothing beside `wait`"),
    (workflow("{job: a, wait: 1s, callback: true}"), "`callback` does nothing beside `wait`"),
    (workflow("{job: a, http: {url: u}, heartbeat: 1s}"), "`heartbeat` does nothing here"),
    (workflow("{job: a, wait: {event: X, timeout: 1s}, timeout: 2s}"), "already has a timeout"),
    # kinds of values
    (workflow(head="timeout: 5"), "add a unit: 5s"),
    (workflow(head="timeout: 5 minutes"), "'5 minutes' is not a duration"),
    (workflow(head="timeout: 0s"), "longer than nothing"),
    (workflow(head="timeout: P1M"), "months and years have no fixed length"),
    (workflow(head="description: 5"), "a text is expected, not the number 5 (put it in quotes)"),
    (workflow("{job: a, run: 5}"), "a text is expected"),
    (workflow("{job: a, run: '${ x }'}"), "the name of a handler or topic is expected"),
    (workflow("{job: a, run: t, optional: yes}"), "true or false is expected, not the text 'yes'"),
    (workflow("{job: a, run: t, callback: 1}"), "true or false is expected, not the number 1"),
    (workflow("{job: a, run: t, retry: 0}"), "a whole number from 1 is expected, not the number 0"),
    (workflow("{job: a, run: t, retry: true}"), "a whole number from 1 is expected, not true"),
    (workflow("{job: a, run: t, retry: {jitter: 2}}"), "a number from 0 to 1 is expected"),
    (workflow("{job: a, run: t, retry: {factor: 0.5}}"), "a number from 1 is expected"),
    (workflow("{job: a, run: t, retry: {on: []}}"), "an error name, or a list of them, is"),
    (workflow("{job: a, run: t, needs: 5}"), "the name of a job, or a list of them, is expected"),
    (workflow("{job: a, run: t, each: {as: x}}"), "`in` is missing"),
    (workflow("{job: a, run: t, each: {in: [a, b]}}"), "write in: '[\"a\", \"b\"]'"),
    (workflow("{job: a, run: t, each: {in: '[]', as: input}}"), "`input` already means something"),
    (workflow("{job: a, run: t, each: {in: '[]', as: a-b}}"), "a name for expressions is expected"),
    (workflow("{job: a, run: t, each: {in: '[]', tolerate: 101%}}"), "a percentage such as 5%"),
    (workflow("{job: a, run: t, each: {in: '[]', at_once: 0}}"), "a whole number from 1"),
    (workflow(phase="mode: serial"), "parallel or sequential or race is expected"),
    (workflow("{job: a, set: [1]}"), "a map is expected, not a list"),
    (workflow("{job: a, emit: X}"), "a map is expected, not the text 'X'"),
    (workflow("{job: a, emit: {data: 1}}"), "`type` is missing"),
    (workflow("{job: a, emit: {type: ''}}"), "this one is empty"),
    (workflow("{job: a, http: {method: GTE, url: u}}"), "one of GET HEAD POST"),
    (workflow("{job: a, wait: {}}"), "a wait has either `until` or `event`"),
    (workflow("{job: a, wait: {until: now(), event: X}}"), "`until` does nothing beside `event`"),
    (workflow("{job: a, wait: {until: now(), match: {}}}"), "`match` does nothing beside `until`"),
    (workflow("{job: a, wait: soon}"), "'soon' is not a duration"),
    (workflow("{job: a, wait: {event: '${ x }'}}"), "an event type has no expressions"),
    (workflow("{job: a, wait: {event: X, match: {data: {a: '${ x }'}}}}"), "stands in a list"),
    (workflow("{job: a, wait: {event: X, look_back: all}}"), "'all' is not a duration"),
    (workflow(head="on: [{event: A, pattern: {data: {tier: [{numerc: ['=', 1]}]}}}]"), "numerc"),
    (workflow(head="on: [{pattern: {data: {a: [1]}}}]"), "has `event`, `schedule` or `every`"),
    # schedules
    (workflow(head="on: [{event: A, every: 1h}]"), "a trigger has one of `event` and `every`"),
    (workflow(head="on: [{event: A, jitter: 1m}]"), "`jitter` does nothing beside `event`"),
    (workflow(head="on: [{every: 1h, zone: UTC}]"), "`zone` does nothing beside `every`"),
    (workflow(head="on: [{every: 1h, pattern: {type: [A]}}]"), "`pattern` does nothing beside"),
    (workflow(head="on: [{every: 15}]"), "add a unit: 15s"),
    (workflow(head="on: [{every: 10ms}]"), "an interval of at least 1s is needed, not 10 ms"),
    (workflow(head="on: [{every: 1h, overlap: quue}]"), "skip or queue or allow is expected"),
    (workflow(head="on: [{every: 1h, catch_up: 3}]"), "last or all or none is expected"),
    (workflow(head="on: [{every: 1h, jitter: 0s}]"), "longer than nothing is expected"),
    (workflow(head="on: [{every: 1h, name: a}, {every: 2h, name: a}]"), "two triggers are `a`"),
    (workflow(head="on: [{schedule: 5}]"), "a text is expected, not the number 5"),
    (workflow(head="on: [{schedule: 15m}]"), "a span of time is written every: 15m"),
    (workflow(head="on: [{schedule: '0 3 * *'}]"), "has five fields, not 4 (minute hour day-of-"),
    (workflow(head="on: [{schedule: '0 0 3 1 1 * 2027'}]"), "there is no field for the year"),
    (workflow(head="on: [{schedule: '61 * * * *'}]"), "`61` is no minute: 0-59"),
    (workflow(head="on: [{schedule: '0 3 ? * MON'}]"), "`?` is no day-of-month"),
    (workflow(head="on: [{schedule: '0 3 15W * *'}]"), "of W there is only LW"),
    (workflow(head="on: [{schedule: '0 3 * * FRI-MON'}]"), "a range goes upwards"),
    (workflow(head="on: [{schedule: '* * * * MON#1/2'}]"), "`MON#1/2` is no day-of-week"),
    (workflow(head="on: [{schedule: '@reboot'}]"), "nothing is started by a start of the server"),
    (workflow(head="on: [{schedule: '@every 5m'}]"), "a span of time is written every: 15m"),
    (workflow(head=f"on: [{{schedule: '{'1,' * 200}1 * * * *'}}]"), "at most 200 characters"),
    (workflow(head="on: [{schedule: '31 2 31 2 *'}]"), "never comes: no month of `2` has a day"),
    (workflow(head="on: [{schedule: '0 0 31 4,6,9,11 *'}]"), "no month of `4,6,9,11` has"),
    (workflow(head="on: [{schedule: '0 0 1-7 2 *#2'}]"), "`*#2` is no day-of-week"),
    (workflow(head="on: [{schedule: '0 3 * * *', zone: Berlin}]"), "did you mean `Europe/Berlin`?"),
    (workflow(head="on: [{schedule: '0 3 * * *', zone: Europe/Berlim}]"), "`Europe/Berlin`?"),
    (workflow(head="on: [{schedule: '0 3 * * *', zone: new york}]"), "`America/New_York`?"),
    (workflow(head="on: [{schedule: '0 3 * * *', zone: ../../etc/passwd}]"), "is no time zone"),
    (workflow(head="on: [{schedule: '0 3 * * *', zone: localtime}]"), "an IANA name is needed"),
    (workflow(head="on: [{event: ''}]"), "an event type, or a list of them, is expected"),
    (workflow(head="input_schema: {type: objekt}"), "input_schema.type: not a JSON Schema"),
    (workflow(head="input_schema: {$ref: 'http://127.0.0.1:9/x'}"), "is not fetched"),
    (workflow(head="input_schema: {properties: {a: {pattern: '('}}}"), "not a JSON Schema"),
    (workflow(head="uid: {}"), "this says nothing (write uid: {key: event.data.id, open: queue}"),
    (workflow(head="uid: {open: later}"), "same or signal or queue or refuse is expected"),
    (workflow(head="uid: {key: input.a, twice: 1}"), "twice"),
    (workflow(head="on: [{event: A, uid: {open: queue}}]"), "`key` is missing"),
    (workflow(head="dedup: {key: input.a}"), "window"),
    (workflow(head="dedup: {key: input.a, window: 0s}"), "longer than nothing"),
    # expressions
    (workflow("{job: a, run: t, when: 1 +}"), "in `1 +`"),
    (workflow("{job: a, run: t, when: a and b}"), "&&"),
    (workflow("{job: a, run: t, with: {x: {y: 'a ${ 1 + } b'}}}"), "jobs[0].with.x.y: "),
    (workflow("{job: a, run: t, with: '${ nope(1) }'}"), "nope"),
    (workflow("""
        job: a
        run: t
        when: split(input.a, ' #') == []
     """), "` #` begins a comment; write when: "),
    (workflow("{job: a, run: t, when: {a: b}}"), "write when: '{\"a\": \"b\"}'"),
    (workflow("{job: a, run: t, when: null}"), "a condition is expected, not nothing"),
    (workflow("{job: a, emit: {type: T, headers: {Tenant: t}}}"), "small letters and digits"),
    (workflow("{job: a, emit: {type: T, headers: {subject: t}}}"), "what an event has anyway"),
    (workflow("{job: a, emit: {type: T, headers: [t]}}"), "a map is expected"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=numbered(REFUSED))
def test_refused(text, said):
    assert any(said in problem for problem in problems(text)), problems(text)


VALUES = {"mode": "race"}
SMALL = {
    "workflow": lambda key: workflow(head=f"{key}: x"),
    "trigger": lambda key: workflow(head=f"on: [{{event: A, {key}: {VALUES.get(key, 'x')}}}]"),
    "phase": lambda key: workflow(phase=f"{key}: {VALUES.get(key, 'x')}"),
    "job": lambda key: workflow(f"{{job: a, run: t, {key}: x}}"),
    "task": lambda key: workflow(f"{{job: a, task: {{name: X, {key}: [1d]}}}}"),
    "emit": lambda key: workflow(f"{{job: a, emit: {{type: X, {key}: x}}}}"),
}
LATER_KEYS = [(section, key) for section, keys in LATER.items() for key in keys]


@pytest.mark.parametrize(("section", "key"), LATER_KEYS, ids=str)
def test_what_comes_later_is_named(section, key):
    said = problems(SMALL[section](key))
    assert any("not yet: `" in problem and key in problem for problem in said)


def test_all_problems_at_once_in_order():
    text = workflow("{job: a, run: t, when: 1 +, retry: 0}", "{job: b}", head="timeout: 5\nfoo: 1")
    with pytest.raises(DefinitionError) as caught:
        load(text)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 7, 7, 8]
    assert "line 2: timeout" in str(caught.value)


def test_problems_point_into_expressions():
    with pytest.raises(DefinitionError) as caught:
        load(workflow('{job: a, run: t, when: "a &&"}'))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("phases[0].jobs[0].when", 5)
    assert 31 <= problem.column <= 37


def test_several_workflows_in_one_text():
    first, second = load(workflow() + "---\n" + workflow().replace("sample", "other"))
    assert (first.workflow, second.workflow) == ("sample", "other")
    twice = workflow() + "---\n" + workflow()
    assert "the workflow `sample` stands here twice" in problems(twice)[0]


def test_json_is_read_as_json():
    text = '{"workflow": "w", "phases": [{"phase": "p", "jobs": [{"job": "a", "run": "t"}]}]}'
    assert loaded(text).workflow == "w"
    assert problems(text.replace('"t"', '"t", "run": "u"')) == [
        "phases[0].jobs[0].run: the key `run` stands here twice"
        " (it is already set in line 1; keep one of them)"
    ]
    assert "NaN" in problems(text.replace('"t"', "NaN"))[0]
    assert "not JSON: " in problems(text[:-1])[0]
    assert loaded(text.replace('"w"', "w")).workflow == "w"  # YAML's flow form


def test_plain_values_are_read_too():
    assert read(loaded(big_now()).data).data == loaded(big_now()).data
    with pytest.raises(DefinitionError, match="unknown key"):
        read(loaded(big_now()).data | {"x": 1})
    with pytest.raises(DefinitionError, match="nothing that JSON can hold"):
        read({"workflow": "w", "phases": [{"phase": float("nan")}]})


@pytest.mark.parametrize(
    "text",
    [
        "x" * 50_000_000,
        b"[" * 50_000_000,
        "a: b\n" * 10_000_000,
        "[" * 100_000,
        '{"a":' * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: &a [*a, *a]",
    ],
    ids=["text", "bytes", "lines", "lists", "json", "maps", "items", "keys", "circle"],
)
def test_hostile_texts_are_refused_quickly(text):
    begun = time.perf_counter()
    with pytest.raises(DefinitionError):
        load(text)
    assert time.perf_counter() - begun < 20


def test_a_long_document_loads_quickly():
    row = (
        "  - phase: p{n}\n    jobs:\n      - job: a{n}\n        run: t\n"
        '        with: {{x: "${{ input.a.b }}"}}\n        when: input.x == "y"\n'
    )
    text = "workflow: w\nphases:\n" + "".join(row.format(n=n) for n in range(83))
    load(text)
    begun = time.perf_counter()
    load(text)
    assert time.perf_counter() - begun < 5  # 0.06 s where nothing else runs


def test_every_kind_of_key_can_be_read_and_has_a_schema():
    from ostinato.definitions.load import _KINDS
    from ostinato.definitions.schema import _KINDS as SCHEMAS

    kinds = {key.kind for keys in SECTIONS.values() for key in keys}
    assert kinds == set(_KINDS) - {"text", "match"} | {"text", "match"} == set(SCHEMAS)


def test_a_uid_alone_is_the_key_of_the_usual_rule():
    [document] = load(workflow(head="uid: input.a\ndedup: {key: input.b, window: 5m}"))
    assert (document.uid.key.text, document.uid.again, document.uid.open) == (
        "input.a", Again.NEW, Meanwhile.SAME,
    )  # fmt: skip
    assert (document.dedup.key.text, document.dedup.window) == ("input.b", 300_000)


def test_a_triggers_map_is_a_rule_and_its_short_form_leaves_that_to_the_workflow():
    on = "on: [{event: A, uid: event.id}, {event: B, uid: {key: event.id, open: queue}}]"
    first, second = load(workflow(head=on))[0].triggers
    assert (first.uid.text, first.rule) == ("event.id", None)
    assert (second.uid.text, second.rule.open) == ("event.id", Meanwhile.QUEUE)


def test_a_rule_that_is_the_usual_one_is_none():
    assert load(workflow(head="uid: {again: new, open: same}"))[0].uid is None
