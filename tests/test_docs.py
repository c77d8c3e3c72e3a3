"""The pages keep their word: every link resolves, every Python sample compiles, samples run.

A comment in front of a fence says what to do with it:
    <!-- run -->               run it (python, bash or sh); the fences of a page share a directory
    <!-- file: hello.yaml -->  put it there under this name
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

FENCE = re.compile(
    r"(?:^<!-- (?P<order>run|file: (?P<file>\S+)) -->\n+)?"
    r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)

INTERPRETERS = {
    "python": [sys.executable, "-W", "error"],
    "bash": ["bash", "-euo", "pipefail"],
    "sh": ["sh", "-eu"],
}


@dataclass(frozen=True)
class Fence:
    order: str | None
    file: str | None
    language: str
    text: str
    line: int


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> list[Fence]:
    text = page.read_text()
    return [
        Fence(**found.groupdict(), line=text.count("\n", 0, found.start("text")))
        for found in FENCE.finditer(text)
    ]


def has_orders(page: Path) -> bool:
    return any(fence.order for fence in fences(page))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    headings = [found["text"].lower() for found in HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def broken(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    to = (page.parent / path).resolve() if path else page
    if not to.exists() or not to.is_relative_to(ROOT):
        return True
    return bool(anchor) and to.suffix == ".md" and anchor not in anchors(to)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_resolves(page):
    targets = [found["target"] for found in LINK.finditer(prose(page))]
    inside = [target for target in targets if not re.match(r"\w+:", target)]
    assert [target for target in inside if broken(page, target)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_page_is_reached(page):
    """From README.md or docs/index.md, or from the index page of its own folder."""
    if page.parent == ROOT or page == ROOT / "docs/index.md":
        return
    indexes = [ROOT / "README.md", ROOT / "docs/index.md", page.parent / "README.md"]
    targets = [
        (index.parent / found["target"].partition("#")[0]).resolve()
        for index in indexes
        if index.exists()
        for found in LINK.finditer(prose(index))
    ]
    assert page in targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_python_sample_compiles(page):
    for fence in fences(page):
        if fence.language == "python":
            compile("\n" * fence.line + fence.text, name(page), "exec")


@pytest.fixture
def sessions():
    """The samples' process groups: what they leave in the background ends with the page."""
    started: list[int] = []
    yield started
    for group in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@pytest.mark.parametrize("page", [page for page in PAGES if has_orders(page)], ids=name)
def test_samples_run(page, tmp_path, sessions):
    for fence in fences(page):
        if fence.file:
            path = tmp_path / fence.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fence.text)
        elif fence.order == "run":
            run(fence, page, tmp_path, sessions)


def run(fence: Fence, page: Path, where: Path, sessions: list[int]) -> None:
    script = where / f"sample-{fence.line}"
    script.write_text(fence.text)
    command = [*INTERPRETERS[fence.language], str(script)]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        command,
        cwd=where,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        sessions.append(process.pid)
        told, _ = process.communicate(timeout=50)
    assert process.returncode == 0, f"{name(page)}:{fence.line}\n{told}"
