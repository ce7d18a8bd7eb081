"""A bus takes events, and the positions of those that it refused are given."""

from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from eventfork.adapters.event_bus import EventBus
from eventfork.bus_events import Entry
from eventfork.errors import UnavailableError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import BUS, event_bus

ENTRY = Entry("eventfork.orders", "OrderPlaced", '{"metadata": {}, "data": {"ü": 1}}')


def test_an_event_is_on_the_bus_as_it_was_given(aws: Aws) -> None:
    """Source, type and detail."""
    found = event_bus(aws)
    assert EventBus(aws.client("events"), BUS).put([ENTRY]) == []
    assert found == [
        {
            "source": "eventfork.orders",
            "detail-type": "OrderPlaced",
            "detail": {"metadata": {}, "data": {"ü": 1}},
        }
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_refused_events_are_named_by_position(aws: Aws, taken: list[bool]) -> None:
    """A call that succeeded says for each event whether it was taken."""
    client = aws.client("events")
    answers: list[dict[str, Any]] = [
        {"EventId": "e"} if one else {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"} for one in taken
    ]
    with Stubber(client) as stub:
        answer = {"FailedEntryCount": taken.count(False), "Entries": answers}
        stub.add_response("put_events", answer, {"Entries": ANY})
        refused = EventBus(client, BUS).put([ENTRY] * len(taken))
    assert refused == [position for position, one in enumerate(taken) if not one]


def test_a_bus_that_throttles_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing counts as put."""
    client = aws.client("events")
    with Stubber(client) as stub:
        stub.add_client_error("put_events", "ThrottlingException", http_status_code=400)
        with pytest.raises(UnavailableError) as failure:
            EventBus(client, BUS).put([ENTRY])
    assert failure.value.__cause__ is not None
    with unreachable(client), pytest.raises(UnavailableError):
        EventBus(client, BUS).put([ENTRY])
