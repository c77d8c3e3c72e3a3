"""The rules of the test run itself, on small runs of their own."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester, monkeypatch):
    """Run tests under our conftest, as on a machine that is (or is not) CI."""

    def run(tests, *, ci):
        monkeypatch.setenv("CI", "true" if ci else "")
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
        pytester.makeini("[pytest]\nmarkers = seed(*ids): what is kept\nstrict = true")
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-ra")

    return run


SKIPS = """
    import pytest

    def test_that_needs_a_server():
        pytest.skip("missing: a server that can be had")

    @pytest.mark.skipif(True, reason="missing: a mark says so")
    def test_that_is_marked(): ...

    def test_that_does_not_apply():
        pytest.skip("only on Windows")
"""


def test_a_missing_part_fails_in_ci(run):
    run(SKIPS, ci=True).assert_outcomes(failed=1, errors=1, skipped=1)


def test_a_missing_part_is_skipped_by_name_elsewhere(run):
    result = run(SKIPS, ci=False)
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["*missing: a server that can be had"])


def test_a_file_that_misses_a_part_fails_in_ci(run):
    module = "import pytest\npytest.skip('missing: all of it', allow_module_level=True)"
    run(module, ci=True).assert_outcomes(errors=1)


def test_the_summary_names_the_seeds_that_are_kept(run):
    result = run(
        """
        import pytest

        @pytest.mark.seed("B.8-13", "A10")
        def test_two_at_once(): ...

        @pytest.mark.seed("A3")
        def test_one(): ...

        @pytest.mark.seed("A4")
        def test_half_kept(): ...

        @pytest.mark.seed("A4")
        def test_half_broken():
            raise AssertionError
        """,
        ci=False,
    )
    result.stdout.fnmatch_lines(["seed coverage: A3 A10 B.8-13", "seeds broken: A4"])


def test_an_unknown_marker_stops_the_run(run):
    assert run("import pytest\n\n@pytest.mark.sede\ndef test_x(): ...", ci=False).ret != 0
