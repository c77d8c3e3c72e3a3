"""What runs tell each other."""

from __future__ import annotations

from ostinato.testing.storage_contract.hooks import Hooks, write
from ostinato.testing.storage_contract.samples import mail


class MailPromises(Hooks):
    async def test_mail_is_kept_in_the_order_in_which_it_was_said(self) -> None:
        async with self.opened() as storage:
            said = [
                mail("call"),
                mail("hangup"),
                mail("answer", caller="r2"),
                mail("call", key="b"),
            ]
            for one in said:
                await write(storage, mail=[one])
            assert await storage.mail() == said

    async def test_mail_that_is_taken_is_gone(self) -> None:
        async with self.opened() as storage:
            first, second = mail("call"), mail("call", attempt=2)
            await write(storage, mail=[first, second])
            await write(storage, taken=[first.line, mail("answer").line])
            assert await storage.mail() == [second]
            await write(storage, taken=[second.line])
            assert await storage.mail() == []

    async def test_what_is_said_again_replaces_what_was_said(self) -> None:
        async with self.opened() as storage:
            other = mail("call", key="b")
            await write(storage, mail=[mail("answer", body=b"1"), other])
            again = mail("answer", body=b"2")
            await write(storage, mail=[again])
            assert await storage.mail() == [other, again]

    async def test_what_is_taken_and_said_in_one_batch_is_there(self) -> None:
        async with self.opened() as storage:
            await write(storage, mail=[mail("answer", body=b"1")])
            again = mail("answer", body=b"2")
            await write(storage, taken=[again.line], mail=[again])
            assert await storage.mail() == [again]
