"""What is served while a broker, a cable or the server itself dies: one run for each message."""

import json

from ostinato import App
from ostinato.runtime.handlers import Job

app = App()

DOCUMENT = {
    "workflow": "counted",
    "on": [{"event": "COUNTED"}],
    "phases": [
        {
            "phase": "p",
            "mode": "sequential",
            "jobs": [
                {"job": "note", "run": "note", "with": {"n": "${ input.n }"}},
                {"job": "tell", "emit": {"type": "TOLD", "data": {"n": "${ input.n }"}}},
            ],
        }
    ],
}
app.workflow_document(DOCUMENT)


@app.bus("in").adapt_to()
def read(message):
    return {"type": "COUNTED", "data": json.loads(message.body)}


def tell(line):
    print(line, flush=True)  # noqa: T201 - the test reads it


@app.handler("note")
async def note(n: int, job: Job):
    tell(json.dumps({"key": job.idempotency_key, "n": n}))
