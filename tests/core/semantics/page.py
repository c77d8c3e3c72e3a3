"""The page of the rules, made of the rows that test them.

Write it again: PYTHONPATH=src python -m tests.core.semantics.page > docs/reference/semantics.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tests.core.semantics import (
    test_attempts,
    test_calls,
    test_constructs,
    test_each,
    test_elsewhere,
    test_endings,
    test_gateways,
    test_limits,
    test_order,
    test_reopening,
    test_repairs,
    test_takeover,
    test_tasks,
    test_uids,
    test_undo,
    test_waits,
)

PAGE = Path(__file__).parents[3] / "docs/reference/semantics.md"
MODULES = (
    test_order,
    test_each,
    test_attempts,
    test_waits,
    test_calls,
    test_tasks,
    test_limits,
    test_uids,
    test_constructs,
    test_endings,
    test_undo,
    test_repairs,
    test_reopening,
    test_takeover,
    test_elsewhere,
    test_gateways,
)

HEAD = """\
# What happens

Every rule of a run, one line each. The id is the id of a test in `tests/core/semantics`: a
document, what happens to it, and what comes of that. How a workflow is written is in
[Workflow document](workflow.md), how an expression is read in [Expressions](expressions.md).

A job is *done* when it has succeeded, was skipped, or has failed with `optional: true`. It has
failed *for good* when no attempt is left or its failure is final. Step keys are paths of names:
`deploy[1]/push#2` is the second activation of `push` for the second item of `deploy`.
"""


def page() -> str:
    return "\n".join([HEAD, *(line for module in MODULES for line in section(module))])


def section(module: ModuleType) -> Iterator[str]:
    heading = (module.__doc__ or "").strip().rstrip(".")
    yield from (f"## {heading}", "", "| id | rule |", "|---|---|")
    for rule in module.RULES:
        yield f"| `{rule.id}` | {rule.says} |"
    yield ""


if __name__ == "__main__":
    print(page().rstrip())  # noqa: T201
