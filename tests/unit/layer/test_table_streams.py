"""The changes of a table are read as Lambda passes them, and as it stores those that failed."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from eventfork.adapters.table_streams import changes, failed_changes

from tests.unit.functions.conftest import sample


def test_a_change_has_the_row_before_and_after() -> None:
    """Texts as texts, numbers with every digit."""
    placed, changed = changes(sample("order-stream"))
    assert (placed.id, placed.position) == ("2f7a1c90b8d94c1f8e35d0c6a1b27e44", "100000000000000000001")
    assert placed.changed_at == datetime(2026, 11, 20, 8, 15, 44, tzinfo=UTC)
    assert placed.old == {}
    assert placed.new["OrderId"] == "48213"
    assert changed.old == placed.new
    assert (changed.old["PaymentAmount"], changed.new["PaymentAmount"]) == (Decimal("128.40"), Decimal("208.40"))


def test_a_row_that_was_deleted_is_empty_afterwards() -> None:
    """It has no new image."""
    event = sample("order-stream")
    del event["Records"][1]["dynamodb"]["NewImage"]
    assert changes(event)[1].new == {}


@pytest.mark.parametrize("written", [json.dumps, lambda event: event], ids=["as text", "as it is"])
def test_a_batch_that_failed_is_read_from_what_is_stored_of_it(written: Any) -> None:
    """Beside what is said about the failure."""
    stored = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": written(sample("order-stream"))}
    assert failed_changes(json.dumps(stored).encode()) == changes(sample("order-stream"))
