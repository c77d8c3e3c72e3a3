"""The tree between reading and compiling. ``at`` is where in the text a node stands."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = [
    "Arithmetic",
    "Call",
    "Choice",
    "Compare",
    "Index",
    "ListOf",
    "Literal",
    "Logic",
    "MapOf",
    "Member",
    "Method",
    "Name",
    "Negate",
    "Node",
    "Not",
]


class Node(Struct, frozen=True):
    at: int


class Literal(Node, frozen=True):
    value: Any


class Name(Node, frozen=True):
    name: str


class Member(Node, frozen=True):
    target: Node
    name: str


class Index(Node, frozen=True):
    target: Node
    key: Node


class ListOf(Node, frozen=True):
    items: tuple[Node, ...]


class MapOf(Node, frozen=True):
    entries: tuple[tuple[Node, Node], ...]


class Call(Node, frozen=True):
    name: str
    arguments: tuple[Node, ...]


class Method(Node, frozen=True):
    target: Node
    name: str
    arguments: tuple[Node, ...]


class Not(Node, frozen=True):
    operand: Node


class Negate(Node, frozen=True):
    operand: Node


class Logic(Node, frozen=True):
    """``a && b && c`` is one node, so that a long condition is not a deep one."""

    operator: str
    operands: tuple[Node, ...]


class Arithmetic(Node, frozen=True):
    """``a + b - c`` is one node, for the same reason."""

    first: Node
    steps: tuple[tuple[str, Node], ...]


class Compare(Node, frozen=True):
    operator: str
    left: Node
    right: Node


class Choice(Node, frozen=True):
    condition: Node
    yes: Node
    no: Node
