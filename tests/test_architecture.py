"""What holds for the shape of the source: the import contracts bite, and what they cannot see."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
FILES = sorted(SRC.rglob("*.py"))
PURE = [SRC / "ostinato/errors.py", *sorted((SRC / "ostinato/core").rglob("*.py"))]

# A file that may be longer than LONGEST, with the reason why no second noun hides in it.
LONGEST = 400
MAY_BE_LONGER: dict[str, str] = {}

# Names that the core may not reach: what makes two runs of the same facts differ.
CLOCK_AND_CHANCE = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
}
IMPURE_MODULES = ("os", "random", "secrets", "time", "urllib.request", "uuid")
KNOWN = sys.stdlib_module_names | {"msgspec", "ostinato"}
FORBIDDEN_BUILTINS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
TEST_LIBRARIES = {"_pytest", "doctest", "hypothesis", "pytest", "schemathesis", "unittest"}


def name(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each imported thing: the name it has in this file, and its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, alias.name
                if not alias.asname:  # `import a.b` binds a
                    package = alias.name.partition(".")[0]
                    yield package, package
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = f"ostinato.{node.module}" if node.level else node.module
                yield alias.asname or alias.name, f"{module}.{alias.name}"


def full_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """`dt.datetime.now` as `datetime.datetime.now`; None for what was not imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = full_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else None
    return None


def impurities(tree: ast.Module) -> Iterator[str]:
    names = dict(imported(tree))
    for whole in names.values():
        if f"{whole}.".startswith(tuple(f"{module}." for module in IMPURE_MODULES)):
            yield whole
        elif whole.partition(".")[0] not in KNOWN:
            yield f"third-party {whole}"
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                yield f"line {node.lineno}: {type(node).__name__}"
            case ast.comprehension(is_async=1):
                yield f"line {node.target.lineno}: an asynchronous comprehension"
            case ast.Call(func=ast.Name(id=called)) if called in FORBIDDEN_BUILTINS:
                yield f"line {node.lineno}: {called}()"
            case ast.Attribute() | ast.Name() if full_name(node, names) in CLOCK_AND_CHANCE:
                yield f"line {node.lineno}: {full_name(node, names)}"


@pytest.mark.parametrize("path", PURE, ids=name)
def test_the_core_is_pure(path):
    assert list(impurities(parse(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "async def f(): ...",
        "open('x')",
        "eval('1')",
        "import time",
        "from os import environ",
        "from random import random",
        "import pydantic",
        "import urllib.request",
        "from urllib.request import urlopen",
        "from datetime import datetime\nat = datetime.now()",
        "import datetime as dt\nclock = dt.datetime.now",
        "from datetime import date as day\nday.today()",
    ],
)
def test_impurity_is_seen(source):
    assert list(impurities(ast.parse(source))) != []


@pytest.mark.parametrize(
    "source",
    [
        "def now(): ...\nnow()",  # a function of the expression language
        "from datetime import datetime\ndatetime.fromisoformat('2026-01-01')",
        "state.open()",
        "import msgspec",
        "from urllib.parse import quote\nquote('x')",
        "from .state import Run\nfrom . import time",
    ],
)
def test_purity_is_not_mistaken(source):
    assert list(impurities(ast.parse(source))) == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_test_kit_knows_test_libraries(path):
    if name(path).startswith("ostinato/testing/"):
        return
    packages = {whole.partition(".")[0] for _, whole in imported(parse(path))}
    assert packages & TEST_LIBRARIES == set()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_stay_short(path):
    lines = len(path.read_text().splitlines())
    if name(path) in MAY_BE_LONGER:
        assert lines > LONGEST, f"{name(path)} is short again: take it off MAY_BE_LONGER"
    else:
        assert lines <= LONGEST, f"{lines} lines: which second noun hides in {name(path)}?"


# One violation per contract, planted in a copy: module → line added at its end.
VIOLATIONS = {
    "C1": {"ostinato.utils": "X = 1"},
    "C2": {"ostinato.core.planted": "import asyncio"},
    "C3": {
        "ostinato.storage.memory": "import ostinato.storage.sqlite",
        "ostinato.storage.sqlite": "X = 1",
    },
    "C4": {"ostinato.web.planted": "import ostinato.runtime"},
    "C5": {"ostinato.runtime.planted": "import fastapi"},
    "C6": {"ostinato.web.api": "import ostinato.web.pages", "ostinato.web.pages": "X = 1"},
    "C7": {
        "ostinato.definitions.one": "import ostinato.definitions.two",
        "ostinato.definitions.two": "import ostinato.definitions.one",
    },
}


def broken_contracts(source: Path) -> list[str]:
    command: list[str | Path] = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    command += ["--config", ROOT / "pyproject.toml"]
    env = {"PYTHONPATH": str(source), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True)
    verdicts = re.findall(r"^(C\d)\b.* (KEPT|BROKEN)", done.stdout, re.MULTILINE)
    assert [contract for contract, _ in verdicts] == list(VIOLATIONS), done.stdout
    return [contract for contract, verdict in verdicts if verdict == "BROKEN"]


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_every_contract_catches_its_violation(contract, tmp_path):
    shutil.copytree(SRC, tmp_path, dirs_exist_ok=True)
    for module, line in VIOLATIONS[contract].items():
        path = tmp_path / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        with path.open("a") as file:
            file.write(f"\n{line}\n")
    assert contract in broken_contracts(tmp_path)


@pytest.mark.parametrize(
    "package", [path for path in FILES if path.name == "__init__.py"], ids=name
)
def test_the_layout_comment_names_what_is_there(package):
    """Not every command has its line in ``cli``, nor each technology in ``bus``: they say why."""
    comment = ast.get_docstring(parse(package)) or ""
    if name(package) in ("ostinato/cli/__init__.py", "ostinato/bus/__init__.py"):
        return
    modules = {path.stem for path in package.parent.glob("*.py")}
    modules |= {path.parent.name for path in package.parent.glob("*/__init__.py")}
    missing = {each for each in modules if not re.search(rf"\b{each}\b", comment)}
    assert missing - {"__init__", "__main__"} == set()
