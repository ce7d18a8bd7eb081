"""Every rule and every archive takes the events that it should, live or replayed, and none that it should not."""

import json
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from eventfork import bus_events, circuit_events, schemas
from eventfork.circuits import Circuit, Held, Mode

from tests.templates import ALL, APPLICATIONS, PAYMENTS, PROJECT_ROOT, Template

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from moto.events.models import EventPattern

EVENTS = PROJECT_ROOT / "events"
RULE = "AWS::Events::Rule"
FLAT_CUSTOMER = "customer-created of another publisher"
UNKNOWN = "an event that nobody here knows"

TAKEN: dict[str, dict[str, Any]] = {
    "bus/HistoryRule": {"live": "everything", "replayed": set()},
    "customers/LiveRule": {"live": {"customer-created", FLAT_CUSTOMER}, "replayed": set()},
    "customers/ReplayRule": {"live": set(), "replayed": {"customer-created", FLAT_CUSTOMER}},
    "fraud-screening/LiveRule": {"live": {"order-placed"}, "replayed": set()},
    "fraud-screening/ReplayRule": {"live": set(), "replayed": {"order-placed"}},
    "payments/LiveRule": {"live": {"order-placed"}, "replayed": set()},
    "payments/ReplayRule": {"live": set(), "replayed": {"payment-deferred"}},
    "payments/OrderPaymentsRule": {
        "live": {"payment-captured", "payment-declined", "payment-deferred"},
        "replayed": set(),
    },
    "replay-control/RecoveryRule": {"live": {"circuit-closed", "held-work-found"}, "replayed": set()},
}
"""What each rule takes: the names of samples."""


def samples() -> dict[str, dict[str, Any]]:
    """Give every event that may be on the bus, by the name of its sample."""
    found = {
        path.name.removesuffix("-event.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(EVENTS.glob("*-event.json"))
    }
    customer = found["customer-created"]
    found[FLAT_CUSTOMER] = {**customer, "source": "crm", "detail": customer["detail"]["data"]}
    found[UNKNOWN] = {**customer, "source": "eventfork.orders", "detail-type": "SomethingElseHappened"}
    return found


def rules() -> dict[str, dict[str, Any]]:
    """Give the pattern of every rule of every application."""
    return {
        f"{template.path.parent.name}/{name}": properties["EventPattern"]
        for template in ALL
        for name, properties in template.resources(RULE).items()
        if "EventPattern" in properties
    }


def matched(pattern: dict[str, Any], *, replayed: bool) -> set[str]:
    matches: Callable[[Any], bool] = EventPattern.load(json.dumps(pattern)).matches_event
    mark = {"replay-name": "job-1"} if replayed else {}
    return {name for name, event in samples().items() if matches({**event, **mark})}


def test_every_rule_is_listed_here() -> None:
    assert rules().keys() == TAKEN.keys()


def test_a_rule_takes_events_or_runs_by_the_clock() -> None:
    for template in ALL:
        for name, rule in template.resources(RULE).items():
            assert ("EventPattern" in rule) != ("ScheduleExpression" in rule), name


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("replayed", [False, True], ids=["live", "replayed"])
def test_a_rule_takes_what_it_should_and_nothing_else(name: str, replayed: bool) -> None:
    expected = TAKEN[name]["replayed" if replayed else "live"]
    wanted = samples().keys() if expected == "everything" else expected
    assert matched(rules()[name], replayed=replayed) == wanted


@pytest.mark.parametrize("template", [one for one in APPLICATIONS if "ReplayRule" in one.resources()], ids=str)
def test_a_consumer_gets_replayed_events_by_another_way_than_live_ones(template: Template) -> None:
    live, replay = (template.resources(RULE)[name] for name in ("LiveRule", "ReplayRule"))
    # Of orders that were placed, only those are paid again whose payment was deferred.
    same = template != PAYMENTS
    assert ({**live["EventPattern"], "replay-name": [{"exists": True}]} == replay["EventPattern"]) == same
    [live_target], [replay_target] = live["Targets"], replay["Targets"]
    assert replay_target["Arn"]["Fn::GetAtt"][0].endswith("ReplayBufferQueue")
    queues = [
        source["Properties"].get("Queue")
        for function in template.resources("AWS::Serverless::Function").values()
        for source in function.get("Events", {}).values()
    ]
    assert queues.count(live_target["Arn"]) == 1
    assert replay_target["Arn"] not in queues


def test_every_target_of_a_rule_has_a_dead_letter_queue_and_says_how_long_it_is_tried() -> None:
    for template in ALL:
        for name, rule in template.resources(RULE).items():
            for target in rule["Targets"]:
                queue = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
                assert queue.endswith("DeadLetterQueue"), name
                assert queue in template.resources("AWS::SQS::Queue"), name
                assert target["RetryPolicy"].keys() == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}, name


def test_the_second_archive_takes_the_types_that_are_chosen() -> None:
    [bus] = [one for one in APPLICATIONS if one.path.parent.name == "bus"]
    pattern = bus.resources("AWS::Events::Archive")["SelectedArchive"]["EventPattern"]
    assert pattern == {"detail-type": {"Ref": "SelectedDetailTypes"}}
    assert bus.parameters["SelectedDetailTypes"]["Type"] == "CommaDelimitedList"
    assert matched({"detail-type": ["customerCreated", "OrderPlaced"]}, replayed=False) == {
        "customer-created",
        FLAT_CUSTOMER,
        "order-placed",
    }


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*-event.json")), ids=lambda path: path.name)
def test_the_detail_of_every_sample_fits_the_schema_of_its_name(path: Path) -> None:
    event = json.loads(path.read_text(encoding="utf-8"))
    schema = schemas.load(path.name.removesuffix("-event.json"))
    fastjsonschema.compile(schema)(event["detail"])
    assert schema["title"].lower() == event["detail-type"].lower()


def test_the_samples_name_what_the_code_sends() -> None:
    told = {name: (event["source"], event["detail-type"]) for name, event in samples().items()}
    assert told["order-placed"] == (bus_events.ORDERS, bus_events.ORDER_PLACED)
    assert told["order-changed"] == (bus_events.ORDERS, bus_events.ORDER_CHANGED)
    assert told["customer-created"] == (bus_events.CUSTOMERS, bus_events.CUSTOMER_CREATED)
    assert told["payment-captured"] == (bus_events.PAYMENTS, bus_events.PAYMENT_CAPTURED)
    assert told["payment-declined"] == (bus_events.PAYMENTS, bus_events.PAYMENT_DECLINED)
    assert told["payment-deferred"] == (bus_events.PAYMENTS, bus_events.PAYMENT_DEFERRED)
    assert told["circuit-opened"] == (bus_events.CIRCUITS, bus_events.CIRCUIT_OPENED)
    assert told["circuit-half-opened"] == (bus_events.CIRCUITS, bus_events.CIRCUIT_HALF_OPENED)
    assert told["circuit-closed"] == (bus_events.CIRCUITS, bus_events.CIRCUIT_CLOSED)
    assert told["held-work-found"] == (bus_events.CIRCUITS, bus_events.HELD_WORK_FOUND)


def circuits() -> list[tuple[Circuit, Circuit]]:
    """Give a circuit before and after each change that it is told of: one whole outage, and what it left held."""
    opened_at = datetime.fromisoformat(samples()["circuit-opened"]["detail"]["data"]["at"])
    closed = Circuit("payments")
    opened = closed.trip(opened_at, "breaker", "5 calls in a row failed.", 5)
    assert opened
    found = [(closed, opened)]
    for _ in range(3):
        probed = found[-1][1].probed(True, opened_at + timedelta(minutes=20))
        assert probed
        found.append((found[-1][1], probed))
    held = Held(1, opened_at, opened_at + timedelta(hours=1))
    again = found[-1][1].held_seen(held, opened_at + timedelta(hours=1))
    assert again
    forced = again.forced(Mode.FORCED_OPEN, opened_at + timedelta(hours=2), "operator", "to be sure", None)
    released = forced.forced(Mode.FORCED_CLOSED, opened_at + timedelta(hours=3), "operator", "all is well", None)
    return [*found, (found[-1][1], again), (again, forced), (forced, released)]


def test_whatever_is_told_of_a_circuit_fits_its_schema_and_its_sample() -> None:
    by_type = {event["detail-type"]: name for name, event in samples().items()}
    told = [circuit_events.entry("change", old, new) for old, new in circuits()]
    events = [one for one in told if one]
    assert {by_type[one.detail_type] for one in events} == {
        "circuit-opened",
        "circuit-half-opened",
        "circuit-closed",
        "held-work-found",
    }
    for one in events:
        name, detail = by_type[one.detail_type], json.loads(one.detail)
        fastjsonschema.compile(schemas.load(name))(detail)
        assert detail["data"].keys() == samples()[name]["detail"]["data"].keys()


@pytest.mark.parametrize("name", ["circuit-opened", "circuit-closed", "payment-captured", "payment-deferred"])
def test_what_is_told_without_its_cause_or_its_data_fits_no_schema(name: str) -> None:
    check = fastjsonschema.compile(schemas.load(name))
    detail = samples()[name]["detail"]
    for part in ("metadata", "data"):
        for missing in set(detail[part]) - {"outageId"}:
            with pytest.raises(fastjsonschema.JsonSchemaValueException):
                check({**detail, part: {key: value for key, value in detail[part].items() if key != missing}})


def test_the_queues_of_the_samples_carry_the_sample_events() -> None:
    carried = {
        "customers": "customer-created",
        "fraud-screening": "order-placed",
        "payments": "order-placed",
        "order-payments": "payment-captured",
    }
    for queue, name in carried.items():
        [record] = json.loads((EVENTS / f"{queue}-queue.json").read_text(encoding="utf-8"))["Records"]
        assert json.loads(record["body"]) == samples()[name]
        assert record["md5OfBody"] == md5(record["body"].encode(), usedforsecurity=False).hexdigest()


CARD_LIKE = (
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "no 4111.1111.1111.1111",
    "\n4111111111111111",
    4111111111111111,
)


@pytest.fixture(scope="module")
def check_customer() -> Any:
    """Give what checks a customer as the API's model does."""
    return fastjsonschema.compile(schemas.load("customer-created")["definitions"]["Customer"])


def customer(**fields: Any) -> dict[str, Any]:
    return {
        "customerId": 1,
        "customerName": "Ada",
        "customerData": {"phone": "+49 30 1234 5678", "vip": True},
        **fields,
    }


@pytest.mark.parametrize("text", CARD_LIKE, ids=repr)
@pytest.mark.parametrize("field", ["customerId", "customerName", "customerData"])
def test_no_customer_with_a_card_number_gets_past_the_api(check_customer: Any, field: str, text: str | int) -> None:
    # What goes straight to the bus passes no function that could take card data out.
    check_customer(customer())
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check_customer(customer(**{field: {"note": text} if field == "customerData" else text}))


@pytest.mark.parametrize("name", ["card-cvv", "CVV", "creditCard", "n4111111111111111", "4111111111111111", ""])
def test_no_field_that_speaks_of_a_card_gets_past_the_api(check_customer: Any, name: str) -> None:
    for refused in (customer(customerData={name: "737"}), customer(**{name: "737"})):
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            check_customer(refused)
