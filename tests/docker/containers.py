"""`sam local`: the functions in containers of Lambda's base image, all of which reach the engine instead of AWS."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import urllib3

from local import deployment
from local.engine.process import Engine
from tests.integration.application import Api, Application
from tests.templates import PROJECT_ROOT, ROOT, Template, read

ENDPOINT = "AWS_ENDPOINT_URL"
INVOKE_SECONDS = 180
START_SECONDS = 180
STOP_SECONDS = 30
DOCKER_SECONDS = 300


class DockerError(Exception):
    """Docker, or what is run in it, did not do what it was asked; the message says what, and its last words."""


def _functions(template: Template, prefix: str = "") -> Iterator[str]:
    yield from (prefix + name for name in template.resources("AWS::Serverless::Function"))
    for name, properties in template.resources("AWS::Serverless::Application").items():
        yield from _functions(read(properties["Location"]), f"{prefix}{name}/")


FUNCTIONS = tuple(path for path in _functions(ROOT) if path != "SearchPipeline/SearchSetupFunction")
"""Every function of the application, by the path that `sam local invoke` knows it by.

All but the one that CloudFormation invokes: it answers to an address of AWS's, which no container reaches.
"""


def host_address() -> str:
    """Give the address under which containers reach this machine."""
    arguments = ("--rm", "--add-host", "host:host-gateway", "--entrypoint", "cat", _base_image(), "/etc/hosts")
    lines = _docker("run", *arguments).splitlines()
    return next(address for address, *names in map(str.split, lines) if "host" in names)


class Invocation(NamedTuple):
    """What `sam local invoke` did.

    Attributes
    ----------
    status : int
        Its exit status.
    answer : Any
        What the function returned.
    output : str
        Everything that sam and the function wrote.
    """

    status: int
    answer: Any
    output: str


class SamLocal:
    """`sam local` for the application as it is deployed: its functions use the deployed tables, queues and topics.

    Parameters
    ----------
    application : Application
    template : Path
        The built root template.
    parameters : dict
        Values for the template's parameters.
    directory : Path
        Where logs and settings are kept.
    """

    def __init__(self, application: Application, template: Path, parameters: dict[str, str], directory: Path) -> None:
        self.variables = {path: _variables(application, path) for path in FUNCTIONS}
        self.log_file = directory / "start-api.log"
        self._engine = application.engine
        self._label = f"eventfork.test={uuid.uuid4().hex}"
        self._image = f"eventfork-test:{uuid.uuid4().hex}"
        settings = directory / "variables.json"
        settings.write_text(json.dumps(self.variables))
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        self._options = [
            *("--template-file", str(template)),
            *("--env-vars", str(settings)),
            *("--invoke-image", self._image),
            *("--skip-pull-image", "--parameter-overrides", *overrides),
        ]

    def __enter__(self) -> Self:
        """Make the image: Lambda's, which tells every SDK where the engine is.

        `--env-vars` cannot tell: it gives values only to variables that the template names.
        """
        container = _docker("create", "--label", self._label, _base_image())
        try:
            changes = (f"ENV {ENDPOINT}={self._engine.url}", f"LABEL {self._label}")
            options = [option for change in changes for option in ("--change", change)]
            _docker("commit", *options, container, self._image)
        finally:
            _docker("rm", container)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove every container, and every image, that was made out of ours."""
        self._remove_containers()
        # Newest first, as they are listed: an image cannot go before those made out of it.
        images = dict.fromkeys(_docker("images", "--quiet", "--filter", f"label={self._label}").split())
        _docker("rmi", "--force", *images)

    def containers(self) -> list[str]:
        """Give the ids of all containers that were made out of our image."""
        return _docker("ps", "--all", "--quiet", "--filter", f"label={self._label}").split()

    def invoke(self, path: str, event: str) -> Invocation:
        """Invoke a function with the JSON text of an event."""
        command = [str(deployment.SAM), "local", "invoke", path, "--event", "-", *self._options]
        done = subprocess.run(
            command,
            cwd=PROJECT_ROOT,
            env=_environment(self._engine),
            input=event,
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        try:
            return Invocation(done.returncode, json.loads(done.stdout), output)
        except ValueError as error:
            raise DockerError(f"sam local invoke {path} gave no answer:\n{_last_lines(output)}") from error

    @contextlib.contextmanager
    def start_api(self) -> Iterator[Api]:
        """Serve the API with `sam local start-api` on a free port."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        options = ["--host", "127.0.0.1", "--port", str(port), "--warm-containers", "LAZY"]
        with self.log_file.open("wb") as log:
            process = subprocess.Popen(
                [str(deployment.SAM), "local", "start-api", *options, *self._options],
                cwd=PROJECT_ROOT,
                env=_environment(self._engine),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_for(process, f"http://127.0.0.1:{port}/")
            yield Api(f"http://127.0.0.1:{port}/checkout")
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            # sam stops containers that it kept warm, and leaves them there.
            self._remove_containers()

    def _remove_containers(self) -> None:
        if containers := self.containers():
            _docker("rm", "--force", *containers)

    def _wait_for(self, process: subprocess.Popen[bytes], url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                urllib3.request("GET", url, retries=False, timeout=5)
                return
            time.sleep(0.2)
        raise DockerError(f"sam local start-api does not answer:\n{_last_lines(self.log_file.read_text())}")


def _base_image() -> str:
    target = deployment.target_parameters()
    return f"public.ecr.aws/lambda/{target['Runtime'].replace('python', 'python:')}-{target['Architecture']}"


def _variables(application: Application, path: str) -> dict[str, str]:
    name = application.outputs[f"{path.rpartition('/')[2]}Name"]
    configuration = application.engine.client("lambda").get_function_configuration(FunctionName=name)
    variables: dict[str, str] = configuration["Environment"]["Variables"]
    return variables


def _environment(engine: Engine) -> dict[str, str]:
    return {**engine.child_environment(), "SAM_CLI_TELEMETRY": "0"}


def _docker(*arguments: str) -> str:
    docker = shutil.which("docker")
    assert docker is not None
    done = subprocess.run(
        [docker, *arguments],
        capture_output=True,
        text=True,
        timeout=DOCKER_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise DockerError(f"docker {arguments[0]} failed:\n{_last_lines(done.stderr)}")
    return done.stdout.strip()


def _last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-20:])
