"""Start and stop the search node as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from local.search.docker import Docker, remove_data
from local.search.errors import SearchNodeError, SearchUnavailableError
from local.search.java import Java
from local.search.ways import choose

__all__ = ["SearchNode", "available"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
STOP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
LOG_LINES_SHOWN: Final = 15
READY_PATH: Final = "/_cluster/health?wait_for_status=yellow&timeout=1s"


class SearchNode:
    """A search node, from `start` to `close`; also a context manager.

    It is the official image where a Docker engine has it or can pull it, else OpenSearch's jars, fetched once, on the
    Java of this machine. It ends with `stop`, or by itself when the process that started it ends in any other way.

    Parameters
    ----------
    port
        TCP port to listen on; a free one when left alone.
    host
        Address to listen on, and by which clients reach the node.
    start_timeout
        Seconds the node may take to answer, once it has been fetched.
    """

    def __init__(self, port: int | None = None, host: str = "127.0.0.1", *, start_timeout: float = 120.0) -> None:
        self.host = host
        self._wanted_port = port
        self._port: int | None = None
        self._start_timeout = start_timeout
        self._data: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port the node listens on, known from its first start until `close`."""
        if self._port is None:
            raise SearchNodeError("The search node is not started: call start() first.")
        return self._port

    @property
    def url(self) -> str:
        """The node's address."""
        return f"http://{self.host}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the node, and what fetches it, has said; known from its first start until `close`."""
        return self._data_directory / "search.log"

    @property
    def running(self) -> bool:
        """Whether the node's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Start the node and wait until it answers: for the first time, or with what it held when it was stopped.

        Parameters
        ----------
        tell
            Takes a line about what is done that may take long.

        Raises
        ------
        SearchUnavailableError
            If there is no way to have a node on this machine.
        SearchNodeError
            The port is in use, or the node ended or stayed silent.
        """
        self.launch()
        self.wait_until_ready(tell)

    def launch(self) -> None:
        """Begin to start the node, and return at once: `wait_until_ready` does the rest.

        Raises
        ------
        SearchNodeError
            The port is in use, or there is no room for the data.
        """
        if self._process is not None:
            raise SearchNodeError("The search node is already started: call stop() first.")
        try:
            port = self._free_port()
            if self._data is None:
                self._data = tempfile.TemporaryDirectory(prefix="eventfork-search-", ignore_cleanup_errors=True)
            self._port = port
            with self.log_file.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "local.search.server", str(self._data_directory), self.host, str(port)],
                    cwd=PROJECT_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    # A group of its own, so that what it starts can be ended with it.
                    start_new_session=True,
                )
        except OSError as error:
            place = error.filename or tempfile.gettempdir()
            raise SearchNodeError(
                f"The search node cannot be started ({error.strerror} at {place}): make room or permission there."
            ) from error

    def wait_until_ready(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Wait until the node that was launched answers; it is stopped if it does not.

        Parameters, errors: as `start`.
        """
        try:
            self._wait_until_ready(tell)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the node, and keep what it holds for the next `start`; does nothing when not running."""
        process, self._process = self._process, None
        if process is None:
            return
        # Its standard input is what keeps the node alive.
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End the node and remove what it holds; does nothing when it was never started."""
        self.stop()
        if self._data is not None:
            remove_data(self._data_directory)
            self._data.cleanup()
        self._data = None
        self._port = None

    @property
    def _data_directory(self) -> Path:
        if self._data is None:
            raise SearchNodeError("The search node is not started: call start() first.")
        return Path(self._data.name)

    def _free_port(self) -> int:
        # After a stop, the same one again.
        wanted = self._port or self._wanted_port or 0
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, wanted))
            except OSError as error:
                raise SearchNodeError(
                    f"Port {wanted} of {self.host} cannot be used ({error.strerror}): "
                    "stop the program that holds it or choose another port."
                ) from error
            port: int = listener.getsockname()[1]
            return port

    def _wait_until_ready(self, tell: Callable[[str], None]) -> None:
        process = self._process
        if process is None or process.stdout is None:
            raise SearchNodeError("The search node is not started: call launch() first.")
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            for line in (process.stdout.read() or b"").decode(errors="replace").splitlines():
                tell(line)
                # What takes long has bounds of its own.
                deadline = time.monotonic() + self._start_timeout
            if not self.running:
                if process.returncode == os.EX_UNAVAILABLE:
                    raise SearchUnavailableError(self._log_lines()[-1])
                raise SearchNodeError(f"The search node ended while starting; its log says:\n{self._last_log_lines()}")
            if self._answers():
                return
            time.sleep(POLL_SECONDS)
        raise SearchNodeError(
            f"The search node did not answer on {self.url} within {self._start_timeout:.0f} seconds; "
            f"its log says:\n{self._last_log_lines()}"
        )

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", READY_PATH)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_log_lines(self) -> str:
        return "\n".join(self._log_lines()[-LOG_LINES_SHOWN:])

    def _log_lines(self) -> list[str]:
        return self.log_file.read_text(errors="replace").splitlines()


def available() -> str | None:
    """Fetch what a search node needs, if it is not here yet, and return None; or return why none can be had."""
    try:
        choose((Docker(), Java()), lambda _: None)
    except SearchUnavailableError as error:
        return str(error)
    return None
