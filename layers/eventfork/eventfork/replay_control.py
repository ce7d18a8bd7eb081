"""Replay control: the commands by which replays are planned, started, watched, held and stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol

from eventfork import replay_plans, replay_requests
from eventfork.errors import NotFoundError
from eventfork.replay_jobs import (
    ENDED,
    WORKING,
    Active,
    ConflictError,
    Counts,
    FieldError,
    ForbiddenError,
    Job,
    Ledger,
    Request,
    Source,
    State,
    UnknownError,
)
from eventfork.replay_plans import Plan, Sighting
from eventfork.replay_records import document
from eventfork.replay_targets import Rule, Target, resolve

__all__ = ["Answer", "Kept", "ReplayControl"]

_SAID: Final = (
    "source", "from", "to", "targets", "pace", "canary", "filter", "archive", "reason", "actor", "force", "jobId",
)  # fmt: skip
_MOVE: Final = ("jobId", "reason", "actor")
_ON_THE_MOVE: Final = {"pause": State.PAUSED, "resume": State.WAITING, "stop": State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers: a status of HTTP, and a JSON document."""

    status: HTTPStatus
    body: Mapping[str, Any]


class Kept(Protocol):
    """What is kept to be replayed, and where it can be replayed to."""

    def targets(self) -> Mapping[str, Target]:
        """Give the consumers by name."""

    def rules(self) -> Sequence[Rule]:
        """Give the rules of the bus."""

    def archive(self, name: str) -> str:
        """Give the name of the archive meant, "" meaning that of everything, if it is one of the bus.

        Raises
        ------
        eventfork.errors.NotFoundError
            If there is none.
        eventfork.errors.RefusedError
            If it is another bus's.
        """

    def settles_after(self, source: Source) -> timedelta | None:
        """Give how long it takes until what happened last can be read from a source; None where that is at once."""

    def count(self, request: Request, target: Target, rules: Sequence[Rule]) -> Sighting:
        """Count what a replay would send to a target, as far as that can be seen."""

    def open_circuit(self, job: Job) -> str | None:
        """Name an open circuit that guards what one of a job's targets calls, if there is one."""


class ReplayControl:
    """The commands.

    Each raises `ReplayError` for what is not to be, and `ServiceError` if a service does not do its part.

    Parameters
    ----------
    ledger : Ledger
    kept : Kept
    wake : callable
        Has a job worked on.
    now : callable
        Gives the time, in UTC.
    new_id : callable
        Gives an id for a job that has none.
    """

    def __init__(
        self,
        ledger: Ledger,
        kept: Kept,
        wake: Callable[[str], object],
        now: Callable[[], datetime],
        new_id: Callable[[datetime], str],
    ) -> None:
        self._ledger = ledger
        self._kept = kept
        self._wake = wake
        self._now = now
        self._new_id = new_id
        self._commands: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "plan": self.plan,
            "start": self.start,
            "show": self.show,
            "list": self.list,
            **{name: self._mover(name) for name in _ON_THE_MOVE},
        }

    def command(self, name: object, said: Mapping[str, Any]) -> Answer:
        """Carry out the command of this name."""
        if not isinstance(name, str) or name not in self._commands:
            raise FieldError("/command", f"is none of {', '.join(self._commands)}")
        return self._commands[name](said)

    def plan(self, said: Mapping[str, Any]) -> Answer:
        """Tell what a replay would do; keep it to be started later if `dryRun` is false.

        A `jobId` that is known already is refused: the plan that is kept under it may be another.
        """
        replay_requests.only(said, (*_SAID, "dryRun"))
        if replay_requests.switch(said, "dryRun", default=True):
            return Answer(HTTPStatus.OK, {"plan": self._planned(said, "").document()})
        plan = self._planned(said, replay_requests.reason(said))
        job_id = replay_requests.job_id(said)
        while True:
            try:
                job = self._ledger.save(self._job(said, plan, State.PLANNED))
            except ConflictError:
                if job_id is not None and self._exists(job_id):
                    raise ForbiddenError(
                        f"There is a replay {job_id} already: give another jobId, or none to have one made."
                    ) from None
            else:
                return Answer(HTTPStatus.CREATED, {"plan": plan.document(), "job": document(job)})

    def start(self, said: Mapping[str, Any]) -> Answer:
        """Start what was planned and kept, or plan and start in one.

        With a `jobId` that is known already, nothing more is started: a repeated request is one replay.
        """
        job_id = replay_requests.job_id(said)
        if "source" not in said and job_id is not None:
            replay_requests.only(said, _MOVE)
            return self._move(said, "start", State.WAITING)
        replay_requests.only(said, _SAID)
        if job_id is not None:
            try:
                known = self._ledger.job(job_id)
            except NotFoundError:
                pass
            else:
                if known.state is State.PLANNED:
                    raise ForbiddenError(f"The job {known.id} is planned already: start it by its jobId alone.")
                return self._woken(known, {})
        plan = self._planned(said, replay_requests.reason(said))
        while True:
            job = self._job(said, plan, State.WAITING)
            self._guard(job)
            try:
                return self._woken(
                    self._ledger.save(job, self._ledger.active().admitting(job)), {"plan": plan.document()}
                )
            except ConflictError:
                if job_id is not None and self._exists(job_id):
                    return self._woken(self._ledger.job(job_id), {})

    def _exists(self, job_id: str) -> bool:
        try:
            self._ledger.job(job_id)
        except NotFoundError:
            return False
        return True

    def show(self, said: Mapping[str, Any]) -> Answer:
        """Tell all about a job."""
        replay_requests.only(said, ("jobId",))
        return Answer(HTTPStatus.OK, {"job": document(self._named(said))})

    def list(self, said: Mapping[str, Any]) -> Answer:
        """Tell of the jobs that were asked for last."""
        replay_requests.only(said, ("limit",))
        newest = self._ledger.newest(replay_requests.limit(said))
        return Answer(HTTPStatus.OK, {"jobs": [document(job) for job in newest]})

    def _mover(self, action: str) -> Callable[[Mapping[str, Any]], Answer]:
        def move(said: Mapping[str, Any]) -> Answer:
            replay_requests.only(said, _MOVE)
            return self._move(said, action, _ON_THE_MOVE[action])

        return move

    def _move(self, said: Mapping[str, Any], action: str, state: State) -> Answer:
        actor, reason = replay_requests.actor(said), replay_requests.reason(said)
        while True:
            job = self._named(said)
            if (action == "start") is not (job.state is State.PLANNED) and state is State.WAITING:
                raise ForbiddenError(f"The job {job.id} is {job.state}: it cannot {action}.")
            moved = job.moved(state, self._now(), actor, action, reason)
            if state is State.WAITING:
                self._guard(moved)
            active = self._ledger.active()
            try:
                saved = self._ledger.save(moved, self._registered(job, moved, active))
            except ConflictError:
                continue
            return self._woken(saved, {})

    @staticmethod
    def _registered(before: Job, job: Job, active: Active) -> Active | None:
        if job.state is State.WAITING:
            return active.admitting(job)
        # What an archive has put into buffers is cleared away by a worker, before others may use them.
        if job.state in ENDED and not (job.request.source is Source.ARCHIVE and before.state is not State.PLANNED):
            return active.without(job.id)
        return None

    def _guard(self, job: Job) -> None:
        """Hold back what would only fail again."""
        if job.request.source is not Source.DLQ or job.request.forced:
            return
        if circuit := self._kept.open_circuit(job):
            raise ForbiddenError(
                f"The circuit {circuit} is open, so that what failed would fail again: wait until it has closed, "
                "or force this one."
            )

    def _named(self, said: Mapping[str, Any]) -> Job:
        job_id = replay_requests.job_id(said)
        if job_id is None:
            raise FieldError("/jobId", "is missing")
        try:
            return self._ledger.job(job_id)
        except NotFoundError:
            raise UnknownError(f"There is no replay {job_id}: `list` tells which there are.") from None

    def _planned(self, said: Mapping[str, Any], reason: str) -> Plan:
        asked = replay_requests.asked(said, self._now())
        rules = self._kept.rules()
        targets = resolve(asked.targets, asked.source, self._kept.targets(), rules)
        archive = self._kept.archive(asked.archive) if asked.source is Source.ARCHIVE else ""
        request = Request(
            source=asked.source,
            window=asked.window,
            targets=tuple(target.name for target in targets),
            filter=asked.filter,
            pace=asked.pace,
            canary=asked.canary,
            archive=archive,
            reason=reason,
            actor=replay_requests.actor(said),
            forced=asked.forced,
        )
        seen = [self._kept.count(request, target, rules) for target in targets]
        notes = dict.fromkeys(note for one in seen for note in one.notes)
        total = Sighting(sum(one.events for one in seen), all(one.exact for one in seen), tuple(notes))
        settles_after = self._kept.settles_after(request.source)
        complete_at = request.window.start if settles_after is None else request.window.end + settles_after
        starts_at = max(self._now(), complete_at)
        return replay_plans.make(request, targets, rules, total, starts_at)

    def _job(self, said: Mapping[str, Any], plan: Plan, state: State) -> Job:
        now, request = self._now(), plan.request
        job = Job(
            id=replay_requests.job_id(said) or self._new_id(now),
            request=request,
            state=State.PLANNED,
            requested_at=now,
            starts_at=plan.starts_at,
            counts=Counts(planned=plan.seen.events),
        )
        if state is State.PLANNED:
            return job.noted(now, request.actor, "plan", request.reason)
        return job.moved(state, now, request.actor, "start", request.reason)

    def _woken(self, job: Job, more: Mapping[str, Any]) -> Answer:
        if job.state in WORKING or job.state in ENDED:
            self._wake(job.id)
        status = HTTPStatus.ACCEPTED if job.state is State.WAITING else HTTPStatus.OK
        return Answer(status, {"job": document(job), **more})
