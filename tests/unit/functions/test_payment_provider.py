"""PaymentProviderFunction: plays a payment provider to whoever shows the credential."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.aws import Aws
from tests.unit.bus import table
from tests.unit.functions.conftest import Handler, Load, sample

SAMPLES = ("charges", "quote", "health", "mode", "log")


def function(aws: Aws, load: Load) -> Handler:
    secret = aws.client("secretsmanager").create_secret(Name="Credential", SecretString="sample-credential")
    return load(
        "payment_provider",
        TABLE_NAME=table(aws, "applications/payment-provider/template.yaml", "ProviderTable"),
        CREDENTIAL_SECRET_ARN=secret["ARN"],
        RETENTION_DAYS="7",
    )


@pytest.fixture
def provider(aws: Aws, load: Load) -> Handler:
    """Give the function, which knows the credential of the samples."""
    return function(aws, load)


def request(name: str, **changed: Any) -> dict[str, Any]:
    """Give the sample of a request, otherwise changed."""
    return {**sample(f"payment-provider-{name}"), **changed}


def told(provider: Handler, **behaviour: Any) -> None:
    assert provider(request("mode", body=json.dumps(behaviour)))["statusCode"] == 200


def summary(provider: Handler) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(provider(request("log"))["body"])
    return found


def test_every_sample_is_answered(provider: Handler) -> None:
    """In JSON, as the provider says."""
    answers = {name: provider(request(name)) for name in SAMPLES}
    assert {answer["statusCode"] for answer in answers.values()} == {200}
    assert {answer["headers"]["content-type"] for answer in answers.values()} == {"application/json"}
    documents = {name: json.loads(answer["body"]) for name, answer in answers.items()}
    assert documents["charges"]["status"] == "captured"
    assert documents["quote"] == {"fee": "2.05", "currency": "eur"}
    assert documents["health"] == {"status": "healthy"}
    assert (documents["mode"]["mode"], documents["mode"]["perSecond"]) == ("recovering", 2)
    assert (documents["log"]["requests"], documents["log"]["captures"]) == (1, 1)


def test_the_same_charge_again_is_the_same_capture(provider: Handler, aws: Aws) -> None:
    """One capture, two requests in the table."""
    assert provider(request("charges")) == provider(request("charges"))
    assert (summary(provider)["repeats"], summary(provider)["captures"]) == (1, 1)
    assert sorted(row["Record"]["S"] for row in aws.rows("ProviderTable")) == ["outcome", "request", "request"]


def test_it_fails_as_it_was_told_by_whichever_environment_answers(provider: Handler, aws: Aws) -> None:
    """What it was told is in the table, not in one environment's memory."""
    told(provider, mode="rate-limited")
    answer = provider(request("charges"))
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (429, "1")
    [behaviour] = [row for row in aws.rows("ProviderTable") if row["Record"]["S"] == "behaviour"]
    assert behaviour["Mode"] == {"S": "rate-limited"}


def test_an_answer_is_held_back_as_long_as_it_is_to_be(provider: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of the charge is kept before."""
    waits: list[float] = []
    told(provider, mode="hangs", seconds=7.5)
    monkeypatch.setattr("time.sleep", waits.append)
    assert provider(request("charges"))["statusCode"] == 200
    assert waits == [7.5]
    told(provider, mode="healthy")
    assert summary(provider)["captures"] == 1


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "health"])
@pytest.mark.parametrize("headers", [None, {}, {"Authorization": "Bearer another"}], ids=repr)
def test_without_the_credential_there_is_nothing_to_be_had(
    provider: Handler, aws: Aws, name: str, headers: dict[str, str] | None
) -> None:
    """401, and nothing is kept."""
    assert provider(request(name, headers=headers))["statusCode"] == 401
    assert aws.rows("ProviderTable") == []


def test_whether_it_is_well_is_told_to_anybody(provider: Handler) -> None:
    """A prober has no credential, and the answer follows what the provider was told."""
    assert provider(request("health", headers=None))["statusCode"] == 200
    told(provider, mode="errors")
    assert provider(request("health", headers=None))["statusCode"] == 500


def test_headers_are_known_however_they_are_written(provider: Handler) -> None:
    """As clients send them."""
    headers = {name.title(): value for name, value in request("charges")["headers"].items()}
    assert provider(request("charges", headers=headers))["statusCode"] == 200


def test_a_body_that_the_gateway_encoded_is_read(provider: Handler) -> None:
    """Base64, as it encodes what it takes for binary."""
    encoded = base64.b64encode(request("charges")["body"].encode()).decode()
    assert provider(request("charges", body=encoded, isBase64Encoded=True))["statusCode"] == 200


def test_what_is_asked_without_body_or_query_is_refused_not_failed(provider: Handler) -> None:
    """400 says what is missing."""
    assert provider(request("charges", body=None))["statusCode"] == 400
    assert provider(request("quote", queryStringParameters=None))["statusCode"] == 400


def test_neither_the_credential_nor_an_order_is_logged(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """At no level; what was asked and how it was answered is."""
    provider = function(aws, load)
    for name in SAMPLES:
        provider(request(name))
    written = logs()
    assert '"path":"/charges"' in written
    assert '"status":200' in written
    for secret in ("sample-credential", "9027", "48213", "77310"):
        assert secret not in written
