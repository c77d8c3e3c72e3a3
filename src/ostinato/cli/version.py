"""``ostinato version``."""

from __future__ import annotations

import platform

from ostinato import __version__
from ostinato.cli import output
from ostinato.cli.options import Json


def version(json: Json = False) -> None:
    """Show the version."""
    system = f"{platform.system()} {platform.machine()}"
    if json:
        output.data({"version": __version__, "python": platform.python_version(), "system": system})
    else:
        output.line(f"ostinato {__version__} (Python {platform.python_version()}, {system})")
