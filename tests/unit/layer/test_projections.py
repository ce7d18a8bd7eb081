"""A projection keeps one row a thing, as its newest event reports it, whatever comes when and how often."""

import itertools
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.projections import ProjectionTable
from eventfork.errors import UnavailableError

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table

KEY = {"CustomerId": {"S": "9027"}}


def row(name: str, event_id: str = "event-1", second: int = 0) -> dict[str, Any]:
    """Give a row that an event of that second reports."""
    time = f"2026-11-20T08:15:{second:02}.000000Z"
    return {"CustomerId": "9027", "CustomerName": name, "Visits": 3, "EventId": event_id, "EventTime": time}


def projection(aws: Aws) -> ProjectionTable:
    name = table(aws, "applications/customers/template.yaml", "CustomerTable")
    return ProjectionTable(aws.client("dynamodb"), name, ("CustomerId",))


def test_a_row_is_stored(aws: Aws) -> None:
    """Texts as texts, numbers as numbers."""
    assert projection(aws).project(row("Ada"))
    assert aws.rows("CustomerTable") == [
        {
            **KEY,
            "CustomerName": {"S": "Ada"},
            "Visits": {"N": "3"},
            "EventId": {"S": "event-1"},
            "EventTime": {"S": "2026-11-20T08:15:00.000000Z"},
        }
    ]


def test_the_same_event_repairs_its_row(aws: Aws) -> None:
    """A replay puts right whatever a bug has written, even a time in the future."""
    projected = projection(aws)
    projected.project(row("Ada"))
    right = aws.rows("CustomerTable")
    spoilt = {**right[0], "CustomerName": {"S": "A"}, "EventTime": {"S": "9999"}}
    aws.client("dynamodb").put_item(TableName="CustomerTable", Item=spoilt)
    assert projected.project(row("Ada"))
    assert aws.rows("CustomerTable") == right
    assert projected.project(row("Ada"))
    assert aws.rows("CustomerTable") == right


@pytest.mark.parametrize("seconds", [(1, 2, 3), (1, 1, 1), (1, 2, 2)], ids=str)
def test_in_whatever_order_events_come_the_same_one_stays(aws: Aws, seconds: tuple[int, ...]) -> None:
    """The newest; of several in one second, always the same one."""
    projected = projection(aws)
    events = [row(f"name {number}", f"event-{number}", second) for number, second in enumerate(seconds)]
    for sequence in itertools.permutations([*events, events[0]]):
        aws.client("dynamodb").delete_item(TableName="CustomerTable", Key=KEY)
        written = [projected.project(event) for event in sequence]
        [stored] = aws.rows("CustomerTable")
        assert stored["CustomerName"] == {"S": "name 2"}
        assert written[0]
        assert written[-1] == (sequence[-1] is events[2])


def test_an_attribute_of_others_survives(aws: Aws) -> None:
    """It is not the projection's to change."""
    projected = projection(aws)
    aws.client("dynamodb").put_item(TableName="CustomerTable", Item={**KEY, "LoyaltyPoints": {"N": "7"}})
    assert projected.project(row("Ada"))
    [stored] = aws.rows("CustomerTable")
    assert (stored["LoyaltyPoints"], stored["CustomerName"]) == ({"N": "7"}, {"S": "Ada"})


def test_a_table_that_throttles_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing counts as written."""
    client = aws.client("dynamodb")
    projected = ProjectionTable(client, "CustomerTable", ("CustomerId",))
    with Stubber(client) as stub:
        stub.add_client_error("update_item", "ThrottlingException", http_status_code=400)
        with pytest.raises(UnavailableError):
            projected.project(row("Ada"))
    with unreachable(client), pytest.raises(UnavailableError):
        projected.project(row("Ada"))
