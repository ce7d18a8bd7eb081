"""The simulated payment provider's table keeps what it is told, what it was asked, and what became of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventfork.adapters.provider_log import ProviderLog
from eventfork.errors import UnavailableError
from eventfork.provider_simulator import Behaviour, Charge, Log, Mode, Outcome, Received

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table
from tests.unit.provider import Kept

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEPT = timedelta(days=7)
CHARGE = Charge("9027", "48213", "77310", Decimal("128.40"), "eur")
CAPTURED = Outcome("9027/48213", CHARGE, NOON, charge_id="charge-1")
DECLINED = Outcome("9027/48214", replace(CHARGE, order_id="48214"), NOON, reason="insufficient funds")
RECEIVED = Received("id-1", NOON, Mode.HEALTHY, 200, "9027/48213", "9027", "48213", is_repeat=True)


def provider_log(aws: Aws) -> ProviderLog:
    name = table(aws, "applications/payment-provider/template.yaml", "ProviderTable")
    return ProviderLog(aws.client("dynamodb"), name, KEPT)


@pytest.fixture(params=["table", "memory"])
def log(request: pytest.FixtureRequest, aws: Aws) -> Log:
    """Give an empty log: the table, and what stands for it in other tests."""
    return provider_log(aws) if request.param == "table" else Kept()


def test_how_the_provider_is_to_behave_is_kept_until_it_is_told_otherwise(log: Log) -> None:
    """Whole; at first it was never told."""
    assert log.behaviour() is None
    for behaviour in (
        Behaviour(Mode.SLOW, NOON, Decimal("2.2")),
        Behaviour(Mode.ERRORS, NOON + timedelta(microseconds=1)),
    ):
        log.behave(behaviour)
        assert log.behaviour() == behaviour


def test_so_many_requests_a_second_are_admitted_and_no_more(log: Log) -> None:
    """Each second anew."""
    half = timedelta(milliseconds=500)
    admitted = [log.admit(moment, 2) for moment in (NOON, NOON + half, NOON + half, NOON + 2 * half)]
    assert admitted == [True, True, False, True]


def test_a_key_has_the_outcome_that_came_first(log: Log) -> None:
    """However long the key is, and whatever comes under it later."""
    longest = "k" * 4000
    first = replace(CAPTURED, key=longest)
    later = replace(CAPTURED, key=longest, charge_id="charge-2", at=NOON + timedelta(hours=1))
    assert log.settle(first) is None
    assert log.settle(later) == first
    assert log.settle(replace(DECLINED, key=longest)) == first
    assert list(log.outcomes()) == [first]


def test_outcomes_of_both_kinds_are_kept_whole(log: Log) -> None:
    """An amount with every digit that it was sent with."""
    exact = replace(CAPTURED, key="exact", charge=replace(CHARGE, amount=Decimal("1.10" + "0" * 60 + "1")))
    for outcome in (CAPTURED, DECLINED, exact):
        assert log.settle(outcome) is None
    kept = {outcome.key: outcome for outcome in log.outcomes()}
    assert kept == {outcome.key: outcome for outcome in (CAPTURED, DECLINED, exact)}
    assert str(kept["exact"].charge.amount) == str(exact.charge.amount)


def test_requests_are_kept_whole_in_the_order_in_which_they_came(log: Log) -> None:
    """Two of one moment are two; so is one that says nothing of an order."""
    requests = [
        RECEIVED,
        replace(RECEIVED, id="id-2", is_repeat=False),
        Received("id-0", NOON + timedelta(microseconds=1), Mode.RECOVERING, 400, ""),
    ]
    for received in requests:
        log.keep(received)
    assert list(log.received()) == requests
    assert list(log.outcomes()) == []


def test_requests_and_outcomes_are_forgotten_in_time_and_what_was_counted_at_once(aws: Aws) -> None:
    """How the provider is to behave is not: it would be well again."""
    log = provider_log(aws)
    log.behave(Behaviour(Mode.ERRORS, NOON))
    log.admit(NOON, 1)
    log.settle(CAPTURED)
    log.keep(RECEIVED)
    forgotten = {row["Record"]["S"]: row.get("ForgottenAt", {}).get("N") for row in aws.rows("ProviderTable")}
    in_a_week = str(int((NOON + KEPT).timestamp()))
    in_a_minute = str(int(NOON.timestamp()) + 60)
    assert forgotten == {"behaviour": None, "second": in_a_minute, "outcome": in_a_week, "request": in_a_week}


def test_a_row_says_in_attributes_what_was_asked_and_captured(aws: Aws) -> None:
    """For whoever looks into the table."""
    log = provider_log(aws)
    log.settle(CAPTURED)
    log.keep(RECEIVED)
    rows = {row["Record"]["S"]: row for row in aws.rows("ProviderTable")}
    order = {"CustomerId": {"S": "9027"}, "OrderId": {"S": "48213"}, "IdempotencyKey": {"S": "9027/48213"}}
    assert order.items() <= rows["request"].items()
    assert order.items() <= rows["outcome"].items()
    assert rows["outcome"]["ChargeId"] == {"S": "charge-1"}
    assert (rows["request"]["Status"], rows["request"]["IsRepeat"]) == ({"N": "200"}, {"N": "1"})


def test_more_than_a_page_is_given_whole(aws: Aws) -> None:
    """A page of DynamoDB ends at a megabyte."""
    log = provider_log(aws)
    for number in range(4):
        log.keep(replace(RECEIVED, id=f"id-{number}", key="k" * 350_000))
    assert [one.id for one in log.received()] == ["id-0", "id-1", "id-2", "id-3"]


@pytest.fixture
def answer_lost(aws: Aws) -> Iterator[None]:
    """Have DynamoDB put an item, its answer lost, so that the client tries again."""
    lost: list[str] = []

    def lose(**_: Any) -> float | None:
        if lost:
            return None
        lost.append("answer")
        return 0.0

    events = aws.client("dynamodb").meta.events
    events.register_first("needs-retry.dynamodb.PutItem", lose)
    yield
    events.unregister("needs-retry.dynamodb.PutItem", lose)
    assert lost


@pytest.mark.usefixtures("answer_lost")
def test_an_attempt_that_finds_what_it_has_written_is_no_repeat(aws: Aws) -> None:
    """Else the first charge of an order would show as its second."""
    log = provider_log(aws)
    assert log.settle(CAPTURED) is None
    assert list(log.outcomes()) == [CAPTURED]


OPERATIONS: dict[str, Callable[[ProviderLog], object]] = {
    "behaviour": lambda log: log.behaviour(),
    "behave": lambda log: log.behave(Behaviour(Mode.ERRORS, NOON)),
    "admit": lambda log: log.admit(NOON, 1),
    "settle": lambda log: log.settle(CAPTURED),
    "keep": lambda log: log.keep(RECEIVED),
    "received": lambda log: list(log.received()),
    "outcomes": lambda log: list(log.outcomes()),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_outage_of_the_table_is_told(aws: Aws, operation: str) -> None:
    """Never an answer as if nothing were kept."""
    log = provider_log(aws)
    with unreachable(aws.client("dynamodb")), pytest.raises(UnavailableError, match="DynamoDB"):
        OPERATIONS[operation](log)
