"""An order is paid once; a payment that cannot be made now is kept as deferred, and nobody waits for it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from eventfork import payments
from eventfork.card_data import Redactor
from eventfork.circuits import CircuitOpenError
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError
from eventfork.json_text import parse
from eventfork.payments import (
    Captured,
    Cashier,
    Declined,
    Deferred,
    Payment,
    ProviderRefusedError,
    ProviderUnavailableError,
    Result,
    Tally,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.bus import delivered, event
from tests.unit.payments import PaymentsInMemory, payment, placed
from tests.unit.samples import CARD_NUMBER

NOW = datetime(2026, 11, 20, 8, 15, 46, 204000, tzinfo=UTC)
MAXIMUM_RECEIVES = 5
OUTAGE = "payments-20261120T081201Z-7"
AWAY = ProviderUnavailableError("the payment provider answered with the status 500", 500)
CAPTURED = Captured("ch_1")
DECLINED = Declined("insufficient funds")
IDENTIFIERS = st.text(min_size=1, max_size=8)


class Office:
    """A cashier, and all that it works with.

    Attributes
    ----------
    says : Captured, Declined or Exception
        What the provider says from now on.
    is_open : bool
        Whether the circuit keeps it from being asked.
    """

    def __init__(self, says: Captured | Declined | Exception = CAPTURED) -> None:
        self.says = says
        self.is_open = False
        self.table, self.tally = PaymentsInMemory(), Tally()
        self.charged: list[Payment] = []
        self.told: list[str] = []
        self.cashier = Cashier(
            self.table,
            self._charge,
            self._call,
            circuit="payments",
            maximum_receives=MAXIMUM_RECEIVES,
            now=lambda: NOW,
            tally=self.tally,
            tell=self.told.append,
            redactor=Redactor(),
        )

    def pay(self, one: Payment) -> dict[str, Any]:
        """Have a payment made; give its row."""
        self.cashier.pay(one)
        return self.row(one)

    def row(self, one: Payment) -> dict[str, Any]:
        """Give the row of a payment."""
        return self.table.rows[one.customer_id, one.order_id]

    def _call(self, function: Callable[[Payment], Captured | Declined], one: Payment) -> Captured | Declined:
        if self.is_open:
            raise CircuitOpenError("payments", OUTAGE, 5)
        return function(one)

    def _charge(self, one: Payment) -> Captured | Declined:
        self.charged.append(one)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def last(**data: Any) -> Payment:
    """Give a payment whose message is received for the last time."""
    return payment(MAXIMUM_RECEIVES, **data)


def test_the_payment_of_the_sample_order() -> None:
    """All that is needed to make it, and to tell of it."""
    assert payments.prepare(delivered(event("order-placed")), 3) == Payment(
        customer_id="9027",
        order_id="48213",
        date_order_id="2026-11-20T08:15:42Z#48213",
        payment_id="77310",
        amount=Decimal("128.4"),
        currency="eur",
        event_id="f3c03044-fb51-5637-ad72-0ee5d1a0136f",
        correlation_id="184d89bb-ba27-5028-9fd8-3b5bd06841ee",
        hops=0,
        receives=1,
    )


def test_what_was_deferred_is_the_payment_that_it_was() -> None:
    """With its hops, by the event that placed the order: so it may be deferred for ever."""
    assert payments.prepare(delivered(event("payment-deferred")), 0) == payments.prepare(
        delivered(event("order-placed")), 0
    )


def test_a_payment_knows_how_often_its_message_was_received() -> None:
    """The last time is another."""
    message = replace(delivered(event("order-placed")), receive_count=4)
    assert payments.prepare(message, 3).receives == 4


@pytest.mark.parametrize("name", ["order-changed", "payment-captured", "customer-created"])
def test_no_other_event_asks_for_a_payment(name: str) -> None:
    """An order that is changed is not paid again."""
    with pytest.raises(CannotCarryError, match="OrderPlaced or PaymentDeferred"):
        payments.prepare(delivered(event(name)), 3)


def test_an_order_that_came_too_far_is_not_paid() -> None:
    """Events that lead to each other would never end."""
    far = placed()
    far["detail"]["metadata"]["hops"] = 4
    with pytest.raises(CannotCarryError, match="4 events led to it"):
        payments.prepare(delivered(far), 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("customerId", "orderId", "dateOrderId", "paymentId") for value in (None, "", 7)),
        *((name, "é" * 513) for name in ("orderId", "dateOrderId", "paymentId")),
        ("customerId", "é" * 1025),
        *(("currency", value) for value in (None, "", "eu", "euro", "e1r", "é€ß", 978)),
        *(("amount", value) for value in (None, "12", True, 0, -1, Decimal("-0.01"), 10**9, Decimal("1e9"))),
        *(("amount", value) for value in (Decimal("1e999999"), Decimal("1e-131"), Decimal("1." + 38 * "1"))),
    ],
    ids=repr,
)
def test_what_can_never_be_paid_or_kept_is_refused_before_anybody_is_charged(name: str, value: Any) -> None:
    """Naming the field."""
    with pytest.raises(CannotCarryError, match=f"/{name} is"):
        payments.prepare(delivered(placed(**{name: value})), 3)


@pytest.mark.parametrize("name", ["customerId", "orderId", "dateOrderId", "paymentId"])
def test_a_card_number_is_no_identifier_to_charge_by(name: str) -> None:
    """Neither the table nor the provider gets one: another publisher's event may have it."""
    with pytest.raises(CannotCarryError, match=f"/{name} has the form of a card number") as refusal:
        payments.prepare(delivered(placed(**{name: CARD_NUMBER})), 3)
    assert "4111" not in str(refusal.value)


def test_an_event_that_is_known_by_a_card_number_is_not_paid() -> None:
    """Its id, and those of the events that led to it, would be kept."""
    for name in ("id", "correlationId", "causationId"):
        known = placed()
        known["detail"]["metadata"][name] = CARD_NUMBER
        with pytest.raises(CannotCarryError, match=f"its {name} has the form of a card number"):
            payments.prepare(delivered(known), 3)


@pytest.mark.parametrize("amount", ["1e-130", "999999999.99", "0.12345678901234567890123456789012345678", "5"])
def test_any_amount_of_an_order_can_be_paid(amount: str) -> None:
    """With every digit."""
    assert payment(amount=parse(amount)).amount == Decimal(amount)


def test_two_customers_orders_with_one_id_are_two_payments() -> None:
    """The provider must not take one for the other's repetition."""
    keys = {payment(customerId=customer).idempotency_key for customer in ("a", "b")}
    assert len(keys) == 2
    assert payment(customerId="a").idempotency_key == payment(5, customerId="a").idempotency_key


@given(st.tuples(IDENTIFIERS, IDENTIFIERS), st.tuples(IDENTIFIERS, IDENTIFIERS))
def test_no_two_orders_have_one_idempotency_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Whatever stands in their ids; and every key is fit for a header."""
    keys = [
        replace(payment(), customer_id=customer_id, order_id=order_id).idempotency_key
        for customer_id, order_id in (one, other)
    ]
    assert (keys[0] == keys[1]) == (one == other)
    assert all(key.isascii() and key.isprintable() and " " not in key for key in keys)


def test_a_slash_in_an_id_makes_no_two_orders_one() -> None:
    """It stands between the two ids, too."""
    assert (
        payment(customerId="a/b", orderId="c").idempotency_key != payment(customerId="a", orderId="b/c").idempotency_key
    )


COMMON = {
    "CustomerId": "9027",
    "OrderId": "48213",
    "DateOrderId": "2026-11-20T08:15:42Z#48213",
    "PaymentId": "77310",
    "Amount": Decimal("128.4"),
    "Currency": "eur",
    "EventId": "f3c03044-fb51-5637-ad72-0ee5d1a0136f",
    "CorrelationId": "184d89bb-ba27-5028-9fd8-3b5bd06841ee",
    "Hops": 0,
    "UpdatedAt": "2026-11-20T08:15:46.204000Z",
}


@pytest.mark.parametrize(
    ("result", "more"),
    [
        (CAPTURED, {"Status": "CAPTURED", "ChargeId": "ch_1"}),
        (DECLINED, {"Status": "DECLINED", "DeclineReason": "insufficient funds"}),
        (
            Deferred(503, "payments", OUTAGE),
            {
                "Status": "DEFERRED",
                "StatusCode": 503,
                "Circuit": "payments",
                "DeferredAt": "2026-11-20T08:15:46.204000Z",
                "OutageId": OUTAGE,
            },
        ),
        (
            Deferred(504, "payments"),
            {
                "Status": "DEFERRED",
                "StatusCode": 504,
                "Circuit": "payments",
                "DeferredAt": "2026-11-20T08:15:46.204000Z",
            },
        ),
    ],
    ids=["captured", "declined", "deferred by an open circuit", "deferred without one"],
)
def test_the_row_of_each_result(result: Result, more: dict[str, Any]) -> None:
    """Everything a row has; deferrals are counted by the table."""
    assert payments.row(payment(), result, NOW) == {**COMMON, **more}


def test_a_payment_that_the_provider_takes_is_captured() -> None:
    """Once, however often it is asked for."""
    office = Office()
    assert office.pay(payment())["ChargeId"] == "ch_1"
    office.says = AWAY
    for again in (payment(), last(), payments.prepare(delivered(event("payment-deferred")), 3)):
        assert office.pay(again)["Status"] == "CAPTURED"
    assert len(office.charged) == 1
    assert office.tally.taken() == {**Tally().taken(), "captured": 1, "settled": 3}


def test_a_payment_that_is_declined_is_final_and_no_failure() -> None:
    """Its message is done with, and nothing of it is tried again."""
    office = Office(DECLINED)
    assert office.pay(payment())["Status"] == "DECLINED"
    office.says = CAPTURED
    assert office.pay(payment())["DeclineReason"] == "insufficient funds"
    assert len(office.charged) == 1
    assert office.told == []
    assert office.tally.taken() == {**Tally().taken(), "declined": 1, "settled": 1}


def test_nothing_of_a_card_stays_in_the_reason_of_a_decline() -> None:
    """Whatever the provider says, at whatever length."""
    office = Office(Declined(f"{'no. ' * 123}card {CARD_NUMBER} is stolen {'x' * 1000}"))
    reason = office.pay(payment())["DeclineReason"]
    assert len(reason) == 500
    assert not [digits for digits in CARD_NUMBER.split()[:3] if digits in reason]


def test_while_the_circuit_is_open_a_payment_is_deferred_at_once() -> None:
    """Nobody is asked, the message is done with, and the row tells why."""
    office = Office()
    office.is_open = True
    row = office.pay(payment())
    assert (row["Status"], row["StatusCode"], row["Circuit"], row["OutageId"]) == ("DEFERRED", 503, "payments", OUTAGE)
    assert office.charged == []
    assert office.told == []
    assert office.tally.deferred == 1


def test_what_was_deferred_is_made_once_the_provider_is_back() -> None:
    """And is final then."""
    office = Office()
    office.is_open = True
    office.pay(payment())
    office.is_open = False
    assert office.pay(payments.prepare(delivered(event("payment-deferred")), 3))["Status"] == "CAPTURED"
    office.is_open = True
    assert office.pay(payment())["Status"] == "CAPTURED"


@pytest.mark.parametrize("receives", range(1, MAXIMUM_RECEIVES))
def test_a_payment_that_fails_is_tried_again_as_long_as_its_message_comes(receives: int) -> None:
    """Nothing is kept of it until then."""
    office = Office(AWAY)
    with pytest.raises(UnavailableError):
        office.pay(payment(receives))
    assert office.table.rows == {}
    assert office.told == [str(AWAY)]


@pytest.mark.parametrize("receives", [MAXIMUM_RECEIVES, MAXIMUM_RECEIVES + 1])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_payment_that_fails_for_the_last_time_is_deferred(receives: int, status: int) -> None:
    """With the provider's status: it is no dead letter, and comes back by replay."""
    office = Office(ProviderUnavailableError("away", status))
    row = office.pay(payment(receives))
    assert (row["Status"], row["StatusCode"], row["Circuit"]) == ("DEFERRED", status, "payments")
    assert "OutageId" not in row


def test_a_payment_for_which_the_provider_cannot_even_be_asked_is_deferred_at_last_too() -> None:
    """While its address cannot be had."""
    office = Office(UnavailableError("Systems Manager did not tell"))
    with pytest.raises(UnavailableError):
        office.pay(payment())
    assert office.pay(last())["StatusCode"] == 503


@pytest.mark.parametrize("receives", [1, MAXIMUM_RECEIVES])
def test_what_the_provider_refuses_ends_as_a_dead_letter(receives: int) -> None:
    """That is a mistake of ours: to wait mends nothing, so that it must be seen."""
    office = Office(ProviderRefusedError("the payment provider answered with the status 400"))
    with pytest.raises(UnavailableError):
        office.pay(payment(receives))
    assert office.table.rows == {}
    assert office.told == ["the payment provider answered with the status 400"]


def test_a_bug_shows_as_one() -> None:
    """It is no outage, on the last receive neither."""
    office = Office(KeyError("a bug"))
    with pytest.raises(KeyError):
        office.pay(last())
    assert office.table.rows == {}


@pytest.mark.parametrize(("method", "charges"), [("status", 0), ("write", 1)])
def test_while_the_table_is_away_the_message_comes_again(method: str, charges: int) -> None:
    """What was charged by then is charged once: the provider knows the payment by its key."""
    office = Office()
    office.table.away = method
    for one in (payment(), last()):
        with pytest.raises(UnavailableError):
            office.pay(one)
    assert len(office.charged) == charges * 2
    assert len({one.idempotency_key for one in office.charged}) <= 1
    office.table.away = ""
    assert office.pay(payment())["Status"] == "CAPTURED"


@pytest.mark.parametrize("status", sorted(payments.FINAL))
def test_a_deferral_never_replaces_what_another_finished_meanwhile(status: str) -> None:
    """Two invocations may hold the same message."""
    office = Office(AWAY)
    office.table.overtaken_by = status
    assert office.pay(last())["Status"] == status
    assert office.tally.deferred == 0


@pytest.mark.parametrize(
    ("says", "seconds", "counts"),
    [
        (CAPTURED, 0.1, (1, 0, 0)),
        (CAPTURED, 2.0, (1, 0, 1)),
        (DECLINED, 1.9, (1, 0, 0)),
        (AWAY, 0.1, (1, 1, 0)),
        (ProviderUnavailableError("late", 504), 3.0, (1, 1, 1)),
        (ProviderRefusedError("our bug"), 0.1, (1, 0, 0)),
    ],
    ids=["captured", "slowly", "declined", "failed", "too late", "refused"],
)
def test_calls_of_the_provider_are_measured(
    says: Captured | Declined | Exception, seconds: float, counts: tuple[int, int, int]
) -> None:
    """How many there were, how many of them failed, and how many took long."""
    clock, tally = [0.0], Tally()

    def charge(_: Payment) -> Captured | Declined:
        clock[0] += seconds
        if isinstance(says, Exception):
            raise says
        return says

    with pytest.raises(type(says)) if isinstance(says, Exception) else nullcontext():
        assert payments.measured(charge, lambda: None, tally, 2.0, lambda: clock[0])(payment()) == says
    assert (tally.calls, tally.failures, tally.slow_calls) == counts


def test_what_is_done_before_a_call_is_not_the_provider_s() -> None:
    """Whether AWS is slow to tell the credential, or does not tell it."""
    clock, tally = [0.0], Tally()

    def ready() -> None:
        clock[0] += 9.0
        if clock[0] > 9.0:
            raise UnavailableError("Secrets Manager is away")

    call = payments.measured(lambda _: CAPTURED, ready, tally, 2.0, lambda: clock[0])
    assert call(payment()) == CAPTURED
    with pytest.raises(UnavailableError):
        call(payment())
    assert (tally.calls, tally.failures, tally.slow_calls) == (1, 0, 0)


def test_a_tally_that_is_taken_begins_again() -> None:
    """So that nothing is told of twice."""
    tally = Tally()
    tally.count("unreadable")
    tally.count("unreadable")
    assert tally.taken() == {**Tally().taken(), "unreadable": 2}
    assert not any(tally.taken().values())
