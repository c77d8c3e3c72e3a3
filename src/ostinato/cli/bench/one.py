"""One round, in a process of its own: python -m ostinato.cli.bench.one WORKLOAD SCALE FOLDER.

The last line it prints is the figures as JSON. Whoever starts it makes the folder, and removes it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.workloads import WORKLOADS


def main(name: str, scale: str, folder: str) -> None:
    workload = WORKLOADS[name]
    figures = asyncio.run(workload.run(Path(folder), Scale(**json.loads(scale))))
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
