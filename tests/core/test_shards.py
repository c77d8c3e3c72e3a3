"""Which store has what: keys stay or go to the new one, and a set of stores says what it is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.shards import (
    Mark,
    Marks,
    Place,
    event_key,
    grows,
    homes,
    jump,
    next_marks,
    number_of,
    refuse_alone,
    request_key,
)
from ostinato.errors import SettingsError

KEYS = st.integers(0, 2**64 - 1)


@given(KEYS, st.integers(1, 200))
def test_a_key_stays_where_it_was_or_goes_to_the_new_one(key, count):
    before, after = jump(key, count), jump(key, count + 1)
    assert 0 <= before < count
    assert after in (before, count)


def test_each_gets_its_share():
    count = 7
    shares = Counter(jump(number_of(f"key {n}"), count) for n in range(7_000))
    assert set(shares) == set(range(count))
    assert max(shares.values()) < 1.3 * min(shares.values())


@pytest.mark.parametrize(
    ("key", "count", "bucket"),
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)],
)
def test_it_gives_what_others_who_follow_the_paper_give(key, count, bucket):
    assert jump(key, count) == bucket


@given(st.text(max_size=30), st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True))
def test_the_homes_of_a_key_are_those_that_it_had_the_oldest_first(key, sizes):
    counts = sorted(sizes)
    found = homes(key, counts)
    assert len(set(found)) == len(found)
    assert found[-1] == jump(number_of(key), counts[-1])
    assert found == tuple(dict.fromkeys(jump(number_of(key), count) for count in counts))
    for number, home in enumerate(found[1:], 1):  # nothing comes back to an older one
        assert home > max(found[:number])


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_two_names_are_not_taken_for_others(one, other, third, fourth):
    alike = (one, other) == (third, fourth)
    assert (event_key(one, other) == event_key(third, fourth)) == alike
    assert (request_key(one, other) == request_key(third, fourth)) == alike


# -- the set says what it is


def settle(stores, names=None):
    """Write down what is missing, until nothing is. ``stores`` are changed."""
    names = names or [f"s{number + 1}" for number in range(len(stores))]
    steps = 0
    while missing := next_marks(stores, names, "A"):
        for mark in missing:
            stores[mark.number] = written(stores[mark.number], mark)
        steps += 1
        assert steps < 9
    return stores


def written(marks, mark):
    return Marks(
        mark.place or marks.place,
        marks.counts + (() if mark.count is None else (mark.count,)),
        marks.begun + (() if mark.begun is None else (mark.begun,)),
        marks.empty,
    )


def test_empty_stores_become_a_set():
    first, second = settle([Marks(), Marks()])
    assert first == Marks(Place("A", 0), (2,), (2,))
    assert second == Marks(Place("A", 1))
    assert next_marks([first, second], ["a", "b"], "B") == []


def test_a_store_that_was_alone_is_the_first_of_a_set():
    first, second = settle([Marks(empty=False), Marks()])
    assert first.counts == (1, 2)
    grown = settle([first, second, Marks(), Marks()])
    assert grown[0].counts == (1, 2, 4)
    assert [one.place.number for one in grown] == [0, 1, 2, 3]


def test_growing_is_told_while_it_is_not_done():
    assert grows([Marks(empty=False), Marks()]) == 1
    assert grows([Marks(), Marks()]) == 0
    whole = settle([Marks(), Marks()])
    assert (grows(whole), grows([*whole, Marks()])) == (0, 2)


@given(st.data())
def test_what_breaks_off_goes_on(data):
    """Whoever dies between two marks: the next one writes the others."""
    stores = [Marks(empty=data.draw(st.booleans())), Marks(), Marks()]
    names = ["a", "b", "c"]
    alone = stores[0].empty
    while missing := next_marks(stores, names, data.draw(st.sampled_from("ABC"))):
        for mark in missing[: data.draw(st.integers(1, len(missing)))]:
            if mark.count == 1 or (mark.place and not mark.number):  # these are one batch
                for first in (each for each in missing if each.number == 0):
                    stores[0] = written(stores[0], first)
                break
            stores[mark.number] = written(stores[mark.number], mark)
    assert stores[0].counts == ((3,) if alone else (1, 3))
    assert len({store.place.set for store in stores}) == 1


A, B = settle([Marks(), Marks()])
ELSEWHERE = Marks(Place("Z", 1))


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ([B, A], "s1 is store 2 of its set and is named first: .* the order"),
        ([A, ELSEWHERE], "s2 is store 2 of another set, and is named as number 2"),
        ([A, Marks()], "s2 should be store 2 of the set of s1, .* was it emptied.* one goes last"),
        ([A, B, Marks(empty=False)], "s3 is to be store 3, and is not empty"),
        ([Marks(), Marks(empty=False)], "s2 is to be store 2, and is not empty"),
        ([Marks(), B], "s2 is store 2 of a set, and s1, named first, is none of it"),
        ([A, Marks(), B], "s2 should be store 2"),
        ([A, B, B], "s3 is store 2 of this set, and is named as number 3"),
    ],
)
def test_stores_that_are_no_set_are_refused(stores, said):
    names = [f"s{number + 1}" for number in range(len(stores))]
    with pytest.raises(SettingsError, match=said):
        next_marks(stores, names, "N")


def test_fewer_than_there_are_are_refused():
    first, second, _ = settle([Marks(), Marks(), Marks()])
    with pytest.raises(SettingsError, match=r"names 2 stores, and there are 3 .* cannot be taken"):
        next_marks([first, second], ["s1", "s2"], "N")


def test_a_store_of_a_set_is_not_used_alone():
    refuse_alone(Marks(), "s1")
    refuse_alone(Marks(Place("A", 0), (1,), (2,)), "s1")  # it was never more than begun
    with pytest.raises(SettingsError, match=r"s1 is store 1 of 2 of a set, .* name all"):
        refuse_alone(A, "s1")
    with pytest.raises(SettingsError, match=r"s2 is store 2 of a set"):
        refuse_alone(B, "s2")


def test_the_first_step_is_one_batch():
    assert next_marks([Marks(empty=False), Marks()], ["a", "b"], "S") == [
        Mark(0, Place("S", 0)),
        Mark(0, count=1),
    ]
