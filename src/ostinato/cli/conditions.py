"""What a drawing says beside a workflow, a phase or a job: when it is done, how often, how many at
once, and what becomes of its failure."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.core.durations import format_duration
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Again, Each, Job, Limit, Meanwhile, Overflow


def of_runs(graph: Graph) -> Iterator[str]:
    if graph.timeout:
        yield f"(at most {format_duration(graph.timeout)})"
    yield from map(_limit, graph.limits)
    if (uid := graph.uid) is not None:
        told = "uid" if uid.key is None else f"uid {uid.key.text}"
        told += "" if uid.open is Meanwhile.SAME else f", open {uid.open.value}"
        yield told + ("" if uid.again is Again.NEW else f", again {uid.again.value}")
    if graph.dedup is not None:
        yield f"dedup {graph.dedup.key.text} for {format_duration(graph.dedup.window)}"


def of_node(node: Node) -> Iterator[str]:
    if node.when is not None:
        yield f"when {node.when.text}"
    if node.each is not None:
        yield _each(node.each)
    if node.enough is not None:
        yield f"until {node.enough} succeeded"
    yield from map(_limit, node.limits)
    timeout = node.timeout if node.job is None else node.job.timeout
    if timeout is not None:
        yield f"timeout {format_duration(timeout)}"
    if node.job is not None:
        yield from _of_job(node.job)
    if node.undo is not None:
        yield "can be undone"
    if node.optional:
        yield "optional"


def _of_job(job: Job) -> Iterator[str]:
    if job.repeat is not None:
        yield f"repeated until {job.repeat.until.text}"
    if job.catch:
        yield f"catches {', '.join(name for catch in job.catch for name in catch.on)}"


def _each(each: Each) -> str:
    share = "%" if each.percent else ""
    may_fail = f", {each.tolerate:g}{share} may fail" if each.tolerate else ""
    return f"each {each.name} in {each.items.text}{may_fail}"


def _limit(limit: Limit) -> str:
    span = "at once" if limit.per is None else f"in {format_duration(limit.per)}"
    key = "" if limit.key is None else f" for each {limit.key.text}"
    overflow = "" if limit.overflow is Overflow.QUEUE else f", else {limit.overflow.value}"
    return f"at most {limit.limit} {span}{key}{overflow}"
