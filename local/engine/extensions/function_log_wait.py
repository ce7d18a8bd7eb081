"""The wait for log lines after each invocation.

After every invocation the engine waits up to 50 ms for a first log line, which a function that logs nothing always
pays. AWS collects logs beside the invocation, not before its answer.

Not needed once a silent invocation costs no fixed wait: `lambda_runtime.Worker._drain_stderr_bounded`.
"""

from __future__ import annotations

from ministack.core import lambda_runtime

from local.engine.replacement import EngineChangedError, engine_attribute

__all__ = ["apply"]

FIRST_LINE_SECONDS = 0.004
IDLE_SECONDS = 0.003
LIMIT_SECONDS = 0.1


def apply() -> None:
    """Shorten the waits: a worker writes its log before its answer, so the lines are there."""
    drain = engine_attribute(engine_attribute(lambda_runtime, "Worker"), "_drain_stderr_bounded")
    if len(drain.__defaults__ or ()) != 3:
        raise EngineChangedError(
            "The engine's Worker._drain_stderr_bounded takes other waits: adapt the extension function_log_wait."
        )
    drain.__defaults__ = (FIRST_LINE_SECONDS, IDLE_SECONDS, LIMIT_SECONDS)
