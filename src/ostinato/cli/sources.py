"""What ``serve``, ``check`` and ``deploy`` are given: documents, directories, applications."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostinato.cli.failure import USAGE, Stop

if TYPE_CHECKING:
    from ostinato.app import App

SUFFIXES = (".yaml", ".yml", ".json")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_][\w.]*")
_A_WORKFLOW = re.compile(rb"""^\s*(?:\{\s*)?["']?workflow["']?\s*:""", re.MULTILINE)


def is_application(source: str) -> bool:
    """``module:app``, and ``app.py`` or ``app.py:app``."""
    return bool(_MODULE.fullmatch(source)) or _file_part(source).endswith(".py")


def _file_part(source: str) -> str:
    return source.rpartition(":")[0] or source


def documents_in(paths: Iterable[Path]) -> list[Path]:
    """A file that is named is a document; in a directory only what says ``workflow:`` is one."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = _inside(path)
            if not inside:
                raise Stop(f"{path}: no workflow document in this directory", code=USAGE)
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise Stop(f"{path}: no such file", hint=_meant(path), code=USAGE)
    return list(found)


def _meant(path: Path) -> str:
    if path.suffix or ":" in path.name:
        return ""
    return f"a Python application is named with its variable: {path.name}:app"


def _inside(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    visible = (
        path for path in files if not any(part[0] == "." for part in path.relative_to(folder).parts)
    )
    return sorted(path for path in visible if _A_WORKFLOW.search(path.read_bytes()))


def load_application(source: str) -> App:
    """Imported from the working directory (or the file's), as Python itself would."""
    from ostinato.app import App

    folder, module, variable = _parts(source)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    found: Any = _imported(source, module)
    for part in variable.split("."):
        if not hasattr(found, part):
            raise Stop(f"{source}: {module} has no {part!r}", code=USAGE)
        found = getattr(found, part)
    if not isinstance(found, App):
        raise Stop(f"{source} is a {type(found).__name__}, not an ostinato.App", code=USAGE)
    return found


def _parts(source: str) -> tuple[Path, str, str]:
    file, variable = source, ""
    if not source.endswith(".py"):
        file, _, variable = source.rpartition(":")
    if not file.endswith(".py"):
        return Path.cwd(), file, variable
    path = Path(file).resolve()
    if not path.is_file():
        raise Stop(f"{file}: no such file", code=USAGE)
    return path.parent, path.stem, variable or "app"


def _imported(source: str, module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise Stop(f"{source}: there is no module {error.name!r} here", code=USAGE) from error
        raise Stop(f"{source}: {error}", hint="is it installed in this environment?") from error
    except Exception as error:
        at = "" if not isinstance(error, SyntaxError) else f" ({error.filename}:{error.lineno})"
        told = f"{type(error).__name__}: {error}{at}"
        raise Stop(f"{source} cannot be imported: {told}", hint="--debug shows where") from error
