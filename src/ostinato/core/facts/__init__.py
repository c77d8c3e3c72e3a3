"""What a run remembers: facts. A record is the list of facts that one event caused.

A fact holds its effect, never a rule: folding the facts of a run again gives the same state
whatever the code that decided them has become since. Facts carry names, not numbers, and only ever
gain trailing fields with defaults; ``tests/histories`` holds samples of every release.

Values of users travel as ``Raw``: JSON, encoded once, never decoded on the way.

base      what every fact is
runs      the run itself
scopes    scopes, items and tokens
steps     one job
calls     runs that wait for one another
undo      what is taken back
"""

from ostinato.core.facts.base import Fact
from ostinato.core.facts.calls import (
    CallRefused,
    JobCalled,
    JobEnding,
    JobJoined,
    RunCalled,
)
from ostinato.core.facts.runs import (
    RunAdmitted,
    RunCancelled,
    RunCancelling,
    RunFailed,
    RunFinishing,
    RunFollowed,
    RunHalting,
    RunPaused,
    RunQueued,
    RunReopened,
    RunRepaired,
    RunResumed,
    RunSignalled,
    RunStarted,
    RunStuck,
    RunSucceeded,
    RunWarned,
)
from ostinato.core.facts.scopes import (
    GatewayPassed,
    ItemsResolved,
    ScopeEnded,
    ScopeFailing,
    ScopeOpened,
    ScopeReopened,
    ScopeSatisfied,
    ScopeSkipped,
    TokenRested,
    TokensJoined,
)
from ostinato.core.facts.steps import (
    JobAbandoned,
    JobCancelled,
    JobCancelling,
    JobCaught,
    JobFailed,
    JobHeard,
    JobHeld,
    JobOffered,
    JobQueued,
    JobReady,
    JobReassigned,
    JobRepeated,
    JobRetried,
    JobReturned,
    JobSkipped,
    JobStarted,
    JobSucceeded,
    JobTaken,
    JobWaiting,
)
from ostinato.core.facts.undo import (
    JobUndone,
    UndoNoted,
    UndoPlanned,
)
from ostinato.core.failure import NOTHING, Failure, given

AnyFact = (
    RunStarted | RunFinishing | RunCancelling | RunSucceeded | RunFailed | RunCancelled
    | RunHalting | RunStuck | RunPaused | RunResumed | RunRepaired | RunReopened | RunWarned
    | RunQueued | RunAdmitted | RunFollowed | RunSignalled
    | ScopeReopened | ScopeOpened | ScopeSkipped | ScopeFailing | ScopeEnded | ScopeSatisfied
    | ItemsResolved | TokenRested | TokensJoined | GatewayPassed
    | JobReady | JobOffered | JobStarted | JobTaken | JobWaiting | JobReassigned
    | JobHeard | JobRetried | JobRepeated | JobCaught | JobQueued | JobHeld | JobAbandoned
    | JobReturned | JobCancelling | JobSucceeded
    | JobFailed | JobSkipped | JobCancelled
    | JobCalled | JobJoined | CallRefused | JobEnding | RunCalled
    | UndoNoted | UndoPlanned | JobUndone
)  # fmt: skip

__all__ = [
    "NOTHING",
    "AnyFact",
    "CallRefused",
    "Fact",
    "Failure",
    "GatewayPassed",
    "ItemsResolved",
    "JobAbandoned",
    "JobCalled",
    "JobCancelled",
    "JobCancelling",
    "JobCaught",
    "JobEnding",
    "JobFailed",
    "JobHeard",
    "JobHeld",
    "JobJoined",
    "JobOffered",
    "JobQueued",
    "JobReady",
    "JobReassigned",
    "JobRepeated",
    "JobRetried",
    "JobReturned",
    "JobSkipped",
    "JobStarted",
    "JobSucceeded",
    "JobTaken",
    "JobUndone",
    "JobWaiting",
    "RunAdmitted",
    "RunCalled",
    "RunCancelled",
    "RunCancelling",
    "RunFailed",
    "RunFinishing",
    "RunFollowed",
    "RunHalting",
    "RunPaused",
    "RunQueued",
    "RunReopened",
    "RunRepaired",
    "RunResumed",
    "RunSignalled",
    "RunStarted",
    "RunStuck",
    "RunSucceeded",
    "RunWarned",
    "ScopeEnded",
    "ScopeFailing",
    "ScopeOpened",
    "ScopeReopened",
    "ScopeSatisfied",
    "ScopeSkipped",
    "TokenRested",
    "TokensJoined",
    "UndoNoted",
    "UndoPlanned",
    "given",
]
