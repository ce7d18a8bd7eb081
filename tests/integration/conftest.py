"""One deployment of the application to the local engine, for all integration tests; IAM is enforced there."""

from collections.abc import Iterator

import pytest

from local import deployment
from local.engine.process import Engine
from tests.integration.application import Application
from tests.integration.beside import CIRCUITS, SEARCH, StandInDomain, deploy_beside
from tests.integration.decisions import Decisions, watched
from tests.integration.deployed import Deployed, outputs

STACK = "eventfork"
PARAMETERS = {"FraudScreeningEnabled": "true", "SelectedArchiveDetailTypes": "customerCreated"}
"""Everything that can be turned on, but search, which needs a node."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Start the local engine; Firehose's minute takes a second. One that is to be attached to is taken as it is."""
    if deployed := Deployed.named():
        yield deployed.engine()
        return
    with Engine(firehose_interval_scale=1 / 60, enforce_iam=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def application(engine: Engine) -> Application:
    """Deploy the application with `sam build` and `sam deploy`."""
    parameters = {**deployment.target_parameters(), **PARAMETERS}
    if Deployed.named():
        return Application(engine, STACK, parameters, outputs(engine, STACK))
    deployment.build()
    return Application(engine, STACK, parameters, deployment.deploy(engine, STACK, parameters))


@pytest.fixture(scope="session")
def beside(engine: Engine) -> Iterator[dict[str, str]]:
    """Deploy what the application has not; give the outputs of all of it."""
    with StandInDomain() as domain:
        if not Deployed.named():
            deploy_beside(engine, domain)
        yield {**outputs(engine, SEARCH), **outputs(engine, CIRCUITS)}


@pytest.fixture(scope="session")
def decisions(engine: Engine) -> Iterator[Decisions]:
    """Give what IAM decides about functions' requests; nothing may be denied that no test expects."""
    decisions = Decisions(engine)
    with watched(decisions):
        yield decisions
        # What the last test has set going may still be denied something.
        assert not (denied := decisions.settled()), f"denied: {'; '.join(denied)}"


@pytest.fixture(autouse=True)
def _nothing_denied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which a function was denied anything that the test did not take."""
    if "engine" not in request.fixturenames:
        yield
        return
    decisions: Decisions = request.getfixturevalue("decisions")
    decisions.begin(request.node.nodeid)
    yield
    denied = decisions.take()
    assert not denied, f"denied: {'; '.join(denied)}"
