"""One connection, spoken to in pipelines: statements go out together, up to one Sync.

psycopg's ``pq`` is used, its documented lower floor, as a step needs no cursor and no adapters.
What is between two Syncs is one transaction; after an error the server passes over the rest.
Several callers may ask at once: the answers come in the order in which was asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from ostinato.storage.postgres.arrays import Argument

Row = tuple[Any, ...]

_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Ask(NamedTuple):
    """A statement and its arguments. ``kept``: it stays prepared, as its text is constant."""

    sql: str
    arguments: Sequence[Argument] = ()
    kept: bool = True


class Fault(Exception):
    """The server's answer to statement ``place``; what went before it in its pipeline is undone."""

    def __init__(self, place: int, code: str, said: str, constraint: str | None) -> None:
        super().__init__(said)
        self.place = place
        self.code = code
        self.said = said
        self.constraint = constraint


class Lost(Exception):
    """The connection broke. Nothing is known about what was asked and not answered."""


class _Pipeline:
    """What one caller has asked: the statements' places, or None where one was prepared."""

    __slots__ = ("answer", "fault", "places", "prepared", "results")

    def __init__(self, answer: asyncio.Future[list[list[Row]]]) -> None:
        self.answer = answer
        self.places: deque[int | None] = deque()
        self.prepared: deque[str] = deque()
        self.results: list[PGresult] = []
        self.fault: Fault | None = None


class Wire:
    """``heard`` is called with the channel and the payload of a notification, ``lost`` when the
    connection breaks.
    """

    def __init__(self, db: psycopg.AsyncConnection[Any]) -> None:
        self.heard: Callable[[str, str], None] = lambda channel, payload: None
        self.lost: Callable[[], None] = lambda: None
        self.broken: Lost | None = None
        self._db = db
        self._pq: PGconn = db.pgconn
        self._pq.nonblocking = 1
        self._pq.enter_pipeline_mode()
        self._loop = asyncio.get_running_loop()
        self._socket = self._pq.socket
        self._names: dict[str, bytes] = {}
        self._given = count()
        self._waiting: deque[_Pipeline] = deque()
        self._loop.add_reader(self._socket, self._readable)

    @property
    def process_id(self) -> int:
        """The server's, for this connection."""
        return int(self._pq.backend_pid)

    async def ask(self, *asks: Ask) -> list[list[Row]]:
        """The rows of each statement. Raises ``Fault`` or ``Lost``."""
        return await self.send(*asks)

    def send(self, *asks: Ask) -> asyncio.Future[list[list[Row]]]:
        """What they are asked in is the order in which they are answered. Raises ``Lost``."""
        if self.broken is not None:
            raise self.broken
        pipeline = _Pipeline(self._loop.create_future())
        try:
            for place, ask in enumerate(asks):
                self._send(pipeline, place, ask)
            self._pq.pipeline_sync()
            self._waiting.append(pipeline)
            self._flush()
        except psycopg.Error as error:
            self._break(error)
            raise Lost(str(error)) from error
        return pipeline.answer

    def close(self) -> None:
        self._break(psycopg.OperationalError("it was closed"))

    def _send(self, pipeline: _Pipeline, place: int, ask: Ask) -> None:
        arguments = ask.arguments
        formats = [Format.BINARY] * len(arguments)
        if not ask.kept:
            text = ask.sql.encode()
            self._pq.send_query_params(text, arguments, None, formats, Format.BINARY)
        else:
            name = self._names.get(ask.sql)
            if name is None:
                name = self._prepare(pipeline, ask.sql)
            self._pq.send_query_prepared(name, arguments, formats, Format.BINARY)
        pipeline.places.append(place)

    def _prepare(self, pipeline: _Pipeline, sql: str) -> bytes:
        """After an error the server passes this over, too: then it is forgotten, and made anew."""
        name = self._names[sql] = b"o%d" % next(self._given)
        self._pq.send_prepare(name, sql.encode())
        pipeline.places.append(None)
        pipeline.prepared.append(sql)
        return name

    def _flush(self) -> None:
        if self._pq.flush():
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        try:
            if not self._pq.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._break(error)

    def _readable(self) -> None:
        try:
            self._pq.consume_input()
            while (notice := self._pq.notifies()) is not None:
                self._notified(notice)
            self._take()
        except psycopg.Error as error:
            self._break(error)
        else:
            if self._pq.status == ConnStatus.BAD:
                self._break(psycopg.OperationalError("the server closed the connection"))

    def _take(self) -> None:
        """Every answer that is here; after the last of a statement comes nothing, once."""
        begun = False
        while not self._pq.is_busy():
            result = self._pq.get_result()
            if result is None:
                if not begun:
                    return
                begun = False
            elif result.status == ExecStatus.PIPELINE_SYNC:
                self._finish(self._waiting.popleft())
                begun = False
            else:
                begun = True
                if self._waiting:
                    self._answered(self._waiting[0], result)

    def _answered(self, pipeline: _Pipeline, result: PGresult) -> None:
        place = pipeline.places.popleft() if pipeline.places else None
        if place is None:
            sql = pipeline.prepared.popleft() if pipeline.prepared else ""
            if result.status not in _GOOD:
                self._names.pop(sql, None)
        if result.status in _GOOD:
            if place is not None:
                pipeline.results.append(result)
        elif result.status == ExecStatus.FATAL_ERROR and pipeline.fault is None:
            reached = len(pipeline.results)
            pipeline.fault = _fault(reached, result)

    def _finish(self, pipeline: _Pipeline) -> None:
        if pipeline.answer.done():  # whoever asked was cancelled
            return
        if pipeline.fault is not None:
            pipeline.answer.set_exception(pipeline.fault)
        else:
            pipeline.answer.set_result([_rows(result) for result in pipeline.results])

    def _notified(self, notice: Any) -> None:
        self.heard(notice.relname.decode(), notice.extra.decode())

    def _break(self, error: Exception) -> None:
        if self.broken is not None:
            return
        self.broken = Lost(" ".join(str(error).split()) or "the connection was lost")
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        with suppress(psycopg.Error):
            self._pq.finish()
        for pipeline in self._waiting:
            if not pipeline.answer.done():
                told = pipeline.fault if _is_last_word(pipeline.fault) else None
                pipeline.answer.set_exception(Lost(str(told or self.broken)))
        self._waiting.clear()
        self.lost()


def _is_last_word(fault: Fault | None) -> bool:
    """What a server says before it hangs up tells more than that it hung up."""
    return fault is not None and fault.code.startswith("57P")


def _fault(place: int, result: PGresult) -> Fault:
    def field(which: DiagnosticField) -> str:
        return (result.error_field(which) or b"").decode(errors="replace")

    said = field(DiagnosticField.MESSAGE_PRIMARY)
    if detail := field(DiagnosticField.MESSAGE_DETAIL):
        said = f"{said} ({detail})"
    constraint = field(DiagnosticField.CONSTRAINT_NAME) or None
    return Fault(place, field(DiagnosticField.SQLSTATE), said, constraint)


def _rows(result: PGresult) -> list[Row]:
    if not result.ntuples:
        return []
    loading = Transformer()
    loading.set_pgresult(result)
    return loading.load_rows(0, result.ntuples, tuple)
