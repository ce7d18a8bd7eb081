"""One deployment of the application to the local engine, for all integration tests."""

from collections.abc import Iterator

import pytest

from local import deployment
from local.engine.process import Engine
from tests.integration.application import Application

STACK = "eventfork"
PARAMETERS = {"FraudScreeningEnabled": "true"}
"""Everything that can be turned on, but search, which needs a node."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Start the local engine; Firehose's minute takes a second."""
    with Engine(firehose_interval_scale=1 / 60) as engine:
        yield engine


@pytest.fixture(scope="session")
def application(engine: Engine) -> Application:
    """Deploy the application with `sam build` and `sam deploy`."""
    deployment.build()
    parameters = {**deployment.target_parameters(), **PARAMETERS}
    return Application(engine, STACK, parameters, deployment.deploy(engine, STACK, parameters))
