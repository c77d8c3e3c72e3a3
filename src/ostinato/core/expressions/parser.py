"""Tokens into a tree, by recursive descent along CEL's precedence.

?:  <  ||  <  &&  <  == != < <= > >= in  <  + -  <  * / %  <  ! -  <  . [] ()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ostinato.core.expressions.faults import fault
from ostinato.core.expressions.lexer import Token
from ostinato.core.expressions.syntax import (
    Arithmetic,
    Call,
    Choice,
    Compare,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Member,
    Method,
    Name,
    Negate,
    Node,
    Not,
)
from ostinato.errors import ExpressionError

__all__ = ["parse_tree"]

T = TypeVar("T")

_DEEPEST = 50  # parentheses, brackets, arguments and branches inside each other

_RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = {
    "and": "write && for and",
    "or": "write || for or",
    "not": "write ! for not",
    "is": "write == to compare",
    "if": "write condition ? a : b",
    "then": "write condition ? a : b",
    "else": "write condition ? a : b",
}


def parse_tree(text: str, found: list[Token]) -> Node:
    return _Parser(text, found).whole()


class _Parser:
    def __init__(self, text: str, found: list[Token]) -> None:
        self.text = text
        self.tokens = found
        self.next = found[0]
        self.index = 0
        self.depth = 0

    def whole(self) -> Node:
        if self.next.kind == "end":
            raise fault(self.text, self.next.at, "an expression is empty")
        node = self._expression()
        if self.next.kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    def _expression(self) -> Node:
        self._enter()
        node = self._either()
        if self.next.kind == "?":
            node = self._choice(node)
        self.depth -= 1
        return node

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            at = self.next.at
            raise fault(self.text, at, f"an expression is nested deeper than {_DEEPEST} levels")

    def _choice(self, condition: Node) -> Node:
        at = self._advance().at
        yes = self._expression()
        self._expect(":", "`:` of `condition ? a : b`")
        return Choice(at, condition, yes, self._expression())

    def _either(self) -> Node:
        return self._logic("||", self._both)

    def _both(self) -> Node:
        return self._logic("&&", self._relation)

    def _logic(self, operator: str, operand: Callable[[], Node]) -> Node:
        first = operand()
        if self.next.kind != operator:
            return first
        operands, at = [first], self.next.at
        while self.next.kind == operator:
            self._advance()
            operands.append(operand())
        return Logic(at, operator, tuple(operands))

    def _relation(self) -> Node:
        left = self._sum()
        operator = self._relation_sign()
        if operator is None:
            return left
        at = self._advance().at
        right = self._sum()
        if self._relation_sign() is not None:
            raise fault(self.text, self.next.at, "comparisons do not chain", "join them with &&")
        return Compare(at, operator, left, right)

    def _relation_sign(self) -> str | None:
        token = self.next
        sign = token.value if token.kind == "name" else token.kind
        return sign if sign in _RELATIONS else None

    def _sum(self) -> Node:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._arithmetic(("*", "/", "%"), self._unary)

    def _arithmetic(self, signs: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        first = operand()
        if self.next.kind not in signs:
            return first
        steps, at = [], self.next.at
        while self.next.kind in signs:
            sign = self._advance().kind
            steps.append((sign, operand()))
        return Arithmetic(at, first, tuple(steps))

    def _unary(self) -> Node:
        signs = []
        while self.next.kind in ("!", "-"):
            signs.append(self._advance())
            if len(signs) > _DEEPEST:
                raise fault(self.text, self.next.at, "too many signs in front of a value")
        node = self._postfix()
        for sign in reversed(signs):
            node = Not(sign.at, node) if sign.kind == "!" else _negated(sign.at, node)
        return node

    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            if self.next.kind == ".":
                node = self._dotted(node)
            elif self.next.kind == "[":
                at = self._advance().at
                node = Index(at, node, self._expression())
                self._expect("]", "`]`")
            else:
                return node

    def _dotted(self, target: Node) -> Node:
        self._advance()
        if self.next.kind != "name":
            raise self._unexpected("a name after the dot")
        token = self._advance()
        if self.next.kind != "(":
            return Member(token.at, target, token.value)
        return Method(token.at, target, token.value, self._arguments())

    def _primary(self) -> Node:
        reader = _PRIMARIES.get(self.next.kind)
        if reader is None:
            raise self._unexpected("a value")
        return reader(self, self._advance())

    def _literal(self, token: Token) -> Node:
        return Literal(token.at, token.value)

    def _name(self, token: Token) -> Node:
        if token.value in _CONSTANTS:
            return Literal(token.at, _CONSTANTS[token.value])
        if token.value in _WORDS or token.value == "in":
            raise self._misplaced(token, "a value")
        if self.next.kind == "(":
            return Call(token.at, token.value, self._arguments())
        return Name(token.at, token.value)

    def _group(self, token: Token) -> Node:
        node = self._expression()
        self._expect(")", "`)`")
        return node

    def _list(self, token: Token) -> Node:
        return ListOf(token.at, tuple(self._items("]", self._expression)))

    def _map(self, token: Token) -> Node:
        return MapOf(token.at, tuple(self._items("}", self._entry)))

    def _entry(self) -> tuple[Node, Node]:
        key = self._expression()
        self._expect(":", "`:` between key and value")
        return key, self._expression()

    def _arguments(self) -> tuple[Node, ...]:
        self._advance()
        return tuple(self._items(")", self._expression))

    def _items(self, closing: str, item: Callable[[], T]) -> list[T]:
        items: list[T] = []
        while self.next.kind != closing:
            items.append(item())
            if self.next.kind != ",":
                break
            self._advance()
        self._expect(closing, f"`,` or `{closing}`")
        return items

    def _advance(self) -> Token:
        token = self.next
        if token.kind != "end":
            self.index += 1
            self.next = self.tokens[self.index]
        return token

    def _expect(self, kind: str, wanted: str) -> None:
        if self.next.kind != kind:
            raise self._unexpected(wanted)
        self._advance()

    def _unexpected(self, wanted: str) -> ExpressionError:
        return self._misplaced(self.next, wanted)

    def _misplaced(self, token: Token, wanted: str) -> ExpressionError:
        if token.kind == "end":
            return fault(self.text, token.at, f"expected {wanted}, found the end")
        hint = _WORDS.get(token.value, "") if token.kind == "name" else ""
        written = self.text[token.at : token.end][:40]
        return fault(self.text, token.at, f"expected {wanted}, found `{written}`", hint)


def _negated(at: int, node: Node) -> Node:
    if isinstance(node, Literal) and type(node.value) in (int, float):
        return Literal(at, -node.value)
    return Negate(at, node)


_PRIMARIES: dict[str, Callable[[_Parser, Token], Node]] = {
    "literal": _Parser._literal,
    "name": _Parser._name,
    "(": _Parser._group,
    "[": _Parser._list,
    "{": _Parser._map,
}
