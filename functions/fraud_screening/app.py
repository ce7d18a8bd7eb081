"""FraudScreeningFunction: gives a verdict on each order that is placed."""

from decimal import Decimal
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding, fraud_screening
from eventfork.adapters.projections import ProjectionTable
from eventfork.adapters.sqs import Queue
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[dict[str, Any]]:
    rules = fraud_screening.Rules(Decimal(setting("MAXIMUM_AMOUNT")), int(setting("MAXIMUM_QUANTITY")))
    maximum_hops = int(setting("MAXIMUM_HOPS"))
    table = ProjectionTable(client("dynamodb"), setting("TABLE_NAME"), fraud_screening.KEYS)
    return forwarding.Forwarder(
        prepare=lambda message: fraud_screening.prepare(message, maximum_hops, rules),
        send=forwarding.one_by_one(table.project),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Keep a verdict on each order; what failed is received again, what is no order is quarantined."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("orders screened", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
