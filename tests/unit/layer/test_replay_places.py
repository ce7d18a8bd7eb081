"""A job's source and target mean a queue, a bucket or an archive; what is sent on from there is marked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.forwarding import Message
from eventfork.json_text import parse, render
from eventfork.replay import MARKER
from eventfork.replay_feeds import Item
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import ForbiddenError, Job, Request, Source, State, UnknownError
from eventfork.replay_places import Places, Timing
from eventfork.replay_plans import Sighting
from eventfork.replay_targets import REPLAYED, Rule, Target
from eventfork.replay_windows import Window

from tests.unit.replaying import LAST_HOUR, NOON, RULE, Clock, FakeQueue, FakeStore, World, bus_event, order_event
from tests.unit.samples import string

HOUR = timedelta(hours=1)
CHECKOUT = Target("checkout", "checkout", "checkout-dead-letters")
CUSTOMERS = Target("customers", "customers", "customers-dead-letters", RULE, "buffer", "crm")
REPLAY_RULE = Rule("replay", RULE, {"detail-type": ["OrderPlaced"], REPLAYED: [{"exists": True}]})
TIMING = Timing(
    archive_settles=timedelta(minutes=10),
    backup_settles=timedelta(minutes=15),
    backup_lag=HOUR,
    slice_seconds=50,
    quiet_seconds=0.0,
)
SETTLED = Window(LAST_HOUR.start, NOON - timedelta(minutes=15))


class Queue(FakeQueue):
    """A queue that can be sent to.

    Attributes
    ----------
    sent : list of tuple
        Body and attributes of what was sent.
    refuses : set of str
        Bodies that it does not take.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.sent: list[tuple[str, Mapping[str, Any]]] = []
        self.refuses: set[str] = set()

    def send(self, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[int]:
        """Take messages, but for some."""
        self.sent += [one for one in messages if one[0] not in self.refuses]
        return [position for position, (body, _) in enumerate(messages) if body in self.refuses]

    def approximate_count(self) -> int:
        """Give how many it holds."""
        return len(self.ids())


class Account:
    """Two consumers, one of the topic and one of the bus, and all that they can be replayed from."""

    def __init__(self, tick: float = 0.0) -> None:
        self.clock = Clock(tick)
        names = ("checkout", "checkout-dead-letters", "customers", "customers-dead-letters", "buffer", "kept")
        self.queues = {name: Queue(self.clock) for name in names}
        self.topic = FakeStore()
        self.bus = FakeStore()
        self.circuits: dict[str, str] = {}
        self.asked: list[str] = []
        self.parked: list[tuple[str, str]] = []
        self.quarantine_answers = True
        self.world = World()

    def places(self, **other: Any) -> Places:
        """Give the places, but for what is said."""
        return Places(
            **{
                "known": {"checkout": CHECKOUT, "customers": CUSTOMERS},
                "rules_of_bus": lambda: [Rule("live", f"{RULE}-live", {}), REPLAY_RULE],
                "default_archive": "everything",
                "archive_arn": self.archive_arn,
                "replays": {"arn of everything": self.world.replays}.__getitem__,
                "queue": self.queues.__getitem__,
                "replay_queue_arn": "kept",
                "topic_events": self.topic,
                "bus_events": self.bus,
                "circuit_state": self.circuit_state,
                "park": self.park,
                "timing": TIMING,
                "maximum_hops": 3,
                "now": self.clock.now,
                "sleep": self.clock.sleep,
                **other,
            }
        )

    def archive_arn(self, name: str) -> str:
        """Give the ARN of the one archive there is."""
        if name != "everything":
            raise NotFoundError(name)
        return f"arn of {name}"

    def circuit_state(self, name: str) -> str | None:
        """Give the state of a circuit."""
        self.asked.append(name)
        return self.circuits.get(name)

    def park(self, message: Message, reason: str) -> None:
        """Park a message."""
        if not self.quarantine_answers:
            raise UnavailableError("SQS does not answer")
        self.parked.append((message.id, reason))

    def count(
        self, source: Source, target: Target = CHECKOUT, rules: Sequence[Rule] = (REPLAY_RULE,), **said: Any
    ) -> Sighting:
        """Count what a request would send."""
        places = self.places()
        return places.count(request(source, target.name, **{"window": SETTLED, **said}), target, rules)


def request(source: Source, *targets: str, **said: Any) -> Request:
    """Give a request for the last hour."""
    return Request(**{"source": source, "window": LAST_HOUR, "targets": targets or ("checkout",), **said})


def job(source: Source, *targets: str, **said: Any) -> Job:
    """Give a job that was asked for at noon."""
    asked = request(source, *targets, **said)
    return Job(id="job", request=asked, state=State.RUNNING, requested_at=NOON, starts_at=NOON)


def item(name: str, target: str = "checkout", hop: int = 0) -> Item:
    """Give a message for a consumer, which was replayed so many times already."""
    mark = {MARKER: string(render({"job": "earlier", "hop": hop}))} if hop else {}
    return Item(Message(name, f"body of {name}", {"kind": string("order"), **mark}, ""), target)


def taken(account: Account, asked: Job) -> list[tuple[str, str]]:
    """Give the consumers and the ids of the events of what a job reads first."""
    feed = account.places().feed(asked)
    found = [(one.target, str(parse(one.message.body)["id"])) for one in feed.take(10)]
    feed.close()
    return found


def test_there_are_the_consumers_and_the_rules_that_are_set_up() -> None:
    """As they are given."""
    places = Account().places()
    assert places.targets() == {"checkout": CHECKOUT, "customers": CUSTOMERS}
    assert [rule.name for rule in places.rules()] == ["live", "replay"]


def test_the_archive_of_everything_is_meant_where_none_is_named() -> None:
    """One that is not of this bus is not there."""
    places = Account().places()
    assert places.archive("") == places.archive("everything") == "everything"
    with pytest.raises(NotFoundError):
        places.archive("another")


def test_what_happened_last_can_be_read_after_a_while_but_from_a_queue_at_once() -> None:
    """An archive takes as long as it takes, and so does a bucket."""
    places = Account().places()
    assert [places.settles_after(source) for source in (Source.ARCHIVE, Source.BACKUP, Source.QUEUE, Source.DLQ)] == [
        TIMING.archive_settles,
        TIMING.backup_settles,
        None,
        None,
    ]


@pytest.mark.parametrize(("source", "queue"), [(Source.QUEUE, "kept"), (Source.DLQ, "checkout-dead-letters")])
def test_what_a_queue_holds_is_told_as_sqs_tells_it(source: Source, queue: str) -> None:
    """With a note that it is all of it, whatever was asked for."""
    account = Account()
    for number in range(3):
        account.queues[queue].put(render(order_event(str(number), NOON - 9 * HOUR)))
    seen = account.count(source)
    assert (seen.events, seen.exact) == (3, False)
    assert seen.notes == ("What the queue holds in all, as SQS tells: window and filter not applied.",)


def test_what_a_bucket_holds_is_counted_event_by_event() -> None:
    """By window and filter, for a consumer of the bus by its rule too, whether it is replayed or archived."""
    account = Account()
    events = [("1", SETTLED.start, "OrderPlaced"), ("2", SETTLED.end, "OrderChanged"), ("3", NOON, "OrderPlaced")]
    account.topic.put(NOON - HOUR, "a", [render(order_event(*event)) for event in events])
    account.bus.put(NOON - HOUR, "a", [render(bus_event(*event)) for event in events])
    assert account.count(Source.BACKUP) == Sighting(2, True, ())
    assert account.count(Source.BACKUP, filter=EventFilter(orders=("order-2",))) == Sighting(1, True, ())
    assert account.count(Source.BACKUP, CUSTOMERS) == Sighting(1, True, ())
    assert account.count(Source.ARCHIVE, CUSTOMERS) == Sighting(1, True, ())
    assert account.topic.open == account.bus.open == 0


def test_counting_ends_before_the_caller_gives_up() -> None:
    """It says that there are at least so many."""
    account = Account(tick=0.2)
    account.topic.put(NOON - HOUR, "a", [render(order_event(str(number))) for number in range(1000)])
    seen = account.count(Source.BACKUP)
    assert 10 < seen.events < 1000
    assert (seen.exact, len(seen.notes)) == (False, 1)
    assert seen.notes[0] == "Counting stopped after 15 seconds: there are at least so many."
    assert account.clock.moment() < NOON + timedelta(seconds=20)
    assert account.topic.open == 0


def test_what_cannot_be_known_yet_is_noted() -> None:
    """A bucket is behind."""
    seen = Account().count(Source.BACKUP, window=Window(SETTLED.start, SETTLED.end + timedelta(seconds=1)))
    assert not seen.exact
    assert seen.notes == ("What happened last is not counted: it takes some time to arrive in the bucket.",)


@pytest.mark.parametrize(
    ("lines", "wanted", "why"),
    [
        (["{"], EventFilter(), "The object 2026/11/26/11/b is damaged in line 1"),
        ([], EventFilter(expression="abs(data.id)"), "The filter's expression cannot be applied"),
    ],
    ids=["damaged", "filter"],
)
def test_what_stops_the_counting_is_noted(lines: list[str], wanted: EventFilter, why: str) -> None:
    """A plan says what it cannot see; it is a job that this would be the end of."""
    account = Account()
    account.topic.put(NOON - HOUR, "a", [render(order_event("1"))])
    account.topic.put(NOON - HOUR, "b", lines)
    seen = account.count(Source.BACKUP, filter=wanted)
    assert (seen.exact, len(seen.notes), why in seen.notes[0]) == (False, 1, True)
    assert account.topic.open == 0


def test_a_bucket_that_does_not_answer_is_not_taken_for_an_empty_one() -> None:
    """There is no count then."""
    account = Account()
    key = account.topic.put(NOON - HOUR, "a", [render(order_event("1"))])
    account.topic.damaged[key] = UnavailableError("S3 does not answer")
    with pytest.raises(UnavailableError):
        account.count(Source.BACKUP)
    assert account.topic.open == 0


def test_a_consumer_whose_rule_is_gone_cannot_be_replayed_to() -> None:
    """Nobody knows what it takes."""
    account = Account()
    with pytest.raises(UnknownError, match=f"The bus has no rule {RULE}, which is to feed customers"):
        account.count(Source.BACKUP, CUSTOMERS, rules=())
    with pytest.raises(UnknownError, match="The bus has no rule"):
        account.places(rules_of_bus=list).feed(job(Source.BACKUP, "customers"))


def test_where_no_queue_keeps_anything_another_source_is_named() -> None:
    """Neither to count nor to replay."""
    places = Account().places(replay_queue_arn="")
    told = "Nothing is kept for checkout in a queue: replay it from backup"
    with pytest.raises(ForbiddenError, match=told):
        places.count(request(Source.QUEUE), CHECKOUT, ())
    with pytest.raises(ForbiddenError, match=told):
        places.feed(job(Source.QUEUE))


@pytest.mark.parametrize(
    ("state", "is_open"),
    [("OPEN", True), ("HALF_OPEN", True), ("FORCED_OPEN", True), ("CLOSED", False), (None, False)],
)
def test_a_circuit_that_is_not_closed_is_named(state: str | None, is_open: bool) -> None:
    """One that nobody knows of is closed; a consumer that calls nothing has none."""
    account = Account()
    account.circuits = {"crm": state} if state else {}
    places = account.places()
    assert places.open_circuit(job(Source.QUEUE)) is None
    assert account.asked == []
    assert places.open_circuit(job(Source.ARCHIVE, "checkout", "customers")) == ("crm" if is_open else None)
    assert account.asked == ["crm"]


@pytest.mark.parametrize(("source", "queue"), [(Source.QUEUE, "kept"), (Source.DLQ, "checkout-dead-letters")])
def test_a_queue_is_read_for_its_consumer(source: Source, queue: str) -> None:
    """What is taken is hidden for a little longer than a worker has it."""
    account = Account()
    account.queues[queue].put(render(order_event("1")), message_id="1")
    account.clock.sleep(1)
    feed = account.places().feed(job(source))
    account.queues[queue].put(render(order_event("later")), account.clock.moment(), "later")
    assert [(one.target, one.message.id) for one in feed.take(10)] == [("checkout", "1")]
    account.clock.sleep(TIMING.slice_seconds)
    assert account.queues[queue].visible() == set()
    account.clock.sleep(30)
    assert account.queues[queue].visible() == {"1", "later"}


def test_stored_events_are_read_where_the_consumer_takes_its_own() -> None:
    """What the topic carried, or what its rule takes off the bus."""
    account = Account()
    account.topic.put(NOON - HOUR, "a", [render(order_event("1"))])
    account.bus.put(NOON - HOUR, "a", [render(bus_event("2")), render(bus_event("3", kind="OrderChanged"))])
    assert taken(account, job(Source.BACKUP)) == [("checkout", "1")]
    assert taken(account, job(Source.BACKUP, "customers")) == [("customers", "2")]


def test_an_archive_is_replayed_to_the_rule_of_its_consumer_and_read_from_its_buffer() -> None:
    """What of it is the job's, that is."""
    account = Account()
    account.queues["buffer"].put(render({**bus_event("1"), REPLAYED: "job.1.0"}))
    account.queues["buffer"].put(render({**bus_event("2"), REPLAYED: "another.1.0"}))
    feed = account.places().feed(job(Source.ARCHIVE, "customers", archive="everything"))
    assert [(one.target, parse(one.message.body)["id"]) for one in feed.take(10)] == [("customers", "1")]
    assert feed.take(10) == []
    assert [name for name, _ in account.world.replays.starts] == ["job.1.0"]


def test_what_is_sent_on_is_as_it_was_and_marked() -> None:
    """To each consumer what is for it, and with the job and the number of replays."""
    account = Account()
    outcome = account.places().forward(
        job(Source.ARCHIVE, "customers", "checkout"), [item("a"), item("b", "customers", hop=2), item("c")]
    )
    assert outcome.counts() == {"received": 3, "sent": 3, "parked": 0, "failed": 0}
    assert [body for body, _ in account.queues["checkout"].sent] == ["body of a", "body of c"]
    [(body, attributes)] = account.queues["customers"].sent
    assert (body, attributes["kind"]) == ("body of b", string("order"))
    assert parse(attributes[MARKER]["stringValue"]) == {"job": "job", "hop": 3}


def test_what_was_replayed_too_often_is_parked_with_the_reason() -> None:
    """What leads back to itself must end."""
    account = Account()
    outcome = account.places().forward(job(Source.DLQ), [item("a", hop=3), item("b")])
    assert outcome.counts() == {"received": 2, "sent": 1, "parked": 1, "failed": 0}
    assert account.parked == [("a", "was replayed 3 times already, and no more than 3 are let through")]


def test_what_was_neither_sent_nor_parked_is_reported() -> None:
    """Of every consumer."""
    account = Account()
    account.quarantine_answers = False
    account.queues["checkout"].refuses = {"body of b"}
    items = [item("a", hop=3), item("b"), item("c"), item("d", "customers", hop=9)]
    outcome = account.places().forward(job(Source.DLQ), items)
    assert (outcome.received, outcome.sent, outcome.parked, outcome.failed) == (4, 1, 0, {"a", "b", "d"})


def test_a_consumer_that_is_no_longer_set_up_is_named() -> None:
    """A job may outlive what it was asked for; it fails then, with that for a reason."""
    places, orphan = Account().places(), job(Source.DLQ, "gone")
    told = "There is no consumer gone any more"
    with pytest.raises(UnknownError, match=told):
        places.open_circuit(orphan)
    with pytest.raises(UnknownError, match=told):
        places.feed(orphan)
    with pytest.raises(UnknownError, match=told):
        places.forward(orphan, [item("a", "gone")])


def test_a_queue_goes_on_from_its_checkpoint() -> None:
    """What a dead worker held is waited for."""
    account = Account()
    hidden_until = NOON.timestamp() + 40
    feed = account.places().feed(replace(job(Source.QUEUE), checkpoint={"hiddenUntil": hidden_until}))
    assert feed.take(10) == []
    assert not feed.is_exhausted()
    account.clock.sleep(hidden_until - account.clock.now())
    assert feed.is_exhausted()
