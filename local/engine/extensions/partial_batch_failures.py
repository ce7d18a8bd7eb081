"""Malformed partial batch failures.

With `ReportBatchItemFailures` the engine deletes every message whose id is not reported: a list with an empty, null,
misspelt or foreign id loses messages. AWS treats such a batch as failed as a whole, an absent, empty or null list as
wholly successful, and an answer that is no object as failed ("Handling errors for an SQS event source in Lambda",
Lambda developer guide).

Not needed once `lambda_svc._run_sqs_batch` tells these answers apart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from local.engine.replacement import replace

__all__ = ["apply"]

Result = dict[str, Any]


def apply() -> None:
    """Normalise what the function answers to a batch before the engine reads it."""
    running = threading.local()

    def build_run(run: Callable[..., None]) -> Callable[..., None]:
        def run_batch(
            mapping: Result, function: Result, event: Result, batch: list[Result], url: str, name: str
        ) -> None:
            if "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []):
                running.message_ids = [message["id"] for message in batch]
            try:
                run(mapping, function, event, batch, url, name)
            finally:
                running.message_ids = None

        return run_batch

    def build_execute(execute: Callable[..., Result]) -> Callable[..., Result]:
        def execute_function(function: Result, event: Any, *arguments: Any, **options: Any) -> Result:
            message_ids = getattr(running, "message_ids", None)
            result = execute(function, event, *arguments, **options)
            if message_ids and not result.get("error"):
                failed = _failed_ids(result.get("body"), message_ids)
                return {**result, "body": {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}}
            return result

        return execute_function

    replace(lambda_svc, "_run_sqs_batch", build_run)
    replace(lambda_svc, "_execute_function", build_execute)


def _failed_ids(answer: Any, message_ids: list[str]) -> list[str]:
    if answer is None:
        return []
    if not isinstance(answer, dict):
        return message_ids
    failures = answer.get("batchItemFailures") or []
    if not isinstance(failures, list):
        return message_ids
    failed = [failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures]
    return message_ids if any(each not in message_ids for each in failed) else [str(each) for each in failed]
