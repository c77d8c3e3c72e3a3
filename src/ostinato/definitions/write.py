"""A graph back to the document that says it: the other way of ``compile``.

The form is canonical: nothing is written that is so anyway, and what can be said in two ways is
said in one. What only a document knows (``on``, ``input_schema``, descriptions) is not in a graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from msgspec import structs

from ostinato.core.content import content
from ostinato.core.durations import format_duration
from ostinato.core.expressions import Expression, Template
from ostinato.core.graph import Graph, Node
from ostinato.core.model import (
    Again,
    Call,
    Catch,
    Dedup,
    Each,
    Emit,
    End,
    Job,
    Limit,
    Meanwhile,
    Overflow,
    Repeat,
    Retry,
    Run,
    Set,
    Task,
    UidRule,
    WaitEvent,
    WaitUntil,
)
from ostinato.definitions.actions import HTTP_EXPECTS, HTTP_HANDLER
from ostinato.definitions.compile import compile
from ostinato.definitions.keys import HTTP_METHODS
from ostinato.definitions.load import read
from ostinato.errors import DefinitionError

__all__ = ["write"]

Members = dict[str, Any]

USUAL_LIMIT = 1_000


def write(graph: Graph) -> Members:
    """Plain values that ``read`` and ``compile`` make into a graph of the same content.

    Defaults of handlers that were compiled in are written out; compile it without them.
    Raises ``DefinitionError`` when no document says what this graph does: it has gateways, loops,
    or a job that the language has no words for.
    """
    try:
        written = _document(graph)
        again = compile(read(written), version=graph.version)
    except DefinitionError as error:
        raise _no_document(graph, str(error)) from None
    if difference := _difference(content(graph), content(again)):
        raise _no_document(graph, f"{difference} has no words in a document")
    return written


def _no_document(graph: Graph, why: str) -> DefinitionError:
    return DefinitionError(f"no document says what {graph.workflow!r} does: {why}")


def _difference(one: Members, other: Members) -> str:
    """Where two graphs differ: a node's path, or a part of the whole."""
    for path in {**one["nodes"], **other["nodes"]}:
        if one["nodes"].get(path) != other["nodes"].get(path):
            return repr(path)
    return next((part for part in one if one[part] != other[part]), "")


def _document(graph: Graph) -> Members:
    ends = {"on_failure": graph.on_failure, "finally": graph.finally_}
    apart = (*ends.values(), graph.undo)
    phases = [node for node in graph.root.children if node not in apart]
    return _given(
        workflow=graph.workflow,
        timeout=_span(graph.timeout),
        on_error=_on_error(graph.root),
        **_limits(graph.limits),
        priority=None if graph.priority == 5 else graph.priority,
        uid=_uid(graph.uid),
        dedup=_dedup(graph.dedup),
        phases=[_phase(node) for node in phases],
        output=_output(graph.output),
    ) | {key: [_job(job, ()) for job in node.children] for key, node in ends.items() if node}


def _given(**members: Any) -> Members:
    return {key: value for key, value in members.items() if value is not None}


def _span(ms: int | None) -> str | None:
    return None if ms is None else format_duration(ms)


def _text(expression: Expression | None) -> str | None:
    return None if expression is None else expression.text


def _output(output: Expression | Template | None) -> Any:
    """In a template for an output every text is one expression."""
    return _leaves(output.source) if isinstance(output, Template) else _text(output)


def _leaves(source: Any) -> Any:
    if isinstance(source, dict):
        return {name: _leaves(member) for name, member in source.items()}
    if isinstance(source, list):
        return [_leaves(item) for item in source]
    return source.removeprefix("${ ").removesuffix(" }") if isinstance(source, str) else source


def _on_error(node: Node) -> str | None:
    return None if node.on_error is None else node.on_error.value


def _phase(node: Node) -> Members:
    chained = len(node.children) > 1 and all(
        [flow.source for flow in after.incoming] == [before]
        for before, after in pairwise(node.children)
    )
    return _given(
        phase=node.name,
        when=_text(node.when),
        each=_each(node.each),
        mode="sequential" if chained else "race" if node.enough == 1 else None,
        enough=node.enough if chained or node.enough != 1 else None,
        on_error=_on_error(node),
        timeout=_span(node.timeout),
        jobs=[_job(job, () if chained else _needs(job)) for job in node.children],
    )


def _needs(node: Node) -> tuple[str, ...]:
    return tuple(flow.source.name for flow in node.incoming)


def _job(node: Node, needs: tuple[str, ...]) -> Members:
    does = _body(node.spec)
    return {"job": node.name, **does} | _given(
        needs=list(needs) or None,
        when=_text(node.when),
        each=_each(node.each),
        optional=node.optional or None,
        on_error=_on_error(node),
        catch=[_catch(one) for one in node.spec.catch] or None,
        undo=None if node.undo is None else _undo(node.undo),
        **_limits(node.limits),
    )


def _limits(limits: Iterable[Limit]) -> Members:
    return {"concurrency" if limit.per is None else "rate": _limit(limit) for limit in limits}


def _limit(limit: Limit) -> Members:
    usual = limit.overflow is Overflow.QUEUE
    return _given(
        key=_text(limit.key),
        limit=limit.limit,
        overflow=None if usual else limit.overflow.value,
        per=_span(limit.per),
    )


def _uid(rule: UidRule | None) -> Any:
    """A rule that only has a key is written as that."""
    if rule is None:
        return None
    members = _given(
        key=_text(rule.key),
        again=None if rule.again is Again.NEW else rule.again.value,
        open=None if rule.open is Meanwhile.SAME else rule.open.value,
    )
    return members["key"] if members.keys() == {"key"} else members


def _dedup(rule: Dedup | None) -> Members | None:
    return None if rule is None else {"key": rule.key.text, "window": _span(rule.window)}


def _undo(job: Job) -> Any:
    body = _body(job)
    return body["run"] if body.keys() == {"run"} else body


def _body(job: Job) -> Members:
    members = _does(job)
    within = "wait" in members and isinstance(members["wait"], dict)
    return members | _given(
        expect=None if "http" in members and _usual(job) else _text(job.expect),
        repeat=_repeat(job.repeat),
        retry=_retried(job),
        timeout=None if within else _span(job.timeout),
        callback=job.callback or None,
        heartbeat=_span(job.heartbeat),
    )


def _repeat(repeat: Repeat | None) -> Members | None:
    if repeat is None:
        return None
    limit = repeat.limit if repeat.limit != USUAL_LIMIT else None
    return {"until": repeat.until.text, "every": _span(repeat.every)} | _given(limit=limit)


def _catch(catch: Catch) -> Members:
    members: Members = {"on": catch.on[0] if len(catch.on) == 1 else list(catch.on)}
    if catch.job is not None:
        return members | {"do": _body(catch.job)}
    return members | {"output": None if catch.output is None else _leaves(catch.output.source)}


def _each(each: Each | None) -> Members | None:
    if each is None:
        return None
    return {"in": each.items.text} | _given(
        **{"as": each.name if each.name != "item" else None},
        at_once=each.at_once if each.at_once != 10 else None,
        tolerate=_tolerance(each) if each.tolerate or each.percent else None,
    )


def _tolerance(each: Each) -> Any:
    if not each.percent:
        return int(each.tolerate)
    return f"{each.tolerate:.9f}".rstrip("0").rstrip(".") + "%"


def _does(job: Job) -> Members:
    source = None if job.input is None else job.input.source
    match job.action:
        case Run(handler=handler):
            if handler == HTTP_HANDLER and job.expect is not None and _is_request(source):
                return {"http": source}
            return _given(run=handler) | ({} if job.input is None else {"with": source})
        case Call(target=target):
            return {"call": _target(target.source)} | (
                {} if job.input is None else {"with": source}
            )
        case Emit():
            return {"emit": source}
        case Set():
            return {"set": source}
        case Task():
            return {"task": source}
        case End(status=status):
            return {"end": status}
        case WaitUntil(span=None):
            return {"wait": source.get("until") if isinstance(source, dict) else source}
        case WaitUntil(span=span):
            return {"wait": _span(span)}
        case WaitEvent() as wait:
            return {"wait": _wait(wait, source, job.timeout)}


def _target(source: Any) -> Any:
    return source["workflow"] if source.keys() == {"workflow"} else source


def _is_request(source: Any) -> bool:
    """Whether the members can be those of ``http``, as far as ``run: http`` asks less of them."""
    if not isinstance(source, dict) or source.keys() - {"method", "url", "headers", "body"}:
        return False
    method, url, headers = source.get("method"), source.get("url"), source.get("headers", {})
    told = isinstance(method, str) and (method in HTTP_METHODS or "${" in method)
    headed = isinstance(headers, dict) or (isinstance(headers, str) and headers.startswith("${"))
    return told and headed and isinstance(url, str) and url != ""


def _usual(job: Job) -> bool:
    return job.expect is not None and job.expect.text == HTTP_EXPECTS


def _wait(wait: WaitEvent, match: Any, timeout: int | None) -> Members:
    back = wait.look_back
    return _given(
        event=wait.types[0] if len(wait.types) == 1 else list(wait.types),
        match=match,
        timeout=_span(timeout),
        look_back="none" if back == 0 else _span(back),
    )


def _retried(job: Job) -> Any:
    """A call is tried once unless the document says more."""
    if isinstance(job.action, Call):
        once = job.retry == Retry(attempts=1)
        return None if once else _retry(job.retry) or job.retry.attempts
    return _retry(job.retry) if isinstance(job.action, Run) else None


def _retry(retry: Retry) -> Any:
    usual = structs.asdict(Retry())
    other = {
        name: _retry_member(name, value)
        for name, value in structs.asdict(retry).items()
        if value != usual[name]
    }
    return other["attempts"] if other.keys() == {"attempts"} else other or None


def _retry_member(name: str, value: Any) -> Any:
    if name in ("delay", "max_delay", "within"):
        return format_duration(value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else list(value)
    return value
