"""What another process is answered, as a row: a result, or what went wrong."""

from __future__ import annotations

from msgspec import Raw, Struct

from ostinato import errors
from ostinato.errors import OstinatoError, Problem


class Answer(Struct, frozen=True, omit_defaults=True):
    """``error`` is the name of one of ours, ``problems`` what is wrong: message, path, line, column
    and hint of each."""

    result: Raw = Raw(b"null")
    error: str = ""
    message: str = ""
    problems: tuple[tuple[str, str, int, int, str], ...] = ()

    @classmethod
    def of(cls, error: OstinatoError) -> Answer:
        wrong = [(one.message, one.path, one.line, one.column, one.hint) for one in error.problems]
        return cls(error=error.code, message=error.message, problems=tuple(wrong))

    def raised(self) -> OstinatoError:
        kind = getattr(errors, self.error, OstinatoError)
        raised: OstinatoError = kind(self.message)
        raised.problems = tuple(
            Problem(message, path, line=line, column=column, hint=hint)
            for message, path, line, column, hint in self.problems
        )
        return raised
