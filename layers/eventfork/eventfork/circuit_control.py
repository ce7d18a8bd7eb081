"""Circuit control: the commands by which operators look at circuits, force them, and leave them to themselves again.

UnknownError      there is no such circuit
ForbiddenError    somebody else has set it meanwhile
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from eventfork.circuits import Circuit, Circuits, ConflictError, FieldError, Held, Mode, Transition, change
from eventfork.errors import ServiceError
from eventfork.json_text import pointer
from eventfork.problems import problem_document
from eventfork.timestamps import timestamp

__all__ = ["CircuitControl", "ForbiddenError", "UnknownError", "answered", "document"]

_FORCES: Final[Mapping[str, Mode]] = {
    "force-open": Mode.FORCED_OPEN,
    "force-close": Mode.FORCED_CLOSED,
    "disable": Mode.DISABLED,
    "metrics-only": Mode.METRICS_ONLY,
}
_TEXT_CHARACTERS: Final = 1_000
_LISTED: Final = 20
_LISTED_AT_MOST: Final = 100


class UnknownError(Exception):
    """There is no such circuit; the text is one sentence for the operator."""


class ForbiddenError(Exception):
    """Somebody else has set the circuit meanwhile; the text is one sentence for the operator."""


class CircuitControl:
    """The commands.

    Parameters
    ----------
    circuits : Circuits
    names : collection of str
        The circuits that there are.
    now : callable
        Gives the time, in UTC.
    """

    def __init__(self, circuits: Circuits, names: Collection[str], now: Callable[[], datetime]) -> None:
        self._circuits = circuits
        self._names = names
        self._now = now
        self._commands: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "list": self.list,
            "show": self.show,
            "history": self.history,
            **{name: self._forcer(mode) for name, mode in _FORCES.items()},
            "reset": self.reset,
        }

    def command(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a command, and give its answer.

        Raises
        ------
        FieldError
            If something about it is wrong.
        UnknownError, ForbiddenError, ConflictError
            If it is not to be.
        eventfork.errors.ServiceError
            If a service does not do its part.
        """
        name = said.get("command")
        if not isinstance(name, str) or name not in self._commands:
            raise FieldError("/command", f"is none of {', '.join(self._commands)}")
        return self._commands[name]({key: value for key, value in said.items() if key != "command"})

    def list(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Tell of every circuit."""
        _only(said)
        return {"circuits": [self._document(self._circuits.load(name)) for name in sorted(self._names)]}

    def show(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Tell all about a circuit."""
        _only(said, "circuit")
        return {"circuit": self._document(self._circuits.load(self._name(said)))}

    def history(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Tell what happened to a circuit, the newest first."""
        _only(said, "circuit", "limit")
        found = self._circuits.transitions(self._name(said), _limit(said))
        return {"transitions": [_transition(transition) for transition in found]}

    def reset(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Leave a circuit to trips and probes; one that is left to them stays as it is."""
        _only(said, "circuit", "reason", "actor")
        actor, reason = _text(said, "actor") or "unknown", _text(said, "reason")
        return self._set(self._name(said), lambda circuit: circuit.reset(self._now(), actor, reason))

    def _forcer(self, mode: Mode) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        def force(said: Mapping[str, Any]) -> dict[str, Any]:
            _only(said, "circuit", "reason", "actor", "expiresAt")
            actor, reason, expires_at = _text(said, "actor") or "unknown", _text(said, "reason"), _expires_at(said)
            return self._set(
                self._name(said), lambda circuit: circuit.forced(mode, self._now(), actor, reason, expires_at)
            )

        return force

    def _set(self, name: str, decide: Callable[[Circuit], Circuit | None]) -> dict[str, Any]:
        """Set a circuit's mode, unless somebody else does so first: whoever comes second may not know of that."""
        read = self._circuits.load(name)

        def decided(circuit: Circuit) -> Circuit | None:
            if circuit.mode_version != read.mode_version:
                raise ForbiddenError(
                    f"{circuit.mode_actor} has set the circuit {name} to {circuit.mode} meanwhile: "
                    "look at it, and decide again."
                )
            return decide(circuit)

        return {"circuit": self._document(change(self._circuits, name, decided) or self._circuits.load(name))}

    def _name(self, said: Mapping[str, Any]) -> str:
        name = said.get("circuit")
        if name is None:
            raise FieldError("/circuit", "is missing")
        if not isinstance(name, str):
            raise FieldError("/circuit", "is no text")
        if name not in self._names:
            raise UnknownError(f"There is no circuit {name[:40]}: `list` tells which there are.")
        return name

    def _document(self, circuit: Circuit) -> dict[str, Any]:
        return document(circuit, self._circuits.held(circuit.name))


def document(circuit: Circuit, held: Held | None) -> dict[str, Any]:
    """Give a circuit, and what is held behind it, for whoever asks."""
    outage = circuit.outage
    return {
        "name": circuit.name,
        "state": circuit.state.value,
        "mode": circuit.mode.value,
        "changedAt": _written(circuit.changed_at),
        "changedBy": circuit.changed_by,
        "reason": circuit.reason,
        "modeActor": circuit.mode_actor,
        "modeReason": circuit.mode_reason,
        "modeExpiresAt": _written(circuit.mode_expires_at),
        "outage": outage
        and {
            "id": outage.id,
            "startedAt": timestamp(outage.started_at),
            "closedAt": _written(outage.closed_at),
            "cycles": outage.cycles,
        },
        "held": held
        and {"count": held.count, "oldest": _written(held.oldest), "checkedAt": timestamp(held.checked_at)},
        "probes": [*circuit.probes],
        "nextProbeAt": _written(circuit.next_probe_at),
        "version": circuit.version,
    }


def answered(said: Mapping[str, Any], carry_out: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Carry out a command, and give its answer, a problem document (RFC 9457) if it cannot be done.

    Raises
    ------
    Exception
        What is a bug of ours, and must show as one.
    """
    try:
        return carry_out(said)
    except FieldError as error:
        return problem_document(HTTPStatus.BAD_REQUEST, _sentence(error), [(error.pointer, error.detail)])
    except UnknownError as error:
        return problem_document(HTTPStatus.NOT_FOUND, _sentence(error), [])
    except (ForbiddenError, ConflictError) as error:
        return problem_document(HTTPStatus.CONFLICT, _sentence(error), [])
    except ServiceError as error:
        detail = f"{_sentence(error)} Look at what is there, and try again."
        return problem_document(HTTPStatus.SERVICE_UNAVAILABLE, detail, [])


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "version": transition.version,
        "at": timestamp(transition.at),
        "state": transition.state.value,
        "previousState": transition.previous_state.value,
        "mode": transition.mode.value,
        "by": transition.by,
        "reason": transition.reason,
        "outageId": transition.outage_id,
    }


def _only(said: Mapping[str, Any], *names: str) -> None:
    """Raise `FieldError` if a command says something that it has no use for: it was meant to do something."""
    if unknown := sorted(said.keys() - set(names)):
        raise FieldError(pointer(unknown[:1]), f"is not known: this command takes {', '.join(names) or 'nothing'}")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _TEXT_CHARACTERS:
        raise FieldError(f"/{name}", f"is no text of at most {_TEXT_CHARACTERS:,} characters")
    return value.strip()


def _expires_at(said: Mapping[str, Any]) -> datetime | None:
    value = said.get("expiresAt")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise FieldError("/expiresAt", "has no offset from UTC: add Z, or one such as +01:00")
        return moment.astimezone(UTC)
    except FieldError:
        raise
    except (TypeError, ValueError, OverflowError):
        raise FieldError("/expiresAt", "is no date and time, such as 2026-11-26T09:30:00Z") from None


def _limit(said: Mapping[str, Any]) -> int:
    value = said.get("limit")
    if value is None:
        return _LISTED
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LISTED_AT_MOST:
        raise FieldError("/limit", f"is no whole number from 1 to {_LISTED_AT_MOST}")
    return value


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
