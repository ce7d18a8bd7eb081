"""A payment provider that fails as it is told, and keeps what it was asked: for tests and for trying things out.

RequestError   the request cannot be taken; says what is wrong with it
"""

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, Protocol

from eventfork.json_text import JsonTextError, parse
from eventfork.timestamps import timestamp

__all__ = [
    "Answer",
    "Behaviour",
    "Charge",
    "Log",
    "Mode",
    "Outcome",
    "Provider",
    "Received",
    "Request",
    "RequestError",
]

_DECLINED_PREFIX: Final = "decline"
"""What the ids of payments begin with that are declined."""
_DECLINED_BECAUSE: Final = "insufficient funds"
_RETRY_AFTER_SECONDS: Final = 1
_FEE_SHARE: Final = Decimal("0.014")
_FEE_FIXED: Final = Decimal("0.25")
_CENT: Final = Decimal("0.01")
_MOST_NAMED: Final = 100
"""Orders that were charged twice which a summary names; it counts all of them."""
_CHARGE_FIELDS: Final = ("customerId", "orderId", "paymentId", "amount", "currency")


class RequestError(ValueError):
    """A request that cannot be taken, however often it is sent; the text says why."""


class Mode(StrEnum):
    """How the provider behaves."""

    HEALTHY = "healthy"
    SLOW = "slow"
    ERRORS = "errors"
    HANGS = "hangs"
    RATE_LIMITED = "rate-limited"
    FLAPPING = "flapping"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True)
class _Figure:
    """The number that a mode depends on: what it is called, what it is unless it is given, and what it may be."""

    name: str
    default: Decimal
    least: Decimal
    most: Decimal
    is_whole: bool = False


_FIGURES: Final[Mapping[Mode, _Figure]] = {
    # Longer than a call may take before it counts as slow, shorter than callers wait.
    Mode.SLOW: _Figure("seconds", Decimal("2.2"), Decimal(0), Decimal(25)),
    # Longer than any caller waits. API Gateway gives up after 29 seconds.
    Mode.HANGS: _Figure("seconds", Decimal(8), Decimal(0), Decimal(25)),
    Mode.FLAPPING: _Figure("periodSeconds", Decimal(10), Decimal("0.1"), Decimal(3600)),
    Mode.RECOVERING: _Figure("perSecond", Decimal(2), Decimal(1), Decimal(1000), is_whole=True),
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the provider is to behave.

    Attributes
    ----------
    mode : Mode
    since : datetime
        When it was told so; from then on it flaps by the clock.
    figure : Decimal or None
        Seconds until it answers if it is slow or hangs, seconds of each phase if it flaps, requests a second that
        succeed if it recovers.
    """

    mode: Mode
    since: datetime
    figure: Decimal | None = None

    def document(self) -> dict[str, Any]:
        """Give it as the API shows it."""
        figure = {} if self.figure is None else {_FIGURES[self.mode].name: self.figure}
        return {"mode": self.mode.value, **figure, "since": timestamp(self.since)}

    def is_failing(self, now: datetime) -> bool:
        """Whether it answers with errors now: always, or in every second phase."""
        if self.mode is not Mode.FLAPPING:
            return self.mode is Mode.ERRORS
        elapsed = Decimal((now - self.since).total_seconds())
        return bool(self.figure and int(elapsed // self.figure) % 2)


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged."""

    customer_id: str
    order_id: str
    payment_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a charge: it was captured, or declined.

    Attributes
    ----------
    key : str
        The idempotency key it came under.
    charge : Charge
    at : datetime
    charge_id : str or None
        The id under which it was captured; None if it was declined.
    reason : str or None
        Why it was declined.
    """

    key: str
    charge: Charge
    at: datetime
    charge_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A request to charge something, and how it was answered.

    Attributes
    ----------
    id : str
    at : datetime
    mode : Mode
        How the provider behaved.
    status : int
    key, customer_id, order_id : str
        As far as the request said; otherwise empty.
    is_repeat : bool
        Whether it was answered with the outcome of an earlier request.
    """

    id: str
    at: datetime
    mode: Mode
    status: int
    key: str
    customer_id: str = ""
    order_id: str = ""
    is_repeat: bool = False


class Log(Protocol):
    """Where the provider keeps how it is to behave, what it was asked, and what became of it."""

    def behaviour(self) -> Behaviour | None:
        """Give how it is to behave; None if it was never told."""

    def behave(self, behaviour: Behaviour) -> None:
        """Keep how it is to behave."""

    def admit(self, now: datetime, most: int) -> bool:
        """Count one request more in this second, unless there were so many; tell whether it was counted."""

    def settle(self, outcome: Outcome) -> Outcome | None:
        """Keep an outcome, unless its key has one already: then give that."""

    def keep(self, received: Received) -> None:
        """Keep a request."""

    def received(self) -> Iterable[Received]:
        """Give every request that is kept, the oldest first."""

    def outcomes(self) -> Iterable[Outcome]:
        """Give every outcome that is kept."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the provider.

    Attributes
    ----------
    method, path : str
    headers : mapping of str to str
        By their names in lower case.
    parameters : mapping of str to str
        What stands in the query.
    body : bytes
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the provider.

    Attributes
    ----------
    status : HTTPStatus
    body : dict
    headers : mapping of str to str
    seconds : float
        How long it is to be held back.
    """

    status: HTTPStatus
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Provider:
    """The provider.

    Parameters
    ----------
    log : Log
    credential : callable
        Gives what callers must show.
    now : callable
        Gives the time.
    new_id : callable
        Gives an id that nothing else has.
    """

    def __init__(
        self, log: Log, credential: Callable[[], str], now: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._log = log
        self._credential = credential
        self._now = now
        self._new_id = new_id
        self._operations: Mapping[tuple[str, str], Callable[[Request], Answer]] = {
            ("POST", "/charges"): self._charge,
            ("GET", "/quote"): self._quote,
            ("GET", "/health"): self._health,
            ("PUT", "/mode"): self._behave,
            ("GET", "/log"): lambda _: Answer(HTTPStatus.OK, _summary(log)),
        }

    def answer(self, request: Request) -> Answer:
        """Answer a request; what it keeps of it is kept by then, however long the answer is to be held back."""
        # Whether it is well is no secret, and no caller's business alone.
        if request.path != "/health" and not self._knows(request.headers.get("authorization", "")):
            return _refusal(HTTPStatus.UNAUTHORIZED, "show the credential as a bearer token")
        carry_out = self._operations.get((request.method, request.path))
        return _refusal(HTTPStatus.NOT_FOUND, "there is nothing here") if carry_out is None else carry_out(request)

    def _knows(self, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        credential = self._credential().strip()
        # In a time that says nothing about how much of it is right.
        same = hmac.compare_digest(shown.strip().encode(errors="replace"), credential.encode())
        return bool(credential) and same and scheme.lower() == "bearer"

    def _behaviour(self, now: datetime) -> Behaviour:
        return self._log.behaviour() or Behaviour(Mode.HEALTHY, since=now)

    def _charge(self, request: Request) -> Answer:
        now = self._now()
        behaviour = self._behaviour(now)
        key = request.headers.get("idempotency-key", "")
        received = Received(self._new_id(), now, behaviour.mode, HTTPStatus.OK.value, key)
        answer = self._failure(behaviour, now)
        try:
            charge = _charge_asked(request.body)
            received = replace(received, customer_id=charge.customer_id, order_id=charge.order_id)
            if answer is None:
                outcome, is_repeat = self._settled(key, charge, now)
                received = replace(received, is_repeat=is_repeat)
                answer = _told(outcome)
        except RequestError as error:
            # Whoever is down does not look at what is sent.
            answer = answer or _refusal(HTTPStatus.BAD_REQUEST, str(error))
        self._log.keep(replace(received, status=answer.status.value))
        return _held_back(answer, behaviour)

    def _settled(self, key: str, charge: Charge, now: datetime) -> tuple[Outcome, bool]:
        if not key:
            raise RequestError("the header Idempotency-Key is missing")
        if charge.payment_id.startswith(_DECLINED_PREFIX):
            new = Outcome(key, charge, now, reason=_DECLINED_BECAUSE)
        else:
            new = Outcome(key, charge, now, charge_id=self._new_id())
        earlier = self._log.settle(new)
        if earlier is None:
            return new, False
        if earlier.charge != charge:
            raise RequestError("the header Idempotency-Key came with another charge before")
        return earlier, True

    def _quote(self, request: Request) -> Answer:
        now = self._now()
        behaviour = self._behaviour(now)
        answer = self._failure(behaviour, now)
        if answer is None:
            try:
                answer = _quoted(request.parameters)
            except RequestError as error:
                answer = _refusal(HTTPStatus.BAD_REQUEST, str(error))
        return _held_back(answer, behaviour)

    def _health(self, _: Request) -> Answer:
        now = self._now()
        behaviour = self._behaviour(now)
        # A provider that is slow, or takes little yet, says that it is well: only real calls show what it can do.
        if behaviour.mode in {Mode.SLOW, Mode.RECOVERING}:
            return _HEALTHY
        return _held_back(self._failure(behaviour, now) or _HEALTHY, behaviour)

    def _failure(self, behaviour: Behaviour, now: datetime) -> Answer | None:
        if behaviour.is_failing(now):
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "something is broken here")
        refused = behaviour.mode is Mode.RATE_LIMITED or (
            behaviour.mode is Mode.RECOVERING and not self._log.admit(now, int(behaviour.figure or 0))
        )
        if not refused:
            return None
        later = _refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests")
        return replace(later, headers={"retry-after": str(_RETRY_AFTER_SECONDS)})

    def _behave(self, request: Request) -> Answer:
        try:
            behaviour = _behaviour_asked(request.body, self._now())
        except RequestError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        self._log.behave(behaviour)
        return Answer(HTTPStatus.OK, behaviour.document())


_HEALTHY: Final = Answer(HTTPStatus.OK, {"status": "healthy"})


def _refusal(status: HTTPStatus, reason: str) -> Answer:
    return Answer(status, {"error": reason})


def _held_back(answer: Answer, behaviour: Behaviour) -> Answer:
    if behaviour.mode not in {Mode.SLOW, Mode.HANGS}:
        return answer
    return replace(answer, seconds=float(behaviour.figure or 0))


def _told(outcome: Outcome) -> Answer:
    if outcome.charge_id is None:
        return Answer(HTTPStatus.PAYMENT_REQUIRED, {"status": "declined", "reason": outcome.reason})
    return Answer(HTTPStatus.OK, {"status": "captured", "chargeId": outcome.charge_id})


def _quoted(parameters: Mapping[str, str]) -> Answer:
    amount, currency = _amount(parameters.get("amount")), _currency(parameters.get("currency"))
    fee = (amount * _FEE_SHARE + _FEE_FIXED).quantize(_CENT, ROUND_HALF_UP)
    return Answer(HTTPStatus.OK, {"fee": str(fee), "currency": currency})


def _document(body: bytes, names: Iterable[str]) -> dict[str, Any]:
    try:
        document = parse(body)
    except JsonTextError as error:
        raise RequestError(str(error)) from error
    if not isinstance(document, dict):
        raise RequestError("the body is no JSON object")
    if unknown := document.keys() - set(names):
        raise RequestError(f"{min(unknown)[:40]} is unknown here")
    return document


def _charge_asked(body: bytes) -> Charge:
    document = _document(body, _CHARGE_FIELDS)
    for name in ("customerId", "orderId", "paymentId"):
        if not (isinstance(document.get(name), str) and document[name]):
            raise RequestError(f"{name} must be a text")
    return Charge(
        customer_id=document["customerId"],
        order_id=document["orderId"],
        payment_id=document["paymentId"],
        amount=_amount(document.get("amount")),
        currency=_currency(document.get("currency")),
    )


def _amount(value: object) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    # As orders have it.
    if amount is None or not amount.is_finite() or not 0 < amount < 10**9:
        raise RequestError("amount must be a text that gives a number, more than 0 and less than 10^9")
    return amount


def _currency(value: object) -> str:
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()):
        raise RequestError("currency must be a text of three letters")
    return value


def _behaviour_asked(body: bytes, now: datetime) -> Behaviour:
    document = _document(body, {"mode", *(figure.name for figure in _FIGURES.values())})
    try:
        mode = Mode(document.pop("mode", None))
    except ValueError:
        raise RequestError(f"mode must be one of {', '.join(Mode)}") from None
    figure = _FIGURES.get(mode)
    if foreign := document.keys() - ({figure.name} if figure else set()):
        raise RequestError(f"{min(foreign)} says nothing about the mode {mode}")
    if figure is None:
        return Behaviour(mode, now)
    return Behaviour(mode, now, _given(document.get(figure.name, figure.default), figure))


def _given(value: object, figure: _Figure) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and figure.least <= value <= figure.most:
        number = Decimal(value)
        if not (figure.is_whole and number % 1):
            return number
    kind = "whole number" if figure.is_whole else "number"
    raise RequestError(f"{figure.name} must be a {kind} from {figure.least} to {figure.most}")


def _summary(log: Log) -> dict[str, Any]:
    statuses: Counter[int] = Counter()
    repeats = 0
    first = last = None
    for one in log.received():
        statuses[one.status] += 1
        repeats += one.is_repeat
        first, last = first or one.at, one.at
    captured: Counter[tuple[str, str]] = Counter()
    declines = 0
    for outcome in log.outcomes():
        if outcome.charge_id is None:
            declines += 1
        else:
            captured[outcome.charge.customer_id, outcome.charge.order_id] += 1
    doubled = sorted((order, count) for order, count in captured.items() if count > 1)
    return {
        "requests": statuses.total(),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "repeats": repeats,
        "captures": captured.total(),
        "declines": declines,
        "orders": len(captured),
        "chargedTwice": len(doubled),
        "chargedTwiceOrders": [
            {"customerId": customer_id, "orderId": order_id, "captures": count}
            for (customer_id, order_id), count in doubled[:_MOST_NAMED]
        ],
        "firstAt": first and timestamp(first),
        "lastAt": last and timestamp(last),
    }
