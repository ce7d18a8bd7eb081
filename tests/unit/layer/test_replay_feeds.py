"""A feed gives what its job asks for and nothing else, and gives again whatever was not dealt with."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.forwarding import Message
from eventfork.json_text import parse, render
from eventfork.replay_feeds import (
    ArchiveFeed,
    Feed,
    FeedError,
    Fit,
    Item,
    QueueFeed,
    StoredFeed,
    kept_before,
    replayed_by,
)
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import Job, Request, Source, State
from eventfork.replay_targets import REPLAYED, Rule
from eventfork.replay_windows import Window
from eventfork.timestamps import timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replaying import (
    LAST_HOUR,
    NOON,
    QUIET_SECONDS,
    RULE,
    TARGET,
    VISIBILITY_SECONDS,
    Clock,
    Connection,
    FakeQueue,
    FakeReplays,
    FakeStore,
    Killed,
    bus_event,
    order_event,
    queue_feed,
)

HOUR = timedelta(hours=1)
THREE_HOURS = Window(NOON - 3 * HOUR, NOON - timedelta(seconds=1))
OTHER_RULE = f"{RULE}-other"
PLACED = EventFilter(types=("OrderPlaced",))
NO_NUMBER = EventFilter(expression="abs(data.id)")
offsets = st.integers(min_value=-5000, max_value=5000).map(lambda seconds: timedelta(seconds=seconds))


def asked(
    source: Source = Source.QUEUE,
    *,
    checkpoint: Mapping[str, Any] | None = None,
    run: int = 1,
    state: State = State.RUNNING,
    **said: Any,
) -> Job:
    """Give a job as it was asked for at noon."""
    request = Request(**{"source": source, "window": LAST_HOUR, "targets": (TARGET,), **said})
    return Job(
        id="job",
        request=request,
        state=state,
        requested_at=NOON,
        starts_at=NOON,
        checkpoint=checkpoint or {},
        run=run,
    )


def sent(body: str | Mapping[str, Any], at: datetime = NOON - HOUR / 2) -> Message:
    """Give a message that was sent at a moment."""
    return Message("m", body if isinstance(body, str) else render(body), {}, timestamp(at))


def names(items: list[Item]) -> list[str]:
    """Give the ids of the events of items."""
    return [str(parse(item.message.body)["id"]) for item in items]


def drained(feed: Feed, clock: Clock, most: int = 10) -> list[str]:
    """Deal with everything that a feed gives, to its end; give the ids of the events."""
    found: list[str] = []
    for _ in range(2000):
        if feed.is_exhausted():
            feed.close()
            return found
        items = feed.take(most)
        found += names(items)
        feed.done({item.message.id for item in items})
        if not items:
            clock.sleep(0.5)
    raise AssertionError("there is no end to it")


class Kept:
    """A queue that keeps messages, and feeds of it."""

    def __init__(self, tick: float = 0.0) -> None:
        self.clock = Clock(tick)
        self.queue = FakeQueue(self.clock)

    def put(self, name: str, moment: datetime = LAST_HOUR.start, sent_at: datetime | None = None) -> None:
        """Put an event on it, by default before the job was asked for."""
        self.queue.put(render(order_event(name, moment)), sent_at or NOON - timedelta(minutes=1), name)

    def feed(self, job: Job | None = None, connection: Connection | None = None) -> QueueFeed:
        """Open it."""
        job = job or asked()
        return queue_feed((connection or Connection()).to(self.queue), job, self.clock, kept_before(job))


@given(offsets, offsets)
def test_of_a_kept_queue_what_was_sent_before_and_happened_in_the_window_is_taken(
    sent_after: timedelta, happened_after: timedelta
) -> None:
    """What was sent after the job was asked for is left, whenever it happened."""
    happened_at, sent_at = LAST_HOUR.start + happened_after, NOON + sent_after
    fit = kept_before(asked())(sent(order_event("1", happened_at), sent_at))
    expected = Fit.LATER if sent_at > NOON else Fit.TAKE if happened_at in LAST_HOUR else Fit.LEAVE
    assert fit is expected


@pytest.mark.parametrize("body", ["a text", "[1]", "{}", '{"time": "yesterday"}', '{"time": 7, "a": 1, "a": 2}'])
def test_what_tells_no_time_of_its_own_goes_by_the_time_it_was_sent(body: str) -> None:
    """Nothing else is known of it."""
    decide = kept_before(asked())
    assert decide(sent(body, LAST_HOUR.start)) is Fit.TAKE
    assert decide(sent(body, LAST_HOUR.start - timedelta(seconds=1))) is Fit.LEAVE


def test_what_a_filter_leaves_out_stays_on_a_kept_queue() -> None:
    """So does what is no event that it could look at."""
    decide = kept_before(asked(filter=PLACED))
    assert decide(sent(order_event("1"))) is Fit.TAKE
    assert decide(sent(order_event("1", kind="OrderChanged"))) is Fit.LEAVE
    assert decide(sent("a text")) is Fit.LEAVE


@pytest.mark.parametrize(("decide", "name"), [(kept_before, None), (replayed_by, "job.1.0")])
def test_a_job_whose_filter_cannot_be_applied_cannot_go_on(decide: Any, name: str | None) -> None:
    """Nobody can tell what it is to take."""
    with pytest.raises(FeedError, match="The filter's expression cannot be applied to an event: JMESPathTypeError"):
        decide(asked(filter=NO_NUMBER))(sent({**order_event("1"), REPLAYED: name}))


@pytest.mark.parametrize(
    ("name", "fit"),
    [
        ("job.1.0", Fit.DROP),
        ("job.2.0", Fit.TAKE),
        ("job.2.13", Fit.TAKE),
        ("job.20.0", Fit.DROP),
        ("job", Fit.DROP),
        ("job-2.2.0", Fit.LEAVE),
        ("another.2.0", Fit.LEAVE),
        (None, Fit.LEAVE),
        (2, Fit.LEAVE),
    ],
)
def test_of_a_buffer_what_this_run_of_the_job_had_replayed_is_taken(name: Any, fit: Fit) -> None:
    """What an earlier run had is deleted, what another job had is left to it."""
    assert replayed_by(asked(Source.ARCHIVE, run=2))(sent({**bus_event("1"), REPLAYED: name})) is fit


@pytest.mark.parametrize("body", ["a text", "[1]", "{"])
def test_of_a_buffer_what_is_no_event_is_left(body: str) -> None:
    """No replay has put it there."""
    assert replayed_by(asked(Source.ARCHIVE))(sent(body)) is Fit.LEAVE


def test_of_a_buffer_what_the_job_leaves_out_is_deleted() -> None:
    """The archive still has it; only an event that tells no time is given the benefit of the doubt."""
    decide = replayed_by(asked(Source.ARCHIVE, filter=PLACED))
    early, changed = bus_event("1", LAST_HOUR.start - HOUR), bus_event("2", kind="OrderChanged")
    timeless = {**bus_event("3"), "time": "some day"}
    assert [decide(sent({**event, REPLAYED: "job.1.0"})) for event in (early, changed, timeless)] == [
        Fit.DROP,
        Fit.DROP,
        Fit.TAKE,
    ]


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED, State.COMPLETED])
def test_of_a_buffer_everything_is_deleted_that_an_ended_job_had_replayed(state: State) -> None:
    """Nobody waits for it."""
    decide = replayed_by(asked(Source.ARCHIVE, state=state))
    assert decide(sent({**bus_event("1"), REPLAYED: "job.1.0"})) is Fit.DROP
    assert decide(sent({**bus_event("1"), REPLAYED: "another.1.0"})) is Fit.LEAVE


@given(st.lists(st.tuples(st.sampled_from([-90, -30, 30]), st.integers(min_value=-20, max_value=80)), max_size=30))
def test_a_kept_queue_gives_what_fits_and_keeps_the_rest(kept: list[tuple[int, int]]) -> None:
    """All of it can be received again once the feed is closed."""
    world = Kept()
    wanted: set[str] = set()
    others: set[str] = set()
    for number, (sent_after, minute) in enumerate(kept):
        happened = LAST_HOUR.start + timedelta(minutes=minute)
        world.put(f"e-{number}", happened, NOON + timedelta(seconds=sent_after))
        (wanted if sent_after < 0 and happened in LAST_HOUR else others).add(f"e-{number}")
    feed = world.feed()
    assert set(drained(feed, world.clock)) == wanted
    assert world.queue.ids() == world.queue.visible() == others
    assert (feed.read, feed.skipped) == (len(wanted), 0)


def test_only_what_was_done_is_deleted() -> None:
    """The rest can be received at once when the feed is closed."""
    world = Kept()
    for name in ("a", "b", "c"):
        world.put(name)
    feed = world.feed()
    assert [item.target for item in feed.take(10)] == [TARGET] * 3
    feed.done({"a", "of another feed"})
    assert (world.queue.ids(), world.queue.visible()) == ({"b", "c"}, set())
    feed.close()
    assert world.queue.visible() == {"b", "c"}


def test_what_is_given_back_is_given_back_in_calls_that_sqs_takes() -> None:
    """Ten receipts at a time."""
    world = Kept()
    for number in range(25):
        world.put(f"e-{number}", NOON)
    feed = world.feed()
    assert feed.take(10) == []
    assert world.queue.visible() == set()
    feed.close()
    assert len(world.queue.visible()) == 25


def test_a_queue_is_exhausted_when_it_has_been_quiet_for_long_enough() -> None:
    """Not before it was asked, nor while something that it gave is not dealt with."""
    world = Kept()
    world.put("a")
    feed = world.feed()
    world.clock.sleep(QUIET_SECONDS + 1)
    assert not feed.is_exhausted()
    assert names(feed.take(10)) == ["a"]
    assert feed.take(10) == []
    world.clock.sleep(QUIET_SECONDS)
    assert not feed.is_exhausted()
    feed.done({"m", "a"})
    assert feed.is_exhausted()


def test_silence_begins_anew_when_something_shows_that_may_have_more_behind_it() -> None:
    """What came after the job was asked for does not: there would be no end to it."""
    world = Kept()
    feed = world.feed()
    assert feed.take(10) == []
    world.clock.sleep(QUIET_SECONDS)
    world.put("later", sent_at=NOON + timedelta(seconds=1))
    assert feed.take(10) == []
    assert feed.is_exhausted()
    world.put("another", NOON)
    assert feed.poll(10) == []
    assert not feed.is_exhausted()


def test_a_queue_is_looked_through_only_for_a_moment_at_a_time() -> None:
    """The worker has something else to do as well."""
    world = Kept(tick=0.2)
    for number in range(100):
        world.put(f"e-{number}", NOON)
    world.put("a")
    feed = world.feed()
    assert feed.take(10) == []
    assert len(world.queue.visible()) > 50
    assert not feed.is_exhausted()
    assert drained(feed, world.clock) == ["a"]


def test_nothing_is_lost_that_a_worker_held_when_it_died() -> None:
    """The feed that goes on from its checkpoint does not take its silence for the end."""
    world = Kept()
    world.put("a")
    dead = world.feed()
    checkpoint = dead.checkpoint()
    assert names(dead.take(10)) == ["a"]
    world.clock.sleep(31)
    feed = world.feed(asked(checkpoint=checkpoint))
    assert feed.take(10) == []
    world.clock.sleep(QUIET_SECONDS)
    assert not feed.is_exhausted()
    assert drained(feed, world.clock) == ["a"]


def test_what_a_feed_held_is_hidden_no_longer_once_it_was_closed() -> None:
    """The next one may end as soon as it is quiet, but for what one before it held."""
    world = Kept()
    feed = world.feed()
    assert feed.checkpoint() == {"hiddenUntil": NOON.timestamp() + VISIBILITY_SECONDS}
    feed.close()
    assert feed.checkpoint() == {}
    hidden = {"hiddenUntil": NOON.timestamp() + 20}
    next_one = world.feed(asked(checkpoint=hidden))
    next_one.close()
    assert next_one.checkpoint() == hidden
    world.clock.sleep(20)
    assert next_one.checkpoint() == {}


def test_what_was_received_and_never_got_here_is_waited_for() -> None:
    """SQS hides it for the visibility time-out."""
    world = Kept()
    world.put("a")
    feed = world.feed(connection=Connection(fails_at=[1], takes_effect=True))
    with pytest.raises(UnavailableError):
        feed.take(10)
    feed.close()
    checkpoint = feed.checkpoint()
    assert checkpoint == {"hiddenUntil": NOON.timestamp() + VISIBILITY_SECONDS}
    assert drained(world.feed(asked(checkpoint=checkpoint)), world.clock) == ["a"]


@given(
    killed_at=st.integers(min_value=1, max_value=12), takes_effect=st.booleans(), after=st.sampled_from([0, 31, 59, 90])
)
def test_a_worker_that_is_killed_at_any_call_loses_nothing(killed_at: int, after: int, *, takes_effect: bool) -> None:
    """Whatever was not dealt with comes again, sooner or later."""
    world = Kept()
    everything = {f"e-{number}" for number in range(25)}
    for name in sorted(everything):
        world.put(name)
    dead = world.feed(connection=Connection(killed_at=killed_at, takes_effect=takes_effect))
    checkpoint, done = dead.checkpoint(), set()
    try:
        for _ in range(4):
            items = dead.take(7)
            # They are sent first, and deleted then.
            done |= set(names(items))
            dead.done({item.message.id for item in items})
        dead.close()
    except Killed:
        pass
    world.clock.sleep(after)
    again = drained(world.feed(asked(checkpoint=checkpoint)), world.clock)
    assert done | set(again) == everything
    assert not world.queue.ids()


def test_what_sqs_does_not_delete_of_what_is_left_out_is_given_back() -> None:
    """It is not counted until it is gone."""
    clock = Clock()
    queue, job = FakeQueue(clock), asked(Source.ARCHIVE, run=2)
    for name in ("a", "b"):
        queue.put(render({**bus_event(name), REPLAYED: "job.1.0"}), message_id=name)
    queue.keeps = {"b"}
    feed = queue_feed(queue, job, clock, replayed_by(job))
    assert feed.poll(10) == []
    assert (feed.read, feed.skipped, queue.ids()) == (1, 1, {"b"})
    feed.close()
    assert queue.visible() == {"b"}


def test_a_message_that_cannot_be_decided_on_is_given_back() -> None:
    """So is everything that was received with it."""
    world = Kept()
    for name in ("a", "b"):
        world.put(name)
    feed = world.feed(asked(filter=NO_NUMBER))
    with pytest.raises(FeedError):
        feed.take(10)
    feed.close()
    assert world.queue.visible() == {"a", "b"}


def test_a_kept_queue_has_nothing_to_clear_away() -> None:
    """It keeps what it keeps."""
    world = Kept()
    world.put("a")
    assert world.feed().abandon()
    assert world.queue.visible() == {"a"}


class Archived:
    """An archive of the last three hours, with buffers for two consumers, and feeds of it."""

    def __init__(self, seed: int = 0) -> None:
        self.clock = Clock(0.001)
        self.buffers = {RULE: FakeQueue(self.clock), OTHER_RULE: FakeQueue(self.clock)}
        self.replays = FakeReplays(self.clock, self.buffers, random.Random(seed))

    def keep(self, count: int) -> set[str]:
        """Keep so many events, spread over the window; give their names."""
        for number in range(count):
            moment = THREE_HOURS.start + number * (THREE_HOURS.end - THREE_HOURS.start) / max(count - 1, 1)
            self.replays.events.append(bus_event(f"e-{number}", moment))
        return {f"e-{number}" for number in range(count)}

    def job(self, **other: Any) -> Job:
        """Give a job that replays it."""
        return asked(**{"source": Source.ARCHIVE, "window": THREE_HOURS, **other})

    def feed(
        self, job: Job | None = None, connection: Connection | None = None, rules: tuple[str, ...] = (RULE,)
    ) -> ArchiveFeed:
        """Open it, for one consumer or both."""
        job, to = job or self.job(), (connection or Connection()).to
        buffers = {rule: queue_feed(to(self.buffers[rule]), job, self.clock, replayed_by(job)) for rule in rules}
        return ArchiveFeed(job, to(self.replays), buffers, self.clock.now)

    def taken(self, feed: ArchiveFeed) -> list[str]:
        """Deal with something that the feed gives; give the names."""
        for _ in range(200):
            if items := feed.take(10):
                feed.done({item.message.id for item in items})
                return names(items)
            self.clock.sleep(0.5)
        raise AssertionError("nothing comes")


@given(count=st.integers(min_value=0, max_value=40), seed=st.integers(min_value=0, max_value=9))
def test_an_archive_is_replayed_part_by_part_and_completely(count: int, seed: int) -> None:
    """Each part begins where the last one ended, once that is over and nothing of it is left in the buffer."""
    world = Archived(seed)
    everything = world.keep(count)
    feed = world.feed()
    found: set[str] = set()
    started = 0
    while not feed.is_exhausted():
        items = feed.take(10)
        found |= set(names(items))
        feed.done({item.message.id for item in items})
        assert len(world.replays.active()) <= 1
        if len(world.replays.starts) > started:
            started += 1
            assert not world.buffers[RULE].ids()
        if not items:
            world.clock.sleep(0.1)
    assert found == everything
    assert [name for name, _ in world.replays.starts] == ["job.1.0", "job.1.1", "job.1.2"]
    parts = [part for _, part in world.replays.starts]
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    assert parts[0].start == THREE_HOURS.start
    assert parts[-1].end > THREE_HOURS.end


def test_a_part_is_not_over_before_what_it_has_put_into_the_buffer_was_dealt_with() -> None:
    """EventBridge calls it completed when the rule has taken the last event."""
    world = Archived()
    world.keep(1)
    feed = world.feed()
    while not (items := feed.take(10)):
        world.clock.sleep(1)
    for _ in range(20):
        assert feed.take(10) == []
        world.clock.sleep(1)
    assert not world.replays.active()
    assert len(world.replays.starts) == 1
    feed.done({item.message.id for item in items})
    drained(feed, world.clock)
    assert len(world.replays.starts) == 3


def test_a_replay_is_waited_for_where_as_many_are_active_as_can_be() -> None:
    """It is asked for again, every few seconds."""
    world = Archived()
    everything, world.replays.most = world.keep(5), 0
    feed = world.feed()
    for _ in range(100):
        assert feed.take(10) == []
        world.clock.sleep(0.1)
    assert not world.replays.starts
    assert not feed.checkpoint()["started"]
    assert world.replays.asked <= 6
    world.replays.most = 1
    assert set(drained(feed, world.clock)) == everything


@pytest.mark.parametrize(
    ("reason", "told"), [("the rule is gone", "the rule is gone"), ("", "no reason is given")], ids=["told", "untold"]
)
def test_a_replay_that_failed_is_the_end_of_the_job(reason: str, told: str) -> None:
    """With the reason that EventBridge gives."""
    world = Archived()
    feed = world.feed()
    feed.take(10)
    world.replays.fail("job.1.0", reason)
    world.clock.sleep(2)
    with pytest.raises(FeedError, match=rf"^The replay job\.1\.0 was failed: {told}\.$"):
        feed.take(10)


def test_a_replay_that_somebody_cancelled_is_the_end_of_the_job() -> None:
    """Nobody can tell what of it is missing."""
    world = Archived()
    feed = world.feed()
    feed.take(10)
    world.replays.cancel("job.1.0")
    world.clock.sleep(2)
    with pytest.raises(FeedError, match="was cancelled"):
        feed.take(10)


def test_a_replay_that_was_started_is_not_started_again() -> None:
    """Even where the worker died before that was on record."""
    world = Archived()
    everything = world.keep(9)
    dead = world.feed()
    checkpoint = dead.checkpoint()
    dead.take(10)
    assert (len(world.replays.starts), checkpoint["started"]) == (1, False)
    found = set(drained(world.feed(world.job(checkpoint=checkpoint)), world.clock))
    assert found == everything
    assert len(world.replays.starts) == 3


def test_an_archive_goes_on_with_the_part_it_was_in() -> None:
    """Parts that are over are not replayed again."""
    world = Archived()
    everything = world.keep(9)
    feed = world.feed()
    found = set()
    while len(world.replays.starts) < 2:
        items = feed.take(10)
        found |= set(names(items))
        feed.done({item.message.id for item in items})
        world.clock.sleep(0.1)
    checkpoint = feed.checkpoint()
    feed.close()
    assert (checkpoint["part"], checkpoint["started"]) == (1, True)
    assert feed.checkpoint().keys() == checkpoint.keys() - {"hiddenUntil"}
    found |= set(drained(world.feed(world.job(checkpoint=feed.checkpoint())), world.clock))
    assert found == everything
    assert [name for name, _ in world.replays.starts] == ["job.1.0", "job.1.1", "job.1.2"]


def test_another_run_replays_the_part_it_is_in_from_its_beginning() -> None:
    """What the earlier run has put into the buffer is not sent once more."""
    world = Archived()
    everything = world.keep(30)
    feed = world.feed()
    first = set(world.taken(feed))
    feed.close()
    job = world.job(checkpoint=feed.checkpoint(), run=2)
    again = world.feed(job)
    assert set(drained(again, world.clock)) == everything >= first
    assert [name for name, _ in world.replays.starts] == ["job.1.0", "job.2.0", "job.2.1", "job.2.2"]
    assert again.skipped > 0
    assert not world.buffers[RULE].ids()


def test_another_run_cancels_the_replay_of_the_one_before() -> None:
    """Little of it still comes, and none of that is sent."""
    world = Archived()
    everything, world.replays.begins_after = world.keep(120), 3.0
    feed = world.feed()
    assert feed.take(10) == []
    feed.close()
    again = world.feed(world.job(checkpoint=feed.checkpoint(), run=2))
    assert set(drained(again, world.clock)) == everything
    assert 0 < again.skipped < 10


def test_another_run_does_not_mind_that_there_is_nothing_to_cancel() -> None:
    """The earlier one may have failed before its replay began."""
    world = Archived()
    everything = world.keep(5)
    job = world.job(checkpoint=world.feed().checkpoint(), run=2)
    assert set(drained(world.feed(job), world.clock)) == everything


def test_buffers_have_their_turn_one_after_the_other() -> None:
    """No consumer waits until another has everything; each message is counted, with those left out."""
    world = Archived()
    for rule in (RULE, OTHER_RULE):
        for number in range(3):
            world.buffers[rule].put(render({**bus_event(f"{rule[-5:]}-{number}"), REPLAYED: "job.1.0"}))
        world.buffers[rule].put(render({**bus_event("early", NOON - 9 * HOUR), REPLAYED: "job.1.0"}))
    feed = world.feed(rules=(RULE, OTHER_RULE))
    given = [names(feed.take(1)) for _ in range(6)]
    assert [one[0][:5] for one in given] == [RULE[-5:], OTHER_RULE[-5:]] * 3
    assert feed.take(1) == []
    assert (feed.read, feed.skipped) == (8, 2)
    feed.close()
    assert [len(buffer.visible()) for buffer in world.buffers.values()] == [3, 3]


def test_an_archive_reaches_every_consumer_that_it_is_replayed_for() -> None:
    """Each has all of it."""
    world = Archived()
    everything = world.keep(9)
    found = drained(world.feed(rules=(RULE, OTHER_RULE)), world.clock)
    assert all(found.count(name) >= 2 for name in everything)


@given(killed_at=st.integers(min_value=1, max_value=40), takes_effect=st.booleans(), seed=st.integers(0, 9))
def test_of_an_archive_nothing_is_lost_wherever_its_worker_is_killed(
    killed_at: int, seed: int, *, takes_effect: bool
) -> None:
    """The checkpoint on record may be older than what was done."""
    world = Archived(seed)
    everything = world.keep(12)
    dead = world.feed(connection=Connection(killed_at=killed_at, takes_effect=takes_effect))
    checkpoint, found = dead.checkpoint(), set()
    try:
        for number in range(40):
            items = dead.take(3)
            found |= set(names(items))
            dead.done({item.message.id for item in items})
            if number % 5 == 0:
                checkpoint = dead.checkpoint()
            world.clock.sleep(0.3)
        dead.close()
        checkpoint = dead.checkpoint()
    except Killed:
        pass
    found |= set(drained(world.feed(world.job(checkpoint=checkpoint)), world.clock))
    assert found == everything


def test_an_ended_job_leaves_no_replay_and_nothing_in_the_buffer() -> None:
    """But for what others wait for."""
    world = Archived()
    world.keep(40)
    feed = world.feed()
    world.taken(feed)
    feed.close()
    other = world.buffers[RULE].put(render({**bus_event("x"), REPLAYED: "another.1.0"}))
    clearing = world.feed(world.job(checkpoint=feed.checkpoint(), state=State.CANCELLED))
    while not clearing.abandon():
        world.clock.sleep(0.5)
    clearing.close()
    assert world.buffers[RULE].visible() == {other}
    assert not world.replays.active()
    assert world.buffers[RULE].ids() == {other}


def test_an_ended_job_cancels_what_was_started_and_is_not_on_record() -> None:
    """Its worker died in between: the next part, or the first one of another run."""
    world = Archived()
    parts = (Window(THREE_HOURS.start, THREE_HOURS.start + HOUR), Window(NOON - 2 * HOUR, NOON - HOUR))
    for name, part in zip(("job.1.1", "job.2.0"), parts, strict=True):
        world.replays.start(name, part, [RULE])
    world.replays.begins_after = 1000
    checkpoint = {"from": timestamp(THREE_HOURS.start), "part": 0, "started": True, "run": 1}
    clearing = world.feed(world.job(checkpoint=checkpoint, run=2, state=State.CANCELLED))
    while not clearing.abandon():
        world.clock.sleep(0.5)
    assert not world.replays.active()


class Filed:
    """A bucket of events, and feeds of it."""

    def __init__(self, tick: float = 0.0) -> None:
        self.clock = Clock(tick)
        self.store = FakeStore()

    def put(self, hour: datetime, name: str, *events: str | Mapping[str, Any]) -> str:
        """File an object of events by the hour it arrived in; give its key."""
        return self.store.put(hour, name, [one if isinstance(one, str) else render(one) for one in events])

    def feed(
        self, job: Job | None = None, rule: Rule | None = None, connection: Connection | None = None
    ) -> StoredFeed:
        """Open it."""
        store = (connection or Connection()).to(self.store)
        return StoredFeed(job or asked(Source.BACKUP), store, TARGET, rule, lag=HOUR, now=self.clock.now)


def test_only_the_hours_are_read_in_which_the_window_can_have_arrived() -> None:
    """From a little before it, clocks being apart, to the longest that arriving takes behind it."""
    world = Filed()
    keys = {hour: world.put(NOON + hour * HOUR, "a", order_event(f"e{hour}")) for hour in range(-4, 3)}
    window = Window(NOON - 2 * HOUR - HOUR / 2, NOON - 2 * HOUR)
    event = order_event("late", window.end)
    late = world.put(NOON - HOUR, "b", event)
    assert drained(world.feed(asked(Source.BACKUP, window=window)), world.clock) == ["late"]
    assert world.store.opened == [keys[-3], keys[-2], keys[-1], late]
    world.store.opened.clear()
    drained(world.feed(asked(Source.BACKUP, window=Window(NOON - HOUR, NOON))), world.clock)
    assert world.store.opened == [keys[-2], keys[-1], late, keys[0]]


def test_one_object_is_open_at_a_time_and_none_at_the_end() -> None:
    """However many there are."""
    world = Filed()
    for number in range(5):
        world.put(NOON - HOUR, f"object-{number}", *(order_event(f"{number}-{line}") for line in range(3)))
    feed = world.feed()
    while items := feed.take(2):
        assert world.store.open <= 1
        feed.done({item.message.id for item in items})
    assert (world.store.open, len(world.store.opened)) == (0, 5)
    feed = world.feed()
    feed.take(1)
    assert world.store.open == 1
    feed.close()
    assert world.store.open == 0


def test_what_is_outside_the_window_or_left_out_by_the_filter_is_skipped() -> None:
    """So is what tells no time; a blank line is no event."""
    world = Filed()
    early, late = order_event("early", LAST_HOUR.start - HOUR / 60), order_event("late", NOON)
    timeless = {**order_event("timeless"), "time": None}
    changed = order_event("changed", kind="OrderChanged")
    world.put(NOON - HOUR, "a", early, order_event("a"), "", late, timeless, changed, " ")
    feed = world.feed(asked(Source.BACKUP, filter=PLACED))
    assert drained(feed, world.clock) == ["a"]
    assert (feed.read, feed.skipped) == (5, 4)


def test_off_the_bus_a_consumer_is_given_what_its_rule_takes() -> None:
    """The bucket holds what all consumers take."""
    world = Filed()
    world.put(NOON - HOUR, "a", bus_event("placed"), bus_event("changed", kind="OrderChanged"))
    rule = Rule("replay", RULE, {"detail-type": ["OrderChanged"], REPLAYED: [{"exists": True}]})
    assert drained(world.feed(rule=rule), world.clock) == ["changed"]


def test_an_event_is_given_as_it_was_published() -> None:
    """Digit for digit, out of its envelope if it was wrapped into one, with the time it happened at."""
    world = Filed()
    line = '{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-26T12:10:00+01:00","data": 1.50}'
    wrapped = {
        **order_event("2"),
        "source": "eventfork.envelope",
        "type": "eventfork.envelope.MessageReceived",
        "data": "a\ntext",
    }
    key = world.put(NOON - HOUR, "a", line, wrapped)
    items = world.feed().take(10)
    assert [item.message.body for item in items] == [line, "a\ntext"]
    assert items[0] == Item(Message(f"{key}:1", line, {}, "2026-11-26T11:10:00.000000Z"), TARGET)


@given(
    objects=st.lists(st.integers(min_value=0, max_value=5), max_size=6),
    most=st.integers(min_value=1, max_value=4),
    steps=st.integers(min_value=0, max_value=12),
    loses=st.booleans(),
)
def test_stored_events_go_on_at_the_line_where_they_ended(
    objects: list[int], most: int, steps: int, *, loses: bool
) -> None:
    """What was dealt with does not come again, what was not does, and no object before it is opened again."""
    world = Filed()
    everything = []
    for number, lines in enumerate(objects):
        named = [f"{number}-{line}" for line in range(lines)]
        world.put(NOON - (number < 3) * HOUR, f"object-{number}", *map(order_event, named))
        everything += named
    feed, done = world.feed(), []
    for step in range(steps):
        items = feed.take(most)
        if loses and step == steps - 1:
            break
        done += names(items)
        feed.done({item.message.id for item in items})
    feed.close()
    checkpoint = feed.checkpoint()
    world.store.opened.clear()
    assert done + drained(world.feed(asked(Source.BACKUP, checkpoint=checkpoint)), world.clock) == everything
    assert not checkpoint or world.store.opened[0] == checkpoint["key"]


def test_the_checkpoint_is_the_line_before_the_first_that_was_not_dealt_with() -> None:
    """Whatever was dealt with behind it."""
    world = Filed()
    key = world.put(NOON - HOUR, "a", *(order_event(str(number)) for number in range(4)))
    feed = world.feed()
    assert feed.checkpoint() == {}
    ids = [item.message.id for item in feed.take(10)]
    assert not feed.is_exhausted()
    feed.done({ids[0], ids[3]})
    assert feed.checkpoint() == {"hour": timestamp(NOON - HOUR), "key": key, "line": 1}
    assert not feed.is_exhausted()
    feed.done(set(ids))
    assert feed.checkpoint()["line"] == 4
    assert feed.is_exhausted()


def test_an_object_that_was_moved_away_since_is_passed_over() -> None:
    """As one is told to do with what is damaged."""
    world = Filed()
    gone = world.put(NOON - HOUR, "a", order_event("1"), order_event("2"))
    world.put(NOON - HOUR, "b", order_event("3"))
    feed = world.feed()
    feed.done({item.message.id for item in feed.take(1)})
    feed.close()
    world.store.remove(gone)
    assert drained(world.feed(asked(Source.BACKUP, checkpoint=feed.checkpoint())), world.clock) == ["3"]


def test_an_object_that_goes_while_it_is_listed_is_no_end_of_the_hour() -> None:
    """That it is gone is said; what there is of the hour is not taken for all."""
    world = Filed()
    world.put(NOON - HOUR, "a", order_event("1"))
    key = world.put(NOON - HOUR, "b", order_event("2"))
    feed = world.feed()
    feed.take(1)
    world.store.remove(key)
    with pytest.raises(NotFoundError):
        feed.take(1)


@pytest.mark.parametrize("line", ["{", "[1]", '"text"', '{"a": 1, "a": 2}'])
def test_a_line_that_is_no_event_is_the_end_of_the_job(line: str) -> None:
    """It says which line, and stands before it when it goes on."""
    world = Filed()
    key = world.put(NOON - HOUR, "a", order_event("1"), line, order_event("2"))
    feed = world.feed()
    feed.done({item.message.id for item in feed.take(1)})
    with pytest.raises(FeedError, match=f"^The object {key} is damaged in line 2: mend it or move it away, and resume"):
        feed.take(1)
    feed.close()
    world.put(NOON - HOUR, "a", order_event("1"), order_event("mended"), order_event("2"))
    again = world.feed(asked(Source.BACKUP, checkpoint=feed.checkpoint()))
    assert drained(again, world.clock) == ["mended", "2"]


@pytest.mark.parametrize("error", [EOFError("cut off"), OSError("no gzip"), ValueError("cannot be unpacked")])
def test_a_damaged_object_is_the_end_of_the_job(error: Exception) -> None:
    """What could be read of it is given first, and is not given again."""
    world = Filed()
    key = world.put(NOON - HOUR, "a", order_event("1"))
    world.store.damaged[key] = error
    feed = world.feed()
    feed.done({item.message.id for item in feed.take(1)})
    with pytest.raises(FeedError, match=rf"^The object {key} is damaged \({type(error).__name__}\): mend it or move"):
        feed.take(1)
    assert (feed.checkpoint()["line"], world.store.open) == (1, 0)


def test_a_store_that_does_not_answer_is_none_that_is_empty() -> None:
    """The next feed goes on where this one was."""
    world = Filed()
    world.put(NOON - HOUR, "a", order_event("1"))
    world.put(NOON, "b", order_event("2"))
    connection = Connection(fails_at=[4])
    feed = world.feed(connection=connection)
    feed.done({item.message.id for item in feed.take(1)})
    with pytest.raises(UnavailableError):
        feed.take(1)
    assert not feed.is_exhausted()
    again = world.feed(asked(Source.BACKUP, checkpoint=feed.checkpoint()))
    assert drained(again, world.clock) == ["2"]


def test_stored_events_are_looked_through_only_for_a_moment_at_a_time() -> None:
    """The worker has something else to do as well."""
    world = Filed(tick=0.05)
    world.put(NOON - HOUR, "a", *(order_event("early", NOON - 2 * HOUR) for _ in range(20)), order_event("1"))
    feed = world.feed()
    assert feed.take(10) == []
    assert not feed.is_exhausted()
    assert 0 < feed.read < 20
    assert drained(feed, world.clock) == ["1"]


def test_stored_events_have_nothing_to_clear_away() -> None:
    """They stay where they are."""
    assert Filed().feed().abandon()


def test_a_job_that_ended_at_nothing_has_nothing_to_go_on_from() -> None:
    """It begins anew."""
    world = Filed()
    feed = world.feed()
    assert drained(feed, world.clock) == []
    assert feed.checkpoint() == {}
    world.put(NOON - HOUR, "a", order_event("1"))
    resumed = replace(asked(Source.BACKUP), checkpoint=feed.checkpoint(), run=2)
    assert drained(world.feed(resumed), world.clock) == ["1"]
