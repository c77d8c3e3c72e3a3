"""Which runs: what lists ask for, and what a repair of many runs is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ostinato.core.fingerprints import fingerprint

if TYPE_CHECKING:
    from ostinato.ports.rows import Head


class RunQuery(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Which runs; every member that is given narrows the list.

    ``text`` is a part of the id, the uid, the workflow or the error message; ASCII letters fit in
    either case.
    """

    status: tuple[str, ...] = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: int | None = None
    text: str | None = None
    id_prefix: str | None = None

    def takes(self, head: Head) -> bool:
        """Whether this run is one of them."""
        return (
            (not self.status or head.status in self.status)
            and (self.workflow is None or head.workflow == self.workflow)
            and (self.uid is None or head.uid == self.uid)
            and (self.waiting_for is None or head.waiting_for == self.waiting_for)
            and (self.failed_since is None or _failed_since(head, self.failed_since))
            and (self.id_prefix is None or head.run_id.startswith(self.id_prefix))
            and (self.text is None or _has_text(head, self.text))
        )


def _failed_since(head: Head, since: int) -> bool:
    return head.status == "failed" and head.ended_at is not None and head.ended_at >= since


def _has_text(head: Head, text: str) -> bool:
    parts = (head.run_id, head.uid, head.workflow, head.error_message)
    return any(lower(text) in lower(part) for part in parts if part is not None)


def lower(text: str) -> bytes:
    """Only ASCII has two cases, as in SQL's LIKE."""
    return text.encode(errors="surrogatepass").lower()


class RunFilter(RunQuery, frozen=True):
    """Also failures that are one (``fingerprint``): a store does not know which those are."""

    fingerprint: str | None = None

    def is_alike(self, head: Head) -> bool:
        """Whether it failed for the reason that is looked for."""
        if self.fingerprint is None:
            return True
        mark = fingerprint(head.workflow, head.error_name or "", head.error_message or "")
        return head.error_name is not None and mark == self.fingerprint
