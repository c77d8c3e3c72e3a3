"""The table of workloads: what each is called, does and counts first."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ostinato.cli.bench import crew, crowd, fleet, idle, inside, served, shape, waits
from ostinato.cli.bench.inside import Run, side_by_side
from ostinato.cli.bench.scale import Scale


@dataclass(frozen=True, slots=True)
class Workload:
    """``unit`` is that of the first figure; ``less`` says that less of it is better.

    ``once``: so large that it is measured once, however many rounds there are. ``server``: it is
    about a database server, so there is none without ``--store``.
    """

    template: str
    unit: str
    run: Run
    less: bool = False
    once: bool = False
    server: bool = False

    def about(self, scale: Scale) -> str:
        return self.template.format(**asdict(scale))


_WAITS = "of 10 steps that wait 0–10 ms"

WORKLOADS: dict[str, Workload] = {
    "W1": Workload(
        "{runs:,} runs of 10 no-op steps, all at once",
        "steps/s",
        side_by_side("noop", lambda scale: scale.runs),
    ),
    "W1b-50": Workload(
        f"{{waits:,}} runs, 50 at once, {_WAITS}",
        "steps/s",
        side_by_side("pause", lambda scale: scale.waits, 50),
    ),
    "W1b-600": Workload(
        f"{{waits:,}} runs, 600 at once, {_WAITS}",
        "steps/s",
        side_by_side("pause", lambda scale: scale.waits, 600),
    ),
    "W1b-2000": Workload(
        f"{{crowd:,}} runs, 2,000 at once, {_WAITS}",
        "steps/s",
        side_by_side("pause", lambda scale: scale.crowd, 2_000),
    ),
    "W2": Workload(
        "{fans:,} runs of 100 parallel no-op steps and a join, one after the other",
        "ms p50",
        inside.fans,
        less=True,
    ),
    "W3": Workload(
        "{calls:,} runs of one step, one after the other", "ms p50", inside.latency, less=True
    ),
    "W3-http": Workload(
        "as W3, by a client of a server: one request, answered at the run's end",
        "ms p50",
        served.latency,
        less=True,
    ),
    "W4": Workload("{starts:,} runs of one step, all at once", "runs/s completed", inside.burst),
    "W4-http": Workload(
        "{starts:,} events that start a run of one step, one a request, 64 connections",
        "events/s accepted",
        served.acceptance(1, served.SENDERS),
    ),
    "W4-http-100": Workload(
        "{starts:,} events that start a run of one step, 100 a request, 4 connections",
        "events/s accepted",
        served.acceptance(100, served.BATCHERS),
    ),
    "W5-light": Workload(
        "a run of 40 steps that compute fibonacci(10), {flows:,} times",
        "ms makespan",
        inside.light,
        less=True,
    ),
    "W5-heavy": Workload(
        "a run of {heavy:,} steps that compute fibonacci(33), beside a bare loop",
        "× the bare loop's CPU",
        inside.heavy,
        less=True,
    ),
    "length": Workload(
        "{long:,} runs of 1,010 steps: the 1,000th step beside the 10th",
        "× the CPU of step 10",
        shape.length,
        less=True,
        once=True,
    ),
    "memory": Workload(
        "{ended:,} runs of one step, 1,000 at once: memory after all beside that after half",
        "× the memory at half",
        shape.memory,
        less=True,
        once=True,
    ),
    "waiting": Workload(
        "{waiting:,} runs that wait for an event: a server starts with them, and idles",
        "s start-up",
        shape.asleep,
        less=True,
        once=True,
    ),
    "items": Workload(
        "a run with a job for each of {items:,} items: the last tenth beside the first",
        "× the CPU of the first tenth",
        shape.items,
        less=True,
        once=True,
    ),
    "timers": Workload(
        "{alarms:,} runs, one after the other, of a job behind a wait for an instant",
        "ms late at most",
        waits.timers,
        less=True,
        once=True,
    ),
    "found": Workload(
        "{found:,} events, one after the other, each for one of {waiting:,} runs that wait, up to "
        "the job behind the wait",
        "ms p50",
        waits.found,
        less=True,
        once=True,
    ),
    "patterns": Workload(
        "{patterns:,} patterns on one type beside 10, an event that fits one of them: the worst "
        "of four kinds",
        "× the CPU among 10",
        crowd.patterns,
        less=True,
        once=True,
    ),
    "W5-worker": Workload(
        "as W5-light, by a worker in a process of its own over HTTP, ten jobs at once, {flows:,} "
        "times",
        "ms makespan",
        crew.light(10),
        less=True,
        server=True,
    ),
    "W5-worker-1": Workload(
        "as W5-worker, one job at once, {flows:,} times",
        "ms makespan",
        crew.light(1),
        less=True,
        server=True,
    ),
    "fleet-busy": Workload(
        "{busy:,} runs of 10 steps that use 1 ms of CPU: {fleet} servers beside one",
        "× one server's steps/s",
        fleet.compared("burn", lambda scale: scale.busy),
        server=True,
    ),
    "fleet-noop": Workload(
        "{brisk:,} runs of 10 no-op steps: {fleet} servers beside one",
        "× one server's steps/s",
        fleet.compared("noop", lambda scale: scale.brisk),
        server=True,
    ),
    "idle": Workload(
        "a server that has nothing to do, for {quiet:g} s, then with one worker, then with four",
        "queries/s beside its lease",
        idle.queries,
        less=True,
        once=True,
        server=True,
    ),
}
