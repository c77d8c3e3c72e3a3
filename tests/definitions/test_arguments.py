"""What `check` finds in the arguments of built-in handlers is what fails when a run meets it."""

import inspect

import pytest

from ostinato.definitions import check, load
from ostinato.definitions.arguments import TAKES
from ostinato.runtime.builtin import BUILTIN, LEVELS
from ostinato.runtime.handlers import Handlers, Job
from ostinato.runtime.http import HttpJobs
from tests.definitions.samples import workflow

FUNCTIONS = BUILTIN | {"http": HttpJobs().request}
JOB = "phases[0].jobs[0]"


def errors_of(job):
    (document,) = load(workflow(f"{{job: a, {job}}}"))
    return [str(one) for one in check(document)[0]]


@pytest.mark.parametrize(
    ("job", "where", "said"),
    [
        ("run: sleep", JOB, "`sleep` needs `for` (write with: {for: 2s})"),
        ("run: sleep, with: {}", f"{JOB}.with", "`sleep` needs `for`"),
        ("run: sleep, with: {for: 2s, x: 1}", f"{JOB}.with.x", "no argument `x` (it takes `for`)"),
        (
            "run: sleep, with: {for: soon}",
            f"{JOB}.with.for",
            "a duration is expected, not the text",
        ),
        ("run: log, with: {message: 3}", f"{JOB}.with.message", "a text is expected, not the numb"),
        ("run: log, with: {message: a, level: x}", f"{JOB}.with.level", "one of debug info"),
        ("run: fail, with: {mesage: a}", f"{JOB}.with.mesage", "did you mean `message`?"),
        ("run: flaky, with: {times: 1.5}", f"{JOB}.with.times", "a whole number is expected"),
        ("run: echo, with: [1]", f"{JOB}.with", "takes named arguments, a map, not a list"),
        ("run: noop, with: hi", f"{JOB}.with", "takes named arguments, a map, not the text"),
        ("run: http, with: {uri: x}", f"{JOB}.with.uri", "did you mean `url`?"),
        ("http: {url: /x}", f"{JOB}.http.url", "begins with https:// or http:// is expected"),
        ("http: {url: 'http://x', headers: {a: 1}}", f"{JOB}.http.headers.a", "header is a text"),
        ("http: {url: 'http://x', headers: {'a b': c}}", f"{JOB}.http.headers['a b']", "no header"),
        ("emit: {type: X, headers: {tenant: 1}}", f"{JOB}.emit.headers.tenant", "is a text, not"),
        (f"emit: {{type: X, subject: {'s' * 1025}}}", f"{JOB}.emit.subject", "at most 1,024"),
        ("run: noop, undo: log", f"{JOB}.undo", "`log` needs `message`"),
        ("run: noop, undo: {run: sleep}", f"{JOB}.undo", "`sleep` needs `for`"),
        ("run: noop, catch: [{on: X, do: {run: log}}]", f"{JOB}.catch[0].do", "needs `message`"),
    ],
)
def test_what_cannot_fit_is_an_error(job, where, said):
    found = errors_of(job)
    assert any(where in one and said in one for one in found), found


@pytest.mark.parametrize(
    "job",
    [
        "run: sleep, with: {for: '${ input.span }'}",
        "run: sleep, with: {for: 2}",
        "run: sleep, with: '${ input }'",
        "run: log, with: {message: 'to ${ input.name }', level: '${ input.level }'}",
        "run: log, with: {message: hi}, undo: log",
        "run: flaky, with: {times: '2'}",
        "run: flaky, with: {times: 2.0, key: k}",
        "run: fail",
        "run: echo",
        "run: echo, with: {anything: [at, all]}",
        "run: elsewhere.topic, with: [1]",
        "http: {url: 'HTTPS://x', headers: {Accept: text/html}, body: [1]}",
        "http: {url: '${ input.base }/x', headers: '${ input.headers }'}",
        "http: {url: 'http://${ input.host }/x', headers: {a: '${ input.a }'}}",
        "emit: {type: X, headers: {tenant: '${ input.tenant }', none: null}}",
    ],
)
def test_what_may_fit_is_none(job):
    assert errors_of(job) == []


def test_the_table_is_about_the_handlers_that_there_are():
    assert set(TAKES) == set(FUNCTIONS)
    for name, takes in TAKES.items():
        parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
        plain = [one for one in parameters if one.annotation not in ("Job", Job)]
        if (
            takes is None or name == "sleep"
        ):  # which looks at its arguments itself: `for` is no name
            assert [one.kind for one in plain] == [inspect.Parameter.VAR_KEYWORD]
            continue
        assert {one.name for one in takes} == {one.name for one in plain}
        needed = {one.name for one in plain if one.default is one.empty}
        assert {one.name for one in takes if one.example} == needed


VALUES = [None, True, 1, 2.0, 1.5, "", "2", "2s", "text", "info", "https://x", [1], {}, {"a": "b"}]
LOOKED_AT_LATER = {"for", "level", "url"}
"""By the handler itself, not where its arguments are bound."""


@pytest.mark.parametrize("name", [name for name, takes in TAKES.items() if takes])
def test_what_is_refused_is_what_its_handler_does_not_take(name):
    bound = Handlers().add(name, FUNCTIONS[name])
    for argument in TAKES[name]:
        convert = bound._convert.get(argument.name)
        for value in VALUES if convert and argument.name not in LOOKED_AT_LATER else ():
            try:
                convert(value)
            except ValueError:
                continue
            assert argument.fits(value), (argument.name, value)


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_known(level):
    assert errors_of(f"run: log, with: {{message: a, level: {level}}}") == []


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (
            "{until: 3d}",
            "until: `until` takes an instant, and 3d is a span of time (write wait: 3d",
        ),
        ("{event: X, until: 3d}", "`until` does nothing beside `event`"),
    ],
)
def test_a_span_where_an_instant_stands_says_which_key_is_meant(wait, said):
    with pytest.raises(Exception, match="timeout: 3d") as refused:
        load(workflow(f"{{job: a, wait: {wait}}}"))
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["x-y", "a b", "1"])
def test_any_name_that_is_set_can_be_read(name):
    """After a dot a name may hold `-`; any other stands in brackets."""
    read = "vars.x-y" if name == "x-y" else f'vars["{name}"]'
    reads = f"{{job: b, run: echo, needs: [a], with: {{v: '${{ {read} }}'}}}}"
    (document,) = load(workflow(f"{{job: a, set: {{'{name}': 1}}}}", reads))
    assert check(document) == ([], [])
