"""What all tests share: closed sockets where none is needed, and nothing that needs Docker where there is none."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
SOCKETS_CLOSED = tuple(TESTS / name for name in ("unit", "contract", "template"))
LEFT_OUT = pytest.StashKey[list[str]]()

# How long an example takes says nothing about the code on a machine that is short of CPU.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Close the sockets of unit, contract and template tests; deselect what needs Docker where no engine answers."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in SOCKETS_CLOSED):
            item.add_marker(pytest.mark.disable_socket)
    need_docker = [item for item in items if item.get_closest_marker("docker")]
    if need_docker and not docker_answers():
        items[:] = [item for item in items if item not in need_docker]
        config.hook.pytest_deselected(items=need_docker)
        config.stash[LEFT_OUT] = [item.nodeid for item in need_docker]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the tests that were left out, so that nobody takes them for passed."""
    if left_out := config.stash.get(LEFT_OUT, []):
        terminalreporter.section("not run (needs Docker; CI runs them)")
        for name in left_out:
            terminalreporter.write_line(f"not run: {name}")
