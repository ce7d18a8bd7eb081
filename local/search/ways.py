"""The ways to have a search node on this machine, and which of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from local.search.errors import SearchUnavailableError

__all__ = ["HEAP", "LOG", "SETTINGS", "VERSION", "ObstacleError", "Way", "choose"]

VERSION: Final = "2.19.1"
HEAP: Final = "512m"
# What the tools say goes where this process writes its log: to its standard error, by number.
LOG: Final = 2
SETTINGS: Final[Mapping[str, str]] = {
    "cluster.name": "eventfork",
    "discovery.type": "single-node",
    "node.roles": "cluster_manager,data,ingest",
    # The node holds a few orders: that a disk is nearly full must not make it read-only.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}
REMEDY: Final = (
    "install a JDK of version 17 or later and Maven (Debian, Ubuntu: apt install openjdk-17-jdk-headless maven; "
    "Fedora: dnf install java-21-openjdk-devel maven; macOS: brew install openjdk@21 maven), or start a Docker engine "
    "that can pull images, and run it again"
)


class ObstacleError(Exception):
    """Something a way needs is not there; the message is a part of a sentence."""


class Way(Protocol):
    """One way to have a search node."""

    def ready(self) -> bool:
        """Tell whether everything it needs is here already."""

    def fetch(self, tell: Callable[[str], None]) -> None:
        """Get what it needs, within bounded time.

        Parameters
        ----------
        tell
            Takes a line that says what is done, if it takes long.

        Raises
        ------
        ObstacleError
            If that cannot be had.
        """

    def command(self, data: Path, host: str, port: int) -> list[str]:
        """Return the command that runs the node until its standard input is closed.

        Parameters
        ----------
        data
            Directory of this node alone. What the command keeps under it, or under its name, is there again when the
            command is run anew.
        host, port
            Where the node listens.
        """


def choose(ways: Sequence[Way], tell: Callable[[str], None]) -> Way:
    """Return the first way that is ready, else the first that can be made so.

    Raises
    ------
    SearchUnavailableError
        If no way can.
    """
    for way in ways:
        if way.ready():
            return way
    obstacles = []
    for way in ways:
        try:
            way.fetch(tell)
        except ObstacleError as obstacle:
            obstacles.append(str(obstacle))
        else:
            return way
    raise SearchUnavailableError(f"OpenSearch cannot be had here ({'; '.join(obstacles)}): {REMEDY}.")
