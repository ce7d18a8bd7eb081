"""PaymentQuoteFunction: tells what a payment would cost, or says at once that the provider cannot be asked."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import payment_quotes
from eventfork.adapters.circuit_breaker import Guard
from eventfork.adapters.payment_provider import PaymentProvider
from eventfork.api_wiring import caller, finished
from eventfork.payment_wiring import OF_CIRCUIT, flushed, guard, provider
from eventfork.payments import Tally

logger = Logger()
metrics = Metrics()
tally = Tally()


@cache
def _guarded() -> tuple[Guard, PaymentProvider]:
    return guard(tally), provider()


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `GET /payments/quote?amount=&currency=`: the quote, or a problem document."""
    # Who asks makes no difference, but that it must be known.
    caller(event)
    try:
        question = payment_quotes.question(event["multiValueQueryStringParameters"])
        circuit, payment_provider = _guarded()
        answer = payment_quotes.answer(circuit.call(payment_provider.quote, question))
    except payment_quotes.EXPECTED as error:
        answer = payment_quotes.problem(error)
        logger.warning("no quote given", status=answer["statusCode"], error=type(error).__name__)
    else:
        logger.info("quote given")
    finally:
        flushed(metrics, tally, OF_CIRCUIT)
    return finished(answer)
