"""PaymentFunction: pays the orders that are placed, and those whose payment was deferred."""

import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding, payments
from eventfork.adapters.payments_table import PaymentsTable
from eventfork.adapters.sqs import Queue
from eventfork.card_data import Redactor
from eventfork.payment_wiring import OF_CALLS, OF_CIRCUIT, flushed, guard, provider
from eventfork.settings import client, setting

logger = Logger()
metrics = Metrics()
tally = payments.Tally()


@cache
def _forwarder() -> forwarding.Forwarder[payments.Payment]:
    maximum_hops, slow_seconds = int(setting("MAXIMUM_HOPS")), float(setting("SLOW_CALL_SECONDS"))
    asked = provider()
    cashier = payments.Cashier(
        PaymentsTable(client("dynamodb"), setting("TABLE_NAME")),
        payments.measured(asked.charge, asked.ready, tally, slow_seconds, time.monotonic),
        guard(tally).call,
        circuit=setting("CIRCUIT_NAME"),
        maximum_receives=int(setting("MAXIMUM_RECEIVES")),
        now=lambda: datetime.now(UTC),
        tally=tally,
        tell=logger.warning,
        redactor=Redactor(),
    )
    return forwarding.Forwarder(
        prepare=lambda message: payments.prepare(message, maximum_hops),
        send=forwarding.one_by_one(cashier.pay),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Have each payment made, or defer it; what failed is received again, what can never be paid is quarantined."""
    try:
        outcome = _forwarder().forward(forwarding.messages(event))
    finally:
        numbers = flushed(metrics, tally, OF_CALLS | OF_CIRCUIT)
    logger.info("payments made", extra={**outcome.counts(), **numbers})
    return forwarding.partial_failure(outcome)
