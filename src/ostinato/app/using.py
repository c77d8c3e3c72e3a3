"""A key that counts once: whoever is first has used it up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ostinato.ports import Reply
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class UseUp(Post):
    """Its result is whether this was the first use. The key is kept as those of requests are, until
    ``lasts`` ms have gone by, and the janitor removes it."""

    __slots__ = ("key", "lasts", "scope", "used")

    def __init__(self, scope: str, key: str, lasts: int, answer: asyncio.Future[bool]) -> None:
        super().__init__(answer)
        self.scope = scope
        self.key = key
        self.lasts = lasts
        self.used = False

    def looks_again(self) -> bool:
        return True

    async def ready(self, engine: Engine) -> None:
        self.used = await engine.storage.reply(self.scope, self.key, engine.now) is not None

    def apply(self, engine: Engine, change: Change, now: int) -> bool:
        stored(engine, change, "reply", self.scope, self.key)
        if self.used:
            return False
        engine.fresh["reply", self.scope, self.key] = change
        change.rows.replies.append(Reply(self.scope, self.key, "", b"", now, now + self.lasts))
        return True
