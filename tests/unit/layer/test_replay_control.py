"""Replays are planned, started, held and stopped by command, whoever else commands or works at the same time."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eventfork import replay_commands
from eventfork.errors import NotFoundError, RefusedError, UnavailableError
from eventfork.replay_control import ReplayControl
from eventfork.replay_jobs import (
    ENDED,
    TRANSITIONS,
    WORKING,
    Active,
    ConflictError,
    Counts,
    FieldError,
    ForbiddenError,
    Job,
    Lease,
    Ledger,
    Request,
    Source,
    State,
    UnknownError,
)
from eventfork.replay_plans import Sighting
from eventfork.replay_targets import REPLAYED, Rule, Target

from tests.unit.replaying import RULE, Clock, Connection, FakeLedger

LIVE = "arn:rule/customers-live"
TARGETS = (
    Target("checkout", "arn:checkout", "arn:checkout-dead"),
    Target("customers", "arn:customers", "arn:customers-dead", RULE, "arn:buffer", "crm"),
    Target("search", "arn:search", "arn:search-dead", "arn:rule/search", "arn:search-buffer"),
)
RULES = (
    Rule("customers-replay", RULE, {REPLAYED: [{"exists": True}]}),
    Rule("customers-live", LIVE, {REPLAYED: [{"exists": False}]}),
)
HOUR = {"from": "2026-11-26T10:00:00Z", "to": "2026-11-26T11:00:00Z"}
BACKUP = {"source": "backup", "targets": ["customers"], **HOUR, "reason": "why", "actor": "ada"}
ARCHIVE = {**BACKUP, "source": "archive"}
DLQ = {"source": "dlq", "targets": ["customers"], "reason": "why", "actor": "ada"}
MOVES = {"pause": State.PAUSED, "resume": State.WAITING, "stop": State.CANCELLED, "start": State.WAITING}


class FakeKept:
    """What is kept to be replayed.

    Attributes
    ----------
    seen : dict
        What is seen for a target, by its name.
    settling : timedelta or None
        How long it takes until what happened last can be read, for every source but the queues.
    circuit : str or None
        The circuit that is open.
    counted : list
        What was asked to be counted: requests, and for whom.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Sighting] = {}
        self.settling: timedelta | None = None
        self.circuit: str | None = None
        self.counted: list[tuple[Request, str]] = []

    def targets(self) -> Mapping[str, Target]:
        """Give the consumers by name."""
        return {one.name: one for one in TARGETS}

    def rules(self) -> Sequence[Rule]:
        """Give the rules of the bus."""
        return RULES

    def archive(self, name: str) -> str:
        """Give the name of the archive meant."""
        if name == "elsewhere":
            raise RefusedError("the archive elsewhere is of another bus")
        if name not in {"", "everything", "orders"}:
            raise NotFoundError(f"there is no archive {name}")
        return name or "everything"

    def settles_after(self, source: Source) -> timedelta | None:
        """Give how long it takes until what happened last can be read."""
        return None if source in {Source.QUEUE, Source.DLQ} else self.settling

    def count(self, request: Request, target: Target, rules: Sequence[Rule]) -> Sighting:
        """Count what a replay would send to a target."""
        assert rules is RULES
        self.counted.append((request, target.name))
        return self.seen.get(target.name, Sighting(0, exact=True))

    def open_circuit(self, job: Job) -> str | None:
        """Name the circuit that is open."""
        assert job.request.targets
        return self.circuit


class Desk:
    """Where commands are given: a control, and all that it knows."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ledger = FakeLedger(self.clock)
        self.kept = FakeKept()
        self.woken: list[str] = []
        self.wake: Callable[[str], object] = self.woken.append
        self._ids = 0

    def control(self, ledger: Ledger | None = None) -> ReplayControl:
        """Give a control, that reaches the ledger in a way of its own if it is to."""
        return ReplayControl(ledger or self.ledger, self.kept, self.wake, self.clock.moment, lambda _: self._id())

    def _id(self) -> str:
        self._ids += 1
        return f"made-{self._ids}"

    def command(self, name: str, said: Mapping[str, Any], connection: Connection | None = None) -> tuple[int, Any]:
        """Give a command, over a connection if it is to; give the status and the document it is answered with."""
        answer = self.control(connection.to(self.ledger) if connection else None).command(name, said)
        return answer.status, answer.body

    def move(self, name: str, job_id: str = "one", connection: Connection | None = None) -> State:
        """Pause, resume, stop or start a job; give the state that is answered."""
        _, body = self.command(name, {"jobId": job_id, "reason": f"to {name}", "actor": "grace"}, connection)
        return State(body["job"]["state"])

    def put(self, state: State, said: Mapping[str, Any] = BACKUP, job_id: str = "one") -> Job:
        """Have a job in some state, and in the register unless it is none that is active."""
        self.command("plan", {**said, "jobId": job_id, "dryRun": False})
        job = self.ledger.job(job_id)
        if state is State.PLANNED:
            return job
        steps = {
            State.FAILED: (State.WAITING, State.FAILED),
            State.PAUSED: (State.WAITING, State.PAUSED),
            State.CANARY: (State.WAITING, State.CANARY),
            State.RUNNING: (State.WAITING, State.RUNNING),
            State.COMPLETED: (State.WAITING, State.RUNNING, State.COMPLETED),
            State.CANCELLED: (State.WAITING, State.CANCELLED),
            State.WAITING: (State.WAITING,),
        }
        for step in steps[state]:
            job = job.moved(step, self.clock.moment(), "worker", "go on", "")
            job = self.ledger.save(job, self.ledger.active().admitting(job))
        if state in ENDED:
            job = self.ledger.save(job, self.ledger.active().without(job_id))
        self.woken.clear()
        return job

    def work(self, job_id: str = "one", state: State = State.RUNNING) -> None:
        """Have a worker take a job, and get somewhere with it."""
        job = self.ledger.job(job_id)
        taken = self.ledger.save(replace(job, lease=Lease("worker", self.clock.now() + 60)))
        at_work = taken.moved(State.RUNNING, self.clock.moment(), "worker", "run", "")
        job = self.ledger.save(replace(at_work, counts=Counts(5, read=2, sent=2), checkpoint={"line": 2}))
        if state is not State.RUNNING:
            self.ledger.save(job.moved(state, self.clock.moment(), "worker", "end", "All of it."))

    def active(self) -> set[str]:
        """Give the names of the jobs that are active."""
        return set(self.ledger.active().jobs)

    def ids(self) -> set[str]:
        """Give the names of all jobs."""
        return {job.id for job in self.ledger.newest(100)}


class Contended(FakeLedger):
    """A ledger whose first writes conflict with somebody's who has gone without a trace."""

    def __init__(self, clock: Clock, conflicts: int) -> None:
        super().__init__(clock)
        self.conflicts = conflicts

    def save(self, job: Job, active: Active | None = None) -> Job:
        """Write a job, once the conflicts are over."""
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError
        return super().save(job, active)


@pytest.fixture
def desk() -> Desk:
    """Give a desk over an empty ledger."""
    return Desk()


def test_a_plan_is_told_and_nothing_is_done(desk: Desk) -> None:
    """Unless it is told otherwise; not even a reason is asked for."""
    desk.kept.seen["customers"] = Sighting(120, exact=True)
    status, body = desk.command("plan", {**HOUR, "source": "archive", "targets": ["customers-replay"], "pace": 2})
    assert (status, body.keys()) == (200, {"plan"})
    assert (body["plan"]["events"], body["plan"]["seconds"], body["plan"]["archive"]) == (120, 60, "everything")
    assert [one["name"] for one in body["plan"]["targets"]] == ["customers"]
    assert (desk.ids(), desk.active(), desk.woken) == (set(), set(), [])


def test_a_plan_counts_for_every_target_and_notes_each_thing_once(desk: Desk) -> None:
    """The whole is exact if each part is."""
    desk.kept.seen["customers"] = Sighting(3, exact=True, notes=("late events are missing",))
    desk.kept.seen["search"] = Sighting(4, exact=False, notes=("late events are missing", "an object was damaged"))
    plan = desk.command("plan", {**ARCHIVE, "targets": ["customers", "search", RULE]})[1]["plan"]
    assert (plan["events"], plan["exact"]) == (7, False)
    assert plan["notes"] == ["late events are missing", "an object was damaged"]
    assert [target for _, target in desk.kept.counted] == ["customers", "search"]
    plan = desk.command("plan", {**ARCHIVE, "targets": ["customers"]})[1]["plan"]
    assert (plan["events"], plan["exact"]) == (3, True)


@pytest.mark.parametrize(
    ("said", "settling", "starts_at"),
    [
        (BACKUP, None, "2026-11-26T12:00:00.000000Z"),
        (BACKUP, timedelta(minutes=30), "2026-11-26T12:00:00.000000Z"),
        (BACKUP, timedelta(minutes=70), "2026-11-26T12:10:00.000000Z"),
        (DLQ, timedelta(minutes=70), "2026-11-26T12:00:00.000000Z"),
    ],
)
def test_a_replay_begins_when_its_source_has_everything(
    desk: Desk, said: dict[str, Any], settling: timedelta | None, starts_at: str
) -> None:
    """At once, or as soon as what happened last can be read."""
    desk.kept.settling = settling
    assert desk.command("plan", said)[1]["plan"]["startsAt"] == starts_at
    assert desk.command("start", said)[1]["job"]["startsAt"] == starts_at


def test_a_plan_that_is_kept_waits_to_be_started(desk: Desk) -> None:
    """It is no active job yet, and nobody works on it."""
    desk.kept.seen["customers"] = Sighting(9, exact=True)
    status, body = desk.command("plan", {**BACKUP, "dryRun": False})
    job = body["job"]
    assert (status, job["id"], job["state"], job["counts"]["planned"]) == (201, "made-1", "PLANNED", 9)
    assert body["plan"]["events"] == 9
    assert [(one["action"], one["actor"], one["reason"]) for one in job["history"]] == [("plan", "ada", "why")]
    assert (desk.ids(), desk.active(), desk.woken) == ({"made-1"}, set(), [])


@pytest.mark.parametrize("state", State)
def test_a_plan_under_an_id_that_is_taken_is_refused_with_a_problem_document(desk: Desk, state: State) -> None:
    """Whatever has become of the job that has it, it stays as it is."""
    before = desk.put(state)
    command = replay_commands.read(
        {
            "requestContext": {"identity": {"userArn": "arn:ada"}},
            "pathParameters": {"command": "plan"},
            "body": json.dumps({**BACKUP, "jobId": "one", "dryRun": False, "reason": "another"}),
        }
    )
    answer = replay_commands.in_form(replay_commands.answered(command, desk.control().command), command)
    assert (answer["statusCode"], answer["headers"]) == (409, {"content-type": "application/problem+json"})
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "There is a replay one already: give another jobId, or none to have one made.",
    }
    assert desk.ledger.job("one") == before


def test_a_plan_under_an_id_that_is_being_taken_is_refused(desk: Desk) -> None:
    """By whoever writes first."""
    connection = Connection(meanwhile={1: lambda: desk.put(State.WAITING)})
    with pytest.raises(ForbiddenError, match="There is a replay one already"):
        desk.command("plan", {**BACKUP, "jobId": "one", "dryRun": False}, connection)
    assert desk.ledger.job("one").state is State.WAITING


@pytest.mark.parametrize("said", [{}, {"jobId": "one"}], ids=str)
@pytest.mark.parametrize("command", ["plan", "start"])
def test_a_conflict_that_leaves_nothing_behind_is_gone_over(desk: Desk, command: str, said: dict[str, Any]) -> None:
    """It is written in the end, and once."""
    desk.ledger = Contended(desk.clock, conflicts=3)
    dry_run = {"dryRun": False} if command == "plan" else {}
    assert desk.command(command, {**BACKUP, **said, **dry_run})[0] in {201, 202}
    assert len(desk.ids()) == desk.ledger.saves == 1


def test_a_start_has_a_job_admitted_and_worked_on(desk: Desk) -> None:
    """And on record, with its plan in the answer."""
    status, body = desk.command("start", {**ARCHIVE, "pace": 2, "canary": 3, "force": True})
    job = desk.ledger.job("made-1")
    assert (status, job.state, body["job"]["state"]) == (202, State.WAITING, "WAITING")
    assert (job.request.archive, job.request.pace, job.request.canary, job.request.forced) == ("everything", 2, 3, True)
    assert [(one.action, one.actor, one.state) for one in job.history] == [("start", "ada", State.WAITING)]
    assert body["plan"]["targets"][0]["name"] == "customers"
    assert (desk.active(), desk.woken) == ({"made-1"}, ["made-1"])


@pytest.mark.parametrize(("archive", "found"), [(None, "everything"), ("", "everything"), ("orders", "orders")])
def test_an_archive_is_the_one_of_everything_or_one_of_the_bus(desk: Desk, archive: str | None, found: str) -> None:
    """By its name."""
    assert desk.command("plan", {**ARCHIVE, "archive": archive})[1]["plan"]["archive"] == found


@pytest.mark.parametrize("command", ["plan", "start"])
@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"archive": "elsewhere"}, RefusedError, "another bus"),
        ({"archive": "unknown"}, NotFoundError, "no archive unknown"),
        ({"targets": ["orders"]}, UnknownError, "no consumer and no rule orders"),
        ({"targets": ["customers-live"]}, ForbiddenError, "takes live events"),
        ({"targets": [LIVE]}, ForbiddenError, "takes live events"),
        ({"targets": ["checkout"]}, ForbiddenError, "takes nothing off the bus"),
        ({"targets": []}, FieldError, "/targets names no target"),
        ({"to": "2026-11-26T12:00:01Z"}, FieldError, "/to is in the future"),
        ({"pase": 1}, FieldError, "/pase is not known"),
        ({"jobId": "no good"}, FieldError, "/jobId is no id"),
    ],
    ids=str,
)
def test_what_cannot_be_replayed_is_neither_planned_nor_started(
    desk: Desk, command: str, wrong: dict[str, Any], error: type[Exception], text: str
) -> None:
    """It is told by what names it."""
    dry_run = {"dryRun": False} if command == "plan" else {}
    with pytest.raises(error, match=text):
        desk.command(command, {**ARCHIVE, **dry_run, **wrong})
    assert (desk.ids(), desk.active(), desk.woken) == (set(), set(), [])


def test_a_plan_that_is_kept_is_not_started_by_planning_it_anew(desk: Desk) -> None:
    """What is asked for now may be another thing; nothing is started unseen."""
    desk.put(State.PLANNED, DLQ)
    with pytest.raises(ForbiddenError, match=r"planned already: start it by its jobId alone\.$"):
        desk.command("start", {**DLQ, "jobId": "one"})
    assert desk.ledger.job("one").state is State.PLANNED


@pytest.mark.parametrize("state", [state for state in State if state is not State.PLANNED])
def test_a_start_that_is_repeated_starts_nothing_more(desk: Desk, state: State) -> None:
    """Nor is it planned again, or held; the job is woken if there can be something to do."""
    before = desk.put(state, DLQ)
    desk.kept.counted.clear()
    desk.kept.circuit = "crm"
    status, body = desk.command("start", {**DLQ, "jobId": "one"})
    assert desk.kept.counted == []
    assert (status, body.keys()) == (202 if state is State.WAITING else 200, {"job"})
    assert body["job"]["state"] == state
    assert (desk.ids(), desk.ledger.job("one")) == ({"one"}, before)
    assert desk.woken == (["one"] if state in WORKING | ENDED else [])


def test_a_start_that_is_made_twice_at_the_same_time_is_one_replay(desk: Desk) -> None:
    """Both are answered with it."""
    said = {**BACKUP, "jobId": "one"}
    connection = Connection(meanwhile={3: lambda: desk.command("start", said)})
    status, body = desk.command("start", {**said, "actor": "grace"}, connection)
    assert (status, body["job"]["actor"], desk.ids(), desk.active()) == (202, "ada", {"one"}, {"one"})


@pytest.mark.parametrize("said", [{}, {"jobId": "two"}], ids=str)
def test_a_start_beside_another_that_it_does_not_meet_is_made_again(desk: Desk, said: dict[str, Any]) -> None:
    """The register has both."""
    rival = {**BACKUP, "targets": ["search"], "jobId": "one"}
    connection = Connection(meanwhile={2: lambda: desk.command("start", rival)})
    assert desk.command("start", {**BACKUP, **said}, connection)[0] == 202
    assert len(desk.ids()) == 2
    assert desk.active() == desk.ids()


@pytest.mark.parametrize("call", [1, 2])
def test_a_start_that_comes_second_into_a_target_is_refused(desk: Desk, call: int) -> None:
    """Even if it could not know when it looked."""
    rival = {**BACKUP, "jobId": "one"}
    connection = Connection(meanwhile={call: lambda: desk.command("start", rival)})
    with pytest.raises(ForbiddenError, match="The job one replays into customers from a window that overlaps"):
        desk.command("start", BACKUP, connection)
    assert desk.ids() == desk.active() == {"one"}


def test_a_start_that_is_forced_goes_beside_another_but_not_into_its_place(desk: Desk) -> None:
    """Two may send into one target; two cannot read from one buffer."""
    desk.put(State.RUNNING, ARCHIVE)
    assert desk.command("start", {**BACKUP, "force": True})[0] == 202
    with pytest.raises(ForbiddenError, match="The job one reads from the replay buffer of customers"):
        desk.command("start", {**ARCHIVE, "force": True})


def test_no_more_replays_are_started_than_can_be_active(desk: Desk) -> None:
    """Until one of them ends."""
    day = [f"2026-11-26T{hour:02}" for hour in range(12)]
    for number in range(10):
        window = {"from": f"{day[number]}:00:00Z", "to": f"{day[number]}:30:00Z"}
        assert desk.command("start", {**BACKUP, **window, "jobId": f"job-{number}"})[0] == 202
    eleventh = {**BACKUP, "from": f"{day[11]}:00:00Z", "to": f"{day[11]}:30:00Z", "force": True}
    with pytest.raises(ForbiddenError, match="10 replays are active"):
        desk.command("start", eleventh)
    desk.move("stop", "job-4")
    assert desk.command("start", eleventh)[0] == 202


@pytest.mark.parametrize("command", sorted(MOVES))
@pytest.mark.parametrize("state", State)
def test_a_job_is_moved_where_its_state_allows_it(desk: Desk, command: str, state: State) -> None:
    """What is planned is started, not resumed; whatever else stands still is resumed, not started."""
    before, after = desk.put(state), MOVES[command]
    is_allowed = after in TRANSITIONS[state] and (
        after is not State.WAITING or (command == "start") is (state is State.PLANNED)
    )
    if not is_allowed:
        with pytest.raises(ForbiddenError, match=f"The job one is {state}: it cannot {command}"):
            desk.move(command)
        assert (desk.ledger.job("one"), desk.woken) == (before, [])
        return
    assert desk.move(command) is after
    job = desk.ledger.job("one")
    assert (job.state, job.history[:-1]) == (after, before.history)
    last = job.history[-1]
    assert (last.action, last.actor, last.reason) == (command, "grace", f"to {command}")
    assert desk.active() == (set() if command == "stop" else {"one"})
    assert desk.woken == ([] if command == "pause" else ["one"])


def test_what_waits_is_accepted_and_what_stands_still_is_done(desk: Desk) -> None:
    """By the status of the answer."""
    who = {"jobId": "one", "reason": "why"}
    desk.put(State.PLANNED)
    answers = [desk.command(name, who)[0] for name in ("start", "pause", "resume", "stop", "resume")]
    assert answers == [202, 200, 202, 200, 202]
    assert {action.actor for action in desk.ledger.job("one").history[1:]} == {"unknown"}


@pytest.mark.parametrize(("state", "is_active"), [(State.PLANNED, False), (State.RUNNING, True), (State.PAUSED, True)])
def test_an_archive_that_is_stopped_keeps_its_buffers_until_they_are_cleared(
    desk: Desk, state: State, is_active: bool
) -> None:
    """A worker does that; of a plan there is nothing to clear."""
    desk.put(state, ARCHIVE)
    assert desk.move("stop") is State.CANCELLED
    assert desk.active() == ({"one"} if is_active else set())
    desk.woken.clear()
    if is_active:
        with pytest.raises(ForbiddenError, match="The job one reads from the replay buffer"):
            desk.command("start", {**ARCHIVE, "force": True})
    else:
        assert desk.command("start", ARCHIVE)[0] == 202


def test_a_job_that_ended_is_not_resumed_into_what_another_has_taken(desk: Desk) -> None:
    """Nor is a plan started into it; one that is forced goes beside it."""
    desk.put(State.CANCELLED)
    desk.put(State.PLANNED, job_id="two")
    desk.put(State.CANCELLED, {**BACKUP, "force": True}, job_id="forced")
    desk.put(State.RUNNING, job_id="rival")
    for command, job_id in (("resume", "one"), ("start", "two")):
        with pytest.raises(ForbiddenError, match="The job rival replays into customers"):
            desk.move(command, job_id)
    assert desk.move("resume", "forced") is State.WAITING
    assert desk.active() == {"rival", "forced"}


@pytest.mark.parametrize("command", ["pause", "stop"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_command_that_meets_a_worker_is_made_again_and_undoes_nothing(desk: Desk, command: str, call: int) -> None:
    """What the worker wrote is there, and what was commanded."""
    desk.put(State.WAITING)
    assert desk.move(command, connection=Connection(meanwhile={call: desk.work})) is MOVES[command]
    job = desk.ledger.job("one")
    assert (job.state, job.counts.sent, job.checkpoint) == (MOVES[command], 2, {"line": 2})
    assert [action.action for action in job.history][-2:] == ["run", command]


@pytest.mark.parametrize("command", ["pause", "stop"])
def test_a_command_that_comes_too_late_is_told(desk: Desk, command: str) -> None:
    """The job was complete before it could be written."""
    desk.put(State.WAITING)
    connection = Connection(meanwhile={3: lambda: desk.work(state=State.COMPLETED)})
    with pytest.raises(ForbiddenError, match=f"The job one is COMPLETED: it cannot {command}"):
        desk.move(command, connection=connection)
    assert desk.ledger.job("one").outcome == "All of it."


def test_a_resume_that_meets_another_into_the_same_target_is_refused(desk: Desk) -> None:
    """As the register has changed since it looked."""
    desk.put(State.FAILED)
    connection = Connection(meanwhile={3: lambda: desk.command("start", {**BACKUP, "jobId": "rival"})})
    with pytest.raises(ForbiddenError, match="The job rival replays into customers"):
        desk.move("resume", connection=connection)
    assert (desk.ledger.job("one").state, desk.active()) == (State.FAILED, {"rival"})


def test_what_two_command_at_once_is_done_once(desk: Desk) -> None:
    """The second is told that it is done."""
    desk.put(State.PLANNED)
    with pytest.raises(ForbiddenError, match="The job one is WAITING: it cannot start"):
        desk.move("start", connection=Connection(meanwhile={3: lambda: desk.move("start")}))
    assert [action.action for action in desk.ledger.job("one").history] == ["plan", "start"]


def test_dead_letters_wait_for_an_open_circuit_to_close(desk: Desk) -> None:
    """However they would be brought to work: started, started as planned, or resumed."""
    desk.put(State.PAUSED, DLQ, job_id="paused")
    desk.put(State.PLANNED, DLQ, job_id="planned")
    desk.kept.circuit = "crm"
    commands: list[Callable[[], object]] = [
        lambda: desk.command("start", {**DLQ, "jobId": "new"}),
        lambda: desk.move("start", "planned"),
        lambda: desk.move("resume", "paused"),
    ]
    for give in commands:
        with pytest.raises(ForbiddenError, match="The circuit crm is open"):
            give()
    assert desk.ids() == {"paused", "planned"}
    assert desk.move("stop", "paused") is State.CANCELLED
    desk.kept.circuit = None
    assert desk.move("start", "planned") is State.WAITING


@pytest.mark.parametrize("said", [{**DLQ, "force": True}, BACKUP, ARCHIVE], ids=lambda said: said["source"])
def test_an_open_circuit_holds_nothing_that_is_forced_or_was_never_tried(desk: Desk, said: dict[str, Any]) -> None:
    """The worker holds the rest while it is open."""
    desk.kept.circuit = "crm"
    assert desk.command("start", said)[0] == 202


def test_a_job_is_shown_as_it_is(desk: Desk) -> None:
    """All of it."""
    desk.put(State.WAITING)
    desk.work()
    status, body = desk.command("show", {"jobId": "one"})
    assert (status, body["job"]["state"], body["job"]["counts"]["sent"]) == (200, "RUNNING", 2)
    assert desk.woken == []


def test_jobs_are_listed_the_newest_first(desk: Desk) -> None:
    """As many as were asked for, or twenty."""
    for number in range(25):
        desk.put(State.PLANNED, job_id=f"job-{number}")
        desk.clock.sleep(1)
    status, body = desk.command("list", {})
    assert (status, [job["id"] for job in body["jobs"]]) == (200, [f"job-{number}" for number in range(24, 4, -1)])
    assert [job["id"] for job in desk.command("list", {"limit": 1})[1]["jobs"]] == ["job-24"]
    assert Desk().command("list", {}) == (200, {"jobs": []})


@pytest.mark.parametrize("name", [None, 7, "", "plans", "PLAN", ["plan"], "_move"], ids=repr)
def test_a_command_that_is_none_is_refused_with_those_that_are(desk: Desk, name: object) -> None:
    """Whatever stands there instead of one."""
    with pytest.raises(FieldError) as refused:
        desk.control().command(name, {})
    assert refused.value.pointer == "/command"
    assert refused.value.detail == "is none of plan, start, show, list, pause, resume, stop"


@pytest.mark.parametrize(
    ("command", "said", "pointer"),
    [
        ("plan", {**BACKUP, "dryRun": "no"}, "/dryRun"),
        ("plan", {**BACKUP, "dryRun": False, "reason": None}, "/reason"),
        ("start", {**BACKUP, "dryRun": False}, "/dryRun"),
        ("start", {**BACKUP, "reason": " "}, "/reason"),
        ("start", {"reason": "why"}, "/source"),
        ("start", {"jobId": "one", "reason": "why", "pace": 3}, "/pace"),
        ("start", {"jobId": "one"}, "/reason"),
        ("show", {}, "/jobId"),
        ("show", {"jobId": "one", "reason": "why"}, "/reason"),
        ("list", {"limit": 101}, "/limit"),
        ("list", {"jobId": "one"}, "/jobId"),
        *((command, {"reason": "why"}, "/jobId") for command in ("pause", "resume", "stop")),
        *((command, {"jobId": "one"}, "/reason") for command in ("pause", "resume", "stop")),
        *((command, {"jobId": "one", "reason": "why", "force": True}, "/force") for command in ("resume", "stop")),
    ],
    ids=str,
)
def test_what_a_command_needs_or_cannot_use_is_named(
    desk: Desk, command: str, said: dict[str, Any], pointer: str
) -> None:
    """Before anything is done."""
    before = desk.put(State.PLANNED)
    with pytest.raises(FieldError) as refused:
        desk.command(command, said)
    assert refused.value.pointer == pointer
    assert (desk.ledger.job("one"), desk.ids(), desk.woken) == (before, {"one"}, [])


@pytest.mark.parametrize("command", ["start", "pause", "resume", "stop", "show"])
def test_a_job_that_is_not_there_is_told_by_its_id(desk: Desk, command: str) -> None:
    """With how to find those that are."""
    said = {"jobId": "two"} if command == "show" else {"jobId": "two", "reason": "why"}
    with pytest.raises(UnknownError, match="There is no replay two: `list` tells which there are"):
        desk.command(command, said)


@pytest.mark.parametrize("takes_effect", [False, True])
def test_a_start_whose_answer_was_lost_can_be_repeated(desk: Desk, takes_effect: bool) -> None:
    """Whether or not it was written, there is one replay in the end."""
    said = {**BACKUP, "jobId": "one"}
    with pytest.raises(UnavailableError):
        desk.command("start", said, Connection(fails_at=[3], takes_effect=takes_effect))
    assert desk.ids() == ({"one"} if takes_effect else set())
    assert desk.woken == []
    assert desk.command("start", said)[0] == 202
    assert (desk.ids(), desk.woken, desk.ledger.saves) == ({"one"}, ["one"], 1)


def test_a_start_that_could_wake_nobody_is_kept_and_wakes_when_repeated(desk: Desk) -> None:
    """Nothing is lost by a queue of work that does not answer."""

    def fail(_: str) -> None:
        raise UnavailableError("SQS did not take the message")

    desk.wake = fail
    with pytest.raises(UnavailableError):
        desk.command("start", {**BACKUP, "jobId": "one"})
    assert desk.ledger.job("one").state is State.WAITING
    desk.wake = desk.woken.append
    assert desk.command("start", {**BACKUP, "jobId": "one"})[0] == 202
    assert desk.woken == ["one"]
