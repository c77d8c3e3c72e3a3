"""The pages keep their word: every link resolves, every Python sample compiles, samples run.

A comment in front of a fence says what to do with it:
    <!-- run -->               run it (python, bash or sh); the fences of a page share a directory
    <!-- file: hello.yaml -->  put it there under this name
    <!-- serve -->             a server, as in a terminal of its own: it runs until the page ends or
                               serves anew; `PID` in later fences is its process

A page that has ``$DATABASE`` or ``$KAFKA`` in it gets a real one.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

FENCE = re.compile(
    r"(?:^<!-- (?P<order>run|serve|file: (?P<file>\S+)) -->\n+)?"
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if has_orders(page)], ids=name)
def test_samples_run(page, tmp_path, request):
    env = ENV
    if named := [one for one in ("DATABASE", "SECOND") if f"${one}" in page.read_text()]:
        new_database = request.getfixturevalue("new_database")
        env = ENV | {one: new_database() for one in named}
    if "$KAFKA" in page.read_text():
        env = env | {"KAFKA": request.getfixturevalue("kafka_server").servers}
    with Terminal(tmp_path, env) as terminal:
        for fence in fences(page):
            if fence.file:
                path = tmp_path / fence.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(fence.text)
            elif fence.order == "serve":
                terminal.serve(fence.text)
            elif fence.order == "run":
                run(fence, page, terminal)


ENV = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OSTINATO_PORT": "0",  # any free one: other commands read the address beside the store
}


def run(fence: Fence, page: Path, terminal: "Terminal") -> None:
    where = terminal.where
    script = where / f"sample-{fence.line}"
    script.write_text(re.sub(r"\bPID\b", str(terminal.pid), fence.text))
    done = subprocess.run(
        [*INTERPRETERS[fence.language], str(script)],
        cwd=where, env=terminal.env, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, f"{name(page)}:{fence.line}\n{done.stdout}{done.stderr}"


class Terminal:
    """Where a page's server runs."""

    def __init__(self, where: Path, env: Mapping[str, str]) -> None:
        self.where = where
        self.env = env
        self._server: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        return self._server.pid if self._server else 0

    def serve(self, command: str) -> None:
        self.stop()
        with (self.where / "server.log").open("a") as log:
            self._server = subprocess.Popen(
                ["bash", "-euc", f"exec {command}"], cwd=self.where, env=self.env,
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        said = self._server.stdout
        assert said is not None
        ready = any(line.startswith("address") for line in said)
        assert ready, (self.where / "server.log").read_text()

    def stop(self) -> None:
        if self._server is not None:
            with self._server as server:
                server.terminate()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
