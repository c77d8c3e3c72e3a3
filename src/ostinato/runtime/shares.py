"""An event of which several stores may have a part: each has its own runs.

One of them is the event's home: there start the runs that have no key (no uid, nothing that makes
starts one). Those with a key start where that key belongs. Whoever brings the event looks that up
before; here it is only kept to.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostinato.core.triggers import Found
from ostinato.runtime.posts import Pair
from ostinato.runtime.wanted import Wanted


class Share(msgspec.Struct, frozen=True):
    """What one store has of some events. ``home``: it is theirs.

    ``here`` are keys of starts that belong in this store, ``there`` in others. ``goes_on`` are
    events (source, id) that others need as well: with those, word of it is stored on its way out.
    """

    home: bool
    here: tuple[Pair, ...] = ()
    there: tuple[Pair, ...] = ()
    goes_on: tuple[Pair, ...] = ()

    def sift(self, found: Sequence[Found], wanted: Sequence[list[Wanted]]) -> None:
        """Leave what others start. What cannot start is buried at home alone."""
        for one, asked in zip(found, wanted, strict=True):
            kept = [self._has(key_of(each)) for each in asked]
            one.starts = [start for start, has in zip(one.starts, kept, strict=True) if has]
            asked[:] = [each for each, has in zip(asked, kept, strict=True) if has]
            if not self.home:
                one.misfits.clear()

    def _has(self, key: Pair | None) -> bool:
        return key in self.here or (self.home and key not in self.there)


def key_of(wanted: Wanted) -> Pair | None:
    """What this start is found by: (workflow, uid), else (scope, key) of a reply."""
    return wanted.mark if wanted.uid is None else wanted.pair
