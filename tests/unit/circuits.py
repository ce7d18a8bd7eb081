"""Circuits as a table keeps them, in memory, and execution environments in which calls are guarded by them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.circuit_breaker import base
from aws_lambda_powertools.utilities.circuit_breaker.persistence import base as persistence
from eventfork import circuit_records
from eventfork.circuits import Circuit, ConflictError, Held, Transition
from eventfork.errors import UnavailableError
from eventfork.order_stream import Change

__all__ = ["CircuitsInMemory", "Process", "reported"]


def reported(position: int, old: Circuit, new: Circuit) -> Change:
    """Give a write as the table's stream reports it; a circuit of the version 0 is none."""
    rows = [circuit_records.circuit_row(one) if one.version else {} for one in (old, new)]
    at = new.changed_at or datetime.fromtimestamp(position, UTC)
    return Change(f"change-{position}", f"{position:021}", at, rows[0], rows[1])


class Process:
    """An execution environment: what Powertools keeps in its modules is each environment's own.

    Parameters
    ----------
    now : callable
        Gives the time by the environment's clock.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._clock = SimpleNamespace(datetime=SimpleNamespace(now=now))
        self._counters: dict[str, dict[str, Any]] = {
            name: {} for name in ("_LOCAL_FAILURES", "_LOCAL_SUCCESSES", "_LAST_OBSERVED_STATE")
        }

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be in it; others may be entered meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for module in (base, persistence):
                patch.setattr(module, "dt", self._clock)
            for name, counter in self._counters.items():
                patch.setattr(base, name, counter)
            yield


class CircuitsInMemory:
    """It implements `eventfork.circuits.Circuits`: with conditional writes, glances that lag behind, and a stream.

    Parameters
    ----------
    circuits : Circuit
        What it holds from the beginning.

    Attributes
    ----------
    stream : list of (Circuit, Circuit)
        Every write of a circuit, in order: as it was before, and after.
    reads, glances, writes : int
        How often circuits were loaded, glanced at, and written (refused attempts included).
    behind : int
        By how many writes `glance` lags.
    is_down : bool
        Whether every call fails, as if the service did not answer.
    meanwhile : list of callable
        What others do, one after each of the next loads.
    """

    def __init__(self, *circuits: Circuit) -> None:
        self.stream: list[tuple[Circuit, Circuit]] = []
        self.reads = self.glances = self.writes = self.behind = 0
        self.is_down = False
        self.meanwhile: list[Callable[[], object]] = []
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._held: dict[str, Mapping[str, Any]] = {}
        self._transitions: dict[str, dict[int, Mapping[str, Any]]] = {}
        for circuit in circuits:
            self._rows[circuit.name] = [circuit_records.circuit_row(circuit)]

    def load(self, name: str) -> Circuit:
        """Give a circuit as it is now."""
        self._answer()
        self.reads += 1
        found = self._circuit(name)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return found

    def glance(self, name: str) -> Circuit:
        """Give a circuit as it was so many writes ago."""
        self._answer()
        self.glances += 1
        return self._circuit(name, self.behind)

    def save(self, circuit: Circuit) -> None:
        """Write a circuit, if its version is the one after that which is kept."""
        self._answer()
        self.writes += 1
        before = self._circuit(circuit.name)
        if before.version != circuit.version - 1:
            raise ConflictError
        self._rows.setdefault(circuit.name, []).append(circuit_records.circuit_row(circuit))
        self.stream.append((before, circuit))

    def held(self, name: str) -> Held | None:
        """Give how much work was held when it was last counted."""
        self._answer()
        return circuit_records.held(self._held[name]) if name in self._held else None

    def keep_held(self, name: str, held: Held) -> None:
        """Keep how much work is held, unless a later count is kept already."""
        known = self.held(name)
        if known is None or known.checked_at <= held.checked_at:
            self._held[name] = circuit_records.held_row(name, held)

    def transitions(self, name: str, limit: int) -> list[Transition]:
        """Give what is on record, the newest first."""
        self._answer()
        rows = self._transitions.get(name, {})
        return [circuit_records.transition(rows[version]) for version in sorted(rows, reverse=True)[:limit]]

    def record(self, transition: Transition) -> None:
        """Put a change on record."""
        self._answer()
        row = circuit_records.transition_row(transition)
        self._transitions.setdefault(transition.name, {})[transition.version] = row

    def _circuit(self, name: str, behind: int = 0) -> Circuit:
        rows = self._rows.get(name, [])
        return circuit_records.circuit(rows[-1 - behind]) if len(rows) > behind else Circuit(name)

    def _answer(self) -> None:
        if self.is_down:
            raise UnavailableError("the service does not answer")
