"""The tree into closures, once; also what it reads and what it costs.

``cost`` is counted while compiling: everything outside a loop is charged in one sum at the start
of an evaluation, the body of a loop per item.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ostinato.core.expressions import access, operators
from ostinato.core.expressions.closures import Run, constant
from ostinato.core.expressions.comparisons import equality
from ostinato.core.expressions.comprehensions import COMPREHENSIONS
from ostinato.core.expressions.faults import fault
from ostinato.core.expressions.functions import FUNCTIONS, Function
from ostinato.core.expressions.special import collected, defaulted, mapped, matched, present
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

__all__ = ["Compiler"]

_DEEPEST = 100  # closures that call each other; well under Python's own limit of 1,000 frames

_OTHERS = {
    "len": "size",
    "length": "size",
    "count": "size",
    "toLower": "lower",
    "toUpper": "upper",
    "lowercase": "lower",
    "uppercase": "upper",
    "str": "string",
    "int": "number",
    "double": "number",
    "float": "number",
    "timestamp": "date",
    "coalesce": "default",
    "concat": "join",
    "any": "exists",
    "toJson": "json",
    "fromJson": "parse",
}


class Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.cost = 0
        self.slots = 0
        self.paths: set[tuple[str, ...]] = set()
        self.variables: dict[str, int] = {}
        self.depth = 0

    def compile(self, node: Node) -> Run:
        self.depth += 1
        if self.depth > _DEEPEST:
            message = f"an expression is nested deeper than {_DEEPEST} levels"
            raise fault(self.text, node.at, message)
        run = _BY_NODE[type(node)](self, node)
        self.depth -= 1
        return run

    def _all(self, nodes: tuple[Node, ...]) -> tuple[Run, ...]:
        return tuple(self.compile(node) for node in nodes)

    def _literal(self, node: Literal) -> Run:
        return constant(node.value)

    def _path(self, node: Node) -> Run:
        """Names and constant keys are followed in one closure, as far as they go."""
        self.cost += 1
        start, members = _unwound(node)
        if not isinstance(start, Name):
            return access.member(self.compile(start), members)
        if start.name in self.variables:
            return access.slot(self.variables[start.name], members)
        self.paths.add((start.name, *members))
        return access.static(start.name, members)

    def _index(self, node: Index) -> Run:
        if _is_text(node.key):
            return self._path(node)
        self.cost += 1
        return access.dynamic(self.compile(node.target), self.compile(node.key))

    def _list(self, node: ListOf) -> Run:
        self.cost += 1 + len(node.items)
        return collected(self._all(node.items))

    def _map(self, node: MapOf) -> Run:
        self.cost += 1 + len(node.entries)
        return mapped(tuple((self.compile(key), self.compile(item)) for key, item in node.entries))

    def _not(self, node: Not) -> Run:
        self.cost += 1
        return operators.negation(self.compile(node.operand))

    def _negate(self, node: Negate) -> Run:
        self.cost += 1
        return operators.negative(self.compile(node.operand))

    def _logic(self, node: Logic) -> Run:
        self.cost += len(node.operands) - 1
        join = operators.conjunction if node.operator == "&&" else operators.disjunction
        return join(self._all(node.operands))

    def _arithmetic(self, node: Arithmetic) -> Run:
        self.cost += len(node.steps)
        first = self.compile(node.first)
        steps = (
            (operators.ARITHMETIC[sign], self.compile(operand)) for sign, operand in node.steps
        )
        return operators.arithmetic(first, tuple(steps))

    def _compare(self, node: Compare) -> Run:
        self.cost += 1
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator == "in":
            return operators.is_in(left, right)
        if node.operator in operators.ORDERINGS:
            return operators.ordering(operators.ORDERINGS[node.operator], left, right)
        if isinstance(node.left, Literal):
            return equality(node.operator, right, left, node.left.value, literally=True)
        literally = isinstance(node.right, Literal)
        return equality(
            node.operator, left, right, getattr(node.right, "value", None), literally=literally
        )

    def _choice(self, node: Choice) -> Run:
        self.cost += 1
        return operators.choice(*self._all((node.condition, node.yes, node.no)))

    def _call(self, node: Call) -> Run:
        self.cost += 1
        special = _SPECIAL.get(node.name)
        if special is not None:
            return special(self, node)
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise self._unknown_function(node)
        self._count(node, function.least, function.most)
        return function.bind(self._all(node.arguments))

    def _count(self, node: Call | Method, least: int, most: int) -> None:
        given = len(node.arguments)
        if not least <= given <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            wanted = f"at least {least}" if most >= Function.MANY else wanted
            message = f"{node.name}() takes {wanted} argument{'s' * (wanted != '1')}, not {given}"
            raise fault(self.text, node.at, message)

    def _unknown_function(self, node: Call) -> ExpressionError:
        if node.name in COMPREHENSIONS:
            hint = f"write list.{node.name}(x, …)"
        else:
            hint = _nearest(node.name)
        return fault(self.text, node.at, f"unknown function {node.name!r}", hint)

    def _has(self, node: Call) -> Run:
        self._count(node, 1, 1)
        (asked,) = node.arguments
        if isinstance(asked, Member):
            return self._has_member(asked.target, asked.name)
        if isinstance(asked, Index) and isinstance(asked.key, Literal) and _is_text(asked.key):
            return self._has_member(asked.target, asked.key.value)
        if isinstance(asked, Index):
            return access.has_index(self.compile(asked.target), self.compile(asked.key))
        raise fault(self.text, node.at, "has() asks for a member", "write has(a.b)")

    def _has_member(self, target: Node, name: str) -> Run:
        start, members = _unwound(target)
        if not isinstance(start, Name) or start.name in self.variables:
            return access.has_member(self.compile(target), name)
        self.cost += 1
        self.paths.add((start.name, *members, name))
        return access.has_member(access.static(start.name, members), name)

    def _default(self, node: Call) -> Run:
        self._count(node, 2, 2)
        return defaulted(*self._all(node.arguments))

    def _now(self, node: Call) -> Run:
        self._count(node, 0, 0)
        self.paths.add(("now",))
        return present()

    def _matches(self, node: Call) -> Run:
        self._count(node, 2, 2)
        text, regex = node.arguments
        written = regex.value if isinstance(regex, Literal) else None
        try:
            return matched(self.compile(text), self.compile(regex), written)
        except ExpressionError as problem:
            raise fault(self.text, regex.at, problem.message) from None

    def _method(self, node: Method) -> Run:
        comprehension = COMPREHENSIONS.get(node.name)
        if comprehension is None:
            raise self._unknown_method(node)
        self._count(node, 2, 2)
        variable, body = node.arguments
        if not isinstance(variable, Name):
            hint = f"write list.{node.name}(x, …)"
            raise fault(self.text, variable.at, f"{node.name} wants a variable first", hint)
        self.cost += 1
        target = self.compile(node.target)
        place, run, price = self._body(variable.name, body)
        return comprehension(target, run, place, price)

    def _unknown_method(self, node: Method) -> ExpressionError:
        if node.name in FUNCTIONS or node.name in _SPECIAL:
            rest = ", …" if node.arguments else ""
            hint = f"it is a function: write {node.name}(x{rest})"
        else:
            hint = _nearest(node.name)
        return fault(self.text, node.at, f"unknown method {node.name!r}", hint)

    def _body(self, variable: str, body: Node) -> tuple[int, Run, int]:
        outer, cost = self.variables, self.cost
        place, self.slots = self.slots, self.slots + 1
        self.variables, self.cost = {**outer, variable: place}, 1
        run, price = self.compile(body), self.cost
        self.variables, self.cost = outer, cost
        return place, run, price


def _unwound(node: Node) -> tuple[Node, tuple[str, ...]]:
    """``a.b["c"].d`` is ``a`` and (b, c, d)."""
    members: list[str] = []
    while True:
        if isinstance(node, Member):
            members.append(node.name)
        elif isinstance(node, Index) and isinstance(node.key, Literal) and _is_text(node.key):
            members.append(node.key.value)
        else:
            return node, tuple(reversed(members))
        node = node.target


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and type(node.value) is str


def _nearest(name: str) -> str:
    known = [*FUNCTIONS, *_SPECIAL, *COMPREHENSIONS]
    near = [_OTHERS[name]] if name in _OTHERS else get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "functions are " + " ".join(sorted(known))


_SPECIAL: dict[str, Callable[[Compiler, Call], Run]] = {
    "has": Compiler._has,
    "default": Compiler._default,
    "now": Compiler._now,
    "matches": Compiler._matches,
}

_BY_NODE: dict[type[Node], Callable[[Compiler, Any], Run]] = {
    Literal: Compiler._literal,
    Name: Compiler._path,
    Member: Compiler._path,
    Index: Compiler._index,
    ListOf: Compiler._list,
    MapOf: Compiler._map,
    Not: Compiler._not,
    Negate: Compiler._negate,
    Logic: Compiler._logic,
    Arithmetic: Compiler._arithmetic,
    Compare: Compiler._compare,
    Choice: Compiler._choice,
    Call: Compiler._call,
    Method: Compiler._method,
}
