"""The expression language: the syntax of CEL on JSON values, read once into closures.

text ─▶ lexer ─▶ parser (syntax: a small tree) ─▶ compiler ─▶ one closure ─▶ Expression

Law: the same text on the same context gives the same value, the same error and the same cost,
on every machine and on every replay. So nothing here reads a clock, a cache's state or a hash
order, and every loop is paid for from a ``Budget`` before it runs.

expression  an expression: its text, what it reads       template   values with ``${ … }`` in them
lexer       text → tokens                                parser     tokens → syntax
syntax      the tree                                     literals   texts and numbers as written
compiler    tree → closures                              closures   the shape of a closure
access      members and elements                         operators  and ``comparisons``, a shortcut
special     ``has default now matches``                  comprehensions  ``all exists filter map``
functions   the table; by their subject: ``texts lists conversions moments``, and ``arguments``
regex       in linear time, from ``regex_syntax``        values     the six kinds of JSON
budget      what one evaluation may spend                faults     errors that point
"""

from __future__ import annotations

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.expression import Expression, parse
from ostinato.core.expressions.template import Template, parse_template

__all__ = ["Budget", "Expression", "Template", "parse", "parse_template"]
