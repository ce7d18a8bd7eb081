"""Hold the running API to its description: schemathesis against the application on a local engine of its own.

Run it as `make schemathesis`, or with ARGS=--auth against a stack that nobody calls without an access token; what
follows is passed on to schemathesis.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import urllib3
import yaml

from local import deployment, tokens
from local.engine.process import Engine

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMATHESIS: Final = PROJECT_ROOT / ".venvs" / "schemathesis" / "bin" / "schemathesis"
DESCRIPTION: Final = PROJECT_ROOT / "openapi.yaml"
STACK: Final = "eventfork"
# How long an answer takes says nothing on a machine that is short of CPU.
PATIENCE_SECONDS: Final = 120
OPTIONS: Final = (
    *("--checks", "all", "--mode", "all", "--seed", "42", "--generation-database", "none"),
    *("--request-timeout", str(PATIENCE_SECONDS), "--max-response-time", str(PATIENCE_SECONDS)),
)
# The first call of a function takes longer than the payment provider is waited for.
UNTIL_STARTED: Final = urllib3.Retry(
    total=20, status_forcelist=[503], backoff_factor=0.5, backoff_max=5, respect_retry_after_header=False
)
QUOTE: Final = "payments/quote?amount=10&currency=eur"
CLOSED: Final = {"AllowAnonymousCheckout": "false"}


def for_callers_only(description: str) -> str:
    """Return the description of the API as it is where nobody calls without a token: no operation is open."""
    document = yaml.safe_load(description)
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["security"] = [one for one in operation["security"] if one]
    return yaml.safe_dump(document, sort_keys=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy, try, and return the status of schemathesis."""
    parser = argparse.ArgumentParser(prog="make schemathesis", allow_abbrev=False)
    parser.add_argument("--auth", action="store_true", help="let nobody call without an access token")
    options, passed_on = parser.parse_known_args(arguments)
    print("Deploying the application to a local engine (about half a minute) ...", flush=True)
    deployment.build()
    with Engine() as engine, tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        outputs = deployment.deploy(engine, STACK, CLOSED if options.auth else {})
        url = deployment.api_url(engine, outputs)
        command, headers = [str(SCHEMATHESIS), "run", str(DESCRIPTION), "--url", url], {}
        if options.auth:
            file.write(for_callers_only(DESCRIPTION.read_text(encoding="utf-8")))
            file.flush()
            command[2] = file.name
            headers = {"Authorization": f"Bearer {tokens.service_token(engine, outputs)}"}
        command += [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
        urllib3.request("GET", f"{url}/{QUOTE}", headers=headers, retries=UNTIL_STARTED, timeout=PATIENCE_SECONDS)
        return subprocess.run([*command, *OPTIONS, *passed_on], cwd=PROJECT_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
