"""Payments: what an order is to be paid with, at a provider that may be away, and what has become of it.

A payment is captured or declined, which is final, or deferred: then it is as well kept as a final one, and is attempted
again when it is replayed. Its order is never asked to wait.

ProviderUnavailableError   the provider did not do it; it may do it later, and its circuit counts this
ProviderRefusedError       the provider does not do what it is asked in this way: a bug or a wrong setting of ours
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeGuard
from urllib.parse import quote

from eventfork.bus_events import ORDER_PLACED, PAYMENT_DEFERRED, BusEvent, read, refuse_card_numbers
from eventfork.card_data import Redactor
from eventfork.circuits import CircuitOpenError
from eventfork.errors import RefusedError, UnavailableError
from eventfork.forwarding import CannotCarryError, Message
from eventfork.limits import (
    DYNAMODB_DIGITS,
    DYNAMODB_KEY_BYTES,
    DYNAMODB_PARTITION_KEY_BYTES,
    DYNAMODB_SMALLEST_EXPONENT,
)
from eventfork.timestamps import timestamp

__all__ = [
    "CAPTURED",
    "DECLINED",
    "DEFERRED",
    "FINAL",
    "KEYS",
    "OF_ONE_STATUS",
    "Captured",
    "Cashier",
    "Declined",
    "Deferred",
    "Payment",
    "Payments",
    "ProviderRefusedError",
    "ProviderUnavailableError",
    "Result",
    "Tally",
    "is_amount",
    "is_currency",
    "measured",
    "prepare",
    "row",
]

CAPTURED: Final = "CAPTURED"
DECLINED: Final = "DECLINED"
DEFERRED: Final = "DEFERRED"
FINAL: Final = frozenset({CAPTURED, DECLINED})
"""Of a payment that has one of these, nothing is ever attempted or written again."""
KEYS: Final = ("CustomerId", "OrderId")
"""Of a row of the payments table: an order's id is its customer's, not unique by itself."""
OF_ONE_STATUS: Final = ("ChargeId", "DeclineReason", "StatusCode", "Circuit", "DeferredAt", "OutageId")
"""Attributes that a row has while it has the status that they are about. `Circuit` and `DeferredAt` are the keys of the
index of what is deferred, which holds nothing else."""

_AMOUNT_BELOW: Final = 10**9
"""What an order may cost: see `order.schema.json`."""
_REASON_CHARACTERS: Final = 500
_NOT_ASKED: Final = HTTPStatus.SERVICE_UNAVAILABLE.value
"""The status of a payment that is deferred without an answer of the provider's."""
_TEXTS: Final = {
    "customerId": DYNAMODB_PARTITION_KEY_BYTES,
    "orderId": DYNAMODB_KEY_BYTES,
    "dateOrderId": DYNAMODB_KEY_BYTES,
    "paymentId": DYNAMODB_KEY_BYTES,
}
"""Texts of an event's data, and the bytes that each may have."""


class ProviderUnavailableError(UnavailableError):
    """The payment provider did not do it; it may do it later.

    Attributes
    ----------
    status : int
        HTTP status: the provider's own, 504 for an answer that took too long, 503 where there was no connection, 502
        for an answer that means nothing.
    retry_after : int or None
        Seconds after which the provider wants to be asked again.
    """

    def __init__(self, detail: str, status: int, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


class ProviderRefusedError(RefusedError):
    """The payment provider does not do what it is asked in this way: a bug or a wrong setting of ours."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What is to be paid.

    Attributes
    ----------
    customer_id, order_id, date_order_id : str
        The order's: `date_order_id` is the sort key of its row in the orders table.
    payment_id : str
    amount : int or Decimal
        In the currency's main unit.
    currency : str
    event_id, correlation_id : str
        The event that placed the order, and the one at the head of its chain.
    hops : int
        How many events led to the one that placed the order.
    receives : int
        About how often the message that asks for it has been received.
    """

    customer_id: str
    order_id: str
    date_order_id: str
    payment_id: str
    amount: int | Decimal
    currency: str
    event_id: str
    correlation_id: str
    hops: int
    receives: int

    @property
    def idempotency_key(self) -> str:
        """What the provider tells two attempts of one payment from two payments by: no other order has it."""
        # Percent-encoded: an id may hold a slash, or what no header may.
        return "/".join(quote(identifier, safe="") for identifier in (self.customer_id, self.order_id))


@dataclass(frozen=True, slots=True)
class Captured:
    """The money is taken; the provider knows that by `charge_id`."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider, in good health, will not take the money, for that reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The provider was not asked, or did not do it; that status says why, and an open circuit names its outage."""

    status_code: int
    circuit: str
    outage_id: str | None = None


Result = Captured | Declined | Deferred


class Payments(Protocol):
    """Where payments are kept; each method raises `UnavailableError` if the service behind it did not do it."""

    def status(self, customer_id: str, order_id: str) -> str | None:
        """Give the status of an order's payment as it is now; None if it has none."""

    def write(self, row: Mapping[str, Any]) -> bool:
        """Write a row, unless it has a final status; tell whether it was written."""


class Call(Protocol):
    """How a guarded call is made."""

    def __call__(self, function: Callable[[Payment], Captured | Declined], payment: Payment, /) -> Captured | Declined:
        """Give what the function gives for a payment; raise `CircuitOpenError` if it is not to be called."""


@dataclass(slots=True)
class Tally:
    """What has happened since it was last taken: numbers, for metrics and for a log line.

    Attributes
    ----------
    calls, failures, slow_calls : int
        Of the provider; a slow call may have failed, too.
    unreadable, would_open : int
        How often the circuit's state could not be read, and how often only its mode kept it from opening.
    captured, declined, deferred : int
        Payments.
    settled : int
        Payments that had a final status already.
    """

    calls: int = 0
    failures: int = 0
    slow_calls: int = 0
    unreadable: int = 0
    would_open: int = 0
    captured: int = 0
    declined: int = 0
    deferred: int = 0
    settled: int = 0

    def count(self, name: str) -> None:
        """Add one to a number."""
        setattr(self, name, getattr(self, name) + 1)

    def taken(self) -> dict[str, int]:
        """Give the numbers by name, and begin again at 0."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in numbers:
            setattr(self, name, 0)
        return numbers


def measured(
    call: Callable[[Payment], Captured | Declined],
    ready: Callable[[], object],
    tally: Tally,
    slow_seconds: float,
    clock: Callable[[], float],
) -> Callable[[Payment], Captured | Declined]:
    """Make a call of the provider that is counted: as failed if the provider did not do it, as slow if it took so long.

    How long it takes to get `ready` for it, and whether that fails, says nothing of the provider, and is not counted.
    """

    def measuring(payment: Payment) -> Captured | Declined:
        ready()
        begun = clock()
        try:
            return call(payment)
        except ProviderUnavailableError:
            tally.failures += 1
            raise
        finally:
            tally.calls += 1
            tally.slow_calls += clock() - begun >= slow_seconds

    return measuring


def prepare(message: Message, maximum_hops: int) -> Payment:
    """Give the payment that a message asks for: of an order that was placed, or of one that was deferred.

    Raises
    ------
    CannotCarryError
        If it asks for none that can be made and kept, or came too far: see `bus_events.read`.
    """
    event = read(message, (ORDER_PLACED, PAYMENT_DEFERRED), maximum_hops)
    refuse_card_numbers(event, *_TEXTS)
    currency, amount = event.data.get("currency"), event.data.get("amount")
    if not is_currency(currency):
        raise CannotCarryError("/currency is missing or no three letters")
    if not is_amount(amount):
        raise CannotCarryError("/amount is missing, or no number that can be paid and kept")
    return Payment(
        customer_id=_text(event, "customerId"),
        order_id=_text(event, "orderId"),
        date_order_id=_text(event, "dateOrderId"),
        payment_id=_text(event, "paymentId"),
        amount=amount,
        currency=currency,
        # A deferral is told of the same order, by the event that it came from.
        event_id=event.id if event.type == ORDER_PLACED else event.cause_id,
        correlation_id=event.correlation_id,
        hops=event.hops,
        receives=message.receive_count,
    )


def is_amount(value: Any) -> TypeGuard[int | Decimal]:
    """Whether a value is an amount that can be paid, and kept with every digit: see `orders.check`."""
    if type(value) is not int and not isinstance(value, Decimal):
        return False
    if not Decimal(value).is_finite():
        return False
    digits = "".join(map(str, Decimal(value).as_tuple().digits)).strip("0")
    return Decimal(f"1e{DYNAMODB_SMALLEST_EXPONENT}") <= value < _AMOUNT_BELOW and len(digits) <= DYNAMODB_DIGITS


def is_currency(value: Any) -> TypeGuard[str]:
    """Whether a value has the form of an ISO 4217 code, in capitals or not."""
    return isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()


def _text(event: BusEvent, name: str) -> str:
    value = event.data.get(name)
    if not isinstance(value, str) or not 0 < len(value.encode()) <= _TEXTS[name]:
        raise CannotCarryError(f"/{name} is missing, no text, empty, or longer than {_TEXTS[name]} bytes")
    return value


def row(payment: Payment, result: Result, at: datetime) -> dict[str, Any]:
    """Give the row of the payments table for what became of a payment at that moment."""
    found: dict[str, Any] = {
        "CustomerId": payment.customer_id,
        "OrderId": payment.order_id,
        "DateOrderId": payment.date_order_id,
        "PaymentId": payment.payment_id,
        "Amount": payment.amount,
        "Currency": payment.currency,
        "EventId": payment.event_id,
        "CorrelationId": payment.correlation_id,
        "Hops": payment.hops,
        "UpdatedAt": timestamp(at),
    }
    match result:
        case Captured():
            found |= {"Status": CAPTURED, "ChargeId": result.charge_id}
        case Declined():
            found |= {"Status": DECLINED, "DeclineReason": result.reason}
        case Deferred():
            found |= {
                "Status": DEFERRED,
                "StatusCode": result.status_code,
                "Circuit": result.circuit,
                "DeferredAt": timestamp(at),
                **({"OutageId": result.outage_id} if result.outage_id else {}),
            }
    return found


class Cashier:
    """Has payments made, each once, and keeps what became of each.

    Parameters
    ----------
    payments : Payments
    charge : callable
        Has the provider take the money: `PaymentProvider.charge`.
    call : callable
        Makes that call while the circuit lets it: `Guard.call`.
    circuit : str
        The circuit's name.
    maximum_receives : int
        How often a message is received before it is a dead letter.
    now : callable
        Gives the time, in UTC.
    tally : Tally
        What happens is counted there.
    tell : callable
        Told, in a sentence without anything of the payment, why one was not made.
    redactor : Redactor
        Takes card data out of what the provider says.
    """

    def __init__(
        self,
        payments: Payments,
        charge: Callable[[Payment], Captured | Declined],
        call: Call,
        *,
        circuit: str,
        maximum_receives: int,
        now: Callable[[], datetime],
        tally: Tally,
        tell: Callable[[str], object],
        redactor: Redactor,
    ) -> None:
        self._payments = payments
        self._charge = charge
        self._call = call
        self._circuit = circuit
        self._maximum_receives = maximum_receives
        self._now = now
        self._tally = tally
        self._tell = tell
        self._redactor = redactor

    def pay(self, payment: Payment) -> None:
        """Have a payment made and keep that it was captured, declined or deferred; one that is final stays as it is.

        While the circuit is open it is deferred at once; if the provider fails, when its message is received for the
        last time.

        Raises
        ------
        UnavailableError
            If its message must be received again.
        """
        if self._payments.status(payment.customer_id, payment.order_id) in FINAL:
            self._tally.count("settled")
            return
        kept = row(payment, self._made(payment), self._now())
        if self._payments.write(kept):
            self._tally.count(kept["Status"].lower())

    def _made(self, payment: Payment) -> Result:
        try:
            result = self._call(self._charge, payment)
        except CircuitOpenError as error:
            return Deferred(_NOT_ASKED, error.circuit, error.outage_id)
        except ProviderRefusedError as error:
            # Nothing that waiting mends: it ends in the dead-letter queue, until somebody has mended it.
            self._tell(str(error))
            raise UnavailableError("the payment cannot be made in this way") from error
        except UnavailableError as error:
            self._tell(str(error))
            if payment.receives < self._maximum_receives:
                raise
            status = error.status if isinstance(error, ProviderUnavailableError) else _NOT_ASKED
            return Deferred(status, self._circuit)
        if isinstance(result, Declined):
            return Declined(self._redactor.text(result.reason)[:_REASON_CHARACTERS])
        return result
