"""Text into tokens.

One rule of ours differs from CEL: after a dot a name may contain ``-`` (jobs are named so), and
therefore ``a.b-c`` is the member ``b-c`` while ``a.b - c`` subtracts.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ostinato.core.expressions.faults import fault
from ostinato.core.expressions.literals import read_number, read_string

__all__ = ["LONGEST", "Token", "tokens"]

LONGEST = 65_536  # characters of one expression

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(
    r"""[rR]'[^'\n]*'|[rR]"[^"\n]*"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""", re.DOTALL
)
_PREFIXES = frozenset({"b", "br", "rb", "f", "u"})  # of texts elsewhere
_NAME = re.compile(r"[^\W\d]\w*")
_MEMBER = re.compile(r"[^\W\d]\w*(?:-+\w+)*")
_SIGN = re.compile(r"[=!<>]=|&&|\|\||[-+*/%<>!?:.,()\[\]{}]")

_HINTS = {
    "===": "write ==",
    "!==": "write !=",
    "=>": "write list.map(x, ...)",
    "=": "to compare write ==",
    "&": "write && for and",
    "|": "write || for or",
    "<>": "write !=",
    "??": "write default(a, b)",
    "?.": "a member of null is null already; write a.b",
    "**": "there is no power operator",
    ";": "an expression is one value; nothing ends it",
    "`": "texts stand in '…' or \"…\"",
    "“": "write straight quotes",
    "”": "write straight quotes",
    "\u2018": "write straight quotes",
    "\u2019": "write straight quotes",
    "$": "inside ${ } names stand without $",
    "#": "there are no comments",
}
_WRONG = re.compile("|".join(re.escape(sign) for sign in _HINTS))


class Token(NamedTuple):
    kind: str  # "name", "literal", "end", or the sign itself
    value: Any
    at: int
    end: int


def tokens(text: str, start: int = 0, *, inside: bool = False) -> list[Token]:
    """All tokens and an ``end``; with ``inside``, up to the ``}`` that closes a ``${``."""
    found: list[Token] = []
    at, braces = _skip(text, start), 0
    while at < len(text):
        token = _token(text, at, after_dot=bool(found) and found[-1].kind == ".")
        braces += (token.kind == "{") - (token.kind == "}")
        if inside and braces < 0:
            return [*found, Token("end", None, at, token.end)]
        found.append(token)
        at = _skip(text, token.end)
        if at - start > LONGEST:
            raise fault(text, start, f"an expression is longer than {LONGEST:,} characters")
    if inside:
        raise fault(text, max(0, start - 2), "`${` is not closed", "add the missing }")
    return [*found, Token("end", None, len(text), len(text))]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _token(text: str, at: int, *, after_dot: bool) -> Token:
    if match := _STRING.match(text, at):
        return Token("literal", read_string(text, at, match[0]), at, match.end())
    if match := (_MEMBER if after_dot else _NAME).match(text, at):
        return _name(text, match)
    if match := _NUMBER.match(text, at):
        return _number(text, match)
    wrong, sign = _WRONG.match(text, at), _SIGN.match(text, at)
    if sign and not (wrong and wrong.end() > sign.end()):
        return Token(sign[0], sign[0], at, sign.end())
    raise _unknown(text, at, wrong)


def _name(text: str, match: re.Match[str]) -> Token:
    at, end = match.span()
    if match[0].lower() in _PREFIXES and text[end : end + 1] in ("'", '"') and end < len(text):
        raise fault(text, at, f"a text cannot start with {match[0]}", "only r'…' has a prefix")
    return Token("name", match[0], at, end)


def _number(text: str, match: re.Match[str]) -> Token:
    at, end = match.span()
    if _NAME.match(text, end):
        raise fault(text, at, "a number runs into a name", "put a space or an operator between")
    return Token("literal", read_number(text, at, match[0]), at, end)


def _unknown(text: str, at: int, wrong: re.Match[str] | None) -> Exception:
    if text[at] in "'\"":
        return fault(text, at, "a text is not closed", f"add the missing {text[at]}")
    sign = wrong[0] if wrong else text[at]
    return fault(text, at, f"unexpected {sign!r}", _HINTS.get(sign, ""))
