"""Functions as Lambda loads them: each test a fresh environment, whose log lines it can look through."""

import importlib.util
import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from eventfork.forwarding import Message

from tests.unit.samples import PROJECT_ROOT

ENVIRONMENTS = itertools.count()


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function about its invocation, as far as the logger asks."""

    function_name: str = "function"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id: str = "f4b5c1f0-6c4f-4f0e-9d0b-2f6f7c1a0d11"


Handler = Callable[[Mapping[str, Any]], dict[str, Any]]
Load = Callable[..., Handler]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Give a function's handler in a fresh environment of Lambda with those variables, logging all it ever would."""

    def load_handler(name: str, **variables: str) -> Handler:
        number = next(ENVIRONMENTS)
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"{name}-{number}")
        monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        path = PROJECT_ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"environment_{number}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return lambda event: json.loads(json.dumps(module.handler(event, Context())))

    return load_handler


@pytest.fixture
def everybody_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the API's functions answer anybody, as where AllowAnonymousCheckout is true."""
    monkeypatch.setenv("EVERYBODY_MAY_CALL", "true")
    monkeypatch.setenv("CUSTOMER_ID_CLAIM", "username")


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Give everything that was printed or logged since it was last asked for, every logger open at DEBUG."""
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        printed = capsys.readouterr()
        return printed.out + printed.err + caplog.text

    return read


@pytest.fixture
def batch() -> Callable[[Sequence[Message]], dict[str, Any]]:
    """Give the event that Lambda passes for messages off a queue."""

    def event(messages: Sequence[Message]) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": message.id,
                    "receiptHandle": "handle",
                    "body": message.body,
                    "attributes": {"SentTimestamp": "1795162543188", "ApproximateReceiveCount": "1"},
                    "messageAttributes": dict(message.attributes),
                    "eventSource": "aws:sqs",
                }
                for message in messages
            ]
        }

    return event


def sample(name: str) -> dict[str, Any]:
    """Read the sample of a trigger."""
    event: dict[str, Any] = json.loads((PROJECT_ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return event
