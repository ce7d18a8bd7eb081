"""One deployment of the application to an engine that containers reach, for all tests in Docker."""

from collections.abc import Iterator

import pytest

from local import deployment
from local.engine.process import Engine
from tests.docker.containers import SamLocal, host_address
from tests.integration.application import Application
from tests.integration.conftest import PARAMETERS

STACK = "eventfork"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Start the local engine where containers reach it; Firehose's minute takes a second."""
    with Engine(host=host_address(), firehose_interval_scale=1 / 60) as engine:
        yield engine


@pytest.fixture(scope="session")
def parameters() -> dict[str, str]:
    """Values of the template's parameters, for deployment and `sam local` alike."""
    return {**deployment.target_parameters(), **PARAMETERS, "AllowAnonymousCheckout": "true", "LogLevel": "DEBUG"}


@pytest.fixture(scope="session")
def application(engine: Engine, parameters: dict[str, str]) -> Application:
    """Deploy the application with `sam build` and `sam deploy`."""
    deployment.build()
    return Application(engine, STACK, parameters, deployment.deploy(engine, STACK, parameters))


@pytest.fixture(scope="session")
def sam_local(
    application: Application, parameters: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SamLocal]:
    """Run the functions of the same build in Docker."""
    with SamLocal(application, deployment.build().template, parameters, tmp_path_factory.mktemp("docker")) as sam_local:
        yield sam_local
