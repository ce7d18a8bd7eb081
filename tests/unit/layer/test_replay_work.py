"""A worker works on a job a slice at a time, under a lease, at its pace, and does as it is told within a beat."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.json_text import parse, render
from eventfork.limits import SQS_DELAY_SECONDS
from eventfork.replay_feeds import FeedError
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import Active, Counts, ForbiddenError, Job, Lease, Source, State, UnknownError
from eventfork.replay_targets import REPLAYED
from eventfork.replay_windows import Window
from eventfork.replay_work import LEASE_SECONDS, WORKER
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.replaying import (
    LAST_HOUR,
    NOON,
    SLICE_SECONDS,
    Connection,
    FakeLedger,
    Killed,
    World,
    bus_event,
    order_event,
)

BEAT_SECONDS = 0.5
FEW = settings(max_examples=30)
SLACK = 0.1
"""What the clock goes on by while it is looked at."""
HOPELESS = [
    FeedError("the object is damaged"),
    ForbiddenError("nothing is kept"),
    UnknownError("there is no such rule"),
    DeniedError("SQS does not know who asks"),
    NotFoundError("there is no such queue"),
    RefusedError("the archive is gone"),
]


class Diary(FakeLedger):
    """A ledger that tells when what was written to it."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._time = world.clock
        self.written: list[tuple[float, Job]] = []

    def save(self, job: Job, active: Active | None = None) -> Job:
        """Write a job."""
        saved = super().save(job, active)
        self.written.append((self._time.moment().timestamp(), saved))
        return saved


def world_with(events: int = 0, **other: Any) -> World:
    """Give a world whose queue keeps so many events of the last hour."""
    world = World(**other)
    for number in range(events):
        name = f"e-{number}"
        world.queue.put(render(order_event(name)), NOON - timedelta(minutes=1), name)
    return world


def sent(world: World) -> set[str]:
    """Give the names of what was sent."""
    return {str(parse(body)["id"]) for body in world.consumer.taken}


def elapsed(world: World) -> float:
    """Give the seconds since the clock was started."""
    return world.clock.moment().timestamp() - NOON.timestamp()


def tells(world: World, state: State) -> Callable[[], bool]:
    """Give what tells the job to move into a state."""
    return lambda: world.command(state)


def test_a_job_is_worked_on_until_all_of_it_was_sent() -> None:
    """It says how many that were, and whoever is to know of its end is told once."""
    world = world_with(25)
    world.start(Source.QUEUE)
    job = world.work_on()
    assert world.ledger.states["job"] == [State.WAITING, State.RUNNING, State.COMPLETED]
    assert (job.outcome, job.counts) == ("All of it: 25 events were sent.", Counts(read=25, sent=25))
    assert (job.lease, job.pace_now, job.run) == (None, None, 1)
    assert job.started_at is not None
    assert job.ended_at is not None
    assert [(one.actor, one.action) for one in job.history[1:]] == [(WORKER, "begin"), (WORKER, "complete")]
    assert [(one.id, one.state) for one in world.ended] == [("job", State.COMPLETED)]
    assert not world.ledger.active().jobs


@pytest.mark.parametrize("state", [State.PAUSED, State.CANCELLED])
def test_there_is_nothing_to_do_for_a_job_that_is_told_to_rest(state: State) -> None:
    """Nor for one that is not there."""
    world = world_with(3)
    world.start(Source.QUEUE)
    world.command(state)
    before = world.job()
    assert world.work() is None
    assert world.work(job_id="another") is None
    assert (world.job(), world.consumer.taken) == (before, [])


def test_a_job_that_somebody_works_on_is_left_to_him() -> None:
    """Until his lease runs out: he is dead then."""
    world = world_with(3)
    world.ledger.save(replace(world.start(Source.QUEUE), lease=Lease("somebody", NOON.timestamp() + LEASE_SECONDS)))
    assert world.work() is None
    world.clock.sleep(LEASE_SECONDS - 1)
    assert world.work() is None
    assert not world.consumer.taken
    world.clock.sleep(1)
    assert world.work_on().state is State.COMPLETED


def test_of_two_workers_that_ask_at_once_one_has_the_job() -> None:
    """The other one sees, as it writes, that it comes too late."""
    world = world_with(30)
    world.start(Source.QUEUE, pace=1.0)
    at_work: list[State] = []

    def another_has_it() -> None:
        lease = Lease("another", NOON.timestamp() + LEASE_SECONDS)
        at_work.append(world.ledger.save(replace(world.job(), lease=lease)).state)

    assert world.work(Connection(meanwhile={2: another_has_it})) is None
    assert at_work == [State.WAITING]
    assert not world.consumer.taken


def test_a_job_that_was_only_noted_meanwhile_is_taken_all_the_same() -> None:
    """It is read again."""
    world = world_with(3)
    world.start(Source.QUEUE)

    def note() -> None:
        world.ledger.save(world.job().noted(NOON, "ada", "look", "curious"))

    assert world.work(Connection(meanwhile={2: note})) is None
    assert world.job().state is State.COMPLETED


def test_a_worker_that_lost_its_lease_writes_nothing_any_more() -> None:
    """Whoever has the job by now does."""
    world = world_with(40)
    world.start(Source.QUEUE, pace=5.0)

    def another_takes_over() -> None:
        world.clock.sleep(LEASE_SECONDS + 1)
        lease = Lease("another", world.clock.now() + 1000)
        world.ledger.save(replace(world.job(), lease=lease))

    assert world.work(Connection(meanwhile={20: another_takes_over})) is None
    lease = world.job().lease
    assert lease is not None
    assert lease.owner == "another"
    assert world.job().state is State.RUNNING


def test_a_lease_is_renewed_and_progress_written_with_every_beat() -> None:
    """The lease never runs out under a worker that is alive, and is given back at the end of the slice."""
    world = world_with(100)
    world.ledger = diary = Diary(world)
    world.start(Source.QUEUE, pace=10.0)
    diary.written.clear()
    assert world.work() == 0
    *held, (ended_at, last) = diary.written
    times = [at for at, _ in held]
    assert all(job.is_leased(at + LEASE_SECONDS - 1) for at, job in held)
    assert max(after - before for before, after in zip(times, [*times[1:], ended_at], strict=True)) < 2 * BEAT_SECONDS
    counts = [job.counts.sent for _, job in held]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 2 * SLICE_SECONDS - 2
    assert (last.lease, last.state) == (None, State.RUNNING)


def test_a_slice_that_is_over_is_followed_by_another_one() -> None:
    """Nothing that it had taken is withheld from that."""
    world = world_with(200)
    world.start(Source.QUEUE, pace=10.0)
    assert world.work() == 0
    assert SLICE_SECONDS <= elapsed(world) < SLICE_SECONDS + 2
    assert (world.job().state, world.job().lease) == (State.RUNNING, None)
    assert 0 < len(world.consumer.taken) < 200
    assert world.queue.visible() == world.queue.ids()
    assert world.work_on().counts.sent == 200


def test_a_job_waits_until_what_it_reads_from_is_complete() -> None:
    """It says when to look again, which a queue delays by a quarter of an hour at the most."""
    world = World()
    world.replays.events.append(bus_event("a"))
    world.start(Source.ARCHIVE, starts_in=1000.0)
    assert world.work() == SQS_DELAY_SECONDS
    world.clock.sleep(SQS_DELAY_SECONDS)
    again = world.work()
    assert again in {100, 101}
    assert (world.job().state, world.job().lease, world.replays.starts) == (State.WAITING, None, [])
    world.clock.sleep(again or 0)
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == {"a"}


def test_a_canary_goes_first_and_the_rest_when_it_did_no_harm() -> None:
    """Nothing is sent while it is watched, across slices too."""
    world = world_with(20, canary_seconds=20.0)
    world.start(Source.QUEUE, canary=12)
    assert world.work_on().counts.sent == 20
    assert world.ledger.states["job"] == [State.WAITING, State.CANARY, State.RUNNING, State.COMPLETED]
    times = world.consumer.taken_at
    assert max(times[:12]) + world.canary_seconds <= min(times[12:]) < max(times[:12]) + world.canary_seconds + 1


def test_a_canary_that_is_larger_than_what_there_is_is_all_of_it() -> None:
    """There is nothing to go on with."""
    world = world_with(3)
    world.start(Source.QUEUE, canary=12)
    assert world.work_on().counts.sent == 3
    assert world.ledger.states["job"] == [State.WAITING, State.CANARY, State.COMPLETED]


def test_a_canary_that_does_harm_is_the_last_that_is_sent() -> None:
    """The circuit that it opens pauses the job; resumed, it needs no other."""
    world = world_with(20)
    world.start(Source.QUEUE, canary=3)

    def harm() -> None:
        if world.consumer.taken:
            world.consumer.open_circuit = "crm"

    assert world.work(Connection(meanwhile=dict.fromkeys(range(1, 100), harm))) is None
    assert (world.job().state, world.job().outcome) == (State.PAUSED, "The circuit crm is open.")
    assert len(world.consumer.taken) == 3
    world.consumer.open_circuit = None
    world.command(State.WAITING)
    assert world.work_on().counts.sent == 20
    assert world.ledger.states["job"][-3:] == [State.WAITING, State.RUNNING, State.COMPLETED]


@FEW
@given(killed_at=st.integers(min_value=1, max_value=30))
def test_a_canary_is_watched_to_its_end_even_if_its_worker_is_killed(killed_at: int) -> None:
    """The worker that comes next knows when it was sent."""
    world = world_with(20, canary_seconds=5.0)
    world.start(Source.QUEUE, canary=3)
    try:
        world.work(Connection(killed_at=killed_at))
    except Killed:
        world.clock.sleep(LEASE_SECONDS)
    assert world.work_on().state is State.COMPLETED
    assert len(sent(world)) == 20
    assert world.ledger.states["job"] == [State.WAITING, State.CANARY, State.RUNNING, State.COMPLETED]
    times = sorted(world.consumer.taken_at)
    assert max(after - before for before, after in itertools.pairwise(times)) >= world.canary_seconds


@FEW
@given(pace=st.sampled_from([0.5, 2.0, 7.0, 30.0]), events=st.integers(min_value=1, max_value=60))
def test_a_job_keeps_to_its_pace_from_slice_to_slice(pace: float, events: int) -> None:
    """Over any stretch of time there is at most one second's worth more; nor is it much slower."""
    world = world_with(events)
    world.start(Source.QUEUE, pace=pace)
    world.work_on(slices=200)
    times = world.consumer.taken_at
    assert len(times) == events
    for first, last in itertools.combinations(range(events), 2):
        assert last - first + 1 <= (times[last] - times[first]) * pace + max(pace, 1) + 1
    assert times[-1] - times[0] <= events / pace + 3


def test_a_job_without_a_pace_goes_as_fast_as_it_can() -> None:
    """Ten messages at a time, without a rest."""
    world = world_with(100)
    world.start(Source.QUEUE)
    world.work()
    assert world.consumer.taken_at[-1] - NOON.timestamp() < 1
    assert len(set(world.consumer.taken_at)) == 10


def test_the_pace_is_measured_while_it_runs() -> None:
    """Over the last seconds."""
    world = world_with(500)
    world.start(Source.QUEUE, pace=20.0)
    world.work()
    assert world.job().pace_now == pytest.approx(20, rel=0.15)
    world.command(State.PAUSED)
    assert world.job().pace_now is None


def test_a_job_does_not_begin_while_a_circuit_is_open() -> None:
    """It is paused with the reason; once that is closed, it waits to be resumed, and goes on."""
    world = world_with(3)
    world.consumer.open_circuit = "crm"
    world.start(Source.QUEUE)
    assert world.work() is None
    assert (world.job().state, world.job().outcome) == (State.PAUSED, "The circuit crm is open.")
    world.consumer.open_circuit = None
    assert world.work() is None
    assert not world.consumer.taken
    assert world.command(State.WAITING)
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == {"e-0", "e-1", "e-2"}
    assert [one.state for one in world.ended] == [State.COMPLETED]


def test_a_circuit_that_opens_pauses_the_job_within_two_seconds() -> None:
    """What was sent stays sent, the rest goes when it is resumed."""
    world = world_with(150)
    world.start(Source.QUEUE, pace=20.0)
    opened: list[float] = []

    def opens() -> None:
        world.consumer.open_circuit = "crm"
        opened.append(world.clock.moment().timestamp())

    assert world.work(Connection(meanwhile={30: opens})) is None
    assert world.job().state is State.PAUSED
    assert world.consumer.taken_at[-1] <= opened[0] + 2 + SLACK
    assert world.queue.visible() == world.queue.ids()
    world.consumer.open_circuit = None
    world.command(State.WAITING)
    assert world.work_on().counts.sent == len(sent(world)) == 150


def test_a_job_that_is_forced_does_not_ask_for_circuits() -> None:
    """Whoever forced it knows."""
    world = world_with(3)
    world.consumer.open_circuit = "crm"
    world.start(Source.QUEUE, forced=True)
    assert world.work_on().state is State.COMPLETED


@FEW
@given(at=st.integers(min_value=2, max_value=60), state=st.sampled_from([State.PAUSED, State.CANCELLED]))
def test_a_job_that_is_told_to_rest_does_so_within_a_beat(at: int, state: State) -> None:
    """What it took and did not send is given back at once."""
    world = world_with(200)
    world.start(Source.QUEUE, pace=20.0)
    times: list[float] = []

    def tell() -> None:
        assert world.command(state)
        times.append(world.clock.moment().timestamp())

    assert world.work(Connection(meanwhile={at: tell})) is None
    [told_at] = times
    assert all(taken <= told_at + BEAT_SECONDS + SLACK for taken in world.consumer.taken_at)
    assert elapsed(world) <= told_at - NOON.timestamp() + 2 * BEAT_SECONDS + SLACK
    job = world.job()
    assert (job.state, job.outcome, job.lease) == (state, "told to", None)
    assert job.counts.sent == len(world.consumer.taken)
    assert world.queue.visible() == world.queue.ids()


@given(at=st.integers(min_value=2, max_value=40), state=st.sampled_from([State.PAUSED, State.CANCELLED]))
def test_a_worker_does_not_undo_what_an_operator_says(at: int, state: State) -> None:
    """At whatever moment: a job that is told to rest has not ended by itself, and nobody is told that it had."""
    world = world_with(4)
    world.start(Source.QUEUE)
    world.work(Connection(meanwhile={at: tells(world, state)}))
    found = world.job().state
    assert found in {state, State.COMPLETED}
    assert [one.state for one in world.ended] == ([State.COMPLETED] if found is State.COMPLETED else [])
    assert list(world.ledger.active().jobs) == (["job"] if found is State.PAUSED else [])
    if found is not State.COMPLETED:
        world.command(State.WAITING)
        assert world.work_on().state is State.COMPLETED
    assert len(world.consumer.taken) == 4


def test_what_is_read_left_out_sent_and_parked_is_counted_over_all_slices() -> None:
    """Of stored events, all are looked at."""
    world = World()
    kinds = ["OrderPlaced", "OrderChanged"]
    events = [order_event(f"e-{number}", kind=kinds[number % 4 == 3]) for number in range(80)]
    world.store.put(NOON - timedelta(hours=1), "a", [render(event) for event in events])
    world.consumer.cannot_take = {render(events[0]), render(events[70])}
    world.start(Source.BACKUP, filter=EventFilter(types=("OrderPlaced",)), pace=4.0)
    assert world.work_on().counts == Counts(read=80, sent=58, skipped=20, parked=2)
    assert len(world.consumer.taken) == 58


def test_what_a_consumer_did_not_take_is_sent_again_after_a_while() -> None:
    """The job says so for as long as it waits, and nothing is lost or sent twice."""
    world = world_with(20)
    world.start(Source.QUEUE)
    world.consumer.refuses = 3
    assert world.work() == 5
    job = world.job()
    assert (job.state, job.outcome, job.lease) == (State.RUNNING, "Trying again: not all events were taken.", None)
    assert job.counts.sent == 7
    assert world.queue.visible() == world.queue.ids()
    assert len(world.queue.ids()) == 13
    assert world.work_on().counts.sent == len(world.consumer.taken) == 20
    assert not world.ended[1:]


def test_a_service_that_does_not_answer_is_tried_again() -> None:
    """A job does not fail by that, whatever service it is."""
    world = world_with(5)
    world.start(Source.QUEUE)
    world.consumer.fails_with = UnavailableError("SQS does not answer")
    for _ in range(3):
        assert world.work() == 5
        assert (world.job().state, world.job().outcome) == (State.RUNNING, "Trying again: SQS does not answer.")
    world.consumer.fails_with = None
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == {f"e-{number}" for number in range(5)}
    assert len(world.ended) == 1


@pytest.mark.parametrize(("state", "again"), [(State.PAUSED, None), (State.CANCELLED, 0)])
def test_what_an_operator_says_while_a_service_does_not_answer_counts_for_more(state: State, again: int | None) -> None:
    """What is left behind is cleared away at once."""
    world = World()
    world.replays.events.append(bus_event("a"))
    world.start(Source.ARCHIVE)
    assert world.work(Connection(meanwhile={6: tells(world, state)}, fails_at=[6])) == again
    assert (world.job().state, world.job().outcome) == (state, "told to")


def test_a_ledger_that_does_not_answer_is_an_error() -> None:
    """Whoever called the worker calls it again."""
    world = world_with(5)
    world.start(Source.QUEUE)
    for fails_at in ([1], [2], [5, 6, 7, 8]):
        with pytest.raises(UnavailableError):
            world.work(Connection(fails_at=fails_at))
        world.clock.sleep(LEASE_SECONDS + 1)
    with pytest.raises(UnavailableError):
        world.worker(Connection(fails_at=[1])).stranded()
    assert world.work_on().state is State.COMPLETED


@pytest.mark.parametrize("error", HOPELESS, ids=lambda error: type(error).__name__)
def test_what_does_not_go_away_by_itself_is_the_end_of_the_job(error: Exception) -> None:
    """With its reason, and whoever is to know is told of it once."""
    world = world_with(5)
    world.start(Source.QUEUE)
    world.consumer.fails_with = error
    assert world.work() is None
    job = world.job()
    assert (job.state, job.outcome, job.lease) == (State.FAILED, str(error), None)
    assert (job.history[-1].actor, job.history[-1].action) == (WORKER, "fail")
    assert [(one.id, one.state, one.outcome) for one in world.ended] == [("job", State.FAILED, str(error))]
    assert not world.ledger.active().jobs
    assert world.queue.visible() == world.queue.ids() == {f"e-{number}" for number in range(5)}
    assert world.work() is None
    assert len(world.ended) == 1


def test_a_job_that_failed_can_be_resumed() -> None:
    """It is another run, and goes on with what is left."""
    world = world_with(5)
    world.start(Source.QUEUE)
    world.feed_fails_with = NotFoundError("there is no such queue")
    assert world.work() is None
    assert world.job().state is State.FAILED
    world.feed_fails_with = None
    assert world.command(State.WAITING)
    job = world.work_on()
    assert (job.state, job.run, job.counts.sent) == (State.COMPLETED, 2, 5)


def test_a_job_fails_with_the_reason_that_its_archive_gives() -> None:
    """What had come of it until then is cleared away."""
    world = World()
    world.replays.events += [bus_event(f"e-{number}") for number in range(30)]
    world.start(Source.ARCHIVE, pace=5.0)
    assert world.work() == 0
    world.replays.fail("job.1.0", "the rule is gone")
    job = world.work_on()
    assert (job.state, job.outcome) == (State.FAILED, "The replay job.1.0 was failed: the rule is gone.")
    assert not world.buffer.ids()
    assert not world.ledger.active().jobs
    assert [one.state for one in world.ended] == [State.FAILED]


def test_a_job_that_is_stopped_leaves_no_replay_and_nothing_in_the_buffer() -> None:
    """It is registered until then, so that no other job finds what is left of it."""
    world = World(tick=0.01)
    world.replays.events += [bus_event(f"e-{number}") for number in range(60)]
    world.start(Source.ARCHIVE, pace=5.0)
    assert world.work() == 0
    counts = world.job().counts
    for _ in range(700):
        world.buffer.put(render({**bus_event("e-0"), REPLAYED: "job.1.0"}))
    world.command(State.CANCELLED)
    assert "job" in world.ledger.active().jobs
    assert world.worker().stranded() == ["job"]
    job = world.work_on()
    assert (job.state, job.lease, job.counts) == (State.CANCELLED, None, counts)
    assert not world.replays.active()
    assert not world.buffer.ids()
    assert not world.ledger.active().jobs


def cancelled(world: World, begins_after: float = 0.0) -> set[str]:
    """Have a replay of an archive cancelled in the midst of it; give what it was to send."""
    everything = {f"e-{number}" for number in range(60)}
    world.replays.events += [bus_event(name) for name in sorted(everything)]
    world.replays.begins_after = begins_after
    world.start(Source.ARCHIVE, pace=5.0)
    assert world.work() == 0
    world.command(State.CANCELLED)
    return everything


def test_clearing_away_goes_on_in_another_slice() -> None:
    """It has its beats and its end, as other work has."""
    world = World()
    world.ledger = diary = Diary(world)
    cancelled(world, begins_after=40.0)
    diary.written.clear()
    started = elapsed(world)
    assert world.work() == 0
    assert SLICE_SECONDS <= elapsed(world) - started < SLICE_SECONDS + 2
    assert len(diary.written) > SLICE_SECONDS
    assert diary.written[-1][1].lease is None
    assert "job" in world.ledger.active().jobs
    world.work_on()
    assert not world.buffer.ids()
    assert not world.ledger.active().jobs


def test_clearing_away_is_tried_again_where_a_service_does_not_answer() -> None:
    """Somebody else may do it."""
    world = World()
    cancelled(world)
    assert world.work(Connection(fails_at=[5])) == 5
    assert (world.job().state, world.job().lease) == (State.CANCELLED, None)
    world.work_on()
    assert not world.ledger.active().jobs


def test_what_cannot_be_cleared_away_is_on_record_and_holds_up_nobody() -> None:
    """It stays where nobody takes it for his."""
    world = World()
    cancelled(world)
    world.feed_fails_with = NotFoundError("there is no such queue")
    assert world.work() is None
    job = world.job()
    assert (job.state, job.lease) == (State.CANCELLED, None)
    assert job.history[-1].reason == "Something is left behind: there is no such queue"
    assert not world.ledger.active().jobs


@FEW
@given(at=st.integers(min_value=4, max_value=20))
def test_a_job_that_is_resumed_while_it_is_cleared_away_goes_on(at: int) -> None:
    """Nothing of what it is to send is missing then."""
    world = World()
    everything = cancelled(world, begins_after=30.0)
    started = elapsed(world)
    assert world.work(Connection(meanwhile={at: tells(world, State.WAITING)})) == 0
    assert elapsed(world) - started < SLICE_SECONDS
    assert world.job().state is State.WAITING
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == everything


def test_a_job_that_is_resumed_as_the_last_is_cleared_away_stays_registered() -> None:
    """It is worked on again at once."""
    world = World()
    everything = cancelled(world)
    world.feed_fails_with = NotFoundError("there is no such queue")
    assert world.work(Connection(meanwhile={4: tells(world, State.WAITING)})) == 0
    assert list(world.ledger.active().jobs) == ["job"]
    world.feed_fails_with = None
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == everything


@pytest.mark.parametrize("source", [Source.QUEUE, Source.BACKUP, Source.ARCHIVE])
@FEW
@given(killed_at=st.integers(min_value=1, max_value=60), takes_effect=st.booleans())
def test_a_worker_that_is_killed_at_any_call_loses_nothing(
    source: Source, killed_at: int, *, takes_effect: bool
) -> None:
    """The job is found, and goes on once its lease has run out."""
    world = world_with(25)
    everything = {f"e-{number}" for number in range(25)}
    world.replays.events += [bus_event(name) for name in sorted(everything)]
    world.store.put(NOON - timedelta(hours=1), "a", [render(order_event(name)) for name in sorted(everything)])
    world.start(source, pace=20.0)
    try:
        world.work(Connection(killed_at=killed_at, takes_effect=takes_effect))
    except Killed:
        world.clock.sleep(LEASE_SECONDS + 1)
        assert world.worker().stranded() == (["job"] if world.job().state is not State.COMPLETED else [])
    assert world.work_on().state is State.COMPLETED
    assert sent(world) == everything


def test_a_job_is_stranded_that_has_work_and_nobody_at_it() -> None:
    """Not one that is paused, that begins later, that has ended, or that a worker has."""
    world = World()
    windows = [Window(LAST_HOUR.start - timedelta(days=day), LAST_HOUR.end - timedelta(days=day)) for day in range(6)]
    for number, name in enumerate(("due", "later", "paused", "held", "dead", "stopped")):
        starts_in = 100.0 if name == "later" else 0.0
        world.start(Source.BACKUP, job_id=name, window=windows[number], starts_in=starts_in)
    world.command(State.PAUSED, "paused")
    world.command(State.CANCELLED, "stopped")
    now = NOON.timestamp()
    world.ledger.save(replace(world.job("held"), lease=Lease("somebody", now + LEASE_SECONDS)))
    world.ledger.save(replace(world.job("dead"), lease=Lease("somebody", now)))
    assert world.worker().stranded() == ["due", "dead"]
    world.clock.sleep(100)
    assert world.worker().stranded() == ["due", "later", "held", "dead"]


@given(at=st.integers(min_value=1, max_value=30))
def test_a_job_that_begins_as_another_one_ends_stays_registered(at: int) -> None:
    """The register is read anew where somebody else wrote it in between."""
    world = world_with(2)
    world.start(Source.QUEUE)
    world.work(Connection(meanwhile={at: lambda: world.start(Source.BACKUP, job_id="another", targets=("other",))}))
    assert world.work_on().state is State.COMPLETED
    assert list(world.ledger.active().jobs) == [name for name in ("another",) if name in world.ledger.states]
