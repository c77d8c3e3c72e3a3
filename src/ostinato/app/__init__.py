"""App: where adapters are chosen and wired, and the public verbs.

Doors (HTTP, command line) use only what stands here.

orchestrator  App: decorators and life
doing         start, emit, accept, cancel, answer       reading    runs, histories, events
using         a key that counts once
scheduling    schedules
pages         how much is shown at once
repairing     pause, resume, retry, skip, fork, signal
bulk          one repair for many runs
tasks         work for people: list, complete
elsewhere     jobs for workers elsewhere
letters       dead letters, redriving them
deploying     workflows                                 wired      what the verbs share
stuck         what does not go on by itself             circles    turns that never come
catalog       the deployed workflows, as the engine asks for them
keeping       how long things are kept, by the settings
parts         what the decorators make: handlers, consumers
run           a handle on one run                       sync       the blocking twin
wiring        adapters by name                         sharing    processes at one store
buses         what comes in and goes out by them       hooks      what an application says of one
handed        what doors are handed for them
event_types   a type of event and its data
connectors    their messages as events, and back       producer   sends to one
asyncapi      what comes in and goes out, described
schemas       … with the models of events' data      keys       … under keys that are all different
marks       what a store says about its set       shards     several stores as one app
hub           verbs about all runs, done where those are looked after
remote        start, emit and tasks of an engine in another process
desk          … and its desk for workers            wire       … as little of HTTP as that takes
working       a worker for such a one
address       where that one answers
moving        a store moved to another one          judged     … and its histories
checking      rules about histories
"""

from ostinato.app.doing import Once
from ostinato.app.elsewhere import TopicView, WorkerView
from ostinato.app.event_types import EventType
from ostinato.app.letters import LetterView, Redrives, letter_view
from ostinato.app.orchestrator import App
from ostinato.app.producer import Producer
from ostinato.app.run import Deployed, Run, RunEnded
from ostinato.app.stuck import StuckView
from ostinato.app.tasks import TaskView, task_view
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.janitor import Cleaned

__all__ = [
    "Accepted",
    "App",
    "Cleaned",
    "Deployed",
    "EventType",
    "LetterView",
    "Once",
    "Producer",
    "Redrives",
    "Run",
    "RunEnded",
    "StuckView",
    "TaskView",
    "TopicView",
    "WorkerView",
    "letter_view",
    "task_view",
]
