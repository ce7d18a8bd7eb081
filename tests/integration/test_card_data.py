"""Card data sent by every path, to be accepted, refused, or to fail, is found in no store that we write."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from eventfork import bus_events, checkout_events
from eventfork.json_text import parse, render

from local import deployment
from local.engine.process import Engine
from tests.bad_orders import ORDER_TEXT
from tests.canaries import Canary, Card, Finder, card
from tests.integration.application import Application, eventually
from tests.integration.conftest import PARAMETERS
from tests.integration.payments import CircuitControl, eventually_held
from tests.integration.replays import Replays, deploy_code, now
from tests.integration.stores import Searched, files, search, state, stores, table

ARRIVAL_SECONDS = 300
LEVELS = ("DEBUG", "INFO")


class Exclusion(NamedTuple):
    """What we do not keep card data out of: it is told, counted and reasoned, and must still be true."""

    paths: str
    store: str
    reason: str


EXCLUDED = (
    Exclusion(
        "raw on the topic",
        "-ReplayQueue",
        "SNS delivers what another publisher put on the topic, as it is, to the queue that keeps it for replay; "
        "nothing of ours is between. Read back, it is freed of card data before anything is written.",
    ),
    Exclusion(
        "raw on the bus",
        "HistoryBucket",
        "EventBridge and Firehose write what another publisher put on the bus; nothing of ours is between. The API's "
        "customers come there without a function too: the gateway refuses what may hold a card number.",
    ),
    Exclusion("raw on the bus", "state of eventbridge", "The archives: EventBridge keeps what it was given."),
    Exclusion(
        "raw and dead",
        "CheckoutDeadLetterQueue",
        "SQS itself moves a message there that failed five times, as it is; ours are without card data by then.",
    ),
    Exclusion(
        "raw on a queue",
        "(ReplayWork|CircuitProbe)(DeadLetter)?Queue",
        "It stays where its sender put it, until SQS moves it, as it is, because it was received too often.",
    ),
    Exclusion("raw", "state of sqs", "The queues once more, as the engine holds them: searched above, one by one."),
    Exclusion("raw", "engine.log", "The engine's account of what was published; of the API's orders it has none."),
)


def _excluded(store: str, canary: Canary) -> Exclusion | None:
    return next(
        (one for one in EXCLUDED if canary.path.startswith(one.paths) and re.search(one.store, store, re.IGNORECASE)),
        None,
    )


class Paths:
    """Every path by which card data can come, each with a card of its own."""

    def __init__(self, application: Application, level: str) -> None:
        self.application = application
        self.level = level
        self.cards: list[Card] = []
        self.answers: list[bytes] = []
        self.must_hold: dict[str, list[str]] = {}
        self.event_ids: list[str] = []
        self._began = now()
        self._replays = Replays(application.engine, application.outputs)
        self._sqs, self._sns = application.engine.client("sqs"), application.engine.client("sns")

    def card(self, path: str, *must_hold: str) -> Card:
        """Give the card of a path; its marker must be found in the stores whose names hold these texts."""
        made = card(f"{path}, {self.level}")
        self.cards.append(made)
        self.must_hold[made.marker] = list(must_hold)
        return made

    def post(self, body: bytes, status: int, content_type: str = "application/json") -> Any:
        """Post an order; keep the answer, to be searched as well."""
        answer = self.application.post(body, content_type)
        assert answer.status == status, (status, answer.body)
        self.answers.append(json.dumps([answer.headers, answer.body]).encode())
        return answer.body

    def accepted(self) -> None:
        """Have orders accepted that hold card data in every field that may, and some that need not."""
        stored = ("CheckoutTable", "BackupBucket", "HistoryBucket", "FraudScreeningTable")
        paid = ("PaymentsTable", "ProviderTable", "state of eventbridge")
        self.event_ids.append(self.post(_order(self.card("accepted", *stored, *paid)), 202)["eventId"])
        declined = self.card("declined", *stored, *paid)
        self.post(_order(declined, payment={"id": f"decline-{declined.marker}"}), 202)

    def refused(self) -> None:
        """Have bodies refused, each in another way."""
        self.post(_order(self.card("refused for a field"), payment={"amount": -1}), 400)
        self.post(_order(self.card("refused for no JSON"))[:-1], 400)
        self.post(_order(self.card("refused for its type")), 415, "text/plain")
        self.post(_order(self.card("refused for its size"), filling="x" * 270_000), 413)
        named = self.card("refused for its identifier")
        self.post(_order(named, customer={"id": named.number}), 400)
        for number, twice in enumerate(
            ('{{"{}": {{"a": 1, "a": 2}}}}', '{{"{}": "\\ud800"}}', '{{"{0}": 1, "{0}": 2}}')
        ):
            self.post(
                twice.format(self.card(f"refused for what a key of a number holds, {number}").number).encode(), 400
            )
        asked = self.card("asked for")
        for path in (f"orders/{asked.number}/{asked.number}", f"nowhere/{asked.number}"):
            assert self.application.request("GET", path).status == 404
        assert self.application.request("GET", f"payments/quote?amount={asked.number}&currency=eur").status == 400
        assert self.application.request("GET", f"payments/quote?amount=1&currency={asked.cvv}").status == 400

    def customers(self) -> None:
        """Have customers refused by the gateway, whichever way they hold a card."""
        one = self.card("customer")
        bodies: list[dict[str, Any]] = [{"customerName": spelling} for spelling in one.spellings]
        bodies += [{"customerData": {"note": f"please\ncharge {spelling}"}} for spelling in one.spellings]
        bodies += [{"customerData": {name: value}} for name, value in one.fields.items()]
        bodies += [{"customerId": int(one.number)}, {"customerId": one.number}, one.fields]
        statuses = Counter[int]()
        for body in bodies:
            document = {"customerId": one.marker, "customerName": "Ada", **body}
            answer = self.application.request("POST", "customers", json.dumps(document).encode(), "application/json")
            self.answers.append(json.dumps([answer.headers, answer.body]).encode())
            statuses[answer.status] += 1
        assert statuses == {400: len(bodies)}

    def raw_on_the_topic(self) -> None:
        """Publish as another publisher may: what is no order, what is one with card data, what cannot be read."""
        topic = self.application.outputs["CheckoutEventsTopicArn"]
        for name, body in _raw(lambda name: self.card(f"raw on the topic: {name}", *_where_raw_ends(name))).items():
            attribute = {"DataType": "String", "StringValue": self.cards[-1].number}
            attributes = {"note": attribute, "card-cvv": {**attribute, "StringValue": self.cards[-1].cvv}}
            self._sns.publish(TopicArn=topic, Message=body, MessageAttributes=attributes if name == "prose" else {})

    def raw_on_queues(self) -> None:
        """Send as nobody should: straight to every queue that a function reads."""
        mappings = self.application.engine.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        arns = [one["EventSourceArn"] for one in mappings if ":sqs:" in one["EventSourceArn"]]
        assert len(arns) > 8
        for arn in sorted(arns):
            name = arn.rpartition(":")[2]
            url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
            make = partial(self._of_queue, name)
            for body in _raw(make).values():
                self._sqs.send_message(QueueUrl=url, MessageBody=body)

    def _of_queue(self, queue: str, kind: str) -> Card:
        return self.card(f"raw on a queue: {kind}, {queue}")

    def raw_on_the_bus(self) -> None:
        """Put events as another publisher may: a customer with a card, orders known by a number."""
        one = self.card("raw on the bus: customer", "CustomerTable", "HistoryBucket", "state of eventbridge")
        customer = {"customerId": one.marker, "customerName": f"Ada {one.number}", "customerData": _hidden(one)}
        self.application.put_event("crm", bus_events.CUSTOMER_CREATED, json.loads(render(customer)))
        sample = {"dateOrderId": "2026-11-20T08:15:42Z#1", "amount": 12.5, "currency": "eur", "totalQuantity": 3}
        for name in ("orderId", "customerId", "paymentId"):
            other = self.card(f"raw on the bus: {name}", "PaymentsQuarantineQueue", "state of eventbridge")
            ids = dict.fromkeys(("orderId", "customerId", "paymentId"), other.marker)
            data = {**sample, **ids, name: other.spellings[1], **other.fields}
            # Its rule takes orders from our source alone, which nothing keeps others from naming.
            self.application.put_event(bus_events.ORDERS, bus_events.ORDER_PLACED, data)

    def deferred(self) -> None:
        """Have a payment deferred, and made by the replay once the circuit has closed."""
        circuit = CircuitControl(self.application)
        circuit.command("force-open", reason="a test", actor="the tests")
        held = self.card("deferred", "CheckoutTable", "PaymentsTable", "HistoryBucket", "ProviderTable")
        eventually_held(self.application)
        self.post(_order(held), 202)
        self._payment(held, "DEFERRED")
        circuit.command("reset", reason="the test is over", actor="the tests")
        self._payment(held, "CAPTURED")

    def crashed(self) -> None:
        """Have functions fail with an order in their hands: by wrong settings, and by a fault in the code."""
        crash = partial(_settings, self.application, "CheckoutApiFunctionName", POWERTOOLS_LOGGER_LOG_EVENT="true")
        with crash(TOPIC_ARN=""):
            self._fails(self.card("crashed without its topic"))
        with crash(TOPIC_ARN="arn:aws:sns:us-east-1:000000000000:nowhere"):
            self._fails(self.card("crashed by a topic that is not there"))
        with crash(TOPIC_ARN="nonsense"):
            self._fails(self.card("crashed by a topic that is none"))
        fault = ('logger.info("order accepted", event_id=accepted.event_id)', 'raise LookupError("a fault of a test")')
        deploy_code(self.application, "CheckoutApiFunctionName", "checkout_api", fault)
        self._fails(self.card("crashed by a fault"))
        deploy_code(self.application, "CheckoutApiFunctionName", "checkout_api")
        eventually(lambda: self.application.post(ORDER_TEXT.encode()).status == 202, "the good function")

    def dead(self) -> None:
        """Have an order, and what another publisher sent, fail until they are dead letters; replay the order."""
        queue = self.application.outputs["CheckoutQueueUrl"]
        # What is being worked on when the function is changed would come back after minutes.
        eventually(lambda: self._drained("CheckoutQueueUrl"), "the end of what was sent before", deadline_seconds=600)
        before = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
        ours = self.card("dead", "CheckoutTable", "BackupBucket")
        raw = self.card("raw and dead", "CheckoutDeadLetterQueue")
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
        with _settings(self.application, "CheckoutFunctionName", TABLE_NAME=""):
            self.post(_order(ours), 202)
            topic = self.application.outputs["CheckoutEventsTopicArn"]
            self._sns.publish(TopicArn=topic, Message=render(_hidden(raw)))

            def both() -> bool:
                bodies = [message["Body"] for message in self.application.messages("CheckoutDeadLetterQueueUrl")]
                return {ours.marker, raw.marker} <= {
                    one.marker for one in (ours, raw) if any(one.marker in body for body in bodies)
                }

            eventually(both, "both dead letters")
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)
        [letter] = [
            one for one in self.application.messages("CheckoutDeadLetterQueueUrl") if ours.marker in one["Body"]
        ]
        assert not Finder(ours.canaries).found(json.dumps(letter, default=str))
        self._replays.completed(
            self._replays.start("dlq", "checkout", filter={"customers": [f"customer-{ours.marker}"]})
        )
        eventually(lambda: self.application.rows(f"customer-{ours.marker}"), "the row of the dead letter")

    def failed_batch(self) -> None:
        """Have changes of the orders table fail so often that their batch is stored."""
        # The names of buckets are cut short.
        one = self.card("failed batch", "CheckoutTable", "OrderStreamFailure")
        for path, status in (
            ("accepted", "CAPTURED"),
            ("declined", "DECLINED"),
            ("raw on the topic: order", "CAPTURED"),
        ):
            # Else they would be in that batch as well, and not be told of.
            self._payment(self._card_of(path), status)
        with _settings(self.application, "OrderStreamFunctionName", EVENT_BUS_NAME=""):
            self.post(_order(one), 202)
            bucket = self.application.outputs["OrderStreamFailureBucketName"]
            s3 = self.application.engine.client("s3")

            def stored() -> bool:
                keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
                bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
                return any(one.marker.encode() in body for body in bodies)

            eventually(stored, "the batch in the failure bucket", deadline_seconds=400)

    def replayed(self) -> None:
        """Replay all of it, out of everything that keeps events."""
        for source, target in (("queue", "checkout"), ("backup", "checkout"), ("archive", "customers")):
            job = self._replays.completed(self._replays.start(source, target, **{"from": self._began}))
            assert job["counts"]["sent"] > 0, (source, job["counts"])
        self._replays.completed(self._replays.start("archive", "payments", **{"from": self._began}))

    def kept(self) -> None:
        """Have something stay where events are kept to be replayed: what was there has been."""
        self.post(_order(self.card("kept", "-ReplayQueue", "CheckoutTable", "BackupBucket")), 202)
        raw = self.card("raw on the topic: kept", "-ReplayQueue", "CheckoutQuarantineQueue", "BackupBucket")
        topic = self.application.outputs["CheckoutEventsTopicArn"]
        self._sns.publish(TopicArn=topic, Message=render(_hidden(raw)))

    def _drained(self, output: str) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.application.outputs[output]
        counts = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return not any(map(int, counts.values()))

    def _fails(self, one: Card) -> None:
        def failed() -> bool:
            answer = self.application.post(_order(one))
            self.answers.append(json.dumps([answer.headers, answer.body]).encode())
            return answer.status >= 500

        eventually(failed, "a failure of the function")

    def _card_of(self, path: str) -> Card:
        [found] = [one for one in self.cards if one.path == f"{path}, {self.level}"]
        return found

    def _payment(self, one: Card, status: str) -> None:
        def has_status() -> bool:
            rows = self.application.table("PaymentsTableName")
            return any(row["OrderId"]["S"] == one.marker and row["Status"]["S"] == status for row in rows)

        eventually(has_status, f"the payment {status}")


def _hidden(one: Card) -> dict[str, Any]:
    """Give a document that holds a card in nested and odd fields, and its marker."""
    return {
        "marker": one.marker,
        "note": f"charge {', or '.join(one.spellings)}",
        "Kartennummer": one.spellings[2],
        "numbers": [int(one.number), Decimal(f"{one.number}.00"), Decimal(one.number).scaleb(3).scaleb(-3)],
        "card": {"number": one.number, "expiry": one.expiry, "holder": one.owner, "cvv": one.cvv, "id": 7},
        "deep": [{"a": {"CVV2": one.cvv, "Name_on_Card": one.owner, "cardExpiryDate": one.expiry, "PAN": one.number}}],
        "by number": {one.spellings[3]: 1},
        "as text": json.dumps({"payment": one.fields, "card": {"expiry": one.expiry}}),
        "as text in text": json.dumps({"Message": json.dumps({"card": {"holder": one.owner, "cvc": one.cvv}})}),
    }


def _order(one: Card, **changes: Any) -> bytes:
    order = parse(ORDER_TEXT)
    order |= {"id": one.marker, "hidden": _hidden(one)}
    order["customer"] |= {"id": f"customer-{one.marker}"}
    order["payment"] |= {"id": f"payment-{one.marker}", **one.fields}
    for name, change in changes.items():
        order[name] = {**order[name], **change} if isinstance(change, dict) else change
    return render(order).encode()


def _raw(make: Callable[[str], Card]) -> dict[str, str]:
    """Give messages with card data as another publisher may send them."""
    document, prose, form, twice, escaped, order = map(
        make, ("document", "prose", "form", "a key twice", "behind escapes", "order")
    )
    event = checkout_events.order_submitted(parse(_order(order)), datetime.now(UTC))
    return {
        "document": render(_hidden(document)),
        "form": f"marker={form.marker}&card-number={form.number}&cvv={form.cvv}&card-owner={form.owner}",
        "a key twice": f'{{"cvv": "{twice.cvv}", "cvv": "{twice.number}", "marker": "{twice.marker}"}}',
        "behind escapes": f'{{"n": NaN, "\\u0063vv": "{escaped.cvv}", "note": "\\u0034{escaped.number[1:]}"}}',
        "order": render(event),
        "prose": f"{prose.marker}: my card is {prose.spellings[5]} ({prose.spellings[4]}), please call",
    }


def _where_raw_ends(name: str) -> list[str]:
    match name:
        case "document" | "prose":
            return ["CheckoutQuarantineQueue", "BackupBucket"]
        case "order":
            return ["CheckoutTable", "BackupBucket", "ProviderTable"]
        case _:
            return []


@contextmanager
def _settings(application: Application, output: str, **settings: str) -> Iterator[None]:
    functions, name = application.engine.client("lambda"), application.outputs[output]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **settings}})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory of the engine, which outlives it."""
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def own_engine(directory: Path) -> Iterator[Engine]:
    """Start an engine of its own, which writes all that it holds into files when it ends."""
    environment = {"PERSIST_STATE": "1", "STATE_DIR": str(directory / "state")}
    with Engine(data_directory=directory, firehose_interval_scale=1 / 60, environment=environment) as engine:
        yield engine


@pytest.mark.sweep
@pytest.mark.timeout(5400)
def test_no_card_data_is_in_any_store_that_we_write(own_engine: Engine, directory: Path) -> None:
    deployment.build()
    paths: list[Paths] = []
    outputs: dict[str, str] = {}
    for level in LEVELS:
        parameters = {**deployment.target_parameters(), **PARAMETERS, "LogLevel": level}
        outputs |= deployment.deploy(own_engine, "eventfork", parameters)
        one = Paths(Application(own_engine, "eventfork", parameters, outputs), level)
        paths.append(one)
        for send in (
            one.accepted,
            one.refused,
            one.customers,
            one.raw_on_the_topic,
            one.raw_on_queues,
            one.raw_on_the_bus,
            one.failed_batch,
            one.dead,
            one.deferred,
            one.crashed,
            one.replayed,
        ):
            began = time.monotonic()
            send()
            print(f"{level}: {send.__name__} in {time.monotonic() - began:.0f} s", flush=True)

    paths[-1].kept()
    cards = [card for one in paths for card in one.cards]
    markers = [Canary(one.path, "marker", one.marker) for one in cards]
    events = [Canary("accepted", "event id", event_id) for one in paths for event_id in one.event_ids]
    finder = Finder([*(canary for one in cards for canary in one.canaries), *markers, *events])
    wanted = {(marker, store) for one in paths for marker, stores in one.must_hold.items() for store in stores}

    def missing(searched: list[Searched]) -> set[tuple[str, str]]:
        held = {(canary.text, one.name) for one in searched for canary in one.found}
        return {
            (marker, store)
            for marker, store in wanted
            if not any(text == marker and store.casefold() in name.casefold() for text, name in held)
        }

    def leaks(searched: list[Searched]) -> dict[tuple[str, str, str], int]:
        return {
            (one.name, canary.path, canary.kind): count
            for one in searched
            for canary, count in one.found.items()
            if canary.kind in ("number", "cvv", "expiry", "owner") and not _excluded(one.name, canary)
        }

    def is_on_its_way(searched: list[Searched]) -> bool:
        return bool(leaks(searched)) or not all(store.startswith("state of") for _, store in missing(searched))

    # What others published is in queues as it is, until a function takes it; what stays there is told below, as is what
    # never came.
    deadline = time.monotonic() + ARRIVAL_SECONDS
    searched = search(stores(own_engine), finder)
    while time.monotonic() < deadline and is_on_its_way(searched):
        searched = search(stores(own_engine), finder)
    searched += search([("answers of the API", [answer for one in paths for answer in one.answers])], finder)
    own_engine.stop()
    searched += search(state(directory / "state"), finder)
    searched += search(files(directory, without=directory / "state"), finder)

    print("\n" + table(searched, lambda store, canary: _excluded(store, canary) is not None))
    for exclusion in EXCLUDED:
        print(f"excluded: {exclusion.paths}, in {exclusion.store}: {exclusion.reason}")
    assert missing(searched) == set()
    logs = [one for one in searched if one.name.startswith("log group") and "CheckoutApiFunction" in one.name]
    assert {canary.text for one in logs for canary in one.found} >= {event.text for event in events}
    quarantines = [one for one in searched if "QuarantineQueue" in one.name and one.records]
    assert len(quarantines) > 4
    assert len(searched) > 80
    assert leaks(searched) == {}
    unneeded = [
        one
        for one in EXCLUDED
        if not any(_excluded(store.name, canary) is one for store in searched for canary in store.found)
    ]
    assert unneeded == []
