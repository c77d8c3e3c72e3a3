"""Which topics may have jobs: what is known to be empty is not asked for, and nothing is missed."""

from ostinato.runtime.offers import Offers


def test_a_topic_that_was_found_empty_is_not_asked_for_until_something_is_offered():
    offers = Offers()
    [offered] = offers.possible(["far"]).values()
    offers.found_empty("far", offered)
    assert offers.possible(["far", "near"]).keys() == {"near"}
    offers.offered("far")
    assert offers.possible(["far"])


def test_what_is_offered_while_one_looks_is_looked_for_again():
    offers = Offers()
    [offered] = offers.possible(["far"]).values()
    offers.offered("far")
    offers.found_empty("far", offered)
    assert offers.possible(["far"])
