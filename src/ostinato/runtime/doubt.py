"""What a store that fails may have done: whether it kept a batch, and may serve later."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato.errors import OstinatoError, StoreError
from ostinato.ports import Batch, Mail, Storage
from ostinato.runtime.errands import SCOPE
from ostinato.runtime.posts import Post


async def was_kept(storage: Storage, batch: Batch) -> bool:
    """By its first record, event, redrive or answer, or an errand that waits for its answer;
    without any it can be written twice."""
    for record in batch.records[:1]:
        found = await storage.history(record.run_id, record.seq - 1, 1)
        return bool(found) and found[0].seq == record.seq
    for stored in batch.events[:1]:
        pair = (stored.event.source, stored.event.id)
        return bool(await storage.known_events([pair]))
    for letter in batch.redriven[:1]:
        kept = await storage.dead_letter(letter.id)
        said = (letter.attempts, letter.redriven_at)
        return kept is not None and (kept.attempts, kept.redriven_at) == said
    for reply in batch.replies[:1]:
        there = await storage.reply(reply.scope, reply.key, reply.at)
        return there is not None and there.answer == reply.answer
    return await _was_asked(storage, [mail for mail in batch.mail.values() if mail is not None])


async def _was_asked(storage: Storage, said: Sequence[Mail]) -> bool:
    """One of these lies there, or was answered already."""
    if not said:
        return False
    there = await storage.mail(frozenset(mail.place for mail in said))
    lines = {mail.line for mail in there}
    for mail in said:
        if mail.line in lines or await storage.reply(SCOPE, mail.key, 0) is not None:
            return True
    return False


def may_pass(post: Post, error: Exception) -> bool:
    """The store fails, or breaks its word by an error that is none of ours and nobody hears of."""
    ours = isinstance(error, OstinatoError)
    return isinstance(error, StoreError) or (post.answer is None and not ours)


async def nothing_new() -> bool:
    """Nobody else deploys anything."""
    return False
