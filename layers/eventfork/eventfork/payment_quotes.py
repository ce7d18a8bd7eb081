"""Quotes: what paying an amount would cost. Nobody waits for one: while the provider is away, that is said at once.

QuoteError   what was asked for is no amount in a currency; names the field
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from eventfork.circuits import CircuitOpenError
from eventfork.errors import UnavailableError
from eventfork.json_text import render
from eventfork.payments import ProviderUnavailableError, is_currency
from eventfork.problems import RETRY_AFTER_SECONDS, problem_document

__all__ = ["EXPECTED", "Question", "Quote", "QuoteError", "answer", "problem", "question"]

_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class QuoteError(ValueError):
    """What was asked for is no amount in a currency.

    Attributes
    ----------
    pointer : str
        The parameter of the query that is wrong or missing, as a JSON pointer (RFC 6901) to its name.
    detail : str
        What is wrong with it, without its value.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer} {detail}")
        self.pointer = pointer
        self.detail = detail


EXPECTED: Final = (QuoteError, CircuitOpenError, UnavailableError)
"""What a client or an outage can cause; anything else is a bug of ours, and must show as one."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be paid, in which currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What the provider asks for taking a payment, in which currency."""

    fee: Decimal
    currency: str


def question(query: Mapping[str, Sequence[str]] | None) -> Question:
    """Read what is asked for from the parameters of a query, each with its values.

    Raises
    ------
    QuoteError
        For the first parameter that is missing, given twice, or wrong.
    """
    amount, currency = (_one(query or {}, name) for name in ("amount", "currency"))
    if not _AMOUNT.fullmatch(amount) or not Decimal(amount):
        raise QuoteError("/amount", "must be a number, more than 0 and less than 10^9, of at most 9 decimals")
    if not is_currency(currency):
        raise QuoteError("/currency", "must be three letters")
    return Question(Decimal(amount), currency)


def _one(query: Mapping[str, Sequence[str]], name: str) -> str:
    match query.get(name):
        case None | []:
            raise QuoteError(f"/{name}", "is missing")
        case [value]:
            return value
        case _:
            raise QuoteError(f"/{name}", "stands more than once in the query")


def answer(quote: Quote) -> dict[str, Any]:
    """Give the API's answer with a quote."""
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"content-type": "application/json"},
        "body": render({"fee": f"{quote.fee:f}", "currency": quote.currency}),
    }


def problem(error: Exception) -> dict[str, Any]:
    """Give the API's answer to an error.

    Raises
    ------
    Exception
        `error` itself, if it is none of `EXPECTED`.
    """
    match error:
        case QuoteError():
            return _problem(HTTPStatus.BAD_REQUEST, str(error), [(error.pointer, error.detail)], {})
        case CircuitOpenError():
            return _away(error.retry_after)
        case ProviderUnavailableError() if error.retry_after is not None:
            return _away(error.retry_after)
        case UnavailableError():
            return _away(RETRY_AFTER_SECONDS)
        case _:
            raise error


def _away(retry_after: int) -> dict[str, Any]:
    detail = "The payment provider gives no quotes at present. Ask again later."
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, [], {"retry-after": str(retry_after)})


def _problem(
    status: HTTPStatus, detail: str, errors: Sequence[tuple[str, str]], headers: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/problem+json", **headers},
        "body": render(problem_document(status, detail, errors)),
    }
