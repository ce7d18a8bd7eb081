"""`GET /payments/quote`: what a payment would cost, or at once a problem document."""

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest
from eventfork import payment_quotes
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.api_wiring import SECURITY_HEADERS
from eventfork.circuits import State
from eventfork.payments import ProviderRefusedError

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.payments import CREDENTIAL, ProviderHttp

pytestmark = pytest.mark.usefixtures("everybody_may_call")

CIRCUITS = itertools.count()
QUOTED = (200, {"fee": "2.05", "currency": "eur"})
ERROR = (500, b"")


class Function:
    """PaymentQuoteFunction, and all that it works with.

    Attributes
    ----------
    http : ProviderHttp
        The provider.
    circuit : str
        A circuit that no other test has, as Powertools counts for a whole process.
    """

    def __init__(self, aws: Aws, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.http, self.circuit = aws, ProviderHttp([QUOTED]), f"quote-{next(CIRCUITS)}"
        self.circuits = CircuitTable(
            aws.client("dynamodb"), table(aws, "applications/circuit-breaker/template.yaml", "CircuitTable")
        )
        aws.client("ssm").put_parameter(Name="endpoint", Value="https://provider.example", Type="String")
        secret = aws.client("secretsmanager").create_secret(Name="credential", SecretString=CREDENTIAL)
        monkeypatch.setattr("eventfork.payment_wiring.urllib3.PoolManager", lambda: self.http)
        self._load = load
        self._settings = {
            "CIRCUIT_TABLE": "CircuitTable",
            "CIRCUIT_NAME": self.circuit,
            "FAILURE_THRESHOLD": "2",
            "STATE_CACHE_SECONDS": "0",
            "ENDPOINT_PARAMETER": "endpoint",
            "CREDENTIAL_SECRET_ARN": secret["ARN"],
            "CONNECT_TIMEOUT_SECONDS": "1",
            "READ_TIMEOUT_SECONDS": "3",
            "POWERTOOLS_METRICS_NAMESPACE": "eventfork",
        }

    @cached_property
    def handler(self) -> Handler:
        """The function, loaded when it is first asked for: it logs to where standard output is then."""
        return self._load("payment_quote", **self._settings)

    def ask(self, query: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
        """Ask for a quote: the sample's, or by another query."""
        event = sample("payment-quote")
        return self.handler(event if query is None else {**event, "multiValueQueryStringParameters": query})

    def open(self) -> None:
        """Open the circuit."""
        tripped = self.circuits.load(self.circuit).trip(datetime.now(UTC), "a test", "to see what happens")
        assert tripped is not None
        self.circuits.save(tripped)


@pytest.fixture
def function(aws: Aws, load: Load, monkeypatch: pytest.MonkeyPatch) -> Function:
    return Function(aws, load, monkeypatch)


def problem(answer: dict[str, Any]) -> dict[str, Any]:
    """Give the problem document of an answer."""
    assert answer["headers"]["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer["body"])
    assert document["status"] == answer["statusCode"]
    return document


def test_a_quote_is_what_the_provider_says(function: Function) -> None:
    """Its fee is a text, so that no reader rounds it."""
    answer = function.ask()
    assert answer["statusCode"] == 200
    assert answer["headers"] == {"content-type": "application/json", **SECURITY_HEADERS}
    assert json.loads(answer["body"]) == {"fee": "2.05", "currency": "eur"}
    [sent] = function.http.sent
    assert sent.target == "/quote?amount=128.40&currency=eur"


QUERIES: dict[str, tuple[dict[str, list[str]], str]] = {
    "nothing": ({}, "/amount"),
    "no currency": ({"amount": ["1"]}, "/currency"),
    "two amounts": ({"amount": ["1", "2"], "currency": ["eur"]}, "/amount"),
    "two currencies": ({"amount": ["1"], "currency": ["eur", "usd"]}, "/currency"),
    "no letters": ({"amount": ["1"], "currency": ["e1r"]}, "/currency"),
    "other letters": ({"amount": ["1"], "currency": ["eür"]}, "/currency"),
    **{
        f"amount {amount!r}": ({"amount": [amount], "currency": ["eur"]}, "/amount")
        for amount in (
            "",
            "0",
            "0.00",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "NaN",
            "1 ",
            "1\n",
            "\u0661",
            "1000000000",
            "0.0000000001",
        )
    },
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_that_means_nothing_is_answered_with_the_field(function: Function, name: str) -> None:
    """Nobody is asked; an open circuit changes nothing of that."""
    query, pointer = QUERIES[name]
    answers = [function.ask(query)]
    function.open()
    answers.append(function.ask(query))
    for answer in answers:
        assert answer["statusCode"] == 400
        [error] = problem(answer)["errors"]
        assert error["pointer"] == pointer
    assert function.http.sent == []


def test_a_query_that_is_not_there_at_all_lacks_its_fields(function: Function) -> None:
    """As API Gateway passes it on."""
    event = {**sample("payment-quote"), "multiValueQueryStringParameters": None, "queryStringParameters": None}
    assert problem(function.handler(event))["errors"] == [{"pointer": "/amount", "detail": "is missing"}]


def test_while_the_circuit_is_open_it_is_said_at_once(function: Function) -> None:
    """With when to ask again; the provider is not asked, nor where it is."""
    function.open()
    with unreachable(function.aws.client("ssm")), unreachable(function.aws.client("secretsmanager")):
        answer = function.ask()
    assert answer["statusCode"] == 503
    assert 5 <= int(answer["headers"]["retry-after"]) <= 60
    assert "errors" not in problem(answer)
    assert function.http.sent == []


def test_failures_of_the_provider_open_the_circuit(function: Function) -> None:
    """Each is answered with 503, as all are from then on."""
    function.http.answers = [ERROR, ERROR]
    for _ in range(3):
        answer = function.ask()
        assert answer["statusCode"] == problem(answer)["status"] == 503
        assert int(answer["headers"]["retry-after"]) > 0
    assert len(function.http.sent) == 2
    assert function.circuits.load(function.circuit).state is State.OPEN


def test_a_client_is_asked_to_wait_as_long_as_the_provider_asks_us(function: Function) -> None:
    """It knows best."""
    function.http.answers = [(429, {}, {"retry-after": "17"})]
    answer = function.ask()
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "17")


def test_while_the_provider_s_address_cannot_be_had_there_is_no_quote(function: Function) -> None:
    """And one afterwards."""
    with unreachable(function.aws.client("ssm")):
        assert function.ask()["statusCode"] == 503
    assert function.ask()["statusCode"] == 200


def test_what_the_provider_refuses_shows_as_a_bug(function: Function) -> None:
    """The query was checked: the mistake is ours, and no client's."""
    function.http.answers = [(400, {})]
    with pytest.raises(ProviderRefusedError):
        function.ask()
    with pytest.raises(KeyError):
        payment_quotes.problem(KeyError("a bug"))


def test_metrics_are_written_once_and_nothing_of_a_question(function: Function, logs: Callable[[], str]) -> None:
    """Whatever the answer is."""
    function.http.answers = [QUOTED, ERROR, (400, {})]
    for query in ({"amount": ["98765"], "currency": ["xts"]}, {"amount": ["98765", "1"]}):
        for _ in range(2):
            logs()
            function.ask(query)
            written = logs()
            [metrics] = [json.loads(line) for line in written.splitlines() if line.startswith('{"_aws"')]
            assert metrics["CircuitStateUnreadable"] == [0.0]
            assert ["circuit"] in metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
            assert "ProviderCalls" not in metrics
            assert "98765" not in written
            assert CREDENTIAL not in written
    with pytest.raises(ProviderRefusedError):
        function.ask()
    assert logs().count('{"_aws"') == 1
