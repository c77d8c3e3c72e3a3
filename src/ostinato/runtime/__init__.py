"""The shell around the core: it sees ports, never adapters.

service    lifecycle, and the one loop     wires  which role hears of what
limits     how much one process takes on   headroom  how much more is taken
doubt      whether the store has kept what it said nothing of
engine     posts in, one batch, one commit, then what the runs asked for
posts      what can be asked of the engine: tell a run, start runs, accept events, keep rows
outlets    what leaves after a commit, and where to
change     the rows of one post, and the batch of many
resident   a run in memory, and how it is loaded
executor   handlers: their outcomes, deadlines, cancellation
slots      the places for work, and the jobs that wait for one
processes  a package: handlers in processes of their own
attempt    one attempt of a job, in this process
deadlines  when running attempts have taken too long
handlers   a handler: what it takes, what it gives, how it is retried
outcomes   Fail, Retry, Later: what a handler can say besides a value
reports    what a handler did, as an event for its run
builtin    noop, echo, sleep, log, fail, flaky
http       http jobs
catalog    what is asked of the deployed workflows
inbox      events: duplicates, triggers, dead letters
shares     what one of several stores has of an event
repairs    what people ask of runs, that may be refused
tasks      a person answers
letters    dead letters: redriving them
starts     starts: uids, idempotency keys, starts that are one
wanted     a start as it is asked for                standing   it meets a run of its uid
calls      runs that wait for one another: what one says reaches the other
mail       what runs tell each other, as rows
meeting    waits and events meet by key
timers     what is due
limiter    who has a place, and whose turn is next       admitting  its places are stored
lines      who waits strictly in order
schedules  planned instants that are due become events
planning   what changes a schedule: deployment, a pause, a run that ended, a clock that went back
alarm      wakes the loop when something is due
outbox     what is to be sent                    lane  one bus's way out
late       what a bus has not taken alone
intake     what comes in by a bus
taking     messages read and stored              lots  what each of them is
patience   before something is tried again
janitor    what is old goes away            exporting  runs as lines, for an archive
incidents  runs that cannot be loaded             damaged  events that cannot be read
takeover   what a dead process left behind
operations repairs of many runs, one by one, at their rate
operating  what changes an operation: a preview, its launch, a stop, its end
jobs       what workers elsewhere do        offers     who waits for it
asking     a worker that asks, and what it is given while it waits
worker     takes jobs from a server's desk, runs their handlers, hands them in
hands      a job in a worker's hands        desk       what workers and servers say
claims     what becomes of a claimed job    workers    who was heard of, and in which version
bounds     how large what users send and return may be
identity   new ids and seeds
clock      the time of this machine, or of the store
membership this process among those that share a store     lease  how long it may trust that
territory  which runs are this process's    moves      partitions come and go
mailroom   what was said to runs here       news       what processes hint at to each other
errands    what is another process's to do  arrivals   … as the post that does it here
answers    … and what whoever asked is told
afar       starts under a uid of another's  turns      turns and places across processes
distant    who wants to hear of a run of another's
garbage    the pace of Python's garbage collector
watching   who wants to hear of a run
"""
