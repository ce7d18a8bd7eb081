"""An application that is deployed already, for tests that are to attach to it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from local.engine.process import Engine, RunningEngine

__all__ = ["VARIABLE", "Deployed", "outputs"]

VARIABLE = "EVENTFORK_DEPLOYED"
"""Names the file that says where; without it tests start an engine, and deploy, by themselves."""


@dataclass(frozen=True)
class Deployed:
    """An engine with the application on it.

    Attributes
    ----------
    port : int
        Where the engine listens.
    pid : int
        Its process.
    data_directory : str
        Where it keeps its data.
    """

    port: int
    pid: int
    data_directory: str

    @classmethod
    def named(cls) -> Self | None:
        """Read the file that the environment names, if it names one."""
        place = os.environ.get(VARIABLE)
        return cls(**json.loads(Path(place).read_text(encoding="utf-8"))) if place else None

    def write(self, place: Path) -> None:
        """Write the file."""
        place.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def engine(self) -> Engine:
        """Give the engine."""
        return RunningEngine(self.port, self.pid, Path(self.data_directory))


def outputs(engine: Engine, stack: str) -> dict[str, str]:
    """Give the outputs of a stack."""
    [found] = engine.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
