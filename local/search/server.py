"""Run the search node: choose a way, fetch what it needs, and become the node.

`local.search.process` starts it with `python -m local.search.server DATA HOST PORT`, and reads from its standard
output, a line each, what it does that may take long. The log is its standard error. Where there is no way, it ends with
status `EX_UNAVAILABLE`, and the log with the reason. It also ends, whatever it does, when its standard input is closed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from local.search.docker import Docker
from local.search.errors import SearchUnavailableError
from local.search.java import Java
from local.search.ways import choose

__all__ = ["main"]


def main() -> None:
    """Become the search node, or say why not."""
    data, host, port = sys.argv[1:]
    threading.Thread(target=_end_with_owner, daemon=True, name="end-with-owner").start()
    try:
        way = choose((Docker(), Java()), _tell)
    except SearchUnavailableError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(os.EX_UNAVAILABLE)
    command = way.command(Path(data), host, int(port))
    # What the node itself says belongs in the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.execvp(command[0], command)


def _tell(line: str) -> None:
    print(line, flush=True)


def _end_with_owner() -> None:
    """End the process group, and so what fetches, when the process that started it is gone, however it went."""
    # Not through sys.stdin, whose lock would be held here when the interpreter ends.
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
