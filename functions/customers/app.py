"""CustomerFunction: stores the customers that events on the bus report."""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import customers, forwarding
from eventfork.adapters.projections import ProjectionTable
from eventfork.adapters.sqs import Queue
from eventfork.card_data import Redactor
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[dict[str, Any]]:
    redactor, maximum_hops = Redactor(), int(setting("MAXIMUM_HOPS"))
    table = ProjectionTable(client("dynamodb"), setting("TABLE_NAME"), customers.KEYS)
    return forwarding.Forwarder(
        prepare=lambda message: customers.prepare(message, maximum_hops, redactor),
        send=forwarding.one_by_one(table.project),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Project each customer into its row; what failed is received again, what can never be stored is quarantined."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("customers stored", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
