"""The tests of one engine go to one process, where several run tests: each deployment takes its time, and memory."""

import pytest


def test_the_tests_of_one_engine_go_to_one_process(request: pytest.FixtureRequest) -> None:
    """Should they not, nothing fails: pytest-xdist then does not see the groups, as with a newer pytest."""
    assert not hasattr(request.config, "workerinput") or request.node.nodeid.endswith("@engine")
