"""The expression language: the syntax of CEL on JSON values, read once into closures.

text ─▶ lexer ─▶ parser (syntax: a small tree) ─▶ compiler ─▶ one closure ─▶ Expression

Law: the same text on the same context gives the same value, the same error and the same cost,
on every machine and on every replay. So nothing here reads a clock, a cache's state or a hash
order, and every loop is paid for from a ``Budget`` before it runs.
"""

from __future__ import annotations

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.expression import Expression, parse
from ostinato.core.expressions.template import Template, parse_template

__all__ = ["Budget", "Expression", "Template", "parse", "parse_template"]
