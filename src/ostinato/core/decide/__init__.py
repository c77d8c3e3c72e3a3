"""Events to facts and commands: the rules of a run, as one table.

A rule reads and changes nothing. What it says is of three kinds: facts (remembered),
commands (leave after the commit) and moves (what follows inside the run, decided next).
``advance`` runs it to rest: each fact is folded as soon as the decision that made it is whole,
so a move always sees what came before it.

moves      what follows inside a run
activation a job that is about to begin, and where
entering   a token enters a node: scopes, each
skipping   a false `when`: a skipped scope skips its jobs, a skipped job passes its token on
jobs       a job begins, by what it does
calls      a job calls another workflow, and ends as the run of that does
answering  what runs that wait for one another are told
asking     a person is asked, and answers; or another one is asked instead
queueing   a job or a run that needs a place waits for its turn
turns      who waited for places has them, or does not get them
steps      the timers of an open step
flowing    a token leaves a node: splits, the end of a scope, deadlock
joining    tokens meet: when a parallel or an inclusive join may fire
reporting  a job says how it went; answers and events arrive
timers     retries, waits that are over, time-outs, missed heartbeats
takeover   the process that ran this run is gone
failing    a job has failed for good: caught, held, forgiven or told on
enough     a scope that needs only so many of its children
undoing    what was done is taken back
repairs    what people do to a run: pause, resume, retry, skip, signal
reopening  a run that had failed goes on
ending     failing, stopping, cancelling; on_failure, finally; how the run ends
"""

from ostinato.core.decide.advance import MAX_FACTS, advance
from ostinato.core.decide.jobs import outstanding
from ostinato.core.decide.repairs import refuse
from ostinato.core.decide.steps import armed

__all__ = ["MAX_FACTS", "advance", "armed", "outstanding", "refuse"]
