"""OrderApiFunction: gives an order as it is stored."""

from functools import cache
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork.adapters.dynamodb import OrdersTable
from eventfork.api_wiring import caller, finished
from eventfork.problems import EXPECTED, problem
from eventfork.settings import client, setting

logger = Logger()


@cache
def _orders() -> OrdersTable:
    return OrdersTable(client("dynamodb"), setting("TABLE_NAME"))


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `GET /orders/{customerId}/{orderId}`: the order, or a problem document until it is processed."""
    calling = caller(event, setting("CUSTOMER_ID_CLAIM"))
    # A REST API passes path parameters on as the client sent them: percent-encoded.
    identifiers = {name: unquote(value) for name, value in event["pathParameters"].items()}
    try:
        calling.check_acts_for(identifiers["customerId"])
        order = _orders().order(identifiers["customerId"], identifiers["orderId"])
    except EXPECTED as error:
        answer = problem(error)
        logger.info("order not given", status=answer["statusCode"], error=type(error).__name__)
        return finished(answer)
    return finished({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": order})
