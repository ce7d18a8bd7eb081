"""HeldPaymentsFunction: counts, once a minute, the payments that are deferred, for the manager of circuits."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.adapters.payments_table import PaymentsTable
from eventfork.circuits import Held
from eventfork.settings import client, setting

logger = Logger()


@cache
def _tables() -> tuple[PaymentsTable, CircuitTable]:
    dynamodb = client("dynamodb")
    return PaymentsTable(dynamodb, setting("TABLE_NAME")), CircuitTable(dynamodb, setting("CIRCUIT_TABLE"))


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Keep beside the circuit how many payments are deferred behind it, and since when; its manager tells of it."""
    payments, circuits = _tables()
    circuit = setting("CIRCUIT_NAME")
    # Before they are counted: what is deferred meanwhile may be missing.
    checked_at = datetime.now(UTC)
    count, oldest = payments.held(setting("INDEX_NAME"), circuit)
    circuits.keep_held(circuit, Held(count, oldest, checked_at))
    logger.info("held payments counted", held=count)
