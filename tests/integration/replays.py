"""Replays of the deployed application, as an operator's scripts command them: by invoking the function."""

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from local.engine.process import Engine
from tests.integration.application import Application, eventually
from tests.templates import PROJECT_ROOT

__all__ = ["Replays", "deploy_code", "in_parallel", "now"]

ENDED = {"COMPLETED", "FAILED", "CANCELLED"}


def now() -> str:
    """Give the time, as commands write it."""
    return datetime.now(UTC).isoformat()


class Replays:
    """The commands about replays.

    Parameters
    ----------
    engine : Engine
    outputs : dict
        Outputs of the stack that has replay control.
    """

    def __init__(self, engine: Engine, outputs: dict[str, str]) -> None:
        self._engine = engine
        self._outputs = outputs

    def command(self, command: str, **said: Any) -> dict[str, Any]:
        """Carry out a command; give its answer, whatever it is."""
        answer = self._engine.client("lambda").invoke(
            FunctionName=self._outputs["ReplayControlFunctionName"],
            Payload=json.dumps({"command": command, **said}),
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        return document

    def start(self, source: str, *targets: str, **said: Any) -> str:
        """Start a replay; give its id."""
        said = {"reason": "a test", "actor": "the tests", **said}
        answer = self.command("start", source=source, targets=list(targets), **said)
        assert "job" in answer, answer
        return str(answer["job"]["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job as it is now."""
        job: dict[str, Any] = self.command("show", jobId=job_id)["job"]
        return job

    def move(self, command: str, job_id: str) -> dict[str, Any]:
        """Pause, resume or stop a job; give it as it is then."""
        answer = self.command(command, jobId=job_id, reason="a test", actor="the tests")
        assert "job" in answer, answer
        job: dict[str, Any] = answer["job"]
        return job

    def wait(self, job_id: str, until: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Give a job as soon as something is true of it."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            assert job["state"] != "FAILED" or until(job), job["outcome"]
            return job if until(job) else None

        return eventually(look, f"{what}: {job_id}")

    def completed(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has completed; give it."""
        job = self.wait(job_id, lambda job: job["state"] in ENDED, "the end of the job")
        assert job["state"] == "COMPLETED", (job["state"], job["outcome"])
        return job


def deploy_code(application: Application, output: str, folder: str, change: tuple[str, str] | None = None) -> None:
    """Deploy a function's code, the one of the project or one with a fault in it.

    Parameters
    ----------
    application : Application
    output : str
        Output with the function's name.
    folder : str
        The function's folder.
    change : (before, after) or None
        What stands in the code, and what stands there instead.
    """
    code = (PROJECT_ROOT / "functions" / folder / "app.py").read_text(encoding="utf-8")
    if change is not None:
        before, after = change
        assert before in code, "the fault has no place in the code any more"
        code = code.replace(before, after)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", code)
    application.engine.client("lambda").update_function_code(
        FunctionName=application.outputs[output], ZipFile=package.getvalue()
    )


def in_parallel(send: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
    """Send things, some at a time; give the answers in order."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(send, things))
