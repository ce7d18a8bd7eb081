"""cfn-guard, with the rules of AWS Control Tower that the CDK's validator brings, and what it reports."""

import json
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from security.outcome import CouldNotRunError
from security.suppressions import Finding

__all__ = ["binary", "findings", "scan"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = PROJECT_ROOT / ".venvs/cfn-guard/node_modules/@cdklabs/cdk-validator-cfnguard"
SYSTEMS: Final = {"Linux": "ubuntu", "Darwin": "macos"}
PROCESSORS: Final = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
PASSED_OR_FAILED: Final = (0, 19)
MESSAGE: Final = re.compile(r"\[(CT\.[A-Z0-9.]+)\]: *(.+)")
FIX: Final = re.compile(r"\[FIX\]: *(.+)")
RESOURCE: Final = re.compile(r"/Resources/([A-Za-z0-9]+)")


def binary(system: str, processor: str) -> Path:
    """Return the program for a machine.

    Raises
    ------
    CouldNotRunError
        There is none.
    """
    if system not in SYSTEMS or processor not in PROCESSORS:
        raise CouldNotRunError(f"the validator of the CDK brings no cfn-guard for {system} on {processor}")
    return PACKAGE / "bin" / SYSTEMS[system] / PROCESSORS[processor] / "cfn-guard"


def findings(report: list[dict[str, Any]]) -> tuple[list[Finding], int]:
    """Read cfn-guard's report: what it found, and how much it looked at.

    A rule that a template keeps counts once; one that it breaks, as often as there are resources that break it.
    """
    found: list[Finding] = []
    applied = 0
    for template in report:
        applied += len(template["compliant"])
        for rule in (one["Rule"] for one in template["not_compliant"]):
            messages = "\n".join(_messages(rule))
            paths = {path for path in _texts(rule) if path.startswith("/Resources/")}
            identifier, demand = found_rule.groups() if (found_rule := MESSAGE.search(messages)) else (rule["name"], "")
            fix = found_fix[1] if (found_fix := FIX.search(messages)) else "see the rule"
            resources = sorted({named[1] for path in paths if (named := RESOURCE.match(path))}) or ["?"]
            found += [
                Finding(identifier, f"{Path(template['name']).stem.replace(':', '/')} {resource}", f"{demand}. {fix}")
                for resource in resources
            ]
    return found, applied + len(found)


def _messages(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("custom_message"), str):
            yield node["custom_message"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _messages(child)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _texts(child)


def scan(folder: Path) -> list[dict[str, Any]]:
    """Have cfn-guard hold every template of a folder to every rule."""
    guard = binary(platform.system(), platform.machine())
    command = [str(guard), "validate", "--rules", str(PACKAGE / "rules/control-tower/cfn-guard"), "--data", str(folder)]
    command += ["--output-format", "json", "--show-summary", "none", "--structured"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise CouldNotRunError(f"cfn-guard does not start ({error}): run make .venvs/cfn-guard/complete") from error
    if done.returncode not in PASSED_OR_FAILED:
        raise CouldNotRunError(f"cfn-guard ended with status {done.returncode}")
    report: list[dict[str, Any]] = json.loads(done.stdout)
    return report
