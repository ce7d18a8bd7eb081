"""How functions run on the engine."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from local.engine.process import FUNCTIONS_PYTHON
from tests.engine.workbench import Workbench

ENVIRONMENT = """
import importlib.util, sys
def handler(event, context):
    return {"prefix": sys.prefix, "sees": [name for name in event if importlib.util.find_spec(name)]}
"""

RAISING = """
import logging
logging.getLogger().setLevel("INFO")
class OrderRefusedError(Exception):
    pass
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event.get("refuse"):
        raise OrderRefusedError("no such customer")
    return calls
"""

SILENT = """
import sys
def handler(event, context):
    if event.get("log"):
        print("a line", file=sys.stderr)
"""


def invoke(workbench: Workbench, function: str, payload: object) -> tuple[dict[str, Any], Any]:
    """Invoke a function; return the response and its decoded payload."""
    response = workbench.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
    return response, json.loads(response["Payload"].read() or "null")


def test_functions_see_boto3_and_nothing_else_of_the_machine(workbench: Workbench) -> None:
    """A function runs in the functions' environment, so a package missing from its layer is missing here too."""
    function = workbench.function(ENVIRONMENT)
    _response, seen = invoke(workbench, function, ["boto3", "ministack", "samtranslator"])
    assert seen["sees"] == ["boto3"]
    assert Path(seen["prefix"]) == FUNCTIONS_PYTHON.parent.parent


def test_an_exception_keeps_its_class_and_its_environment(workbench: Workbench) -> None:
    """An exception is reported by its class and text, and the next invocation finds the same environment."""
    function = workbench.function(RAISING)
    assert invoke(workbench, function, {})[1] == 1
    response, error = invoke(workbench, function, {"refuse": True})
    assert response["FunctionError"]
    assert (error["errorType"], error["errorMessage"]) == ("OrderRefusedError", "no such customer")
    assert invoke(workbench, function, {})[1] == 3


def test_an_exception_is_logged_with_its_traceback(workbench: Workbench) -> None:
    """The traceback stands in the function's log group."""
    function = workbench.function(RAISING)
    invoke(workbench, function, {"refuse": True})
    logs = workbench.client("logs")

    def logged() -> bool:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        text = "\n".join(event["message"] for event in events)
        return "Traceback" in text and "OrderRefusedError: no such customer" in text

    workbench.wait_for(logged)


def test_an_invocation_without_a_log_line_is_no_slower_than_one_with(workbench: Workbench) -> None:
    """Silence costs no wait: the quickest silent invocation is about as quick as the quickest that logs."""
    function = workbench.function(SILENT)
    invoke(workbench, function, {})

    def quickest(payload: dict[str, Any]) -> float:
        durations = []
        for _attempt in range(15):
            started = time.perf_counter()
            invoke(workbench, function, payload)
            durations.append(time.perf_counter() - started)
        return min(durations)

    assert quickest({}) < 3 * quickest({"log": True})
