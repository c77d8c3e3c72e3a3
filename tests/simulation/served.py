"""``make simulate``: the simulation's own command, with a PostgreSQL for those seeds that want one.

Where none can be had it says so and plays the others, but in CI.
"""

from __future__ import annotations

import os
import sys

from ostinato.testing.simulation.__main__ import main, say
from tests.servers.missing import Missing
from tests.servers.postgres import postgres


def serve(arguments: list[str]) -> int:
    try:
        with postgres() as server:
            return main([*arguments, "--server", server.url("postgres")])
    except Missing as error:
        if os.environ.get("CI") == "true":
            raise
        say(f"no PostgreSQL ({error}): all seeds play in memory and in files")
    return main(arguments)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:]))
