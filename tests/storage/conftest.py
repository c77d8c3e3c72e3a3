import pytest


@pytest.fixture
def urls(tmp_path, request):
    """Of two stores, by name; nothing is in them."""

    def urls(*names):
        return [
            f"sqlite:///{tmp_path}/{name}-{at}.db"
            if name == "sqlite"
            else request.getfixturevalue("new_database")()
            for at, name in enumerate(names)
        ]

    return urls
