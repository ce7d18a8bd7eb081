"""The command behind `make local`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from rich.console import Console

from local.display import wide
from local.engine.process import EngineError
from local.errors import LocalError, ToolFailedError
from local.runner import Options, run
from local.search.errors import SearchNodeError

MAXIMUM_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Those of the command line when left alone.

    Returns
    -------
    int
        Exit status: 0 when it was stopped, or with `--once` when every order arrived where it must; else 1.
    """
    options = _parser().parse_args(arguments)
    output, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        arrived = run(output, Options(options.port or None, options.once, options.deadline, options.auth))
    except KeyboardInterrupt:
        wide(output, "Stopped.")
        return 1 if options.once else 0
    except ToolFailedError as error:
        wide(errors, f"{error.last_lines}\n")
        wide(errors, str(error), "red")
        return 1
    except (LocalError, EngineError, SearchNodeError) as error:
        wide(errors, str(error), "red")
        return 1
    return 0 if arrived else 1


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    # Only the first one: what it starts is the stopping itself.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make local",
        usage='make local [PORT=N] [ARGS="[--once] [--auth] [--deadline SECONDS]"]',
        description="Run the whole application here: engine, search node, build, deployment, sample orders.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end when every sample order has arrived where it must, with status 0, else 1",
    )
    parser.add_argument(
        "--auth",
        action="store_true",
        help="let nobody call without an access token, as in AWS; the sample orders come with a service's",
    )
    parser.add_argument(
        "--port", type=_port, default=4566, help="port the engine listens on; 0 takes a free one (default: 4566)"
    )
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long the sample orders may take to arrive (default: 300)",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAXIMUM_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAXIMUM_PORT}, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"seconds are a number above 0, not {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
