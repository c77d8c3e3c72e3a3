"""The quoted line to write, for a line that YAML does not read as it was meant.

``when: !x``, ``when: a ? b : c``, ``when: "a" == b`` and ``with: {x: ${ y }}`` all mean an
expression, and YAML takes their first character, their ``: `` or their ``{`` for its own.
"""

from __future__ import annotations

import json
import re

__all__ = ["quoted", "quoted_line"]

_KEY = re.compile(r"(?:^\s*(?:- +)*|(?<!\$)[{,]\s*)(?P<key>[A-Za-z_][\w-]*):\s+(?=\S)")
_ITEM = re.compile(r"(?:^\s*- +|(?<=\[)\s*)(?=\S)")
_CLEAN = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[|>&*][^ ]*)\s*(?:#.*)?""")


def quoted(text: str) -> str:
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def quoted_line(line: str, column: int) -> str:
    """``write when: "!x"`` for the value on this line that ends after ``column``, or nothing."""
    found = [match for match in _KEY.finditer(line) if match.end() <= max(column, 1) + 1]
    for match in reversed(found):
        written = line[match.end() :]
        inner = match[0].lstrip()[:1] in ("{", ",")
        value = _until_end(written) if inner else written.strip()
        if not inner and value[:1] in ("{", "["):
            continue
        if value and not _CLEAN.fullmatch(value):
            return f"write {match['key']}: {quoted(value)}"
    if (item := _ITEM.search(line)) and not _CLEAN.fullmatch(line[item.end() :]) and not found:
        inner = "[" in line[: item.end()]
        value = _until_end(line[item.end() :]) if inner else line[item.end() :].strip()
        return f"write {quoted(value)}" if value else ""
    return ""


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
