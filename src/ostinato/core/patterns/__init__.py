"""Event patterns: the languages of Amazon EventBridge and SNS, compiled once to closures.

matchers  what may stand in a leaf's list, one row each     texts    tests of one text
parse     pattern → alternatives of leaves                  compile  leaves → closure
pattern   the public class                                  explain  why an event does not fit
shape     equalities and the rest                       sns      filter policies of Amazon SNS
messages  what is asked: an event, attributes, a body

contradiction  what no event can fit

index     many patterns, one event                          entry    an alternative and its ways
node      few are a list, many are filed                    trail    paths, walked along once
lookup    the keys asked of one field                       keys     what a matcher asks, roughly
intervals  ranges of numbers
"""

from ostinato.core.patterns.explain import Explanation, Failure
from ostinato.core.patterns.index import PatternIndex
from ostinato.core.patterns.pattern import Pattern
from ostinato.core.patterns.shape import shape

__all__ = ["Explanation", "Failure", "Pattern", "PatternIndex", "shape"]
