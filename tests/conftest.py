"""What all tests share: closed sockets where none is needed, and nothing that needs what is not there."""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from local.search import process

TESTS = Path(__file__).parent
SOCKETS_CLOSED = tuple(TESTS / name for name in ("unit", "contract", "template"))
ONE_DEPLOYMENT = tuple(TESTS / name for name in ("engine", "search", "integration", "faults", "docker"))
APPLICATION = {"application", "beside"}
"""What a test of `integration` asks for that shares its deployment with others."""
LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()

# How long an example takes says nothing about the code on a machine that is short of CPU.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# For the machine of `test_recovery.py`, now and then: --hypothesis-profile=campaign.
settings.register_profile("campaign", settings.get_profile("patient"), max_examples=5000)


@cache
def docker_answers() -> bool:
    """Whether a Docker engine can be used here: an installed client alone does not count."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, check=False, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take how many drills are to be run in which functions are killed, each at other moments."""
    parser.addoption("--kill-seeds", type=int, default=1, metavar="N", help="drills in which functions are killed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `kill_seed` once for each; with None where none is wanted."""
    if "kill_seed" in metafunc.fixturenames:
        metafunc.parametrize("kill_seed", list(range(metafunc.config.getoption("--kill-seeds"))) or [None])


# First, before groups are read off the tests by who runs them in several processes.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Close the sockets of unit, contract and template tests; deselect what needs something that cannot be had here.

    Where several processes run the tests, those that share a deployment go to the same one.
    """
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in SOCKETS_CLOSED):
            item.add_marker(pytest.mark.disable_socket)
        for folder in ONE_DEPLOYMENT:
            if item.path.is_relative_to(folder):
                deploys = folder.name == "integration" and not APPLICATION & set(getattr(item, "fixturenames", ()))
                item.add_marker(pytest.mark.xdist_group(f"{folder.name}, each its own" if deploys else folder.name))
    config.stash[LEFT_OUT] = {}
    _leave_out(config, items, "docker", lambda: None if docker_answers() else "no Docker engine answers")
    _leave_out(config, items, "search_node", process.available)


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], marker: str, obstacle: Callable[[], str | None]
) -> None:
    marked = [item for item in items if item.get_closest_marker(marker)]
    if marked and (reason := obstacle()):
        items[:] = [item for item in items if item not in marked]
        config.hook.pytest_deselected(items=marked)
        config.stash[LEFT_OUT][reason] = [item.nodeid for item in marked]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was left out to the process that reports, where others run the tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


def pytest_testnodedown(node: Any) -> None:
    """Take over what a process left out that ran tests beside others: all of them collect the same ones."""
    node.config.stash[LEFT_OUT] = node.workeroutput["left_out"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the tests that were left out, so that nobody takes them for passed."""
    for reason, names in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.section("not run (CI runs them)")
        terminalreporter.write_line(reason)
        for name in names:
            terminalreporter.write_line(f"not run: {name}")
