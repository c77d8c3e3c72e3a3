"""Regexes in linear time: Thompson's construction, run as an automaton of sets of states.

Law: a search looks at each character once, whatever the regex. A set of states that was met is
kept with where each character led, so that the common case is one look-up per character; what is
charged assumes that nothing was kept, because a price must not depend on what ran before.
"""

from __future__ import annotations

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.regex_syntax import (
    Charset,
    Edge,
    Either,
    Repeat,
    Sequence,
    Tree,
    read,
)

__all__ = ["Regex"]

_MOST_STATES = 1_000
_MOST_PARTS = 10_000  # also what adds no state, as (){1000}, takes its time
_MOST_KEPT = 500  # transitions; then all are forgotten
_STEPS = 32  # looks at a state that count as one operation


class _Step:
    """A state that takes one character."""

    __slots__ = ("charset", "out")

    def __init__(self, charset: Charset, out: int) -> None:
        self.charset = charset
        self.out = out

    def takes(self, char: str) -> bool:
        for low, high in self.charset.ranges:
            if low <= char <= high:
                return not self.charset.negated
        return self.charset.negated


class _Fork:
    """A state that is several others at once."""

    __slots__ = ("outs",)

    def __init__(self, *outs: int) -> None:
        self.outs = outs


class _Gate:
    """A state that is another one, at the start or at the end of the text only."""

    __slots__ = ("at_start", "out")

    def __init__(self, at_start: bool, out: int) -> None:
        self.at_start = at_start
        self.out = out


_State = _Step | _Fork | _Gate | None  # None is the state of having matched


class _Builder:
    """Builds from the end to the start: each part is told the state that follows it."""

    def __init__(self) -> None:
        self.states: list[_State] = [None]
        self.parts = 0

    def add(self, state: _State) -> int:
        self.states.append(state)
        if len(self.states) > _MOST_STATES:
            raise failure(f"a regex has more than {_MOST_STATES:,} states", "use smaller {m,n}")
        return len(self.states) - 1

    def build(self, tree: Tree, out: int) -> int:
        self.parts += 1
        if self.parts > _MOST_PARTS:
            raise failure(f"a regex has more than {_MOST_PARTS:,} parts", "use smaller {m,n}")
        if isinstance(tree, Charset):
            return self.add(_Step(tree, out))
        if isinstance(tree, Edge):
            return self.add(_Gate(tree.at_start, out))
        if isinstance(tree, Either):
            return self.add(_Fork(*(self.build(way, out) for way in tree.ways)))
        if isinstance(tree, Repeat):
            return self._repeat(tree, out)
        return self._sequence(tree, out)

    def _sequence(self, tree: Sequence, out: int) -> int:
        for part in reversed(tree.parts):
            out = self.build(part, out)
        return out

    def _repeat(self, tree: Repeat, out: int) -> int:
        if tree.most is None:
            out = self._loop(tree.part, out)
        for _ in range((tree.most or tree.least) - tree.least):
            out = self.add(_Fork(self.build(tree.part, out), out))
        for _ in range(tree.least):
            out = self.build(tree.part, out)
        return out

    def _loop(self, part: Tree, out: int) -> int:
        fork = _Fork()
        at = self.add(fork)
        fork.outs = (self.build(part, at), out)
        return at


class _Set:
    """Where a search can be: the states that take a character, and whether it has matched."""

    __slots__ = ("matched", "matched_at_end", "next", "steps")

    def __init__(self, steps: tuple[_Step, ...], matched: bool, matched_at_end: bool) -> None:
        self.steps = steps
        self.matched = matched
        self.matched_at_end = matched_at_end
        self.next: dict[str, _Set] = {}


class Regex:
    __slots__ = ("_ends", "_first", "_kept", "_sets", "_start", "_states", "_weight")

    def __init__(self, pattern: str, budget: Budget | None = None) -> None:
        if budget is not None:
            budget.charge(len(pattern))
        builder = _Builder()
        self._start = builder.build(read(pattern), 0)
        self._states = builder.states
        self._ends = any(isinstance(one, _Gate) and not one.at_start for one in self._states)
        self._weight = sum(map(_weight, self._states))
        if budget is not None:
            budget.charge(len(self._states))
        self._sets: dict[tuple[int, ...], _Set] = {}
        self._kept = 0
        self._first = self._set_of({self._start}, at_start=True)

    def search(self, text: str, budget: Budget) -> bool:
        """Whether it is found anywhere in the text."""
        budget.charge(len(text) * self._weight // _STEPS)
        here = self._first
        for char in text:
            if here.matched:
                return True
            here = here.next.get(char) or self._advance(here, char)
        return here.matched or here.matched_at_end

    def _advance(self, here: _Set, char: str) -> _Set:
        if self._kept >= _MOST_KEPT:
            self._forget()
        outs = {step.out for step in here.steps if step.takes(char)}
        there = self._set_of(outs | {self._start}, at_start=False)
        here.next[char] = there
        self._kept += 1
        return there

    def _forget(self) -> None:
        for known in [self._first, *self._sets.values()]:
            known.next = {}
        self._sets = {}
        self._kept = 0

    def _set_of(self, states: set[int], *, at_start: bool) -> _Set:
        reached = self._closure(states, at_start=at_start, at_end=False)
        key = tuple(sorted(reached))
        known = None if at_start else self._sets.get(key)
        if known is None:
            # A search asks about the end for each set it meets, and few regexes have a `$`.
            at_end = reached
            if self._ends:
                at_end = self._closure(states, at_start=at_start, at_end=True)
            steps = tuple(step for at in key if isinstance(step := self._states[at], _Step))
            known = _Set(steps, 0 in reached, 0 in at_end)
            if not at_start:
                self._sets[key] = known
        return known

    def _closure(self, states: set[int], *, at_start: bool, at_end: bool) -> set[int]:
        """All states that these are without taking a character."""
        reached, open_ = set(states), list(states)
        while open_:
            for out in self._free(self._states[open_.pop()], at_start, at_end):
                if out not in reached:
                    reached.add(out)
                    open_.append(out)
        return reached

    @staticmethod
    def _free(state: _State, at_start: bool, at_end: bool) -> tuple[int, ...]:
        if isinstance(state, _Fork):
            return state.outs
        if isinstance(state, _Gate) and (at_start if state.at_start else at_end):
            return (state.out,)
        return ()


def _weight(state: _State) -> int:
    return 1 + len(state.charset.ranges) // 4 if isinstance(state, _Step) else 1
