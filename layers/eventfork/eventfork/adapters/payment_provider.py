"""HTTP: the payment provider, and where Systems Manager and Secrets Manager keep how it is reached."""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from eventfork.errors import UnavailableError
from eventfork.json_text import JsonTextError, parse, render
from eventfork.payment_quotes import Question, Quote
from eventfork.payments import (
    Captured,
    Declined,
    Payment,
    ProviderRefusedError,
    ProviderUnavailableError,
    is_amount,
    is_currency,
)

__all__ = ["Access", "PaymentProvider"]

_FRESH_SECONDS: Final = 60
"""How long an address and a credential are taken to be as they were read."""
_MOST_BYTES: Final = 64 * 1024
"""More than any answer takes."""
_MOST_CHARACTERS: Final = 1024
"""Of an identifier that the provider gives."""
_LONGEST_RETRY_AFTER: Final = 3600
"""Seconds. A clock that is wrong, or a date instead of them, is no reason to wait for days."""


class Access:
    """Where the payment provider is, and by what credential it knows us; read once a minute at the most.

    Parameters
    ----------
    ssm : botocore client of Systems Manager
    endpoint_parameter : str
        Name of the parameter that holds the provider's address.
    secrets : botocore client of Secrets Manager
    credential_secret : str
        ARN of the secret whose text is the credential.
    """

    def __init__(self, ssm: Any, endpoint_parameter: str, secrets: Any, credential_secret: str) -> None:
        self._parameters = SSMProvider(boto3_client=ssm)
        self._endpoint_parameter = endpoint_parameter
        self._secrets = SecretsProvider(boto3_client=secrets)
        self._credential_secret = credential_secret

    def endpoint(self) -> str:
        """Give the provider's address.

        Raises
        ------
        UnavailableError
            If Systems Manager did not tell.
        """
        try:
            return str(self._parameters.get(self._endpoint_parameter, max_age=_FRESH_SECONDS)).rstrip("/")
        except GetParameterError as error:
            raise UnavailableError("Systems Manager did not tell where the payment provider is") from error

    def credential(self) -> str:
        """Give the credential.

        Raises
        ------
        UnavailableError
            If Secrets Manager did not tell.
        ProviderRefusedError
            If it is none that a request can carry.
        """
        try:
            credential = str(self._secrets.get(self._credential_secret, max_age=_FRESH_SECONDS)).strip()
        except GetParameterError as error:
            raise UnavailableError("Secrets Manager did not tell the payment provider's credential") from error
        # The client library, too, would refuse it: by quoting it in the error.
        if not credential or not credential.isascii() or not credential.isprintable():
            raise ProviderRefusedError("the payment provider's credential is empty, or no text that a header can carry")
        return credential


class PaymentProvider:
    """The payment provider.

    Every method raises `ProviderUnavailableError` if the provider did not do it, `ProviderRefusedError` if it never
    will in this way, and `UnavailableError` if it was not even asked.

    Parameters
    ----------
    access : Access
    reachable : callable
        Tells whether an address may be sent credentials: `eventfork.adapters.health.is_reachable`.
    http : urllib3 PoolManager
        What sends requests.
    connect_seconds, read_seconds : float
        How long a connection may take, and how long the whole answer.
    clock : callable
        Gives seconds that only ever grow.
    """

    def __init__(
        self,
        access: Access,
        reachable: Callable[[str], bool],
        http: Any,
        *,
        connect_seconds: float,
        read_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._reachable = reachable
        self._http = http
        self._timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._seconds = connect_seconds + read_seconds
        self._clock = clock

    def ready(self) -> None:
        """Know where the provider is and by what credential, so that a call takes as long as the provider takes."""
        self._access.endpoint()
        self._access.credential()

    def charge(self, payment: Payment) -> Captured | Declined:
        """Have the money taken; the same payment again is the same charge."""
        headers = {"content-type": "application/json", "idempotency-key": payment.idempotency_key}
        asked = {
            "customerId": payment.customer_id,
            "orderId": payment.order_id,
            "paymentId": payment.payment_id,
            "amount": f"{payment.amount:f}" if isinstance(payment.amount, Decimal) else str(payment.amount),
            "currency": payment.currency,
        }
        status, said, retry_after = self._send("POST", "/charges", headers, render(asked).encode())
        match status, said:
            case HTTPStatus.OK, {"status": "captured", "chargeId": str(charge_id)} if _is_identifier(charge_id):
                return Captured(charge_id)
            case HTTPStatus.PAYMENT_REQUIRED, {"status": "declined"}:
                reason = said.get("reason")
                return Declined(reason if isinstance(reason, str) and reason else "no reason given")
            case HTTPStatus.PAYMENT_REQUIRED, _:
                raise _meaningless(status)
            case _:
                raise _error(status, retry_after)

    def quote(self, question: Question) -> Quote:
        """Give what taking a payment would cost."""
        query = urlencode({"amount": f"{question.amount:f}", "currency": question.currency})
        status, said, retry_after = self._send("GET", f"/quote?{query}", {}, None)
        if status != HTTPStatus.OK:
            raise _error(status, retry_after)
        match said:
            case {"fee": value, "currency": currency} if is_currency(currency) and (fee := _fee(value)) is not None:
                return Quote(fee, currency)
            case _:
                raise _meaningless(status)

    def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Any, int | None]:
        """Send a request; give the answer's status, its document if it has one, and when to ask again."""
        endpoint, credential = self._access.endpoint(), self._access.credential()
        if not self._reachable(endpoint):
            raise ProviderRefusedError("the payment provider's address is neither https nor on this machine")
        until = self._clock() + self._seconds
        try:
            response = self._http.request(
                method,
                f"{endpoint}{target}",
                body=body,
                # A connection that outlives an invocation may be dead by the next one, and would count as a failure.
                headers={
                    "accept": "application/json",
                    "authorization": f"Bearer {credential}",
                    "connection": "close",
                    **headers,
                },
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                text = self._read(response, until)
            finally:
                # Whatever is left of the answer is not waited for.
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _not_answered(error) from error
        return response.status, _parsed(text), _seconds(response.headers.get("retry-after"))

    def _read(self, response: Any, until: float) -> bytes:
        """Read an answer, and no more of it than makes sense."""
        text = b""
        while len(text) <= _MOST_BYTES:
            # The connection's own time-out bounds each single wait: who sends a byte a second never exceeds it.
            if self._clock() > until:
                raise TimeoutError
            part = response.read1(_MOST_BYTES)
            if not part:
                break
            text += part
        return text


def _not_answered(error: Exception) -> ProviderUnavailableError:
    # A connection that is refused is a time-out, too, in urllib3's tree of errors.
    late = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
    if late and not isinstance(error, urllib3.exceptions.NewConnectionError):
        said = "the payment provider did not answer in time"
        return ProviderUnavailableError(said, HTTPStatus.GATEWAY_TIMEOUT.value)
    said = f"the payment provider cannot be reached ({type(error).__name__})"
    return ProviderUnavailableError(said, HTTPStatus.SERVICE_UNAVAILABLE.value)


def _parsed(text: bytes) -> Any:
    try:
        return parse(text)
    except JsonTextError:
        return None


def _error(status: int, retry_after: int | None) -> Exception:
    said = f"the payment provider answered with the status {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or HTTPStatus.INTERNAL_SERVER_ERROR <= status < 600:
        return ProviderUnavailableError(said, status, retry_after)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderRefusedError(said)
    return _meaningless(status)


def _meaningless(status: int) -> ProviderUnavailableError:
    said = f"the payment provider's answer, with the status {status}, means nothing"
    return ProviderUnavailableError(said, HTTPStatus.BAD_GATEWAY.value)


def _is_identifier(text: str) -> bool:
    return 0 < len(text) <= _MOST_CHARACTERS


def _fee(value: Any) -> Decimal | None:
    """Give a fee, which the provider writes as a number or as a text; None if it is neither."""
    try:
        fee = Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        return None
    if isinstance(value, bool) or not (is_amount(fee) or fee == 0):
        return None
    return fee or Decimal(0)


def _seconds(retry_after: str | None) -> int | None:
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return None
    return min(int(retry_after[:9]), _LONGEST_RETRY_AFTER)
