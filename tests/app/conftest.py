import pytest

from tests.stage import File, Memory, Stage


@pytest.fixture(params=["memory", "sqlite"])
def stage(request, tmp_path):
    """On both stores."""
    return Stage(Memory() if request.param == "memory" else File(tmp_path / "o.db"))
