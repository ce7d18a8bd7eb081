"""Exceptions of functions.

When a handler raises, the engine reports every exception as `Runtime.HandlerError` and ends the worker, so that the
next invocation starts cold. On AWS the error keeps the exception's class, and the execution environment lives on
("AWS Lambda function errors in Python", Lambda developer guide).

Not needed once `lambda_runtime._PYTHON_WORKER_SCRIPT` reports `errorType` and a worker outlives an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.engine.replacement import EngineChangedError, engine_attribute, replace

__all__ = ["apply"]

MARKER = "eventfork:functionError"
REPORT = '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
# Written as an answer, not as an error, because the engine ends a worker that answers with an error.
TYPED_REPORT = (
    'sys.stderr.write("[ERROR] " + traceback.format_exc()); sys.stderr.flush(); '
    '_real_stdout.write(json.dumps({"status": "ok", "result": {"' + MARKER + '": {'
    '"errorMessage": str(e), "errorType": type(e).__name__, "requestId": context.aws_request_id, '
    '"stackTrace": traceback.format_tb(e.__traceback__)}}}) + "\\n")'
)

Result = dict[str, Any]


def apply() -> None:
    """Let the worker report a typed error as its answer, and turn that answer into the invocation's error."""
    script = engine_attribute(lambda_runtime, "_PYTHON_WORKER_SCRIPT")
    if script.count(REPORT) != 1:
        raise EngineChangedError(
            "The engine's Python worker reports exceptions in another way: adapt the extension function_errors."
        )
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(REPORT, TYPED_REPORT)

    def build(execute: Callable[..., Result]) -> Callable[..., Result]:
        def execute_and_type_errors(function: Result, event: Any, request_id: str) -> Result:
            result = execute(function, event, request_id)
            body = result.get("body")
            if isinstance(body, dict) and MARKER in body:
                return {**result, "body": body[MARKER], "error": True}
            return result

        return execute_and_type_errors

    replace(lambda_svc, "_execute_function_warm", build)
