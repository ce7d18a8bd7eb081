"""Start and stop the local engine as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import boto3
import botocore.config
import botocore.session

__all__ = ["Engine", "EngineError", "RunningEngine"]

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ENGINE_PYTHON = PROJECT_ROOT / ".venvs" / "engine" / "bin" / "python"
FUNCTIONS_PYTHON = PROJECT_ROOT / ".venvs" / "functions" / "bin" / "python"

REGION = "us-east-1"
ACCESS_KEY = "test"
STOP_SECONDS = 5.0
LOG_LINES_SHOWN = 15


class EngineError(Exception):
    """The engine cannot run; the message is one sentence that says what to do."""


class Engine:
    """The local engine, from `start` to `stop`; also a context manager.

    The server and every function it runs share one process group, which ends with `stop`, or by itself when the
    process that started it ends in any other way.

    Parameters
    ----------
    port
        TCP port to listen on; a free one when left alone.
    host
        Address to listen on, and by which functions and clients reach the engine.
    data_directory
        Where the engine keeps its log and what it holds; a temporary directory, removed by `stop`, when left alone.
    firehose_interval_scale
        Factor on Firehose's buffering intervals: 0.02 makes 60 seconds 1.2 seconds. 1 when left alone.
    without_extensions
        Names of modules of `local.engine.extensions` to leave out.
    enforce_iam
        Whether what no policy allows is denied: functions run under their own roles, and `client` is the administrator.
    environment
        Further environment variables for the server, which the functions see too.
    start_timeout
        Seconds the server may take to answer.
    """

    def __init__(
        self,
        port: int | None = None,
        host: str = "127.0.0.1",
        *,
        data_directory: Path | None = None,
        firehose_interval_scale: float = 1.0,
        without_extensions: Sequence[str] = (),
        enforce_iam: bool = False,
        environment: Mapping[str, str] | None = None,
        start_timeout: float = 90.0,
    ) -> None:
        self.host = host
        self._wanted_port = port
        self._port: int | None = None
        self._wanted_data_directory = data_directory
        self._data_directory: Path | None = None
        self._firehose_interval_scale = firehose_interval_scale
        self._without_extensions = tuple(without_extensions)
        self._enforce_iam = enforce_iam
        self._environment = dict(environment or {})
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._session: boto3.Session | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port the engine listens on, known once it is started."""
        if self._port is None:
            raise EngineError("The local engine is not started: call start() first.")
        return self._port

    @property
    def url(self) -> str:
        """The engine's address, the endpoint of every service."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process; the functions' processes are its children."""
        if self._process is None:
            raise EngineError("The local engine is not started: call start() first.")
        return self._process.pid

    @property
    def data_directory(self) -> Path:
        """Where the engine keeps what it holds, known once it is started."""
        if self._data_directory is None:
            raise EngineError("The local engine is not started: call start() first.")
        return self._data_directory

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.data_directory / "engine.log"

    @property
    def decisions_file(self) -> Path:
        """What IAM decided about requests of functions, a line of JSON each; made where IAM is enforced."""
        return self.data_directory / "decisions.jsonl"

    @property
    def running(self) -> bool:
        """Whether the server process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        EngineError
            The port is in use, an environment is missing, or the server ended or stayed silent.
        """
        if self._process is not None:
            raise EngineError("The local engine is already started: call stop() first.")
        for python in (ENGINE_PYTHON, FUNCTIONS_PYTHON):
            if not python.exists():
                missing = python.parent.parent.relative_to(PROJECT_ROOT)
                raise EngineError(f"The environment {missing} is missing: run make local, which builds it.")
        self._port = self._free_port()
        try:
            self._create_data_directory()
            with self.log_file.open("wb") as log:
                self._process = self._spawn(log)
            self._wait_until_ready()
        except OSError as error:
            self.stop()
            place = error.filename or self._wanted_data_directory or tempfile.gettempdir()
            raise EngineError(
                f"The local engine cannot be started ({error.strerror} at {place}): make room or permission there."
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and every function it runs, and remove temporary data; does nothing when not running."""
        process, self._process = self._process, None
        if process is not None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._data_directory is not None and self._wanted_data_directory is None:
            shutil.rmtree(self._data_directory, ignore_errors=True)
        self._data_directory = None
        self._port = None
        self._session = None

    def environment(self) -> dict[str, str]:
        """Return the AWS variables that point a program at the engine and at nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def child_environment(self) -> dict[str, str]:
        """Return this process's environment for a child process, its own AWS settings replaced by the engine's."""
        direct = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), self.host]))
        return {**_without_aws(os.environ), **self.environment(), "NO_PROXY": direct, "no_proxy": direct}

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service of the engine, whatever AWS settings this process has."""
        if self._session is None:
            settings = botocore.session.Session(
                session_vars={
                    "profile": (None, None, None, None),
                    "config_file": (None, None, os.devnull, None),
                    "credentials_file": (None, None, os.devnull, None),
                }
            )
            self._session = boto3.Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION, botocore_session=settings)
        return self._session.client(
            service,  # type: ignore[call-overload,unused-ignore]
            endpoint_url=self.url,
            config=botocore.config.Config(proxies={}),
        )

    def _free_port(self) -> int:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, self._wanted_port or 0))
            except OSError as error:
                raise EngineError(
                    f"Port {self._wanted_port} of {self.host} cannot be used ({error.strerror}): "
                    "stop the program that holds it or choose another port."
                ) from error
            port: int = listener.getsockname()[1]
            return port

    def _create_data_directory(self) -> None:
        if self._wanted_data_directory is None:
            self._data_directory = Path(tempfile.mkdtemp(prefix="eventfork-engine-"))
        else:
            self._data_directory = self._wanted_data_directory
        for name in ("temporary", "s3"):
            (self._data_directory / name).mkdir(parents=True, exist_ok=True)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        inherited = _without_aws(os.environ)
        # A caller's PYTHONPATH would reach the functions and hide what their layer lacks.
        inherited.pop("PYTHONPATH", None)
        settings = {
            "BIND_HOST": self.host,
            "MINISTACK_HOST": self.host,
            "GATEWAY_PORT": str(self.port),
            "AWS_ENDPOINT_URL": self.url,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "S3_DATA_DIR": str(self.data_directory / "s3"),
            "TMPDIR": str(self.data_directory / "temporary"),
            "STATE_DIR": str(self.data_directory / "state"),
            "EVENTFORK_ENGINE_OWNED": "1",
            "EVENTFORK_FIREHOSE_INTERVAL_SCALE": str(self._firehose_interval_scale),
            "EVENTFORK_FUNCTIONS_PYTHON": str(FUNCTIONS_PYTHON),
        }
        if self._enforce_iam:
            settings |= {"AUTH": "true", "EVENTFORK_ENGINE_DECISIONS": str(self.decisions_file)}
        if self._without_extensions:
            settings["EVENTFORK_ENGINE_WITHOUT"] = ",".join(self._without_extensions)
        return subprocess.Popen(
            [str(ENGINE_PYTHON), "-m", "local.engine.server"],
            cwd=PROJECT_ROOT,
            env={**inherited, **settings, **self._environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            if not self.running:
                raise EngineError(f"The local engine ended while starting; its log says:\n{self._last_log_lines()}")
            if self._answers():
                return
            time.sleep(0.05)
        raise EngineError(
            f"The local engine did not answer on {self.url} within {self._start_timeout:.0f} seconds; "
            f"its log says:\n{self._last_log_lines()}"
        )

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_log_lines(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


class RunningEngine(Engine):
    """An engine that another process started, and stops.

    Parameters
    ----------
    port
        Port it listens on.
    pid
        The server's process.
    data_directory
        Where it keeps its log and what it holds.
    """

    def __init__(self, port: int, pid: int, data_directory: Path) -> None:
        super().__init__(port, data_directory=data_directory)
        self._port = port
        self._pid = pid
        self._data_directory = data_directory

    @property
    def pid(self) -> int:
        """The server's process; the functions' processes are its children."""
        return self._pid

    def start(self) -> None:
        """Do nothing: it is started."""

    def stop(self) -> None:
        """Do nothing: who started it stops it."""


def _without_aws(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith("AWS_")}


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
