"""What the payment provider answers is a charge, a decline, a failure of its own, or a mistake of ours."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from eventfork.adapters.circuit_breaker import Guard
from eventfork.adapters.health import is_reachable
from eventfork.adapters.payment_provider import Access, PaymentProvider
from eventfork.circuits import CircuitOpenError, State
from eventfork.errors import UnavailableError
from eventfork.payment_quotes import Question, Quote
from eventfork.payments import Captured, Declined, ProviderRefusedError, ProviderUnavailableError
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError, SSLError

from tests.unit.aws import Aws, unreachable
from tests.unit.circuits import CircuitsInMemory
from tests.unit.payments import CAPTURED, CREDENTIAL, DECLINED, PAGE, ProviderHttp, payment

ENDPOINT = "https://provider.example/v1"
QUESTION = Question(Decimal("128.40"), "eur")
NOW = datetime(2026, 11, 20, 8, 15, 46, tzinfo=UTC)
NAMES = (f"circuit-{number}" for number in count())

NO_CONNECTION = NewConnectionError("no connection", "refused")  # type: ignore[arg-type]
TOO_LATE = ReadTimeoutError("no pool", "/charges", "timed out")  # type: ignore[arg-type]
FAILURES: dict[str, tuple[Any, int]] = {
    "429": ((429, {"message": "slow down"}, {"retry-after": "7"}), 429),
    "500": ((500, b""), 500),
    "502": ((502, PAGE), 502),
    "503": ((503, {"message": "maintenance"}), 503),
    "504": ((504, {}), 504),
    "599": ((599, {}), 599),
    "no connection": (NO_CONNECTION, 503),
    "no TLS": (SSLError("certificate expired"), 503),
    "cut off": (ProtocolError("connection aborted"), 503),
    "too late": (TOO_LATE, 504),
    "a page": ((200, PAGE), 502),
    "no document": ((204, b""), 502),
    "no id": ((200, {"status": "captured"}), 502),
    "an empty id": ((200, {"status": "captured", "chargeId": ""}), 502),
    "an endless id": ((200, {"status": "captured", "chargeId": "x" * 1025}), 502),
    "a number as id": ((200, {"status": "captured", "chargeId": 7}), 502),
    "a list": ((200, ["captured"]), 502),
    "another status": ((200, {"status": "pending", "chargeId": "ch_1"}), 502),
    "a decline as success": ((200, {"status": "declined", "reason": "no"}), 502),
    "payment required by another": ((402, PAGE), 502),
    "an endless answer": ((200, b'"' + b"x" * 10**6 + b'"'), 502),
    "a status of nobody": ((600, {}), 502),
}
"""Answers by which the provider did not do it, and the status that says so."""
REFUSALS = (301, 302, 307, 400, 401, 403, 404, 405, 409, 413, 422)


class Fixed:
    """Stands for `Access`."""

    def __init__(self, endpoint: str = ENDPOINT) -> None:
        self._endpoint = endpoint

    def endpoint(self) -> str:
        """Give the address."""
        return self._endpoint

    def credential(self) -> str:
        """Give the credential."""
        return CREDENTIAL


def provider(*answers: Any, endpoint: str = ENDPOINT, **more: Any) -> tuple[PaymentProvider, ProviderHttp]:
    http = ProviderHttp(list(answers))
    access: Any = Fixed(endpoint)
    return PaymentProvider(access, is_reachable, http, connect_seconds=1, read_seconds=3, **more), http


def charged(*answers: Any) -> Captured | Declined:
    return provider(*answers)[0].charge(payment())


def test_a_charge_is_asked_for_with_all_that_identifies_it() -> None:
    """Its key is the order's, its amount a text with every digit."""
    asked, http = provider(CAPTURED)
    assert asked.charge(payment(amount=Decimal("1e-7"), customerId="a/b")) == Captured("ch_1")
    [sent] = http.sent
    assert (sent.method, sent.url) == ("POST", f"{ENDPOINT}/charges")
    assert sent.headers == {
        "accept": "application/json",
        "authorization": f"Bearer {CREDENTIAL}",
        "connection": "close",
        "content-type": "application/json",
        "idempotency-key": "a%2Fb/48213",
    }
    assert sent.document == {
        "customerId": "a/b",
        "orderId": "48213",
        "paymentId": "77310",
        "amount": "0.0000001",
        "currency": "eur",
    }


@pytest.mark.parametrize(("amount", "written"), [(5, "5"), (Decimal("1e2"), "100"), (Decimal("0.10"), "0.10")])
def test_an_amount_is_written_in_full(amount: int | Decimal, written: str) -> None:
    """Whatever its notation was."""
    asked, http = provider()
    asked.charge(payment(amount=amount))
    assert http.sent[0].document["amount"] == written


def test_a_decline_is_an_answer_and_no_failure() -> None:
    """With its reason, if there is one."""
    assert charged(DECLINED) == Declined("insufficient funds")
    for reason in ({}, {"reason": ""}, {"reason": 7}):
        assert charged((402, {"status": "declined", **reason})) == Declined("no reason given")


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_of_the_provider_has_a_status(name: str) -> None:
    """Its own, or the one that says what happened."""
    answer, status = FAILURES[name]
    with pytest.raises(ProviderUnavailableError) as failed:
        charged(answer)
    assert failed.value.status == status
    assert CREDENTIAL not in str(failed.value)


@pytest.mark.parametrize("status", REFUSALS)
def test_what_the_provider_refuses_is_our_mistake(status: int) -> None:
    """A redirection, too: credentials go where they were meant to go."""
    asked, http = provider((status, {"message": "no"}, {"location": "https://elsewhere.example"}))
    with pytest.raises(ProviderRefusedError, match=str(status)):
        asked.charge(payment())
    assert len(http.sent) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("99999999999", 3600), ("-1", None), ("soon", None), ("²", None), ("Fri, 20 Nov 2026", None)],
)
def test_the_provider_may_say_when_to_ask_again(header: str, seconds: int | None) -> None:
    """In seconds, and for an hour at the most."""
    with pytest.raises(ProviderUnavailableError) as failed:
        charged((429, {}, {"Retry-After": header}))
    assert failed.value.retry_after == seconds


def test_an_answer_that_drips_is_too_late() -> None:
    """However short each wait is."""
    seconds = iter([0.0, 1.0, 4.5])
    asked, _ = provider((200, b"x" * 300_000), clock=lambda: next(seconds))
    with pytest.raises(ProviderUnavailableError) as failed:
        asked.charge(payment())
    assert failed.value.status == 504


@pytest.mark.parametrize("endpoint", ["http://provider.example", "ftp://provider.example", "provider.example", ""])
def test_nothing_is_sent_where_others_could_listen(endpoint: str) -> None:
    """Credentials go by TLS; that the address is wrong is our mistake."""
    asked, http = provider(endpoint=endpoint)
    with pytest.raises(ProviderRefusedError, match="https"):
        asked.charge(payment())
    assert http.sent == []


def test_the_local_engine_is_reached_without_tls() -> None:
    """On this machine nobody listens in."""
    asked, http = provider(endpoint="http://127.0.0.1:4566/restapis/x")
    asked.charge(payment())
    assert http.sent[0].url == "http://127.0.0.1:4566/restapis/x/charges"


@pytest.mark.parametrize(
    ("fee", "expected"),
    [("2.05", "2.05"), (2, "2"), (Decimal("2.05"), "2.05"), ("0", "0"), ("0e9", "0"), ("1e1", "10")],
)
def test_a_quote_is_asked_for_by_amount_and_currency(fee: Any, expected: str) -> None:
    """The fee may be written as a number or as a text."""
    body = f'{{"fee":{fee if not isinstance(fee, str) else f"{chr(34)}{fee}{chr(34)}"},"currency":"eur"}}'.encode()
    asked, http = provider((200, body))
    assert asked.quote(QUESTION) == Quote(Decimal(expected), "eur")
    [sent] = http.sent
    assert (sent.method, sent.url, sent.body) == ("GET", f"{ENDPOINT}/quote?amount=128.40&currency=eur", b"")
    assert "idempotency-key" not in sent.headers


@pytest.mark.parametrize(
    "document",
    [
        {"currency": "eur"},
        {"fee": "2.05"},
        {"fee": "2.05", "currency": "euros"},
        *({"fee": fee, "currency": "eur"} for fee in ("", "two", "NaN", "-1", "1e999999", True, None, [1], {"a": 1})),
    ],
    ids=str,
)
def test_a_quote_that_says_nothing_is_a_failure(document: dict[str, Any]) -> None:
    """It is as good as none."""
    with pytest.raises(ProviderUnavailableError) as failed:
        provider((200, document))[0].quote(QUESTION)
    assert failed.value.status == 502


def test_a_quote_fails_as_a_charge_does() -> None:
    """By the same statuses."""
    with pytest.raises(ProviderUnavailableError) as failed:
        provider((429, {}, {"retry-after": "7"}))[0].quote(QUESTION)
    assert (failed.value.status, failed.value.retry_after) == (429, 7)
    with pytest.raises(ProviderRefusedError):
        provider((400, {}))[0].quote(QUESTION)


def trips(*answers: Any, call: Callable[[PaymentProvider], object] = lambda asked: asked.charge(payment())) -> bool:
    """Tell whether these answers, one after the other, trip a circuit for which three failures are too many."""
    asked, _ = provider(*answers)
    name, circuits = next(NAMES), CircuitsInMemory()
    guard = Guard(
        name,
        circuits,
        failure_threshold=3,
        counted=(ProviderUnavailableError,),
        unreadable=lambda: None,
        now=lambda: NOW,
    )
    for _ in answers:
        with suppress(UnavailableError, ProviderRefusedError, KeyError):
            guard.call(call, asked)
    if circuits.load(name).state is State.CLOSED:
        return False
    with pytest.raises(CircuitOpenError):
        guard.call(call, asked)
    return True


@pytest.mark.parametrize("name", FAILURES)
def test_failures_of_the_provider_count_against_its_circuit(name: str) -> None:
    """Rate limits, errors, time-outs and broken connections alike."""
    answer, _ = FAILURES[name]
    assert trips(answer, answer, answer)


def test_failures_that_differ_count_together() -> None:
    """An outage has many faces; a success between them is none."""
    assert trips((429, {}), (500, b""), TOO_LATE)
    assert not trips((429, {}), (500, b""), CAPTURED, NO_CONNECTION)


@pytest.mark.parametrize("status", REFUSALS)
def test_our_own_mistakes_do_not_count(status: int) -> None:
    """The provider is in good health."""
    assert not trips(*[(status, {})] * 6)


def test_declines_do_not_count() -> None:
    """On the contrary: they end a row of failures."""
    assert not trips(*[DECLINED] * 6)
    assert not trips((500, b""), (500, b""), DECLINED, (500, b""), (500, b""))


def test_bugs_and_what_aws_does_not_tell_do_not_count() -> None:
    """They say nothing of the provider."""

    def fails_with(error: Exception) -> Callable[[PaymentProvider], object]:
        def call(_: PaymentProvider) -> object:
            raise error

        return call

    for error in (KeyError("a bug"), UnavailableError("Systems Manager is away")):
        assert not trips(*[CAPTURED] * 6, call=fails_with(error))


def access(aws: Aws, credential: str = CREDENTIAL) -> Access:
    aws.client("ssm").put_parameter(Name="endpoint", Value=f"{ENDPOINT}/", Type="String")
    arn = aws.client("secretsmanager").create_secret(Name="credential", SecretString=credential)["ARN"]
    return Access(aws.client("ssm"), "endpoint", aws.client("secretsmanager"), arn)


def test_address_and_credential_are_read_once_for_many_charges(aws: Aws) -> None:
    """While they are fresh, AWS need not answer."""
    asked = access(aws)
    assert (asked.endpoint(), asked.credential()) == (ENDPOINT, CREDENTIAL)
    with unreachable(aws.client("ssm")), unreachable(aws.client("secretsmanager")):
        assert (asked.endpoint(), asked.credential()) == (ENDPOINT, CREDENTIAL)


def test_a_provider_that_is_ready_needs_nothing_but_its_own_answer(aws: Aws) -> None:
    """So that its calls can be timed."""
    http = ProviderHttp()
    asked = PaymentProvider(access(aws), is_reachable, http, connect_seconds=1, read_seconds=3)
    asked.ready()
    with unreachable(aws.client("ssm")), unreachable(aws.client("secretsmanager")):
        assert asked.charge(payment()) == Captured("ch_1")


def test_an_address_or_a_credential_that_is_not_told_is_no_failure_of_the_provider(aws: Aws) -> None:
    """The message comes again, and no circuit opens."""
    asked = access(aws)
    with unreachable(aws.client("ssm")), pytest.raises(UnavailableError) as failed:
        asked.endpoint()
    assert not isinstance(failed.value, ProviderUnavailableError)
    with unreachable(aws.client("secretsmanager")), pytest.raises(UnavailableError) as failed:
        asked.credential()
    assert not isinstance(failed.value, ProviderUnavailableError)


def test_a_line_end_behind_the_credential_is_no_part_of_it(aws: Aws) -> None:
    """Editors leave it there."""
    assert access(aws, f"{CREDENTIAL}\n").credential() == CREDENTIAL


@pytest.mark.parametrize("credential", [" ", f"{CREDENTIAL}\nx-other: 1", f"{CREDENTIAL}é"])
def test_a_credential_that_no_header_can_carry_is_never_quoted(aws: Aws, credential: str) -> None:
    """The client library would, in its error."""
    with pytest.raises(ProviderRefusedError) as refused:
        access(aws, credential).credential()
    assert CREDENTIAL not in str(refused.value)
