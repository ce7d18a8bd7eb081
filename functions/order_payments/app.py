"""OrderPaymentFunction: writes into the orders' rows how their payments stand."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding, order_payments
from eventfork.adapters.payments_table import OrderRows
from eventfork.adapters.sqs import Queue
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[order_payments.OrderPayment]:
    maximum_hops = int(setting("MAXIMUM_HOPS"))
    rows = OrderRows(client("dynamodb"), setting("TABLE_NAME"))
    return forwarding.Forwarder(
        prepare=lambda message: order_payments.prepare(message, maximum_hops, rows.exists),
        send=forwarding.one_by_one(rows.write),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Write each payment's status into its order's row; what failed is received again, what has no row quarantined."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("order payments stored", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
