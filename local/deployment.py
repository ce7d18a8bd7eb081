"""Build the application, deploy it to the local engine and delete it: the same templates by the same `sam` commands."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from local.errors import DiskFullError, EnvironmentMissingError, ToolFailedError
from local.fingerprint import fingerprint

__all__ = [
    "Build",
    "DeploymentTarget",
    "api_url",
    "build",
    "delete",
    "deploy",
    "search_parameters",
    "target_parameters",
]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
TEMPLATE: Final = PROJECT_ROOT / "template.yaml"
SAM: Final = PROJECT_ROOT / ".venvs" / "sam" / "bin" / "sam"
FUNCTIONS_PYTHON: Final = PROJECT_ROOT / ".venvs" / "functions" / "bin" / "python"
BUILD_ROOT: Final = PROJECT_ROOT / ".aws-sam" / "local"
SOURCES: Final = (
    "template.yaml",
    "samconfig.toml",
    "applications",
    "pipelines",
    "functions",
    "layers",
    "requirements/sam.txt",
)
REGION: Final = "us-east-1"
LINES_SHOWN: Final = 20
DELETION_SECONDS: Final = 600
# What IAM knows the search node by; nothing here has that name.
SEARCH_DOMAIN_ARN: Final = f"arn:aws:es:{REGION}:000000000000:domain/local"


class DeploymentTarget(Protocol):
    """What a deployment needs of the engine."""

    @property
    def url(self) -> str:
        """The engine's address, the endpoint of every service."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""

    def child_environment(self) -> dict[str, str]:
        """Return the environment of a child process that talks to the engine."""


class Build(NamedTuple):
    """What `build` made.

    Attributes
    ----------
    template
        The built template, ready for `deploy`.
    reused
        Whether nothing had changed since the last build.
    """

    template: Path
    reused: bool


def target_parameters() -> dict[str, str]:
    """Return the parameters that make the functions run here: this interpreter's runtime, this machine's architecture.

    Raises
    ------
    EnvironmentMissingError
        If the environment that runs the functions is not there.
    """
    release = ".".join(_python_version().split(".")[:2])
    architecture = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
    return {"Runtime": f"python{release}", "Architecture": architecture}


def search_parameters(endpoint: str | None) -> dict[str, str]:
    """Return the root template's parameters that have it use a search node, or do without.

    Parameters
    ----------
    endpoint
        The node's address; None where there is no node.
    """
    if endpoint is None:
        return {"SearchEnabled": "false"}
    return {
        "SearchEnabled": "true",
        "SearchDomainArn": SEARCH_DOMAIN_ARN,
        "SearchDomainEndpoint": endpoint,
    }


def build(template: Path | None = None) -> Build:
    """Build a template with `sam build`, unless nothing it reads has changed since the last time.

    Several processes may build at once: one does, the others wait for it.

    Parameters
    ----------
    template
        The root template when left alone; a pipeline's own template builds that pipeline alone.

    Raises
    ------
    EnvironmentMissingError
        If the environment of sam, or the one that runs the functions, is not there.
    ToolFailedError
        If `sam build` fails.
    DiskFullError
        If there is no room for what it makes.
    """
    _require(SAM)
    template = template or TEMPLATE
    parameters = target_parameters()
    directory = _build_directory(template)
    built = directory / "build" / "template.yaml"
    record = directory / "fingerprint"
    facts = {"python": _python_version(), "template": str(template.relative_to(PROJECT_ROOT)), **parameters}
    with _disk_full_means(DiskFullError(directory)), _only_one(directory):
        current = fingerprint(PROJECT_ROOT, SOURCES, facts)
        if built.exists() and record.exists() and record.read_text() == current:
            return Build(built, reused=True)
        # Without it a build that is interrupted, or fails, is not taken for a finished one.
        record.unlink(missing_ok=True)
        options = ["--template-file", str(template), "--build-dir", str(built.parent), "--cached", "--parallel"]
        # sam build calls no service: whatever account the caller works in stays out of it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        _run_sam("build", [*options, *_overrides(parameters)], environment, directory / "build.log")
        record.write_text(current)
    return Build(built, reused=False)


def deploy(
    engine: DeploymentTarget, stack_name: str, parameters: Mapping[str, str], template: Path | None = None
) -> dict[str, str]:
    """Deploy a built template to the engine with `sam deploy`, as a new stack or as an update.

    Parameters
    ----------
    engine
        A started engine.
    stack_name
        Name of the stack.
    parameters
        Values for the template's parameters. Those of samconfig's `local` environment and those of
        `target_parameters` need not be repeated; values given here win.
    template
        What `build` returned; the root template's build when left alone.

    Returns
    -------
    dict
        The stack's outputs.

    Raises
    ------
    EnvironmentMissingError, ToolFailedError, DiskFullError
        As `build`.
    """
    _require(SAM)
    built = template or _build_directory(TEMPLATE) / "build" / "template.yaml"
    log_file = built.parents[1] / f"deploy-{stack_name}.log"
    options = ["--template-file", str(built), "--stack-name", stack_name, "--no-progressbar"]
    values = {**_configured_parameters(), **target_parameters(), **parameters}
    with _disk_full_means(DiskFullError(built.parent)):
        _run_sam("deploy", [*options, *_overrides(values)], engine.child_environment(), log_file)
    [stack] = engine.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if "PaymentProviderApiId" in outputs:
        # The template knows AWS's address of the simulated provider's API; here it is another.
        engine.client("ssm").put_parameter(
            Name=outputs["PaymentProviderEndpointName"], Value=provider_url(engine, outputs), Overwrite=True
        )
    return outputs


def delete(engine: DeploymentTarget, stack_name: str) -> None:
    """Delete a stack through the CloudFormation API and wait until it is gone.

    Raises
    ------
    botocore.exceptions.WaiterError
        If it cannot be deleted, or is still there after ten minutes.
    """
    cloudformation = engine.client("cloudformation")
    cloudformation.delete_stack(StackName=stack_name)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    waiter.wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": DELETION_SECONDS})


def api_url(engine: DeploymentTarget, outputs: Mapping[str, str]) -> str:
    """Return the address of the API on the engine, to which `/checkout` and `/orders/...` are added.

    Parameters
    ----------
    engine
        The engine the stack was deployed to.
    outputs
        What `deploy` returned for the root template.
    """
    return _api_url(engine, outputs["CheckoutApiId"], outputs["CheckoutApiStage"])


def provider_url(engine: DeploymentTarget, outputs: Mapping[str, str]) -> str:
    """Return the address of the simulated payment provider on the engine."""
    return _api_url(engine, outputs["PaymentProviderApiId"], outputs["PaymentProviderApiStage"])


def _api_url(engine: DeploymentTarget, api_id: str, stage: str) -> str:
    return f"{engine.url}/restapis/{api_id}/{stage}/_user_request_"


def _build_directory(template: Path) -> Path:
    # Not .aws-sam/build: that is where a deployer's own `sam build`, for another target, puts its result.
    return BUILD_ROOT / ("root" if template == TEMPLATE else template.parent.name)


def _python_version() -> str:
    _require(FUNCTIONS_PYTHON)
    command = [str(FUNCTIONS_PYTHON), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _require(program: Path) -> None:
    if not program.exists():
        raise EnvironmentMissingError(program.parents[1].relative_to(PROJECT_ROOT))


def _configured_parameters() -> dict[str, str]:
    # Overrides on sam's command line replace those of samconfig as a whole, so they are read here and joined.
    configuration = tomllib.loads((PROJECT_ROOT / "samconfig.toml").read_text())
    deployment = configuration.get("local", {}).get("deploy", {}).get("parameters", {})
    overrides = deployment.get("parameter_overrides", [])
    pairs = overrides.split() if isinstance(overrides, str) else overrides
    return dict(pair.split("=", 1) for pair in pairs)


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={_quoted(value)}" for name, value in sorted(parameters.items()))]


def _quoted(value: str) -> str:
    # sam splits an override at spaces, and ends it at a quotation mark, wherever the shell left them.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _run_sam(command: str, options: Sequence[str], environment: Mapping[str, str], log_file: Path) -> None:
    # The functions' interpreter comes first: sam builds for a runtime with the interpreter of that name on PATH.
    path = os.pathsep.join([str(FUNCTIONS_PYTHON.parent), environment.get("PATH", os.defpath)])
    log_file.parent.mkdir(parents=True, exist_ok=True)
    configuration = ["--config-file", str(PROJECT_ROOT / "samconfig.toml"), "--config-env", "local"]
    arguments = [str(SAM), command, *configuration, *options]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            arguments,
            cwd=PROJECT_ROOT,
            env={
                "AWS_DEFAULT_REGION": REGION,
                **environment,
                "PATH": path,
                "SAM_CLI_TELEMETRY": "0",
                "SAM_CLI_POLL_DELAY": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that what sam starts can be ended with it.
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if code:
        output = log_file.read_text(errors="replace")
        if os.strerror(errno.ENOSPC) in output:
            raise DiskFullError(log_file.parent)
        lines = [line for line in output.splitlines() if line.strip()]
        shown = log_file.relative_to(PROJECT_ROOT) if log_file.is_relative_to(PROJECT_ROOT) else log_file
        raise ToolFailedError(f"sam {command} failed", shown, "\n".join(lines[-LINES_SHOWN:]))


@contextlib.contextmanager
def _disk_full_means(disk_full: DiskFullError) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full from error
        raise


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
