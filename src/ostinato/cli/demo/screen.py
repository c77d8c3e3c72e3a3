"""One screen, redrawn: tenants are rows, phases columns, jobs cells. 79 columns, 18 lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rich.live import Live
from rich.text import Text

from ostinato.cli import output
from ostinato.cli.demo.clock import Clock
from ostinato.cli.demo.picture import Fact, Picture, told

WIDTH = 79
EVENTS = 5

# How a job is shown: a sign and a style. Signs tell enough where there is no colour.
SIGNS = {
    "": ("·", "dim"),
    "running": ("●", "cyan"),
    "waiting": ("◷", "yellow"),
    "retrying": ("↻", "yellow"),
    "abandoned": ("†", "red"),
    "succeeded": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "skipped": ("–", "dim"),
    "cancelled": ("⊘", "magenta"),
}
LEGEND = ("running", "waiting", "retrying", "succeeded", "failed", "skipped")

# Columns: a heading, its width, and the cells as (label, step key).
Cells = Sequence[tuple[str, str]]
COLUMNS = (("prepare", 15), ("build", 9), ("deploy", 22), ("announce", 15), ("finally", 8))


def cells(column: str, picture: Picture) -> Cells:
    match column:
        case "prepare":
            return [("tier", "prepare/tier"), ("quota", "prepare/quota")]
        case "build":
            return [("build", "build/build")]
        case "announce" if "on_failure/tell-failed" in picture.jobs:
            return [("tell-failed", "on_failure/tell-failed")]
        case "announce":
            return [("tell", "announce/tell")]
        case "finally":
            return [("close", "finally/close")]
    return []


class Screen:
    """``with screen:`` it is drawn; afterwards its last state stays."""

    def __init__(self, pictures: Sequence[Picture], clock: Clock) -> None:
        self._pictures = pictures
        self._clock = clock
        self._events: deque[Text] = deque(maxlen=EVENTS)
        self._message = Text()
        self._live = Live(console=output.console(), auto_refresh=False, transient=False)
        self.server = ""

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.tick()
        self._live.stop()

    def say(self, text: str, style: str = "") -> None:
        self._message = Text(f" {text}", style or "bold")

    hint = say

    def fact(self, picture: Picture, fact: Fact) -> None:
        if text := told(fact):
            self._events.append(_event(self._clock.text, picture.order.tenant, text))

    def tick(self) -> None:
        self._live.update(self.drawn(), refresh=True)

    def drawn(self) -> Text:
        lines = [self._title(), Text(), _headings()]
        for picture in self._pictures:
            lines += [_row(picture), _below(picture)]
        events = [*self._events, *[Text()] * (EVENTS - len(self._events))]
        return Text("\n").join([*lines, _legend(), *events, Text(), self._message])

    def _title(self) -> Text:
        title = Text(" ostinato demo", "bold")
        title.append(f"   {self.server}", "dim")
        title.append(self._clock.text.rjust(WIDTH - len(title)), "bold")
        return title


def _headings() -> Text:
    text = Text(" tenant".ljust(10))
    for name, width in COLUMNS:
        text.append(name.ljust(width))
    text.stylize("dim")
    return text


def _row(picture: Picture) -> Text:
    text = Text(f" {picture.order.tenant}".ljust(10), "bold")
    for name, width in COLUMNS:
        cell = _deploy(picture) if name == "deploy" else _cell(cells(name, picture), picture)
        cell.pad_right(width - len(cell))
        text.append_text(cell)
    return text


def _cell(jobs: Cells, picture: Picture) -> Text:
    return Text(" ").join(_job(label, picture.jobs.get(key, "")) for label, key in jobs)


def _job(label: str, status: str) -> Text:
    sign, style = SIGNS[status]
    return Text(sign + label, style)


def _deploy(picture: Picture) -> Text:
    """Per region, its two jobs."""
    if "deploy" in picture.skipped:
        return Text("– skipped", "dim")
    return Text(" ").join(
        Text(region) + _region(picture, f"deploy[{index}]")
        for index, region in enumerate(picture.order.regions)
    )


def _region(picture: Picture, scope: str) -> Text:
    jobs = (picture.jobs.get(f"{scope}/{name}", "") for name in ("bootstrap", "check"))
    return Text().join(_job("", status) for status in jobs)


def _below(picture: Picture) -> Text:
    order = picture.order
    text = Text(f"   {order.tier}, {order.form}".ljust(25), "dim")
    text.append(picture.note, "red" if picture.status == "failed" else "yellow")
    text.truncate(WIDTH, overflow="ellipsis")
    return text


def _legend() -> Text:
    text = Text(" ")
    for name in LEGEND:
        sign, style = SIGNS[name]
        text.append(sign, style)
        text.append(f" {name}   ", "dim")
    return text


def _event(clock: str, tenant: str, told: str) -> Text:
    text = Text(f" {clock:>7}  {tenant:<9} {told}", "dim")
    text.truncate(WIDTH, overflow="ellipsis")
    return text
