"""Deterministic simulation of the whole runtime, with crashes at every ``await``.

A seed makes a plan; a world plays it in virtual time, around processes that hold the real app;
once all is quiet it is judged. ``docs/explanation/simulation.md`` tells how to read a failure.

plan       what clients ask and what goes wrong, and when
aims       what a crash point needs to be reached; happenings: what there is to be had
documents  the workflows that are simulated; asked: the one that asks people; parts of all
repetitions  … those of which runs meet
callers    those of them that call each other
cells      every construct in every other one that may hold it, as small workflows
nesting    cells as they are played, each with its fate
world      plays a plan, and starts a process when one has ended
clients    repeat each request until it is answered
people     answer tasks
mending    people who mend runs
process    tasks that live and die together, and one app in them
server     the app in such a process
handlers   quick, slow, failing, odd, stubborn, deadly
store      a store that is far away, and fails by plan
bus        a bus that fails, and sends twice     dock  one that brings messages
web        the peer of http jobs
archive    an archive that fails
faults     what goes wrong, armed by the plan
place      where the data lies: in memory, or in a SQLite file
postgres   … or on a PostgreSQL server; database: where it has its tables
loop       an event loop in virtual time
clock      the wall clock, that can be set
points     the crash points, read from the source
ledger     what is seen from outside, and the rules about that
clockwork  what schedules do, and the rules about that
attic      what is old and goes, and the rules about that
far        the workflow with jobs for workers elsewhere
hands      those workers; claims: what they do, and the rules about that
lines      runs that wait for one another, and the rules about them
places     under limits, and the rule about them
letters    dead letters, and the rules about them
namesakes  runs of one uid, starts that are one, and the rules about them
bulk       repairs of many runs, and the rules about them
rows       what the store holds, and what belongs together in it
settling   whatever waits is answered, until all is quiet
judge      what must hold then
outcome    one simulation from beginning to end
reading    documents are read once
fleet      many seeds on all cores
tally      what many simulations add up to
shrinking  makes a failing plan small
"""
