"""CheckoutFunction: stores the orders that arrive on its queue."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding, order_rows
from eventfork.adapters.dynamodb import OrdersTable
from eventfork.adapters.sqs import Queue
from eventfork.card_data import Redactor
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[dict[str, Any]]:
    redactor = Redactor()
    return forwarding.Forwarder(
        prepare=lambda message: order_rows.prepare(message, redactor),
        send=forwarding.one_by_one(OrdersTable(client("dynamodb"), setting("TABLE_NAME")).project),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Project each order into its row; what failed is received again, what can never be stored is quarantined."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("orders stored", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
