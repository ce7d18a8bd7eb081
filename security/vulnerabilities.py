"""Ask for known vulnerabilities of every locked version: pip-audit, which asks the package index.

Run with the interpreter of the `vulnerabilities` environment. An index that knows nothing of vulnerabilities answers as
if it knew no such package; then nothing was checked, and that is said.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from security.dependencies import locked, requirements_files
from security.outcome import CouldNotRunError
from security.suppressions import Finding, entries, judge

__all__ = ["audited", "findings", "main"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS: Final = 900


def audit(requirements: Iterable[str]) -> list[dict[str, Any]]:
    """Have pip-audit look up pinned requirements, and return what it says of each."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(f"{requirement}\n" for requirement in requirements))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, "--disable-pip", "--no-deps"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "30"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
            return list(json.loads(done.stdout)["dependencies"])
        except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
            raise CouldNotRunError("the database of vulnerabilities cannot be reached from here") from error


def audited(dependencies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was looked up.

    Raises
    ------
    CouldNotRunError
        The database knows none of them, or not all.
    """
    unknown = [one["name"] for one in dependencies if "skip_reason" in one]
    if unknown:
        raise CouldNotRunError(
            f"the database of vulnerabilities, the package index's, cannot be reached: it does not know "
            f"{len(unknown)} of {len(dependencies)} packages asked about, such as {unknown[0]}"
        )
    return dependencies


def findings(dependencies: list[dict[str, Any]]) -> list[Finding]:
    """Read the findings out of what was looked up."""
    return [
        Finding(one["id"], f"{dependency['name']}=={dependency['version']}", _mended(one["fix_versions"]))
        for dependency in dependencies
        for one in dependency["vulns"]
    ]


def _mended(versions: list[str]) -> str:
    return f"is mended in {', '.join(versions)}: make lock ARGS=--upgrade" if versions else "is not mended yet"


def main() -> int:
    """Print the outcome; 0 when there is no fault."""
    texts = {file: file.read_text(encoding="utf-8") for file in requirements_files(PROJECT_ROOT)}
    pins = sorted({f"{name}=={version}" for text in texts.values() for name, version in locked(text).items()})
    layer = locked(texts[PROJECT_ROOT / "layers" / "eventfork" / "requirements.txt"])
    try:
        # What the functions carry first: where the database cannot be reached, that is told by few questions.
        audited(audit(f"{name}=={version}" for name, version in layer.items()))
        dependencies = audited(_one_version_each(pins))
    except CouldNotRunError as error:
        print(error)
        return 1
    outcome = judge(findings(dependencies), entries("vulnerabilities"), checked=len(dependencies))
    print(*outcome.lines(), sep="\n")
    return 0 if outcome.passed else 1


def _one_version_each(pins: list[str]) -> list[dict[str, Any]]:
    """Look up all pins, in as many goes as the package with the most versions has, as one list may name each once."""
    goes: list[dict[str, str]] = []
    for pin in pins:
        name = pin.split("==")[0]
        free = next((go for go in goes if name not in go), None)
        if free is None:
            free = {}
            goes.append(free)
        free[name] = pin
    return [dependency for go in goes for dependency in audit(go.values())]


if __name__ == "__main__":
    sys.exit(main())
