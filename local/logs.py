"""Keeping logs that would go with the engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

__all__ = ["keep_engine_log", "keep_function_logs"]


def keep_engine_log(log_file: Path, directory: Path) -> None:
    """Copy the engine's log into a directory, in place of what an earlier run left there.

    Parameters
    ----------
    log_file
        The engine's log.
    directory
        Where it is kept, as `engine.log`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shutil.copyfile(log_file, directory / "engine.log")


def keep_function_logs(logs: Any, directory: Path) -> None:
    """Write the functions' logs into a directory, one file per log group.

    Parameters
    ----------
    logs
        Client of CloudWatch Logs.
    directory
        Where they are kept.
    """
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            with (directory / f"{name.strip('/').replace('/', '-')}.log").open("w") as file:
                for events in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    file.writelines(event["message"].rstrip("\n") + "\n" for event in events["events"])
