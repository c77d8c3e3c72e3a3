"""What every post is: whole, and without a dictionary of its own."""

import inspect

import pytest

from ostinato.app import App
from ostinato.runtime.operating import Alter
from ostinato.runtime.posts import Post


def below(kind):
    """Those of other tests are none of ours."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("ostinato."):
            yield one
            yield from below(one)


def test_every_post_is_looked_at():
    """What the app brings with it is all there is."""
    assert App
    kinds = {kind.__name__ for kind in below(Post)}
    assert {"Tell", "Begin", "Accept", "Repair", "Remove", "Step", "End"} <= kinds


@pytest.mark.parametrize("kind", [Post, Alter])
def test_one_that_changes_nothing_cannot_be_made(kind):
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_a_post_has_no_dictionary():
    made = [kind.__new__(kind) for kind in below(Post) if not inspect.isabstract(kind)]
    assert [post for post in made if hasattr(post, "__dict__")] == []
