"""How the engine is started and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from local.engine import process, server
from local.engine.process import Engine, EngineError
from tests.engine.workbench import Workbench

OWNER = """
import sys
from local.engine.process import Engine
engine = Engine()
engine.start()
print(engine.port, flush=True)
sys.stdin.read()
"""


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def silent_soon(port: int) -> bool:
    """Whether nothing listens on a port, now or within a generous time."""
    deadline = time.monotonic() + 60
    while answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not answers(port)


def test_it_answers_and_is_gone_after_stopping(tmp_path: Path) -> None:
    """A started engine answers on the address it names; stopped, twice even, neither it nor a function runs."""
    engine = Engine(data_directory=tmp_path / "data")
    with engine:
        port = engine.port
        function = Workbench(engine).function("import os\ndef handler(event, context): return os.getpid()")
        worker = int(engine.client("lambda").invoke(FunctionName=function)["Payload"].read())
        assert engine.url == f"http://127.0.0.1:{port}"
        assert engine.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert engine.environment()["AWS_ENDPOINT_URL"] == engine.url
    engine.stop()
    assert not engine.running
    assert not answers(port)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert (tmp_path / "data" / "engine.log").exists()


def test_it_ends_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose owner is killed ends by itself."""
    monkeypatch.chdir(process.PROJECT_ROOT)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=process.PROJECT_ROOT
    )
    with owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        assert answers(port)
        os.kill(owner.pid, signal.SIGKILL)
    assert silent_soon(port)


def test_a_port_in_use_is_named(engine: Engine) -> None:
    """Starting on a port that is taken says which, and what to do."""
    with pytest.raises(EngineError, match=rf"Port {engine.port} .* choose another port"):
        Engine(port=engine.port).start()


def test_a_missing_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the environment of the engine or of the functions, the error names it and what builds it."""
    monkeypatch.setattr(process, "FUNCTIONS_PYTHON", process.PROJECT_ROOT / ".venvs" / "absent" / "bin" / "python")
    with pytest.raises(EngineError, match=r"\.venvs/absent is missing: run make local"):
        Engine().start()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Where the data cannot be kept, the error names the place."""
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(EngineError, match=f"{tmp_path}/file.*make room or permission"):
        Engine(data_directory=tmp_path / "file" / "data").start()


def test_an_unknown_extension_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving out an extension there is none of fails at the start, with the names there are."""
    monkeypatch.delenv("EVENTFORK_ENGINE_WITHOUT", raising=False)
    with pytest.raises(EngineError, match="names no extension by no_such: choose from nested_transform"):
        Engine(without_extensions=["no_such"]).start()


def test_another_version_of_the_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extensions are applied to the version they were written for, and to no other."""
    monkeypatch.setattr(server, "MINISTACK_VERSION", "0.0.0")
    monkeypatch.setattr("importlib.metadata.version", lambda _name: "1.5.33")
    with pytest.raises(SystemExit, match=r"written for MiniStack 0\.0\.0, not 1\.5\.33"):
        server.main()


def test_the_version_is_the_pinned_one() -> None:
    """The version the extensions are written for is the one the engine's environment pins."""
    pins = tomllib.loads((process.PROJECT_ROOT / "pyproject.toml").read_text())["dependency-groups"]["engine"]
    assert f"ministack=={server.MINISTACK_VERSION}" in pins


def test_a_profile_that_does_not_exist_disturbs_nobody(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own AWS settings reach neither the engine's clients nor its child processes."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    assert engine.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_SQS"} & engine.child_environment().keys()
