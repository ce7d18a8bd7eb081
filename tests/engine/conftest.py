"""One engine, and one deployment of the sample application, for all tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.engine.process import Engine
from tests.engine.workbench import Workbench

INTERVAL_SCALE = 0.02


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Return a running engine whose Firehose buffers wait a fiftieth of their interval."""
    with Engine(firehose_interval_scale=INTERVAL_SCALE) as running:
        yield running


@pytest.fixture(scope="session")
def workbench(engine: Engine) -> Workbench:
    """Return the workbench on that engine."""
    return Workbench(engine)


@pytest.fixture(scope="session")
def application(workbench: Workbench) -> dict[str, str]:
    """Return the outputs of the sample application."""
    return workbench.deploy_application("application")
