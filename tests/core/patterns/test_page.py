"""Every sample of docs/reference/patterns.md runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "patterns.md"


def test_the_samples_of_the_page_run_in_order() -> None:
    samples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(samples) > 5
    names: dict[str, object] = {}
    for sample in samples:
        exec(compile(sample, str(PAGE), "exec"), names)
