"""The search node as the official image, where a Docker engine can run it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.search.ways import HEAP, LOG, SETTINGS, VERSION, ObstacleError

__all__ = ["IMAGE", "Docker", "remove_data"]

IMAGE: Final = f"opensearchproject/opensearch:{VERSION}"
ANSWER_SECONDS: Final = 20
PULL_SECONDS: Final = 90
REMOVE_SECONDS: Final = 60
# Notes that a data directory has a volume of the same name.
VOLUME_MARK: Final = "volume"
# The container's first process ends with the node, or when standard input is closed - as it is, however the process
# that started the container went - and every other process of the container ends with it. In the background, standard
# input can be had under another number only.
RUN_UNTIL_CLOSED: Final = (
    "exec 3<&0; cat <&3 >/dev/null & ./opensearch-docker-entrypoint.sh opensearch </dev/null 3<&- & wait -n"
)


class Docker:
    """A container of the official image, without the security plugin, on a port of this machine.

    Parameters
    ----------
    answer_seconds
        How long the engine may take to answer.
    pull_seconds
        How long it may take to pull the image. What it has pulled by then it keeps for the next time.
    """

    def __init__(self, answer_seconds: float = ANSWER_SECONDS, pull_seconds: float = PULL_SECONDS) -> None:
        self._answer_seconds = answer_seconds
        self._pull_seconds = pull_seconds

    def ready(self) -> bool:
        """Tell whether an engine answers and has the image."""
        return _succeeds(["image", "inspect", "--format", "{{.Id}}", IMAGE], self._answer_seconds)

    def fetch(self, tell: Callable[[str], None]) -> None:
        """Pull the image.

        Raises
        ------
        ObstacleError
            If there is no Docker, no engine answers, or the image cannot be pulled in time.
        """
        if shutil.which("docker") is None:
            raise ObstacleError("Docker is not installed")
        if not _succeeds(["info"], self._answer_seconds):
            raise ObstacleError("no Docker engine answers")
        tell(f"Pulling {IMAGE}, once, for at most {self._pull_seconds:.0f} s")
        if not _succeeds(["pull", "--quiet", IMAGE], self._pull_seconds):
            raise ObstacleError(f"docker pull {IMAGE} failed, or took too long")

    def command(self, data: Path, host: str, port: int) -> list[str]:
        """Return the command that runs the container, its data in a volume that is named after the directory."""
        (data / VOLUME_MARK).touch()
        environment = {
            **SETTINGS,
            "DISABLE_SECURITY_PLUGIN": "true",
            "DISABLE_INSTALL_DEMO_CONFIG": "true",
            "DISABLE_PERFORMANCE_ANALYZER_AGENT_CLI": "true",
            "OPENSEARCH_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP}",
        }
        return [
            *("docker", "run", "--rm", "--interactive", "--pull", "never"),
            *("--publish", f"{host}:{port}:9200"),
            *("--volume", f"{data.name}:/usr/share/opensearch/data"),
            *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
            *("--entrypoint", "bash", IMAGE, "-c", RUN_UNTIL_CLOSED),
        ]


def remove_data(data: Path) -> None:
    """Remove what the container has kept under the name of a directory; does nothing where none has run."""
    if (data / VOLUME_MARK).exists():
        # Nobody reads the log any more.
        _succeeds(["volume", "rm", "--force", data.name], REMOVE_SECONDS, subprocess.DEVNULL)


def _succeeds(arguments: list[str], seconds: float, output: int = LOG) -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        done = subprocess.run(
            [docker, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
