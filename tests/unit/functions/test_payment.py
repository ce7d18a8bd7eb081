"""PaymentFunction: every order of a batch is paid, declined or deferred, set aside with a reason, or received again."""

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from eventfork import settings
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.circuits import Mode, State
from eventfork.forwarding import Message

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import delivered, event, table
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.payments import CREDENTIAL, DECLINED, ProviderHttp, payments_table, placed
from tests.unit.samples import CANARIES, CARD, CARD_NUMBER

Batch = Callable[[Sequence[Message]], dict[str, Any]]
Logs = Callable[[], str]
CIRCUITS = itertools.count()
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ERROR = (500, b"")
FAILED = {"batchItemFailures": [{"itemIdentifier": "1"}]}
DONE: dict[str, list[Any]] = {"batchItemFailures": []}


class Function:
    """PaymentFunction, and all that it works with.

    Attributes
    ----------
    http : ProviderHttp
        The provider.
    circuit : str
        A circuit that no other test has, as Powertools counts for a whole process.
    quarantine : str
        URL of the queue of what can never be paid.
    """

    def __init__(self, aws: Aws, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.http, self.circuit = aws, ProviderHttp(), f"pay-{next(CIRCUITS)}"
        self.quarantine = aws.queue("Quarantine")
        self.circuits = CircuitTable(
            aws.client("dynamodb"), table(aws, "applications/circuit-breaker/template.yaml", "CircuitTable")
        )
        aws.client("ssm").put_parameter(Name="endpoint", Value="https://provider.example", Type="String")
        secret = aws.client("secretsmanager").create_secret(Name="credential", SecretString=CREDENTIAL)
        monkeypatch.setattr("eventfork.payment_wiring.urllib3.PoolManager", lambda: self.http)
        self._load = load
        self._settings = {
            "TABLE_NAME": payments_table(aws),
            "CIRCUIT_TABLE": "CircuitTable",
            "CIRCUIT_NAME": self.circuit,
            "QUARANTINE_QUEUE_URL": self.quarantine,
            "MAXIMUM_HOPS": "3",
            "MAXIMUM_RECEIVES": "5",
            "FAILURE_THRESHOLD": "5",
            "STATE_CACHE_SECONDS": "0",
            "ENDPOINT_PARAMETER": "endpoint",
            "CREDENTIAL_SECRET_ARN": secret["ARN"],
            "CONNECT_TIMEOUT_SECONDS": "1",
            "READ_TIMEOUT_SECONDS": "3",
            "SLOW_CALL_SECONDS": "2",
            "POWERTOOLS_METRICS_NAMESPACE": "eventfork",
        }

    @cached_property
    def handler(self) -> Handler:
        """The function, loaded when it is first asked for: it logs to where standard output is then."""
        return self._load("payment", **self._settings)

    def receive(self, *documents: dict[str, Any], receives: int = 1) -> dict[str, Any]:
        """Have events received, for that time."""
        records = []
        for number, document in enumerate(documents, start=1):
            attributes = {"SentTimestamp": "1795162543188", "ApproximateReceiveCount": str(receives)}
            records.append(
                {
                    "messageId": str(number),
                    "body": delivered(document).body,
                    "attributes": attributes,
                    "messageAttributes": {},
                }
            )
        return self.handler({"Records": records})

    def open(self) -> str:
        """Open the circuit; give the id of the outage."""
        tripped = self.circuits.load(self.circuit).trip(NOW, "a test", "to see what happens")
        assert tripped is not None
        assert tripped.outage is not None
        self.circuits.save(tripped)
        return tripped.outage.id

    def rows(self) -> list[dict[str, Any]]:
        """Give the rows of the payments table, each value as its text."""
        return [
            {name: value.get("S", value.get("N")) for name, value in row.items()}
            for row in self.aws.rows("PaymentsTable")
        ]


@pytest.fixture
def function(aws: Aws, load: Load, monkeypatch: pytest.MonkeyPatch) -> Function:
    return Function(aws, load, monkeypatch)


def metrics(written: str) -> list[dict[str, Any]]:
    """Give the metrics in a log."""
    found = [json.loads(line) for line in written.splitlines() if line.startswith('{"_aws"')]
    return [one | {"sets": one["_aws"]["CloudWatchMetrics"][0]["Dimensions"]} for one in found]


def numbered(number: int) -> dict[str, Any]:
    return placed(orderId=f"order-{number}")


def test_the_sample_order_is_paid_once(function: Function) -> None:
    """However often it is received."""
    for _ in range(3):
        assert function.handler(sample("payments-queue")) == DONE
    [row] = function.rows()
    assert (row["Status"], row["ChargeId"], row["Amount"]) == ("CAPTURED", "ch_1", "128.4")
    [sent] = function.http.sent
    assert sent.headers["idempotency-key"] == "9027/48213"
    assert sent.headers["authorization"] == f"Bearer {CREDENTIAL}"
    assert function.aws.received(function.quarantine) == []


def test_orders_of_two_customers_with_one_id_are_two_payments(function: Function) -> None:
    """To the table, and to the provider."""
    function.receive(placed(customerId="a"), placed(customerId="b"))
    assert len(function.rows()) == 2
    assert {sent.headers["idempotency-key"] for sent in function.http.sent} == {"a/48213", "b/48213"}


def test_a_payment_that_is_declined_is_done_with(function: Function) -> None:
    """It never comes again, and opens no circuit."""
    function.http.answers = [DECLINED] * 7
    assert function.receive(*[numbered(number) for number in range(7)]) == DONE
    assert {row["Status"] for row in function.rows()} == {"DECLINED"}
    assert function.circuits.load(function.circuit).state is State.CLOSED
    assert function.receive(numbered(0)) == DONE
    assert len(function.http.sent) == 7


def test_five_failures_in_a_row_open_the_circuit_and_then_payments_are_deferred(function: Function) -> None:
    """What failed by then is received again, and deferred likewise; nobody asks the provider meanwhile."""
    function.http.answers = [ERROR] * 5
    answer = function.receive(*[numbered(number) for number in range(7)])
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["1", "2", "3", "4", "5"]
    circuit = function.circuits.load(function.circuit)
    assert (circuit.state, circuit.failures) == (State.OPEN, 5)
    assert circuit.outage is not None
    assert function.receive(*[numbered(number) for number in range(5)], receives=2) == DONE
    rows = function.rows()
    assert len(rows) == 7
    assert {row["Status"] for row in rows} == {"DEFERRED"}
    assert {(row["Circuit"], row["OutageId"], row["StatusCode"]) for row in rows} == {
        (function.circuit, circuit.outage.id, "503")
    }
    assert len(function.http.sent) == 5


def test_what_was_deferred_is_paid_when_it_is_replayed_after_the_circuit_closed(function: Function) -> None:
    """By the same key, though it was deferred twice, under whatever name the replay has."""
    outage_id = function.open()
    for _ in range(2):
        function.receive(placed())
    [row] = function.rows()
    assert (row["Status"], row["OutageId"], row["Deferrals"]) == ("DEFERRED", outage_id, "2")
    circuit = function.circuits.load(function.circuit)
    function.circuits.save(circuit.forced(Mode.FORCED_CLOSED, NOW, "a test", "it is over", None))
    replayed = {**event("payment-deferred"), "replay-name": outage_id}
    assert function.receive(replayed, replayed) == DONE
    [row] = function.rows()
    assert (row["Status"], row["Deferrals"]) == ("CAPTURED", "2")
    assert not row.keys() & {"Circuit", "DeferredAt", "OutageId", "StatusCode"}
    assert [sent.headers["idempotency-key"] for sent in function.http.sent] == ["9027/48213"]


def test_a_payment_that_fails_for_the_last_time_is_deferred_and_no_dead_letter(function: Function) -> None:
    """Until then its message comes again."""
    function.http.answers = [ERROR, (429, b""), (504, b"")]
    assert function.receive(placed(), receives=1) == FAILED
    assert function.receive(placed(), receives=4) == FAILED
    assert function.rows() == []
    assert function.receive(placed(), receives=5) == DONE
    [row] = function.rows()
    assert (row["Status"], row["StatusCode"], row["Circuit"]) == ("DEFERRED", "504", function.circuit)


def test_what_the_provider_refuses_becomes_a_dead_letter(function: Function, logs: Logs) -> None:
    """The log says why, and no circuit opens: the mistake is ours."""
    logs()
    function.http.answers = [(400, {"message": f"{CARD_NUMBER} is no order"})] * 6
    for _ in range(6):
        assert function.receive(placed(), receives=5) == FAILED
    assert function.rows() == []
    assert function.circuits.load(function.circuit).state is State.CLOSED
    written = logs()
    assert "the payment provider answered with the status 400" in written
    assert CARD_NUMBER not in written


def test_what_can_never_be_paid_is_set_aside(function: Function) -> None:
    """An event that came too far, too; its neighbour is paid."""
    far = placed()
    far["detail"]["metadata"]["hops"] = 4
    assert function.receive(far, event("order-changed"), placed(amount="much"), placed()) == DONE
    assert len(function.rows()) == len(function.http.sent) == 1
    assert len(function.aws.received(function.quarantine)) == 3


def test_while_the_table_is_away_orders_are_received_again(function: Function) -> None:
    """Nobody is charged; afterwards they are paid."""
    with unreachable(function.aws.client("dynamodb")):
        assert function.receive(placed()) == FAILED
    assert function.http.sent == []
    assert function.receive(placed()) == DONE


def test_while_address_and_credential_cannot_be_had_orders_are_received_again(function: Function) -> None:
    """No circuit opens, and no call is counted."""
    with unreachable(function.aws.client("secretsmanager")):
        for _ in range(6):
            assert function.receive(placed()) == FAILED
    assert function.circuits.load(function.circuit).state is State.CLOSED
    assert function.receive(placed()) == DONE


def test_metrics_are_written_once_for_an_invocation(function: Function, logs: Logs) -> None:
    """By circuit, for its manager; calls that were not made are none."""
    logs()
    function.http.answers = [ERROR, DECLINED]
    function.receive(*[numbered(number) for number in range(3)])
    [one] = metrics(logs())
    assert one["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "eventfork"
    assert ["circuit"] in one["sets"]
    assert one["circuit"] == function.circuit
    assert (one["ProviderCalls"], one["ProviderFailures"], one["ProviderSlowCalls"]) == ([3.0], [1.0], [0.0])
    assert (one["CircuitStateUnreadable"], one["CircuitWouldOpen"]) == ([0.0], [0.0])
    function.open()
    function.receive(numbered(3))
    [one] = metrics(logs())
    assert (one["ProviderCalls"], one["ProviderFailures"]) == ([0.0], [0.0])


def test_metrics_are_written_even_if_a_bug_ends_the_invocation(function: Function, logs: Logs) -> None:
    """What was called was called."""
    logs()
    function.http.answers = [KeyError("a bug")]
    with pytest.raises(KeyError):
        function.receive(placed())
    [one] = metrics(logs())
    assert one["ProviderCalls"] == [1.0]


def test_a_circuit_that_cannot_be_read_lets_payments_through_and_is_told_of(
    function: Function, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard must not be the outage that it is to prevent."""

    def away(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://example.invalid")

    quick_client = settings.quick_client

    def quick_client_of_nothing(service: str) -> Any:
        made = quick_client(service)
        made.meta.events.register_first("before-call.dynamodb", away)
        return made

    monkeypatch.setattr("eventfork.payment_wiring.quick_client", quick_client_of_nothing)
    logs()
    assert function.receive(placed()) == DONE
    assert function.rows()[0]["Status"] == "CAPTURED"
    [one] = metrics(logs())
    assert one["CircuitStateUnreadable"] == [1.0]


def test_nothing_of_a_payment_is_logged(function: Function, logs: Logs) -> None:
    """At any level: no card data, no ids, no amounts, no credential; only counts."""
    logs()
    order_id, refused = "order-canary-1", (402, {"status": "declined", "reason": f"{CARD_NUMBER} is stolen"})
    function.http.answers = [refused, ERROR, (400, CARD), (200, b"<html>page-canary</html>")]
    for _ in range(4):
        function.receive(placed(orderId=order_id, customerId="customer-canary", amount=98765, note=CARD))
    function.receive(placed(orderId=order_id, amount="much", note=CARD))
    function.open()
    function.receive(placed(orderId=f"{order_id}2", customerId="customer-canary", amount=98765))
    written = logs()
    assert '"received":1,"sent":1,"parked":0,"failed":0' in written
    hidden = [*CANARIES, order_id, "customer-canary", "98765", CREDENTIAL, "page-canary", "is stolen"]
    assert not [canary for canary in hidden if canary in written]
    assert not [canary for canary in CANARIES if canary in str(function.rows())]


def test_the_log_counts_what_became_of_a_batch(function: Function, logs: Logs) -> None:
    """In numbers."""
    logs()
    function.http.answers = [DECLINED]
    function.receive(numbered(1), numbered(2))
    function.receive(numbered(1))
    written = logs()
    assert '"captured":1,"declined":1,"deferred":0,"settled":0' in written
    assert '"captured":0,"declined":0,"deferred":0,"settled":1' in written
