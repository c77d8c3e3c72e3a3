"""The rules about workflows, pure: no clock, no chance, no I/O, no threads.

model         what a node does: jobs, waits, retry, each
graph         nodes and flows, compiled once per load
state         a run: a tree of scope instances, steps and tokens
events        what a run is told
facts         what a run remembers
failure       why something failed; a value that is not there
commands      what a run asks for
decide        event -> facts and commands (reads, never writes), in turn with
fold          fact -> state (the only code that writes a state), until nothing moves
names         what an expression can see
outputs       what `jobs.x.output` is, inside and outside an `each`; a run without `output`
schedules     the clock -> events: what is due, what was missed, what overlaps
triggers      event -> runs: inputs and uids from events, misfits
labels        texts that something is found by
uids          what a start does whose uid another run has, or had; starts that are one
secrets       marks where secrets belong; what is recorded never holds one
forks         what another run is given of what one had done
retention     what is old enough to go, and what may go
routes        on which buses events go out
conflicts     events under one name with other contents
letters       dead letters: what comes of redriving one
tasks         work for people: what they are asked, which answer counts
callbacks     who holds a callback token, and whether it still counts
callers       who waits for a run, and how its step says so
run_ids       names of runs, in the order of time
shards        which of several stores has what
timing        retry delays and jitter
codec         facts and values to bytes and back
views         a run and its history as every door shows them
fingerprints  failures that are one
outline       a graph as plain values, for pictures
content       all that a graph says, to compare two

expressions   the language of `when` and `${ … }`
patterns      the language that events are chosen with
correlation   the key by which a wait and an event find each other
cloudevents   events as they travel
durations, instants   spans and moments as people write them
"""
