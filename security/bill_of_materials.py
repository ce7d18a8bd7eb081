"""Write the bill of materials of what is deployed: CycloneDX, out of the layer's lock.

Run with the interpreter of the `sbom` environment. Functions bring nothing of their own: what they import besides the
layer is the Lambda runtime's, which AWS keeps. cyclonedx-py holds what it writes to the format's schema; that every
locked package is in it, with its hashes, is checked here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from security.dependencies import locked, normalized, requirements_files
from security.outcome import Outcome

__all__ = ["faults", "main"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
BILL: Final = PROJECT_ROOT / ".aws-sam" / "sbom" / "eventfork.cdx.json"


def faults(bill: dict[str, Any], lock: dict[str, str]) -> list[str]:
    """Complain of what a bill of materials lacks, or names without its hash, or has that is not locked."""
    listed = {normalized(component["name"]): component for component in bill.get("components", [])}
    found = [
        f"{name} {version} is locked, and not in the bill of materials."
        for name, version in lock.items()
        if listed.get(name, {}).get("version") != version
    ]
    found += [f"{name} is in the bill of materials, and not locked." for name in listed.keys() - lock.keys()]
    found += [
        f"{name} is in the bill of materials without a hash."
        for name, component in listed.items()
        if not any("hashes" in reference for reference in component.get("externalReferences", []))
    ]
    return found


def main() -> int:
    """Write, and print the outcome; 0 when there is no fault."""
    deployed = [file for file in requirements_files(PROJECT_ROOT) if file.parent.name != "requirements"]
    if len(deployed) != 1:
        print(
            f"one lock was expected of what is deployed, and there are {len(deployed)}: have this write one bill of all"
        )
        return 1
    BILL.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(deployed[0]), "--pyproject", "pyproject.toml"]
    command += ["--output-reproducible", "--validate", "--output-file", str(BILL)]
    if subprocess.run(command, cwd=PROJECT_ROOT, check=False).returncode != 0:
        print("cyclonedx-py could not write a bill of materials that its schema allows")
        return 1
    bill = json.loads(BILL.read_text(encoding="utf-8"))
    lock = locked(deployed[0].read_text(encoding="utf-8"))
    found = faults(bill, lock)
    print(f"{bill['bomFormat']} {bill['specVersion']}: {BILL.relative_to(PROJECT_ROOT)}")
    print(*Outcome(len(lock), len(found), faults=tuple(found)).lines(), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
