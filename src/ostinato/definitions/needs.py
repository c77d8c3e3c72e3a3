"""What ``needs`` must not say: unknown names, later jobs, itself, and circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ostinato.definitions.document import Document, Job
from ostinato.definitions.reader import nearest
from ostinato.definitions.source import Path
from ostinato.errors import Problem

__all__ = ["Order", "needs_problems", "stages"]


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


class Order:
    """What is certainly done when a job starts, among the jobs of its own stage."""

    def __init__(self, document: Document) -> None:
        self.places = stages(document)
        self.needs: dict[str, tuple[str, ...]] = {}  # of the jobs in parallel phases
        self.reached: dict[str, set[str]] = {}
        for phase in document.phases:
            if not phase.sequential:
                self.needs |= {job.name: job.needs for job in phase.jobs}

    def precedes(self, earlier: str, later: str) -> bool:
        if later not in self.needs:
            return self.places[earlier] < self.places[later]
        if later not in self.reached:
            self.reached[later] = self._reached(later)
        return earlier in self.reached[later]

    def _reached(self, name: str) -> set[str]:
        seen: set[str] = set()
        todo = [*self.needs[name]]
        while todo:
            one = todo.pop()
            if one in self.needs and one not in seen:
                seen.add(one)
                todo += self.needs[one]
        return seen


def needs_problems(document: Document) -> Iterator[Problem]:
    known = stages(document)
    chains = {phase.path: phase.sequential for phase in document.phases}
    for job in document.jobs():
        chained = chains.get(job.path[:2], True)
        for need in job.needs:
            if said := _wrong(job, need, known, chained, len(document.phases)):
                yield document.problem(_path(document, job, need), *said)
    for phase in document.phases:
        if not phase.sequential:
            yield from _circles(document, phase.jobs)


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
    needs = _tangled({job.name: job.needs for job in jobs})
    told: set[str] = set()
    for job in jobs:
        if job.name not in needs or job.name in told:
            continue
        circle = _way_back(job.name, needs)
        if circle and len(circle) > 1:
            told.update(circle)
            text = " → ".join((*circle, circle[0]))
            hint = "each waits for the next; take one of these needs out"
            path = (*job.path, "needs")
            yield document.problem(path, f"`needs` go in a circle: {text[:400]}", hint)


def _tangled(needs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without the jobs that can be put in an order: what is left is in a circle or behind one."""
    open_needs = {name: {need for need in of if need in needs} for name, of in needs.items()}
    needed_by: dict[str, list[str]] = {}
    for name, of in open_needs.items():
        for need in of:
            needed_by.setdefault(need, []).append(name)
    ready = [name for name, of in open_needs.items() if not of]
    for name in ready:
        for later in needed_by.get(name, ()):
            open_needs[later].discard(name)
            if not open_needs[later]:
                ready.append(later)
    return {name: tuple(of) for name, of in open_needs.items() if of}


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
