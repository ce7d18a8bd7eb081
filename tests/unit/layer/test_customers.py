"""One `customerCreated` event gives one row, whoever sent it, without card data."""

from typing import Any

import pytest
from eventfork import customers
from eventfork.card_data import Redactor
from eventfork.forwarding import CannotCarryError
from eventfork.json_text import parse

from tests.unit.bus import delivered, event, with_data
from tests.unit.samples import CANARIES, CARD, CARD_NUMBER


def prepare(document: dict[str, Any]) -> dict[str, Any]:
    return customers.prepare(delivered(document), 3, Redactor())


def test_the_row_of_the_sample_event() -> None:
    """Everything a row has."""
    row = prepare(event("customer-created"))
    assert parse(row.pop("CustomerData")) == event("customer-created")["detail"]["data"]["customerData"]
    assert row == {
        "CustomerId": "9027",
        "CustomerName": "Ada Example",
        "EventId": "Lm5kVH4yliAEPQw=",
        "EventTime": "2026-11-20T08:14:02.000000Z",
    }


def test_the_flat_detail_of_another_publisher_gives_the_same_row() -> None:
    """But for the id, which is EventBridge's."""
    sample = event("customer-created")
    flat = {**sample, "source": "crm", "detail": sample["detail"]["data"]}
    assert prepare(flat) == {**prepare(sample), "EventId": sample["id"]}


@pytest.mark.parametrize("data", [None, "a text", 7, ["a", {"b": [1]}], {"address": {"lines": ["1", "2"]}}])
def test_whatever_else_is_known_is_kept_as_json(data: Any) -> None:
    """Of any form."""
    assert parse(prepare(with_data("customer-created", customerData=data))["CustomerData"]) == data


def test_a_customer_of_whom_nothing_else_is_known_is_kept() -> None:
    """The data is not asked for."""
    sample = with_data("customer-created")
    del sample["detail"]["data"]["customerData"]
    assert prepare(sample)["CustomerData"] == "null"


def test_a_number_and_a_text_are_the_same_identifier() -> None:
    """7 and "7" are one customer."""
    rows = [prepare(with_data("customer-created", customerId=identifier)) for identifier in (7, "7")]
    assert rows[0] == rows[1]


def test_no_card_data_is_stored() -> None:
    """Not in the name either."""
    row = prepare(with_data("customer-created", customerName=f"Ada {CARD_NUMBER}", customerData=CARD))
    assert not any(canary in str(row) for canary in CANARIES)


@pytest.mark.parametrize(
    "data",
    [
        {"customerId": None},
        {"customerId": True},
        {"customerId": ""},
        {"customerId": "é" * 1025},
        {"customerId": CARD_NUMBER},
        {"customerId": int(CARD_NUMBER.replace(" ", ""))},
        {"customerName": None},
        {"customerName": 7},
        {"customerData": {CARD_NUMBER: 1, CARD_NUMBER.replace(" ", ""): 2}},
    ],
    ids=str,
)
def test_a_customer_that_can_never_be_stored_is_refused_with_a_reason(data: dict[str, Any]) -> None:
    """Which quotes nothing."""
    with pytest.raises(CannotCarryError) as refusal:
        prepare(with_data("customer-created", **data))
    assert len(str(refusal.value)) > 10
    assert not any(canary in str(refusal.value) for canary in CANARIES)


def test_an_event_id_with_the_form_of_a_card_number_is_refused() -> None:
    """It would be kept in the row."""
    with pytest.raises(CannotCarryError):
        prepare(with_data("customer-created", event_id=CARD_NUMBER))
