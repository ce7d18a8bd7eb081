"""The interpreter that runs functions.

The engine runs Python functions under its own interpreter, whose packages they then see: a package missing from the
layer goes unnoticed. A function on AWS sees its code, its layers, and what the runtime ships, which is boto3 ("Building
Lambda functions with Python", Lambda developer guide). `EVENTFORK_FUNCTIONS_PYTHON` names the interpreter of an
environment with nothing but boto3.

Not needed once the engine takes the interpreter of a runtime as a setting.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ministack.core import lambda_runtime

from local.engine.replacement import replace

__all__ = ["apply"]

Detect = Callable[[str], tuple[str, str]]


def apply() -> None:
    """Run every Python runtime under the named interpreter, if one is named."""
    python = os.environ.get("EVENTFORK_FUNCTIONS_PYTHON")
    if not python:
        return

    def build(detect: Detect) -> Detect:
        def detect_runtime(runtime: str) -> tuple[str, str]:
            interpreter, worker_script = detect(runtime)
            return (python, worker_script) if runtime.startswith("python") else (interpreter, worker_script)

        return detect_runtime

    replace(lambda_runtime, "_detect_runtime_binary", build)
