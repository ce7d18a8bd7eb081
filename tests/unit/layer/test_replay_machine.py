"""Whatever happens to workers, services and operators, a replay ends, and loses nothing that it was asked for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from eventfork.errors import UnavailableError
from eventfork.json_text import parse, render
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import ENDED, WORKING, Source, State
from eventfork.replay_targets import REPLAYED
from eventfork.replay_windows import Window
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.replaying import LAST_HOUR, NOON, Connection, Killed, World, bus_event, order_event

WANTED = EventFilter(types=("OrderPlaced",))
PAUSE, RESUME, STOP = State.PAUSED, State.WAITING, State.CANCELLED
MEANWHILE = ("pause", "resume", "stop", "stall", "another", "arrival", "circuit", "elsewhere")
CALLS = st.sampled_from(range(1, 51))
"""Which call of a worker, counted from its first."""

kept = st.lists(
    st.tuples(st.integers(min_value=-10, max_value=65), st.sampled_from(["OrderPlaced"] * 4 + ["OrderChanged"])),
    min_size=5,
    max_size=40,
)
"""What is kept: at which minute of the window (or before, or behind it) something happened, and what."""


class Replaying(RuleBasedStateMachine):
    """A job, several workers for it, and everything that can come between."""

    source: ClassVar[Source]

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.window = LAST_HOUR
        self.wanted: set[str] = set()
        self.unwanted: set[str] = set()
        self.count = 0

    @initialize(
        kept=kept,
        seed=st.integers(min_value=0, max_value=9),
        pace=st.sampled_from([None, 2.0, 4.0, 8.0]),
        canary=st.sampled_from([0, 0, 3]),
        starts_in=st.sampled_from([0.0, 40.0]),
        hours=st.sampled_from([1, 1, 30]),
        slow=st.sampled_from([0.0, 5.0]),
    )
    def asked_for(
        self,
        *,
        kept: list[tuple[int, str]],
        seed: int,
        pace: float | None,
        canary: int,
        starts_in: float,
        hours: int,
        slow: float,
    ) -> None:
        """Something is kept, and its replay is asked for."""
        self.world = World(seed=seed)
        self.world.replays.begins_after = slow
        self.window = Window(LAST_HOUR.end - timedelta(hours=hours), LAST_HOUR.end)
        for minutes, kind in kept:
            self.keep(self.window.start + timedelta(minutes=minutes * hours), kind)
        self.settle()
        self.world.clock.sleep(1)
        self.world.start(self.source, window=self.window, filter=WANTED, pace=pace, canary=canary, starts_in=starts_in)

    def keep(self, moment: Any, kind: str) -> None:
        """Keep something that happened."""
        self.count += 1
        name = f"e-{self.count}"
        happened = min(moment, NOON)
        is_wanted = kind == "OrderPlaced" and happened in self.window
        (self.wanted if is_wanted else self.unwanted).add(name)
        self.put(name, happened, kind)

    def put(self, name: str, moment: Any, kind: str) -> None:
        """Put it where the source keeps it."""
        raise NotImplementedError

    def settle(self) -> None:
        """Have everything arrive that was put."""

    def arrive(self) -> None:
        """Have something new arrive, which is none of the job's concern."""
        raise NotImplementedError

    def happens(self, what: str) -> Callable[[], object]:
        """Give what can happen while a worker works."""
        world = self.world
        return {
            "pause": lambda: world.command(PAUSE),
            "resume": lambda: world.command(RESUME),
            "stop": lambda: world.command(STOP),
            "stall": lambda: world.clock.sleep(40),
            "another": self.stall_until_another_has_worked,
            "arrival": self.arrive,
            "circuit": lambda: setattr(world.consumer, "open_circuit", "payment"),
            "elsewhere": self.cancel_elsewhere,
        }[what]

    def cancel_elsewhere(self) -> None:
        """Cancel by hand what the job waits for, where there is such a thing."""

    def stall_until_another_has_worked(self) -> None:
        """The lease runs out, and another worker takes the job."""
        self.world.clock.sleep(40)
        self.world.work()

    @rule(
        meanwhile=st.dictionaries(CALLS, st.sampled_from(MEANWHILE), max_size=3),
        killed_at=st.none() | CALLS,
        fails_at=st.just([]) | st.lists(CALLS, max_size=2),
        takes_effect=st.booleans(),
        refuses=st.sampled_from([0, 0, 0, 1, 3]),
        after=st.sampled_from([0, 5, 31, 31]),
        resumed=st.sampled_from([True, True, True, False]),
    )
    def work(
        self,
        meanwhile: dict[int, str],
        killed_at: int | None,
        fails_at: list[int],
        refuses: int,
        after: int,
        *,
        takes_effect: bool,
        resumed: bool,
    ) -> None:
        """A worker works on it for a slice, or dies trying; the ledger may fail it too, then it comes again."""
        if resumed:
            self.world.command(RESUME)
        self.world.clock.sleep(after)
        self.world.consumer.refuses = refuses
        connection = Connection(
            meanwhile={number: self.happens(what) for number, what in meanwhile.items()},
            killed_at=killed_at,
            fails_at=fails_at,
            takes_effect=takes_effect,
        )
        try:
            self.world.work(connection)
        except Killed:
            assert killed_at is not None
        except UnavailableError:
            assert fails_at
        self.world.consumer.open_circuit = None

    @rule(seconds=st.sampled_from([1, 10, 31, 70]))
    def time_passes(self, seconds: int) -> None:
        """Leases and visibility time-outs run out."""
        self.world.clock.sleep(seconds)

    @rule(state=st.sampled_from([PAUSE, RESUME, RESUME, STOP]))
    def told_to(self, state: State) -> None:
        """An operator pauses, resumes or stops it."""
        self.world.command(state)

    @rule()
    def arrival(self) -> None:
        """Something happens that the job was not asked for."""
        self.arrive()

    @invariant()
    def only_what_was_asked_for_is_sent(self) -> None:
        """Whatever happens."""
        assert self.sent() <= self.wanted

    @invariant()
    def only_what_can_go_on_or_leaves_something_behind_is_registered(self) -> None:
        """Ended jobs of other sources are not."""
        for job_id in self.world.ledger.active().jobs:
            job = self.world.job(job_id)
            assert job.state not in ENDED or (self.source is Source.ARCHIVE and job.state is not State.COMPLETED)

    def sent(self) -> set[str]:
        """Give the names of what was sent."""
        return {str(parse(body)["id"]) for body in self.world.consumer.taken}

    def teardown(self) -> None:
        """Left alone, it ends, and nothing is missing."""
        if not self.world.ledger.states:
            return
        self.world.consumer.refuses = 0
        for _ in range(100):
            if self.world.job().state is State.COMPLETED:
                break
            if self.world.job().state not in WORKING:
                assert self.world.command(RESUME)
            self.world.clock.sleep(31)
            self.world.work()
        assert self.world.job().state is State.COMPLETED, self.world.job()
        assert self.world.work() is None
        assert self.sent() == self.wanted
        assert not self.world.ledger.active().jobs
        assert self.world.store.open == 0


class FromQueue(Replaying):
    """From a queue, which keeps what is none of the job's concern."""

    source = Source.QUEUE

    def put(self, name: str, moment: Any, kind: str) -> None:
        """Put it on the queue."""
        self.world.queue.put(render(order_event(name, moment, kind)), message_id=name)

    def arrive(self) -> None:
        """Something newer is kept, even of something that happened in the window."""
        self.count += 1
        name = f"e-{self.count}"
        self.unwanted.add(name)
        self.world.clock.sleep(0.01)
        self.world.queue.put(render(order_event(name)), message_id=name)

    @invariant()
    def what_is_left_to_others_stays(self) -> None:
        """On the queue."""
        assert self.unwanted <= self.world.queue.ids()


class FromBackup(Replaying):
    """From stored events."""

    source = Source.BACKUP

    def __init__(self) -> None:
        super().__init__()
        self.hours: dict[Any, list[str]] = {}

    def put(self, name: str, moment: Any, kind: str) -> None:
        """File it by the hour it arrived in, some minutes later."""
        arrived = min(moment + timedelta(minutes=7), NOON)
        self.hours.setdefault(arrived.replace(minute=0), []).append(render(order_event(name, moment, kind)))

    def settle(self) -> None:
        """Write objects of three lines at the most."""
        for hour, lines in self.hours.items():
            for start in range(0, len(lines), 3):
                self.world.store.put(hour, f"object-{start:03}", [*lines[start : start + 3], ""])

    def arrive(self) -> None:
        """Something newer is filed."""
        self.count += 1
        self.unwanted.add(f"e-{self.count}")
        line = render(order_event(f"e-{self.count}", self.world.clock.moment()))
        self.world.store.put(NOON, f"z-{self.count:05}", [line])


class FromArchive(Replaying):
    """From an archive, by way of a buffer in which others may have left something."""

    source = Source.ARCHIVE

    def __init__(self) -> None:
        super().__init__()
        self.left_by_others: set[str] = set()

    def put(self, name: str, moment: Any, kind: str) -> None:
        """Put it into the archive."""
        self.world.replays.events.append(bus_event(name, moment, kind))

    def arrive(self) -> None:
        """Something newer is archived, and what a job long ended had replayed comes late."""
        self.count += 1
        self.unwanted.add(f"e-{self.count}")
        self.world.replays.events.append(bus_event(f"e-{self.count}", self.world.clock.moment()))
        if len(self.left_by_others) < 3:
            late = {**bus_event("late"), REPLAYED: "another.1.0"}
            self.left_by_others.add(self.world.buffer.put(render(late)))

    @precondition(lambda self: self.world.replays.active())
    @rule()
    def cancelled_elsewhere(self) -> None:
        """Somebody cancels a replay by hand."""
        self.cancel_elsewhere()

    def cancel_elsewhere(self) -> None:
        """Cancel every replay that runs."""
        for name in self.world.replays.active():
            self.world.replays.cancel(name)

    @invariant()
    def what_is_not_registered_has_left_nothing_behind(self) -> None:
        """No replay that runs, and nothing in the buffer that somebody might be waiting for."""
        if self.world.ledger.states and not self.world.ledger.active().jobs and self.world.job().state in ENDED:
            assert not self.world.replays.active()
            assert self.world.buffer.ids() == self.left_by_others

    @invariant()
    def what_others_left_stays(self) -> None:
        """In the buffer."""
        assert self.left_by_others <= self.world.buffer.ids()

    def teardown(self) -> None:
        """Nothing of the job's is left behind, nor goes on."""
        super().teardown()
        assert not self.world.replays.active()


FEW = settings(max_examples=60, stateful_step_count=25)

TestFromQueue = FromQueue.TestCase
TestFromQueue.settings = FEW
TestFromBackup = FromBackup.TestCase
TestFromBackup.settings = FEW
TestFromArchive = FromArchive.TestCase
TestFromArchive.settings = FEW
