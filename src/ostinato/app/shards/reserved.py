"""An ``Idempotency-Key`` whose run begins in another store than the one where the key is looked up.

That store writes down first which request has the key, and which store answers it: so of two
requests under one key, one has it, wherever their runs would begin.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ostinato.ports import Reply
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post, stored
from ostinato.runtime.starts import Idempotency

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

SIGN = b"\n"
"""What begins so is no answer: an answer begins with the id of its run."""


class Reserve(Post):
    """Its result is the row that has the key: this one, or who was first."""

    __slots__ = ("early", "idempotency", "store")

    def __init__(
        self, idempotency: Idempotency, store: int, answer: asyncio.Future[Reply] | None
    ) -> None:
        super().__init__(answer)
        self.idempotency = idempotency
        self.store = store
        self.early: Reply | None = None

    def looks_again(self) -> bool:
        return True

    async def ready(self, engine: Engine) -> None:
        once = self.idempotency
        self.early = await engine.storage.reply(once.scope, once.key, engine.now)

    def apply(self, engine: Engine, change: Change, now: int) -> Reply:
        once = self.idempotency
        stored(engine, change, "reply", once.scope, once.key)
        if self.early is not None:
            return self.early
        where = SIGN + str(self.store).encode()
        row = Reply(once.scope, once.key, once.digest, where, now, once.expires_at)
        engine.fresh["reply", once.scope, once.key] = change
        change.rows.replies.append(row)
        return row


def answering(reply: Reply) -> int | None:
    """The store that answers it; None: this one did."""
    return int(reply.answer[1:]) if reply.answer.startswith(SIGN) else None
