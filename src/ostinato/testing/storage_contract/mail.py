"""What runs tell each other."""

from __future__ import annotations

from ostinato.ports import Line, Mail
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
                await write(storage, mail=said_in(one))
            assert await storage.mail() == said

    async def test_mail_that_is_taken_is_gone(self) -> None:
        async with self.opened() as storage:
            first, second = mail("call"), mail("call", attempt=2)
            await write(storage, mail=said_in(first, second))
            await write(storage, mail={first.line: None, mail("answer").line: None})
            assert await storage.mail() == [second]
            await write(storage, mail={second.line: None})
            assert await storage.mail() == []

    async def test_what_is_said_again_replaces_what_was_said(self) -> None:
        async with self.opened() as storage:
            other = mail("call", key="b")
            await write(storage, mail=said_in(mail("answer", body=b"1"), other))
            again = mail("answer", body=b"2")
            await write(storage, mail=said_in(again))
            assert await storage.mail() == [other, again]


def said_in(*said: Mail) -> dict[Line, Mail | None]:
    return {one.line: one for one in said}
