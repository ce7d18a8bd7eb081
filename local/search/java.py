"""The search node as OpenSearch's own jars, run by the Java of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from local.search.ways import HEAP, LOG, SETTINGS, VERSION, ObstacleError

__all__ = ["Java"]

HERE: Final = Path(__file__).resolve().parent
PROJECT: Final = HERE / "pom.xml"
PROGRAM: Final = HERE / "SearchNode.java"
CHECKSUMS: Final = HERE / "jars.sha256"
CACHE: Final = HERE.parents[1] / ".venvs" / "search"
OLDEST_RELEASE: Final = 17
COMPILER: Final = "jdk.compiler"
ANSWER_SECONDS: Final = 60
FETCH_SECONDS: Final = 90


class Java:
    """A Java virtual machine with the jars that Maven fetches, each checked against its SHA-256.

    Parameters
    ----------
    cache
        Directory in which the jars are kept.
    fetch_seconds
        How long Maven may take. What it has fetched by then it keeps for the next time.
    """

    def __init__(self, cache: Path = CACHE, fetch_seconds: float = FETCH_SECONDS) -> None:
        self._jars = cache / "jars"
        self._fetch_seconds = fetch_seconds

    def ready(self) -> bool:
        """Tell whether there is a Java that can run it, and every jar."""
        try:
            _java()
        except ObstacleError:
            return False
        return _complete(self._jars)

    def fetch(self, tell: Callable[[str], None]) -> None:
        """Have Maven fetch the jars; several processes at once wait for the first.

        Raises
        ------
        ObstacleError
            If there is no Java or Maven that can do the work, or the jars cannot be fetched in time.
        """
        _java()
        maven = shutil.which("mvn")
        if maven is None:
            raise ObstacleError("Maven is not installed")
        try:
            with _only_one(self._jars.parent):
                if not _complete(self._jars):
                    tell(f"Fetching OpenSearch {VERSION} with Maven, once, for at most {self._fetch_seconds:.0f} s")
                    self._fetch(maven)
        except OSError as error:
            raise ObstacleError(f"the jars cannot be kept in {self._jars.parent} ({error.strerror})") from error

    def command(self, data: Path, host: str, port: int) -> list[str]:
        """Return the command that compiles and runs the program that is the node."""
        temporary = data / "temporary"
        temporary.mkdir(exist_ok=True)
        settings = {**SETTINGS, "network.host": host, "http.port": str(port), "transport.port": "0"}
        return [
            _java(),
            *(f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={temporary}"),
            *("-cp", f"{self._jars}/*", str(PROGRAM), str(data / "node")),
            *(f"{name}={value}" for name, value in settings.items()),
        ]

    def _fetch(self, maven: str) -> None:
        # Beside the place they will have, so that whatever interrupts this leaves no half of them there.
        arriving = self._jars.with_name("arriving")
        shutil.rmtree(arriving, ignore_errors=True)
        options = ["--batch-mode", "--no-transfer-progress", "--strict-checksums", "--file", str(PROJECT)]
        try:
            failed = subprocess.run(
                [maven, *options, "dependency:copy-dependencies", f"-DoutputDirectory={arriving}"],
                stdin=subprocess.DEVNULL,
                stdout=LOG,
                stderr=LOG,
                timeout=self._fetch_seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise ObstacleError(
                f"Maven did not fetch the jars within {self._fetch_seconds:.0f} s, and goes on there the next time"
            ) from None
        if failed:
            raise ObstacleError("Maven could not fetch the jars, for which it needs a network")
        if not _complete(arriving):
            raise ObstacleError(f"the jars that Maven fetched are not those of {CHECKSUMS.name}")
        shutil.rmtree(self._jars, ignore_errors=True)
        arriving.rename(self._jars)


def _java() -> str:
    """Return the Java that can compile and run the program: the one of JAVA_HOME, else the first on the search path."""
    home = os.environ.get("JAVA_HOME")
    reason = "Java is not installed"
    for java in (home and shutil.which("java", path=f"{home}/bin"), shutil.which("java")):
        if java:
            obstacle = _obstacle(java)
            if obstacle is None:
                return java
            reason = obstacle
    raise ObstacleError(reason)


def _obstacle(java: str) -> str | None:
    try:
        answer = subprocess.run(
            [java, "--list-modules"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"{java} does not start"
    release = re.search(r"^java\.base@(\d+)", answer.stdout, re.MULTILINE)
    if answer.returncode or release is None:
        return f"{java} does not start, or is older than Java 9"
    if int(release[1]) < OLDEST_RELEASE:
        return f"{java} is Java {release[1]}, older than {OLDEST_RELEASE}"
    if not re.search(rf"^{re.escape(COMPILER)}@", answer.stdout, re.MULTILINE):
        return f"{java} has no compiler: it is of a JRE, not of a JDK"
    return None


def _complete(jars: Path) -> bool:
    lines = [line.split("  ") for line in CHECKSUMS.read_text().splitlines()]
    checksums = {name: checksum for checksum, name in lines}
    if not jars.is_dir() or {jar.name for jar in jars.iterdir()} != checksums.keys():
        return False
    return all(hashlib.sha256((jars / name).read_bytes()).hexdigest() == checksums[name] for name in checksums)


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
