"""The quoted line to write, for a line that YAML does not read as it was meant.

``when: !x``, ``when: a ? b : c``, ``when: "a" == b`` and ``with: {x: ${ y }}`` all mean an
expression, and YAML takes their first character, their ``: `` or their ``{`` for its own.
"""

from __future__ import annotations

import json
import re

__all__ = ["quoted", "quoted_line"]

_KEY = re.compile(r"(?:^\s*(?:- +)*|(?<!\$)[{,]\s*)(?P<key>[A-Za-z_][\w-]*):\s+(?=\S)")
_ITEM = re.compile(r"^\s*(?:- +)+(?=\S)|(?<=[\[,])\s*(?=\S)")
_IS_KEY = re.compile(r"[A-Za-z_][\w-]*:(?: |$)")
_CLEAN = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[|>&*][^ ]*)\s*(?:#.*)?""")


def quoted(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def quoted_line(line: str, column: int) -> str:
    """``write when: "!x"`` for the value on this line that ends after ``column``, or nothing."""
    before = max(column, 1) + 1
    for match in reversed([one for one in _KEY.finditer(line) if one.end() <= before]):
        if value := _broken(line, match):
            return f"write {match['key']}: {quoted(value)}"
    for match in reversed([one for one in _ITEM.finditer(line) if one.end() <= before]):
        value = _broken(line, match)
        if value and not _IS_KEY.match(value):
            return f"write {quoted(value)}"
    return ""


def _broken(line: str, match: re.Match[str]) -> str:
    """The value behind the match, unless it is one that YAML reads as it stands."""
    written = line[match.end() :]
    before = line[: match.end()].rstrip()
    inside = before[-1:] in (",", "[") or match[0].lstrip()[:1] in ("{", ",")
    value = _until_end(written) if inside else written.strip()
    return "" if value[:1] in ("{", "[") or _CLEAN.fullmatch(value) else value


def _until_end(text: str) -> str:
    """Up to the comma or bracket that ends a value inside ``{ }`` or ``[ ]``."""
    depth, quote = 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}" and depth:
            depth -= 1
        elif char in ",]}" and not depth:
            return text[:index].strip()
    return text.strip()
