"""Run the local engine: MiniStack with this project's extensions.

`local.engine.process` starts it with `python -m local.engine.server` in the engine's own environment. The environment
variable `EVENTFORK_ENGINE_WITHOUT` names extensions to leave out, separated by commas.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import sys
import threading
import time
from types import ModuleType

from local.engine.replacement import EngineChangedError

__all__ = ["main"]

MINISTACK_VERSION = "1.5.33"
GRACE_SECONDS = 5.0


def main() -> None:
    """Check the engine, apply the extensions and serve until told to stop."""
    try:
        _check_version()
        # Imported after the check: another version of the engine may lack whole modules.
        server = importlib.import_module("ministack.app")
        extensions = importlib.import_module("local.engine.extensions").EXTENSIONS
        _apply(extensions, os.environ.get("EVENTFORK_ENGINE_WITHOUT", ""))
    except (EngineChangedError, ImportError) as error:
        sys.exit(str(error))
    if os.environ.get("EVENTFORK_ENGINE_OWNED"):
        threading.Thread(target=_end_with_owner, daemon=True, name="end-with-owner").start()
    server.main()


def _check_version() -> None:
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK_VERSION:
        raise EngineChangedError(
            f"The extensions are written for MiniStack {MINISTACK_VERSION}, not {installed}: "
            "install the pinned version, or check the extensions against the new one and change the pin."
        )


def _apply(extensions: tuple[ModuleType, ...], left_out: str) -> None:
    by_name = {extension.__name__.rpartition(".")[2]: extension for extension in extensions}
    without = {name.strip() for name in left_out.split(",") if name.strip()}
    if unknown := without - by_name.keys():
        raise EngineChangedError(
            f"EVENTFORK_ENGINE_WITHOUT names no extension by {', '.join(sorted(unknown))}: "
            f"choose from {', '.join(by_name)}."
        )
    for name, extension in by_name.items():
        if name not in without:
            extension.apply()


def _end_with_owner() -> None:
    """End the process group when the process that started it is gone, however it went."""
    # The owner holds the other end of standard input; its end closes it.
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
