"""Keeping logs that would go with the engine and the search node."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["keep_function_logs", "keep_log_files"]


def keep_log_files(log_files: Iterable[Path], directory: Path) -> None:
    """Copy log files into a directory, in place of what an earlier run left there.

    Parameters
    ----------
    log_files
        Logs of the engine and the search node.
    directory
        Where they are kept, under their names.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for log_file in log_files:
        shutil.copyfile(log_file, directory / log_file.name)


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
