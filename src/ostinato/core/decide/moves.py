"""What follows inside a run. A move is never stored: its effects are.

``Settle`` waits until nothing else moves: only then is it known that a scope is over, that an
inclusive join may fire, or that tokens can never go on.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from ostinato.core.commands import Command
from ostinato.core.facts import Fact, Failure
from ostinato.core.graph import Flow, Node
from ostinato.core.state import Scope


class Enter(Struct, frozen=True, gc=False):
    """A token enters ``node``; ``given`` is a person's input for its job."""

    scope: Scope
    node: Node
    given: Raw | None = None


class Leave(Struct, frozen=True, gc=False):
    """The token in ``node`` goes on."""

    scope: Scope
    node: Node


class Join(Struct, frozen=True, gc=False):
    """A token came to rest on ``flow``; its join may be full."""

    scope: Scope
    flow: Flow


class Begin(Struct, frozen=True, gc=False):
    """The scope of this key has just been opened; ``behind``: first it waits in that line."""

    key: str
    behind: str = ""
    given: Raw | None = None


class Settle(Struct, frozen=True, gc=False):
    """Look at the scope of this key once everything has come to rest."""

    key: str


class Fail(Struct, frozen=True, gc=False):
    """Something in ``scope`` failed for good, and nothing there forgives it.

    ``finish``: what is open may end first.
    """

    scope: Scope
    error: Failure
    finish: bool = False


class StandIn(Struct, frozen=True, gc=False):
    """The failure of the step of this key was caught."""

    key: str


class NoteUndo(Struct, frozen=True, gc=False):
    """The step of this key has ended, and its document says how to take it back."""

    key: str


class TakeBack(Struct, frozen=True, gc=False):
    """The next step that was done is taken back, or none is left."""

    scope: Scope


class Revisit(Struct, frozen=True, gc=False):
    """What a pause has held in this scope goes on."""

    scope: Scope


class HearKept(Struct, frozen=True, gc=False):
    """The step of this key has begun to wait for an event; one may be here already."""

    key: str


class Redo(Struct, frozen=True, gc=False):
    """In this scope, which was reopened, what failed is done once more.

    ``asked`` is what a person has asked for one job of it. ``hold``: a person has named one step,
    here or elsewhere; what else had failed waits for repair.
    """

    scope: Scope
    asked: Skip | Edit | None = None
    hold: bool = False


class Skip(Struct, frozen=True, gc=False):
    """The job of this node counts as done, with this output; ``done``: as succeeded."""

    node: Node
    why: str
    output: Raw
    done: bool


class Edit(Struct, frozen=True, gc=False):
    """The job of this node is done once more, with this input if there is one."""

    node: Node
    input: Raw | None


class Stop(Struct, frozen=True, gc=False):
    """End everything that is open in the scope of this key."""

    key: str


class Finish(Struct, frozen=True, gc=False):
    """The scope of this key (the run's work, ``on_failure`` or ``finally``) is over."""

    key: str


Move = (
    Enter
    | Leave
    | Join
    | Begin
    | Settle
    | Fail
    | StandIn
    | NoteUndo
    | TakeBack
    | Revisit
    | HearKept
    | Redo
    | Stop
    | Finish
)
Said = Fact | Command | Move
