"""One deployment of the application to an engine that containers reach, for all tests in Docker."""

import json
from collections.abc import Iterator

import pytest

from local import deployment
from local.engine.process import Engine
from tests.docker.containers import SamLocal, host_address
from tests.faults.endpoint import Answer, Endpoint, Request
from tests.integration.application import Application
from tests.integration.conftest import PARAMETERS
from tests.integration.searching import DOMAIN_ARN

STACK = "eventfork"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Start the local engine where containers reach it; Firehose's minute takes a second."""
    with Engine(host=host_address(), firehose_interval_scale=1 / 60) as engine:
        yield engine


class Index(Endpoint):
    """Takes whatever a search domain is told, and keeps the documents: what a node makes of them is shown elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[dict[str, object]] = []

    def answer(self, request: Request) -> Answer:
        """Say that all was taken."""
        documents = request.body.splitlines()[1::2] if request.path.endswith("/_bulk") else []
        self.documents += map(json.loads, documents)
        items = [{"index": {"status": 201}} for _ in documents]
        return Answer(200, json.dumps({"acknowledged": True, "success": True, "items": items}).encode())


@pytest.fixture(scope="session")
def index() -> Iterator[Index]:
    """Stand in for the search domain."""
    with Index() as index:
        yield index


@pytest.fixture(scope="session")
def parameters(index: Index) -> dict[str, str]:
    """Values of the template's parameters, for deployment and `sam local` alike."""
    return {
        **deployment.target_parameters(),
        **PARAMETERS,
        "AllowAnonymousCheckout": "true",
        "LogLevel": "DEBUG",
        "SearchEnabled": "true",
        "SearchDomainArn": DOMAIN_ARN,
        "SearchDomainEndpoint": index.url,
    }


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
