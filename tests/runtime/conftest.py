import pytest

from tests.stage import Clock, File, Memory, Stage


@pytest.fixture(params=["memory", "sqlite"])
def stage(request, tmp_path):
    """On both stores."""
    return Stage(Memory() if request.param == "memory" else File(tmp_path / "o.db"))


@pytest.fixture
def here():
    """On the store in memory, where the store does not matter."""
    return Stage(Memory())


@pytest.fixture
def clocked(stage):
    stage.clock = Clock()
    return stage
