"""CircuitControlFunction: shows circuits and their history, forces them, and resets them, by direct invocation."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import circuit_control
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.json_text import parse
from eventfork.settings import client, setting

logger = Logger()


@cache
def _control() -> circuit_control.CircuitControl:
    table = CircuitTable(client("dynamodb"), setting("TABLE_NAME"))
    return circuit_control.CircuitControl(table, parse(setting("CIRCUITS")), now=lambda: datetime.now(UTC))


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carry out a command, and give its answer."""
    answer = circuit_control.answered(event, _control().command)
    logger.info("command answered", command=str(event.get("command"))[:20], status=answer.get("status", 200))
    return answer
