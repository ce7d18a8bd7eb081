"""CheckoutFunction: every order of a batch is stored, set aside with its reason, or received again."""

from collections.abc import Callable
from typing import Any

from eventfork.json_text import parse, render

from tests.unit.aws import Aws, unreachable
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.samples import CANARIES, message, order_with_canaries

Batch = Callable[..., dict[str, Any]]


def event() -> dict[str, Any]:
    """Give the event of the sample order, as it is on the queue."""
    document: dict[str, Any] = parse(sample("checkout-queue")["Records"][0]["body"])
    return document


def another(number: int) -> dict[str, Any]:
    """Give the event of another order."""
    return {**event(), "id": f"event-{number}", "data": {**event()["data"], "id": number}}


def function(aws: Aws, load: Load) -> tuple[Handler, str]:
    quarantine = aws.queue("Quarantine")
    return load("checkout", TABLE_NAME=aws.orders_table(), QUARANTINE_QUEUE_URL=quarantine), quarantine


def test_the_sample_order_is_stored(aws: Aws, load: Load) -> None:
    """One row, and nothing to receive again."""
    handler, quarantine = function(aws, load)
    assert handler(sample("checkout-queue")) == {"batchItemFailures": []}
    [row] = aws.rows("CheckoutTable")
    assert row["CustomerId"] == {"S": "9027"}
    assert row["PaymentAmount"] == {"N": "128.40"}
    assert aws.received(quarantine) == []


def test_an_order_that_can_never_be_stored_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """With the reason; its neighbours are stored."""
    handler, quarantine = function(aws, load)
    broken = render({**event(), "data": {**event()["data"], "items": []}})
    bodies = [render(another(1)), broken, "no JSON", render(another(2))]
    answer = handler(batch([message(body, str(position)) for position, body in enumerate(bodies)]))
    assert answer == {"batchItemFailures": []}
    assert sorted(row["OrderId"]["S"] for row in aws.rows("CheckoutTable")) == ["1", "2"]
    parked = {
        one["Body"]: one["MessageAttributes"]["quarantine-reason"]["StringValue"] for one in aws.received(quarantine)
    }
    assert parked.keys() == {broken, "no JSON"}
    assert parked[broken].startswith("/data/items ")


def test_a_message_with_control_characters_in_its_keys_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """The reason names the key, which SQS would not take as it is."""
    handler, quarantine = function(aws, load)
    assert handler(batch([message('{"\\u0000": 1, "\\u0000": 2}')])) == {"batchItemFailures": []}
    assert len(aws.received(quarantine)) == 1


def test_while_the_table_is_away_orders_are_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """All of them, and none is set aside; afterwards they are stored."""
    handler, quarantine = function(aws, load)
    received = batch([message(another(number), f"m-{number}") for number in (2, 1)])
    with unreachable(aws.client("dynamodb")):
        answer = handler(received)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-2"}]}
    assert aws.received(quarantine) == []
    assert handler(received) == {"batchItemFailures": []}
    assert len(aws.rows("CheckoutTable")) == 2


def test_what_cannot_be_set_aside_is_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """Nothing is dropped; orders beside it are stored."""
    handler, _ = function(aws, load)
    with unreachable(aws.client("sqs")):
        answer = handler(batch([message("no JSON", "bad"), message(another(1), "good")]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(aws.rows("CheckoutTable")) == 1


def test_a_batch_received_twice_changes_nothing(aws: Aws, load: Load, batch: Batch) -> None:
    """At least once, effects once."""
    handler, _ = function(aws, load)
    received = batch([message(another(number), str(number)) for number in range(5)])
    handler(received)
    rows = aws.rows("CheckoutTable")
    assert handler(received) == {"batchItemFailures": []}
    assert aws.rows("CheckoutTable") == rows


def test_card_data_reaches_neither_table_nor_log(aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]) -> None:
    """Whether another publisher's order is stored, set aside or received again."""
    handler, _ = function(aws, load)
    leaking = {**event(), "data": order_with_canaries()}
    received = batch([message(leaking, "1"), message({**leaking, "data": {**order_with_canaries(), "items": []}}, "2")])
    logs()
    handler(received)
    with unreachable(aws.client("dynamodb")), unreachable(aws.client("sqs")):
        handler(received)
    written = logs() + str(aws.rows("CheckoutTable"))
    assert '"received":2,"sent":1,"parked":1,"failed":0' in written
    assert '"received":2,"sent":0,"parked":0,"failed":2' in written
    assert not [canary for canary in CANARIES if canary in written]
