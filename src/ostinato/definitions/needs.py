"""What ``needs`` must not say: unknown names, later jobs, itself, and circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ostinato.definitions.document import Document, Job
from ostinato.definitions.reader import nearest
from ostinato.definitions.source import Path
from ostinato.errors import Problem

__all__ = ["before", "needs_problems", "stages"]


def stages(document: Document) -> dict[str, tuple[int, int]]:
    """Job name → (stage, place in it): the phases in order, the output, on_failure, finally."""
    found: dict[str, tuple[int, int]] = {}
    after = len(document.phases) + 1
    groups = [(number, phase.jobs) for number, phase in enumerate(document.phases)]
    groups += [(after, document.on_failure), (after + 1, document.finally_)]
    for stage, jobs in groups:
        for place, job in enumerate(jobs):
            found[job.name] = stage, place
    return found


def before(document: Document) -> dict[str, frozenset[str]]:
    """Job name → the jobs of its own stage that are done when it starts."""
    found: dict[str, frozenset[str]] = {}
    for phase in document.phases:
        if phase.sequential:
            found |= _chained(phase.jobs)
        else:
            needs = {job.name: tuple(need for need in job.needs) for job in phase.jobs}
            found |= {name: frozenset(_reached(name, needs)) for name in needs}
    return found | _chained(document.on_failure) | _chained(document.finally_)


def _chained(jobs: tuple[Job, ...]) -> dict[str, frozenset[str]]:
    return {job.name: frozenset(one.name for one in jobs[:index]) for index, job in enumerate(jobs)}


def _reached(name: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    seen: set[str] = set()
    todo = list(needs[name])
    while todo:
        one = todo.pop()
        if one in needs and one not in seen:
            seen.add(one)
            todo += needs[one]
    return seen


def needs_problems(document: Document) -> list[Problem]:
    known = stages(document)
    problems: list[Problem] = []
    in_order = {phase.path: phase.sequential for phase in document.phases}
    for job in document.jobs():
        chained = in_order.get(job.path[:2], True)
        for need in job.needs:
            if said := _wrong(job, need, known, chained, len(document.phases)):
                problems.append(document.problem(_path(document, job, need), *said))
    for phase in document.phases:
        if not phase.sequential:
            problems += _circles(document, phase.jobs)
    return problems


def _path(document: Document, job: Job, need: str) -> Path:
    place = document.place
    for part in (*job.path, "needs"):
        place = place.value[part]
    if isinstance(place.value, list):
        return (*job.path, "needs", job.needs.index(need))
    return (*job.path, "needs")


def _wrong(
    job: Job, need: str, known: Mapping[str, tuple[int, int]], chained: bool, phases: int
) -> tuple[str, str] | None:
    if need not in known:
        return f"`needs` names `{need}`, and there is no such job", nearest(need, [*known])
    stage, place = known[need]
    own_stage, own_place = known[job.name]
    if need == job.name:
        return f"`{need}` needs itself", ""
    if stage > own_stage:
        return f"`{need}` is needed here and comes in a later phase", "move one of the two jobs"
    if stage == own_stage and chained and place > own_place:
        return f"`{need}` is needed here and comes later in the sequence", "change their order"
    if stage < own_stage and own_stage > phases:
        hint = f'write when: jobs.{need}.status == "succeeded"'
        return f"`{need}` may not have run when this list is done", hint
    return None


def _circles(document: Document, jobs: tuple[Job, ...]) -> Iterator[Problem]:
    """One problem per circle, at the ``needs`` of its first job."""
    needs = {job.name: job.needs for job in jobs}
    by_name = {job.name: job for job in jobs}
    told: set[str] = set()
    for job in jobs:
        circle = None if job.name in told else _way_back(job.name, needs)
        if circle and len(circle) > 1:
            told.update(circle)
            text = " → ".join((*circle, circle[0]))
            path = (*by_name[job.name].path, "needs")
            hint = "each waits for the next; take one of these needs out"
            yield document.problem(path, f"`needs` go in a circle: {text}", hint)


def _way_back(name: str, needs: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """The shortest way along ``needs`` from a job back to itself."""
    came: dict[str, str] = {}
    todo = [name]
    for one in todo:
        for need in needs[one]:
            if need == name:
                way = [one]
                while way[-1] != name:
                    way.append(came[way[-1]])
                return way[::-1]
            if need in needs and need not in came:
                came[need] = one
                todo.append(need)
    return None
