"""The state of a circuit is a parameter's text; where there is no parameter, there is no state."""

import pytest
from botocore.stub import Stubber
from eventfork.adapters.parameters import CircuitParameters, TextParameters
from eventfork.errors import NotFoundError, UnavailableError

from tests.unit.aws import Aws, unreachable

PREFIX = "/eventfork/circuits/"


def test_the_state_of_a_circuit_is_read(aws: Aws) -> None:
    """As it is now: whoever opens a circuit is heard at once."""
    client = aws.client("ssm")
    circuits = CircuitParameters(client, PREFIX)
    assert circuits.state("fraud-screening") is None
    for state in ("CLOSED", "OPEN"):
        client.put_parameter(Name=f"{PREFIX}fraud-screening", Value=state, Type="String", Overwrite=True)
        assert circuits.state("fraud-screening") == state
    assert circuits.state("other") is None


def test_a_state_that_is_not_told_is_unavailable(aws: Aws) -> None:
    """It must not be taken for none, which would count as closed."""
    client = aws.client("ssm")
    circuits = CircuitParameters(client, PREFIX)
    failures = {"ThrottlingException": 400, "InternalServerError": 500, "AccessDeniedException": 400}
    with Stubber(client) as stub:
        for code, status in failures.items():
            stub.add_client_error("get_parameter", code, http_status_code=status)
            with pytest.raises(UnavailableError, match="fraud-screening"):
                circuits.state("fraud-screening")
    with unreachable(client), pytest.raises(UnavailableError):
        circuits.state("fraud-screening")


def test_a_state_that_is_put_is_the_one_that_is_read(aws: Aws) -> None:
    """Whether there was one before or not; of other circuits nothing changes."""
    circuits = CircuitParameters(aws.client("ssm"), PREFIX)
    circuits.put("other", "CLOSED")
    for state in ("OPEN", "HALF_OPEN", "CLOSED"):
        circuits.put("payments", state)
        assert circuits.state("payments") == state
    assert circuits.state("other") == "CLOSED"


def test_a_state_that_is_not_taken_is_unavailable(aws: Aws) -> None:
    """Whoever put it must put it again."""
    client = aws.client("ssm")
    circuits = CircuitParameters(client, PREFIX)
    with Stubber(client) as stub:
        for code in ("TooManyUpdates", "ThrottlingException", "AccessDeniedException"):
            stub.add_client_error("put_parameter", code, http_status_code=400)
            with pytest.raises(UnavailableError, match="payments"):
                circuits.put("payments", "OPEN")
    with unreachable(client), pytest.raises(UnavailableError):
        circuits.put("payments", "OPEN")


def test_a_text_is_read_as_it_is_now(aws: Aws) -> None:
    """What is not there is told apart from what is not told."""
    client = aws.client("ssm")
    texts = TextParameters(client)
    with pytest.raises(NotFoundError, match="provider-endpoint"):
        texts.value("provider-endpoint")
    for address in ("https://one.example", "https://two.example"):
        client.put_parameter(Name="provider-endpoint", Value=address, Type="String", Overwrite=True)
        assert texts.value("provider-endpoint") == address
    with unreachable(client), pytest.raises(UnavailableError, match="provider-endpoint"):
        texts.value("provider-endpoint")
