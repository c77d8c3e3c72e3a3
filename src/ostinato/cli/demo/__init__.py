"""``ostinato demo``: tenants are set up from events, the server is killed and comes back.

tenants  the example: a workflow, its handlers, a builder; ``examples/`` shows the same files
orders   who ordered what, in which form it is sent
play     builder, server and stage are made, the story is played, the store is read
folder   where the store is kept, and the commands that look into it
server   the server process: started, killed, started again, stopped
story    the acts, from the first order to the last run's end
burst    a second of load
picture  what is known of each tenant's run, fact by fact
clock    the time that the demo shows
stage    where it is seen: lines, or …
screen   … a terminal
record   what the store holds in the end, beside what it must hold
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="With shorter pauses.")] = False,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where the store is kept.")] = Path(
        "ostinato-demo"
    ),
) -> None:
    """See four tenants set up from events, while their server is killed with SIGKILL.

    Exit 0 when the store holds all that it must, and nothing twice.
    """
    from ostinato.cli.demo.play import perform

    raise typer.Exit(0 if perform(data, pace=0.35 if fast else 1.0) else 1)
