"""Hold the running API to its description: schemathesis against the application on a local engine of its own.

Run it as `make schemathesis`; what follows is passed on to schemathesis.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from local import deployment
from local.engine.process import Engine

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMATHESIS: Final = PROJECT_ROOT / ".venvs" / "schemathesis" / "bin" / "schemathesis"
STACK: Final = "eventfork"
# How long an answer takes says nothing on a machine that is short of CPU.
PATIENCE_SECONDS: Final = 120
OPTIONS: Final = (
    *("--checks", "all", "--mode", "all", "--seed", "42", "--generation-database", "none"),
    *("--request-timeout", str(PATIENCE_SECONDS), "--max-response-time", str(PATIENCE_SECONDS)),
)


def main() -> int:
    """Deploy, try, and return the status of schemathesis."""
    print("Deploying the application to a local engine (about half a minute) ...", flush=True)
    deployment.build()
    with Engine() as engine:
        outputs = deployment.deploy(engine, STACK, {})
        url = deployment.api_url(engine, outputs)
        command = [str(SCHEMATHESIS), "run", "openapi.yaml", "--url", url, *OPTIONS, *sys.argv[1:]]
        return subprocess.run(command, cwd=PROJECT_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
