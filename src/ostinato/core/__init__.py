"""The rules about workflows, pure: no clock, no chance, no I/O, no threads.

model         what a node does: jobs, waits, retry, each
graph         nodes and flows, compiled once per load
state         a run: a tree of scope instances, steps and tokens
events        what a run is told
facts         what a run remembers
commands      what a run asks for
decide        event -> facts and commands (reads, never writes)
fold          fact -> state (the only code that writes a state)
advance       decide and fold in turn until nothing moves
names         what an expression can see
timing        retry delays and jitter
codec         facts and values to bytes and back
"""
