"""After each outage one job replays what was held, however its closing is told, and whatever happens meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from eventfork.bus_events import CIRCUIT_CLOSED, HELD_WORK_FOUND
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.forwarding import Outcome
from eventfork.json_text import parse
from eventfork.replay_control import ReplayControl
from eventfork.replay_feeds import Item
from eventfork.replay_jobs import (
    CIRCUIT,
    ENDED,
    TRANSITIONS,
    FieldError,
    ForbiddenError,
    Job,
    Lease,
    Request,
    Source,
    State,
)
from eventfork.replay_plans import Sighting
from eventfork.replay_recovery import Closing, Done, Ramp, Recovery, read
from eventfork.replay_targets import Rule, Target
from eventfork.replay_windows import Window
from eventfork.replay_work import WORKER
from eventfork.timestamps import timestamp

from tests.unit.functions.conftest import sample
from tests.unit.replaying import (
    LAST_HOUR,
    NOON,
    RULE,
    TARGET,
    Connection,
    Killed,
    World,
    bus_event,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PAYMENTS = "payments"
OUTAGE = "payments-20261126T113000Z-7"
CLOSING = Closing(PAYMENTS, OUTAGE, NOON - 30 * MINUTE, NOON - 2 * SECOND)
RAMP = Ramp(grace=60 * SECOND, pace=10, canary=5)
WINDOW = Window(NOON - 30 * MINUTE - SECOND, NOON + 58 * SECOND)
"""What is replayed of that outage."""
TARGETS = (
    Target("checkout", "arn:checkout", "arn:checkout-dead", circuit=PAYMENTS),
    Target(TARGET, "arn:customers", "arn:customers-dead", RULE, "arn:buffer", PAYMENTS),
    Target("search", "arn:search", "arn:search-dead", "arn:rule/search", "arn:search-buffer"),
)
LEFT_ALONE = (State.PLANNED, State.WAITING, State.CANARY, State.RUNNING, State.CANCELLED)
STEPS = {
    State.PLANNED: (),
    State.WAITING: (State.WAITING,),
    State.CANARY: (State.WAITING, State.CANARY),
    State.RUNNING: (State.WAITING, State.RUNNING),
    State.PAUSED: (State.WAITING, State.RUNNING, State.PAUSED),
    State.COMPLETED: (State.WAITING, State.RUNNING, State.COMPLETED),
    State.FAILED: (State.WAITING, State.RUNNING, State.FAILED),
    State.CANCELLED: (State.WAITING, State.CANCELLED),
}
"""How a job gets there."""
CHECKPOINT = {"from": timestamp(NOON), "part": 1, "started": True, "run": 1}


class FakeKept:
    """What is kept to be replayed.

    Attributes
    ----------
    settling : timedelta or None
        How long it takes until what happened last can be read from the archive.
    """

    def __init__(self) -> None:
        self.settling: timedelta | None = timedelta(minutes=10)

    def targets(self) -> Mapping[str, Target]:
        """Give the consumers by name."""
        return {one.name: one for one in TARGETS}

    def rules(self) -> Sequence[Rule]:
        """Give the rules of the bus."""
        return ()

    def archive(self, name: str) -> str:
        """Give the name of the archive of everything."""
        assert not name
        return "everything"

    def settles_after(self, source: Source) -> timedelta | None:
        """Give how long it takes until what happened last can be read."""
        assert source is Source.ARCHIVE
        return self.settling

    def count(self, request: Request, target: Target, rules: Sequence[Rule]) -> Sighting:
        """Fail: what an outage has held is not counted in buckets first."""
        raise AssertionError((request, target, rules))

    def open_circuit(self, job: Job) -> str | None:
        """Fail: whether a circuit is open is asked by workers."""
        raise AssertionError(job)


class Desk:
    """Where closings are told: a recovery, and all that it knows."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.clock = self.world.clock
        self.ledger = self.world.ledger
        self.kept = FakeKept()
        self.woken: list[str] = []
        self.wake: Callable[[str], object] = self.woken.append

    def tell(self, closing: Closing = CLOSING, connection: Connection | None = None) -> Done:
        """Tell of a closing, over a connection if it is to."""
        ledger = connection.to(self.ledger) if connection else self.ledger
        recovery = Recovery(ledger, self.kept, self.wake, self.clock.moment, RAMP)
        return recovery.recover(closing)

    def put(self, state: State, by: str = WORKER, job_id: str = OUTAGE, **said: Any) -> Job:
        """Have a job in some state, to which somebody brought it, and in the register if it is active."""
        request = Request(
            **{
                "source": Source.ARCHIVE,
                "window": WINDOW,
                "targets": (TARGET,),
                "archive": "everything",
                "actor": CIRCUIT,
                "reason": "why",
                **said,
            }
        )
        at = self.clock.moment()
        job = Job(id=job_id, request=request, state=State.PLANNED, requested_at=at, starts_at=at)
        job = self.ledger.save(job)
        for step in STEPS[state]:
            job = job.moved(step, at, by, "go on", "so it came")
            job = self.ledger.save(job, self.ledger.active().admitting(job))
            if step is State.RUNNING:
                leased = self.ledger.save(replace(job, lease=Lease("worker", self.clock.now() + 1)))
                job = self.ledger.save(
                    replace(
                        leased,
                        lease=None,
                        checkpoint=CHECKPOINT,
                        counts=replace(job.counts, sent=40),
                        canary_sent_at=self.clock.now(),
                    )
                )
        if state in ENDED:
            job = self.ledger.save(job, self.ledger.active().without(job_id))
        return job

    def job(self, job_id: str = OUTAGE) -> Job:
        """Give the job as the ledger has it."""
        return self.ledger.job(job_id)

    def ids(self) -> set[str]:
        """Give the names of all jobs."""
        return {job.id for job in self.ledger.newest(100)}

    def active(self) -> set[str]:
        """Give the names of the jobs that are active."""
        return set(self.ledger.active().jobs)


@pytest.fixture
def desk() -> Desk:
    """Give a desk over an empty ledger."""
    return Desk()


def later(seconds: float = 600) -> Closing:
    """Give the closing of the same outage after another opening, so much later."""
    return replace(CLOSING, closed_at=CLOSING.closed_at + seconds * SECOND)


# What a closing starts


def test_a_closing_starts_one_job_that_has_the_outages_id(desk: Desk) -> None:
    """It covers the outage, with a second before and the grace behind, and begins when the archive has all of it."""
    assert desk.tell() is Done.STARTED
    job = desk.job()
    assert job.request == Request(
        source=Source.ARCHIVE,
        window=WINDOW,
        targets=(TARGET,),
        pace=10,
        canary=5,
        archive="everything",
        reason=f"The circuit payments is closed after the outage {OUTAGE}.",
        actor=CIRCUIT,
    )
    assert (job.state, job.requested_at, job.starts_at) == (State.WAITING, NOON, WINDOW.end + 10 * MINUTE)
    assert [(one.actor, one.action, one.state) for one in job.history] == [(CIRCUIT, "start", State.WAITING)]
    assert (desk.ids(), desk.active(), desk.woken) == ({OUTAGE}, {OUTAGE}, [OUTAGE])


@pytest.mark.parametrize(
    ("settling", "closed_ago", "starts_at"),
    [
        (None, 2 * SECOND, NOON + 58 * SECOND),
        (timedelta(), 2 * SECOND, NOON + 58 * SECOND),
        (10 * MINUTE, 5 * MINUTE, NOON + 6 * MINUTE),
        (10 * MINUTE, 5 * HOUR, NOON),
    ],
)
def test_a_recovery_waits_until_its_window_is_over_and_settled(
    desk: Desk, settling: timedelta | None, closed_ago: timedelta, starts_at: datetime
) -> None:
    """Its window may end in the future, which no operator's may; a closing that is told late is not waited for."""
    desk.kept.settling = settling
    desk.tell(replace(CLOSING, recover_from=NOON - 6 * HOUR, closed_at=NOON - closed_ago))
    assert desk.job().starts_at == starts_at


def test_a_circuit_that_seems_to_have_closed_before_it_opened_is_recovered_from(desk: Desk) -> None:
    """Clocks differ."""
    desk.tell(replace(CLOSING, closed_at=CLOSING.recover_from - 90 * SECOND))
    assert desk.job().request.window == Window(WINDOW.start, CLOSING.recover_from + 60 * SECOND)


def test_a_circuit_that_guards_nothing_on_the_bus_starts_nothing(desk: Desk) -> None:
    """There is nothing that an archive could be replayed to."""
    assert desk.tell(replace(CLOSING, circuit="crm")) is Done.LEFT
    assert (desk.ids(), desk.woken) == (set(), [])


# What a closing does with a job that is there


@pytest.mark.parametrize("seconds", [-600, 0, 600])
@pytest.mark.parametrize("state", LEFT_ALONE)
def test_a_job_that_is_under_way_or_was_stopped_is_left_alone(desk: Desk, state: State, seconds: float) -> None:
    """Whatever is told, and in whatever order."""
    before = desk.put(state)
    assert desk.tell(later(seconds)) is Done.LEFT
    assert (desk.job(), desk.ids(), desk.woken) == (before, {OUTAGE}, [])


@pytest.mark.parametrize("seconds", [-600, 0, 600])
def test_a_job_that_an_operator_has_paused_is_left_alone(desk: Desk, seconds: float) -> None:
    """The operator knows why."""
    before = desk.put(State.PAUSED, by="arn:ada")
    assert desk.tell(later(seconds)) is Done.LEFT
    assert (desk.job(), desk.woken) == (before, [])


def test_a_job_that_the_circuit_has_paused_goes_on_with_a_window_that_reaches_further(desk: Desk) -> None:
    """From where it was, once the archive has all of that; and another canary goes first."""
    before = desk.put(State.PAUSED, by=CIRCUIT)
    assert desk.tell(later()) is Done.EXTENDED
    job = desk.job()
    assert job.request == replace(before.request, window=replace(WINDOW, end=WINDOW.end + 600 * SECOND))
    assert (job.state, job.starts_at) == (State.WAITING, WINDOW.end + 600 * SECOND + 10 * MINUTE)
    assert (job.checkpoint, job.run, job.whole_since, job.earlier_ends) == (CHECKPOINT, 1, 1, (WINDOW.end,))
    assert (job.canary_sent_at, job.canary_from, job.counts.sent) == (None, 40, 40)
    last = job.history[-1]
    assert (last.actor, last.action, last.state, OUTAGE in last.reason) == (CIRCUIT, "extend", State.WAITING, True)
    assert (desk.ledger.active().jobs[OUTAGE].window, desk.woken) == (job.request.window, [OUTAGE])


@pytest.mark.parametrize("seconds", [-600, 0])
def test_a_job_that_the_circuit_has_paused_goes_on_though_its_window_stays(desk: Desk, seconds: float) -> None:
    """A worker pauses it again if the closing is an old one; but nobody tells the last one twice for certain."""
    desk.put(State.PAUSED, by=CIRCUIT)
    assert desk.tell(later(seconds)) is Done.EXTENDED
    job = desk.job()
    assert (job.state, job.request.window, job.earlier_ends) == (State.WAITING, WINDOW, ())
    assert (job.run, job.history[-1].action) == (1, "resume")


def test_a_job_that_is_paused_begins_anew_where_work_was_held_earlier(desk: Desk) -> None:
    """Where it was is behind that."""
    desk.put(State.PAUSED, by=CIRCUIT)
    desk.tell(replace(later(), recover_from=CLOSING.recover_from - MINUTE))
    job = desk.job()
    assert job.request.window == Window(WINDOW.start - MINUTE, WINDOW.end + 600 * SECOND)
    assert (job.state, job.run, job.whole_since, job.earlier_ends) == (State.WAITING, 2, 2, ())


@pytest.mark.parametrize("earlier", [timedelta(), 5 * MINUTE, -5 * MINUTE])
@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED])
def test_a_job_that_has_ended_begins_anew_where_the_circuit_has_closed_later(
    desk: Desk, state: State, earlier: timedelta
) -> None:
    """From the earlier of both starts on."""
    before = desk.put(state)
    assert desk.tell(replace(later(), recover_from=CLOSING.recover_from - earlier)) is Done.EXTENDED
    job = desk.job()
    assert job.request.window == Window(WINDOW.start - max(earlier, timedelta()), WINDOW.end + 600 * SECOND)
    assert (job.state, job.ended_at, job.outcome) == (State.WAITING, None, "")
    assert (job.run, job.whole_since, job.earlier_ends) == (2, 2, ())
    assert job.history[:-1] == before.history
    assert (desk.ids(), desk.active(), desk.woken) == ({OUTAGE}, {OUTAGE}, [OUTAGE])


@pytest.mark.parametrize("seconds", [-600, 0])
@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED])
def test_a_job_that_has_ended_stays_so_where_its_closing_is_told_again(
    desk: Desk, state: State, seconds: float
) -> None:
    """Or one before it."""
    before = desk.put(state)
    assert desk.tell(later(seconds)) is Done.LEFT
    assert (desk.job(), desk.active(), desk.woken) == (before, set(), [])


def test_every_state_is_one_of_the_table() -> None:
    """What is left alone whatever is told, and what may go on."""
    assert {*LEFT_ALONE, State.PAUSED, State.COMPLETED, State.FAILED} == set(State)


@pytest.mark.parametrize("said", [{"actor": "arn:ada"}, {"source": Source.BACKUP}], ids=str)
@pytest.mark.parametrize(("state", "by"), [(State.PAUSED, CIRCUIT), (State.COMPLETED, WORKER)])
def test_a_job_that_somebody_else_gave_the_id_to_is_left_alone(
    desk: Desk, state: State, by: str, said: dict[str, Any]
) -> None:
    """It is an operator's."""
    before = desk.put(state, by, **said)
    assert desk.tell(later()) is Done.LEFT
    assert desk.job() == before


@pytest.mark.parametrize("state", State)
def test_a_job_that_the_table_does_not_let_go_on_is_not_extended(desk: Desk, state: State) -> None:
    """By nobody."""
    job = desk.put(state)
    if state in {State.PAUSED, State.COMPLETED, State.FAILED}:
        assert job.extended(WINDOW, NOON, NOON, "ada", "why").state is State.WAITING
    else:
        with pytest.raises(ForbiddenError, match=f"{state}: it cannot be extended"):
            job.extended(WINDOW, NOON, NOON, "ada", "why")


def test_an_operator_cannot_resume_what_is_complete(desk: Desk) -> None:
    """Before it was extended as after."""
    control = ReplayControl(desk.ledger, desk.kept, desk.woken.append, desk.clock.moment, lambda _: "made")
    who = {"jobId": OUTAGE, "reason": "why", "actor": "arn:ada"}
    assert not TRANSITIONS[State.COMPLETED]
    job = desk.put(State.COMPLETED)
    for closing in (later(), later(1200)):
        with pytest.raises(ForbiddenError, match="is COMPLETED: it cannot resume"):
            control.command("resume", who)
        desk.tell(closing)
        for state in (State.RUNNING, State.COMPLETED):
            job = desk.ledger.save(desk.job().moved(state, NOON, WORKER, "go on", ""))
        desk.ledger.save(job, desk.ledger.active().without(OUTAGE))


# Whoever tells at the same time, and whatever fails


@pytest.mark.parametrize("call", range(1, 6))
def test_two_deliveries_at_once_start_one_job(desk: Desk, call: int) -> None:
    """Whichever comes first."""
    done: list[Done] = []
    connection = Connection(meanwhile={call: lambda: done.append(desk.tell())})
    done.append(desk.tell(CLOSING, connection))
    if len(done) == 1:
        done.append(desk.tell())
    assert sorted(done) == [Done.LEFT, Done.STARTED]
    assert (desk.ids(), desk.active(), desk.woken) == ({OUTAGE}, {OUTAGE}, [OUTAGE])
    assert [one.action for one in desk.job().history] == ["start"]


@pytest.mark.parametrize("call", range(1, 6))
@pytest.mark.parametrize(("state", "by"), [(State.PAUSED, CIRCUIT), (State.COMPLETED, WORKER), (State.FAILED, WORKER)])
def test_two_deliveries_at_once_extend_a_job_once(desk: Desk, state: State, by: str, call: int) -> None:
    """Even if each saw it as it was before."""
    before = desk.put(state, by)
    desk.tell(later(), Connection(meanwhile={call: lambda: desk.tell(later())}))
    job = desk.job()
    assert len(job.history) == len(before.history) + 1
    assert (job.state, job.request.window.end, desk.woken) == (State.WAITING, WINDOW.end + 600 * SECOND, [OUTAGE])


@pytest.mark.parametrize("call", range(1, 6))
def test_an_operator_who_stops_the_job_meanwhile_is_not_overruled(desk: Desk, call: int) -> None:
    """What was decided on is no longer so."""
    desk.put(State.PAUSED, CIRCUIT)
    stopped: list[bool] = []
    desk.tell(
        later(), Connection(meanwhile={call: lambda: stopped.append(desk.world.command(State.CANCELLED, OUTAGE))})
    )
    assert desk.job().state is (State.CANCELLED if stopped else State.WAITING)


@pytest.mark.parametrize(("call", "takes_effect"), [(1, False), (2, False), (3, False), (4, False), (4, True)])
def test_a_delivery_that_fails_can_be_made_again(desk: Desk, call: int, takes_effect: bool) -> None:
    """There is one job in the end, whether or not it was written before."""
    with pytest.raises(UnavailableError):
        desk.tell(CLOSING, Connection(fails_at=[call], takes_effect=takes_effect))
    desk.tell()
    assert (desk.ids(), desk.job().history[-1].action, desk.job().state) == ({OUTAGE}, "start", State.WAITING)


def test_a_job_that_nobody_could_be_woken_for_is_found_by_the_sweep(desk: Desk) -> None:
    """Its closing is told again in vain."""

    def fail(_: str) -> None:
        raise UnavailableError("SQS did not take the message")

    desk.wake = fail
    with pytest.raises(UnavailableError):
        desk.tell()
    assert desk.tell() is Done.LEFT
    desk.clock.sleep(3600)
    assert desk.world.worker().stranded() == [OUTAGE]


# What is in the way


@pytest.mark.parametrize(("state", "by"), [(None, ""), (State.COMPLETED, WORKER), (State.FAILED, WORKER)])
def test_a_job_that_reads_from_the_same_buffer_is_in_the_way_until_it_has_ended(
    desk: Desk, state: State | None, by: str
) -> None:
    """It raises, so that the closing is delivered again."""
    if state is not None:
        desk.put(state, by)
    desk.put(State.RUNNING, job_id="another", window=LAST_HOUR, actor="arn:ada")
    with pytest.raises(ForbiddenError, match="The job another reads from the replay buffer of customers"):
        desk.tell(later())
    assert desk.active() == {"another"}
    stopped = desk.job("another").moved(State.CANCELLED, NOON, "arn:ada", "stop", "")
    desk.ledger.save(stopped, desk.ledger.active().without("another"))
    assert desk.tell(later()) is (Done.STARTED if state is None else Done.EXTENDED)


def test_a_window_that_now_overlaps_another_jobs_is_not_extended(desk: Desk) -> None:
    """A bucket is replayed into the same consumer, from a window that began where this one ended."""
    desk.put(State.PAUSED, CIRCUIT)
    behind = Window(WINDOW.end + 60 * SECOND, WINDOW.end + HOUR)
    desk.put(State.RUNNING, job_id="another", source=Source.BACKUP, window=behind)
    with pytest.raises(ForbiddenError, match="The job another replays into customers"):
        desk.tell(later())
    assert desk.job().state is State.PAUSED


def test_no_more_jobs_are_started_than_can_be_active(desk: Desk) -> None:
    """It raises, and starts when one of them has ended."""
    for number in range(10):
        window = Window(NOON - (number + 3) * 2 * HOUR, NOON - (number + 3) * 2 * HOUR + HOUR)
        desk.put(State.RUNNING, job_id=f"job-{number}", source=Source.BACKUP, window=window)
    with pytest.raises(ForbiddenError, match="10 replays are active"):
        desk.tell()
    assert OUTAGE not in desk.ids()
    desk.ledger.save(
        desk.job("job-4").moved(State.COMPLETED, NOON, WORKER, "complete", ""), desk.ledger.active().without("job-4")
    )
    assert desk.tell() is Done.STARTED


def test_a_job_of_an_earlier_outage_that_the_circuit_holds_goes_on_and_is_not_in_the_way_for_ever(desk: Desk) -> None:
    """A worker may have paused it after its last closing was told."""
    window = Window(NOON - 3 * HOUR, NOON - 2 * HOUR)
    desk.put(State.PAUSED, CIRCUIT, job_id="earlier", window=window)
    with pytest.raises(ForbiddenError, match="The job earlier reads from the replay buffer"):
        desk.tell()
    earlier = desk.job("earlier")
    assert (earlier.state, earlier.request.window, earlier.history[-1].action) == (State.WAITING, window, "resume")
    assert desk.woken == ["earlier"]


@pytest.mark.parametrize("said", [{"by": "arn:ada"}, {"actor": "arn:ada"}, {"targets": ("search",)}], ids=str)
def test_a_job_that_others_hold_or_have_started_does_not_go_on(desk: Desk, said: dict[str, Any]) -> None:
    """Nor one whose consumers the circuit does not guard."""
    window = Window(NOON - 3 * HOUR, NOON - 2 * HOUR)
    before = desk.put(State.PAUSED, **{"by": CIRCUIT, "job_id": "earlier", "window": window, **said})
    if "targets" in said:
        assert desk.tell() is Done.STARTED
    else:
        with pytest.raises(ForbiddenError):
            desk.tell()
    assert desk.job("earlier") == before


# What is told


def test_the_sample_of_a_closing_is_read() -> None:
    """As the bus delivers it."""
    event = sample("replay-control-recovery")
    data = event["detail"]["data"]
    closing = read(event)
    assert (closing.circuit, closing.outage_id) == (data["circuit"], data["outageId"])
    assert (timestamp(closing.recover_from), timestamp(closing.closed_at)) == (data["recoverFrom"], data["closedAt"])
    assert read({**event, "detail-type": HELD_WORK_FOUND}) == closing


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"outageId": None}, "/detail/data/outageId"),
        ({"outageId": "no good"}, "/detail/data/outageId"),
        ({"outageId": "x" * 41}, "/detail/data/outageId"),
        ({"circuit": None}, "/detail/data/circuit"),
        ({"recoverFrom": None}, "/detail/data/recoverFrom"),
        ({"recoverFrom": "yesterday"}, "/detail/data/recoverFrom"),
        ({"closedAt": 3}, "/detail/data/closedAt"),
        ({"closedAt": "2026-11-20T08:14:31"}, "/detail/data/closedAt"),
    ],
    ids=str,
)
def test_what_is_no_closing_is_told_by_what_is_wrong_with_it(wrong: dict[str, Any], pointer: str) -> None:
    """It raises, so that somebody sees it."""
    event = sample("replay-control-recovery")
    event["detail"]["data"].update(wrong)
    with pytest.raises(FieldError) as refused:
        read(event)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("detail", [None, [], {}, {"data": []}], ids=repr)
def test_an_event_without_data_is_no_closing(detail: Any) -> None:
    """Whatever stands there instead."""
    with pytest.raises(FieldError, match="/detail/data is no object"):
        read({"detail-type": CIRCUIT_CLOSED, "detail": detail})


@pytest.mark.parametrize("kind", [None, "CircuitOpened", "CircuitHalfOpened"])
def test_an_event_of_another_type_is_no_closing(kind: str | None) -> None:
    """The rule lets none through."""
    with pytest.raises(FieldError) as refused:
        read({**sample("replay-control-recovery"), "detail-type": kind})
    assert refused.value.pointer == "/detail-type"


# What workers make of it


class Outage:
    """A desk, workers, and an archive with events of an outage that has just closed."""

    def __init__(self, events: int = 12) -> None:
        self.world = World(seed=1)
        self.desk = Desk(self.world)
        self.desk.kept.settling = None
        self.world.replays.events += [
            bus_event(f"e-{number}", NOON - 20 * MINUTE + number * SECOND) for number in range(events)
        ]
        self.desk.tell()
        self.world.clock.sleep(60)

    def sent(self) -> list[str]:
        """Give the names of what was sent, in order."""
        return [str(parse(body)["id"]) for body in self.world.consumer.taken]

    def work(self, connection: Connection | None = None) -> int | None:
        """Have another worker work on the job for a slice."""
        return self.world.work(connection, OUTAGE)

    def reopen(self) -> None:
        """Have the circuit open again."""
        self.world.consumer.open_circuit = PAYMENTS

    def close_again(self) -> None:
        """Have the circuit close, and that told."""
        self.world.consumer.open_circuit = None
        self.desk.tell(replace(CLOSING, closed_at=self.world.clock.moment()))

    def complete(self) -> Job:
        """Have workers work until there is nothing to do."""
        return self.world.work_on(OUTAGE)

    def work_until_sent(self, events: int) -> None:
        """Have workers work until so many events were sent, and let the circuit open at that moment."""
        consumer = self.world.consumer
        forward = consumer.forward

        def count(items: Sequence[Item], now: float) -> Outcome:
            outcome = forward(items, now)
            if len(consumer.taken) >= events:
                self.reopen()
            return outcome

        consumer.forward = count  # type: ignore[method-assign]
        for _ in range(30):
            if self.desk.job().state is State.PAUSED:
                break
            self.work()
            self.world.clock.sleep(1)
        consumer.forward = forward  # type: ignore[method-assign]
        assert self.desk.job().state is State.PAUSED


@pytest.fixture
def outage() -> Outage:
    """Give the outage of a dozen events."""
    return Outage()


def test_a_worker_pauses_the_job_at_once_when_the_circuit_opens_and_gives_back_what_it_holds(outage: Outage) -> None:
    """On record as the circuit's doing; what was replayed and not sent is there for whoever goes on."""
    outage.work_until_sent(5)
    job = outage.desk.job()
    assert len(outage.sent()) == 5
    assert (job.state, job.lease, job.outcome) == (State.PAUSED, None, "The circuit payments is open.")
    assert (job.history[-1].actor, job.history[-1].action) == (CIRCUIT, "pause")
    assert job.is_held_by_circuit
    buffer = outage.world.buffer
    assert buffer.ids() == buffer.visible() != set()
    assert outage.work() is None


def test_a_worker_does_not_begin_while_the_circuit_is_open(outage: Outage) -> None:
    """Nothing is read, and nothing sent."""
    outage.reopen()
    outage.work()
    assert outage.desk.job().is_held_by_circuit
    assert (outage.sent(), outage.world.replays.starts) == ([], [])


def test_a_job_goes_on_from_where_it_was_and_sends_what_was_held_since(outage: Outage) -> None:
    """Nothing is replayed twice, and another canary is watched before the rest."""
    outage.work_until_sent(8)
    moment = outage.world.clock.moment()
    outage.world.replays.events += [bus_event(f"late-{number}", moment + number * SECOND) for number in range(12)]
    outage.world.clock.sleep(30)
    outage.close_again()
    outage.world.clock.sleep(60)
    outage.world.consumer.taken_at.clear()
    job = outage.complete()
    assert (job.state, job.run) == (State.COMPLETED, 1)
    assert set(outage.sent()) == {f"e-{n}" for n in range(12)} | {f"late-{n}" for n in range(12)}
    fifth, sixth = outage.world.consumer.taken_at[4:6]
    assert sixth >= fifth + outage.world.canary_seconds
    assert job.counts.sent == len(outage.sent())
    names = [name for name, _ in outage.world.replays.starts]
    assert names == [f"{OUTAGE}.1.{part}" for part in range(len(names))]
    assert not outage.world.buffer.ids()


def test_what_was_held_since_is_not_lost_where_a_worker_died_having_started_the_part_before(outage: Outage) -> None:
    """What was started under a name went only as far as the window did then, on record or not."""
    for killed_at in range(3, 20):
        outage = Outage()
        outage.world.canary_seconds = 0
        try:
            outage.work(Connection(killed_at=killed_at, takes_effect=True))
        except Killed:
            outage.world.clock.sleep(31)
        outage.reopen()
        outage.work()
        assert outage.desk.job().is_held_by_circuit
        outage.world.replays.events.append(bus_event("late", outage.world.clock.moment()))
        outage.close_again()
        outage.world.clock.sleep(61)
        assert outage.complete().state is State.COMPLETED
        assert set(outage.sent()) == {f"e-{number}" for number in range(12)} | {"late"}, killed_at


def test_a_job_that_is_complete_begins_anew_where_work_is_still_held(outage: Outage) -> None:
    """All of it is sent again, by a run of its own."""
    outage.complete()
    outage.world.consumer.taken.clear()
    outage.world.clock.sleep(900)
    outage.close_again()
    outage.world.clock.sleep(61)
    job = outage.complete()
    assert (job.state, job.run) == (State.COMPLETED, 2)
    assert set(outage.sent()) == {f"e-{number}" for number in range(12)}
    assert not outage.world.buffer.ids()


@pytest.mark.parametrize("call", range(1, 120))
def test_a_closing_that_meets_a_worker_is_lost_neither_by_the_one_nor_by_the_other(call: int) -> None:
    """Whichever call of the worker it comes before: its last ones must not undo what was begun anew."""
    outage = Outage(events=3)
    outage.world.canary_seconds = 0
    told: list[Closing] = []

    def held_anew() -> None:
        outage.world.replays.events.append(bus_event("late", outage.world.clock.moment()))
        told.append(replace(CLOSING, closed_at=outage.world.clock.moment() + 60 * SECOND))
        outage.desk.tell(told[0])

    connection = Connection(meanwhile={call: held_anew})
    for _ in range(5):
        outage.work(connection)
    if not told:
        held_anew()
    outage.world.clock.sleep(600)
    outage.complete()
    # Told while it was under way, it was left alone; then it is found that work is still held.
    outage.desk.tell(replace(told[0], closed_at=told[0].closed_at + MINUTE))
    outage.world.clock.sleep(600)
    assert outage.complete().state is State.COMPLETED
    assert set(outage.sent()) == {"e-0", "e-1", "e-2", "late"}


@pytest.mark.parametrize("call", range(2, 80))
def test_a_closing_that_meets_a_worker_which_pauses_the_job_has_another_canary_watched(call: int) -> None:
    """Whichever call of the worker it comes before, it sends a few events first whenever it begins."""
    outage = Outage(events=8)

    def close_once_it_is_paused() -> None:
        if outage.desk.job().state is State.PAUSED:
            outage.close_again()

    after = dict.fromkeys(range(call + 1, call + 40), close_once_it_is_paused)
    outage.work(Connection(meanwhile={call: outage.reopen, **after}))
    outage.work()
    close_once_it_is_paused()
    outage.world.consumer.open_circuit = None
    outage.world.clock.sleep(61)
    job = outage.complete()
    assert job.state is State.COMPLETED
    begun = [one for one in job.history if one.action == "begin"]
    assert {one.state for one in begun} == {State.CANARY}


@pytest.mark.parametrize("call", range(1, 40))
def test_a_closing_that_meets_whoever_clears_away_is_not_lost(call: int) -> None:
    """What the run before has left goes, and the new run is replayed whole."""
    outage = Outage(events=30)
    outage.world.consumer.fails_with = NotFoundError("the consumer's queue is gone")
    while outage.desk.job().state is not State.FAILED:
        outage.work()
    outage.world.consumer.fails_with = None
    told: list[Done] = []

    def tell() -> None:
        told.append(outage.desk.tell(replace(CLOSING, closed_at=outage.world.clock.moment())))

    connection = Connection(meanwhile={call: tell})
    outage.work(connection)
    if not told:
        tell()
    outage.world.clock.sleep(61)
    job = outage.complete()
    assert (told, job.state, job.run) == ([Done.EXTENDED], State.COMPLETED, 2)
    assert set(outage.sent()) == {f"e-{number}" for number in range(30)}
    assert not outage.world.buffer.ids()
