"""Large values in a table of their own: once each, as long as a row uses them.

Who uses a value is one row each, written and deleted with the row that it is about. Owners are made
here and in SQL: ``run/ID``, ``out/NUMBER``, ``letter/ID``, ``event/N/SOURCE/ID``,
``reply/N/SCOPE/KEY``, where N is how many characters follow up to the last slash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from ostinato.errors import Damaged
from ostinato.storage.filling import Row, Torn, filled, weight
from ostinato.storage.postgres import questions, statements
from ostinato.storage.postgres.arrays import columns, raws
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.wire import Ask
from ostinato.storage.values import cut, holes_in, text_of

MANY = 100
LOT = 4 << 20
"""Values that are deleted in one batch, and their bytes."""

_LOOKS = 3


def event_owner(source: str, id: str) -> str:
    return f"event/{len(source)}/{source}/{id}"


def reply_owner(scope: str, key: str) -> str:
    return f"reply/{len(scope)}/{scope}/{key}"


class Keeper:
    """The values of one batch: found while its rows are made, and written behind them."""

    def __init__(self, inline: int) -> None:
        self.inline = inline
        self._values: dict[bytes, bytes] = {}
        self._uses: list[tuple[str, bytes]] = []

    def keep(self, owner: str, data: bytes, levels: int = 0) -> tuple[bytes, str | None]:
        """What stays in the row, and its holes."""
        rest, holes, digests = self.keep_for_later(data, levels)
        self._uses += [(owner, digest) for digest in digests]
        return rest, holes

    def keep_for_later(
        self, data: bytes, levels: int = 0
    ) -> tuple[bytes, str | None, Sequence[bytes]]:
        """The same; whose they are is not known yet."""
        found = cut(data, self.inline, levels)
        if found is None:
            return data, None, ()
        self._values |= found.values
        return found.rest, text_of(found.holes), list(found.values)

    def asks(self) -> Iterator[Ask]:
        """In the order of digests, as every process does it: so none waits for another's."""
        if self._values:
            yield Ask(statements.ADD_VALUES, columns("bb", sorted(self._values.items())))
        if self._uses:
            yield Ask(statements.USE_VALUES, columns("tb", self._uses))


async def whole(link: Link, ask: Ask, *at: int) -> list[Row]:
    """The same as ``as_far_as_whole``; raises ``Damaged``."""
    found = await as_far_as_whole(link, ask, *at)
    torn = next((row[one] for row in found for one in at if isinstance(row[one], Torn)), None)
    if torn is not None:
        raise Damaged(torn.why)
    return found


async def as_far_as_whole(link: Link, ask: Ask, *at: int) -> list[Row]:
    """Rows with what belongs in the holes of these columns; the one behind each says which.

    A value may be deleted with its row between the two looks: then there is another.
    """
    for _ in range(_LOOKS):
        found = await link.rows(ask)
        if all(row[column + 1] is None for row in found for column in at):
            return found
        wanted = {digest for row in found for column in at for digest in _digests(row[column + 1])}
        known = await _known(link, wanted)
        if known.keys() == wanted:
            break
    for column in at:
        found = [filled(row, column, known.get) for row in found]
    return found


async def up_to(link: Link, ask: Ask, column: int, size: int) -> list[Row]:
    """Rows of at most ``size`` bytes in the column, but one row; no more values are ever read."""
    kept: list[Row] = []
    total = 0
    for row in await link.rows(ask):
        if row[column + 1] is not None:
            row = filled(row, column, (await _known(link, _digests(row[column + 1]))).get)
        total += weight(row[column])
        if kept and total > size:
            break
        kept.append(row)
    return kept


async def _known(link: Link, digests: Collection[bytes]) -> dict[bytes, bytes]:
    return dict(await link.rows(Ask(questions.VALUES, [raws(sorted(digests))])))


def _digests(holes: str | None) -> list[bytes]:
    """None when that cannot be read: who fills them will see."""
    try:
        return [] if holes is None else [digest for _, digest in holes_in(holes)]
    except (msgspec.MsgspecError, ValueError, TypeError):
        return []
