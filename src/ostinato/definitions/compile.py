"""A document to the graph that the core runs.

Phases are scopes in a row. In a parallel phase a job without ``needs`` starts at once and the
others are parallel joins over theirs; in a sequential one, in ``on_failure`` and in ``finally``,
each job follows the one before it. A need of an earlier phase's job is settled by the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any

from ostinato.core import model
from ostinato.core.graph import FINALLY, ON_FAILURE, Graph, Node
from ostinato.core.model import Call, Join, Kind, Run
from ostinato.definitions.document import Body, Document, Job, Phase
from ostinato.definitions.needs import needs_problems
from ostinato.definitions.source import MAX_PROBLEMS, refused

__all__ = ["HandlerDefaults", "compile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerDefaults:
    """What a handler's decorator says. ``retry`` has the members of ``model.Retry`` that it gives.

    The document wins, key by key.
    """

    retry: Mapping[str, Any] = field(default_factory=dict)
    timeout: int | None = None
    heartbeat: int | None = None


_NOTHING = HandlerDefaults()


def compile(
    document: Document, handlers: Mapping[str, HandlerDefaults] | None = None, version: int = 1
) -> Graph:
    """Raises ``DefinitionError`` when ``needs`` make no order; all else is ``check``'s to find."""
    if problems := list(islice(needs_problems(document), MAX_PROBLEMS)):
        raise refused(problems)
    graph = Graph(document.workflow, version, timeout=document.timeout, output=document.output)
    graph.root.on_error = document.on_error
    graph.limits, graph.priority = document.limits, document.priority
    graph.uid, graph.dedup = document.uid, document.dedup
    before: Node | None = None
    for phase in document.phases:
        node = _phase(graph, phase, handlers or {})
        if before is not None:
            graph.flow(before, node)
        before = graph.last = node
    for name, jobs in ((ON_FAILURE, document.on_failure), (FINALLY, document.finally_)):
        if jobs:
            scope = graph.add(Node(Kind.SCOPE, name))
            _chain(graph, scope, _nodes(graph, scope, jobs, handlers or {}))
    return graph.seal()


def _phase(graph: Graph, phase: Phase, handlers: Mapping[str, HandlerDefaults]) -> Node:
    node = Node(
        Kind.SCOPE,
        phase.name,
        each=phase.each,
        when=phase.when,
        timeout=phase.timeout,
        enough=phase.enough,
        on_error=phase.on_error,
    )
    scope = graph.add(node)
    nodes = _nodes(graph, scope, phase.jobs, handlers)
    if phase.sequential:
        _chain(graph, scope, nodes)
        return scope
    here = {job.name: one for job, one in zip(phase.jobs, nodes, strict=True)}
    for job in phase.jobs:
        for need in dict.fromkeys(job.needs):
            if need in here:
                graph.flow(here[need], here[job.name])
    return scope


def _nodes(
    graph: Graph, scope: Node, jobs: Sequence[Job], handlers: Mapping[str, HandlerDefaults]
) -> list[Node]:
    return [graph.add(_node(job, handlers), scope) for job in jobs]


def _node(job: Job, handlers: Mapping[str, HandlerDefaults]) -> Node:
    catches = tuple(
        model.Catch(on=one.on, job=_body(one.body, handlers), output=one.output)
        for one in job.catch
    )
    return Node(
        Kind.JOB,
        job.name,
        join=Join.ALL,
        job=_spec(job, handlers, catches),
        each=job.each,
        when=job.when,
        optional=job.optional,
        on_error=job.on_error,
        undo=_body(job.undo, handlers),
        limits=job.limits,
    )


def _body(body: Body | None, handlers: Mapping[str, HandlerDefaults]) -> model.Job | None:
    return None if body is None else _spec(body, handlers)


def _spec(
    body: Body, handlers: Mapping[str, HandlerDefaults], catches: tuple[model.Catch, ...] = ()
) -> model.Job:
    defaults = _NOTHING
    if isinstance(body.action, Run):
        defaults = handlers.get(body.action.handler, _NOTHING)
    heartbeat = defaults.heartbeat if body.heartbeat is None else body.heartbeat
    return model.Job(
        action=body.action,
        input=body.input,
        retry=_retry(body, defaults),
        timeout=defaults.timeout if body.timeout is None else body.timeout,
        expect=body.expect,
        callback=body.callback,
        heartbeat=heartbeat,
        repeat=body.repeat,
        catch=catches,
    )


def _retry(body: Body, defaults: HandlerDefaults) -> model.Retry:
    """Only what calls something can be tried again; another workflow, when the document says so."""
    if not isinstance(body.action, Run) and not (body.retry and isinstance(body.action, Call)):
        return model.Retry(attempts=1)
    return model.Retry(**{**defaults.retry, **body.retry})


def _chain(graph: Graph, scope: Node, nodes: list[Node]) -> None:
    for before, after in pairwise(nodes):
        graph.flow(before, after)
