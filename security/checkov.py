"""Run checkov over every template, and hold its suppressions to what was agreed: few ids, each with its reason.

Run with the interpreter of the `checkov` environment. A suppression stands in the template, at its resource.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from security.outcome import Outcome, Suppression

__all__ = ["main", "outcome"]

ALLOWED_SUPPRESSIONS = {
    "CKV_AWS_18": "access logging on the bucket that takes the access logs",
    "CKV_AWS_116": "a dead-letter queue where nothing invokes asynchronously",
    "CKV_AWS_117": "a VPC around functions that call only public AWS endpoints",
    "CKV_AWS_120": "a cache in front of an API whose answers must be current",
}
NO_REASON = "No comment provided"


def scan() -> dict[str, Any]:
    """Return checkov's report on the templates below the current folder."""
    command = [
        *(sys.executable, "-m", "checkov.main", "--directory", ".", "--framework", "cloudformation"),
        *("--skip-download", "--output", "json", "--soft-fail"),
    ]
    scanned = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    report: dict[str, Any] = json.loads(scanned.stdout)
    return report


def outcome(report: dict[str, Any]) -> Outcome:
    """Return what is at fault in `report`, and what is suppressed."""
    results = report["results"]
    faults = [
        f"{check['check_id']} fails for {check['resource']} in {check['file_path']}: {check['check_name']}."
        for check in results["failed_checks"]
    ]
    faults += [f"{path} cannot be read as a template." for path in results["parsing_errors"]]
    reasons: Counter[tuple[str, str]] = Counter()
    for check in results["skipped_checks"]:
        reason = check["check_result"].get("suppress_comment", NO_REASON)
        if check["check_id"] not in ALLOWED_SUPPRESSIONS:
            faults.append(f"{check['check_id']} is suppressed for {check['resource']}, and may not be.")
        elif reason in ("", NO_REASON):
            faults.append(f"{check['check_id']} is suppressed for {check['resource']} without a reason.")
        else:
            reasons[check["check_id"], reason] += 1
    return Outcome(
        checked=sum(len(checks) for name, checks in results.items() if name.endswith("_checks")),
        failed=len(faults),
        suppressions=tuple(Suppression(count, *said) for said, count in sorted(reasons.items())),
        faults=tuple(faults),
    )


def main() -> int:
    """Print the outcome; 0 when there is nothing to complain about."""
    if not Path("template.yaml").exists():
        print("checkov: no template.yaml here; run this from the root of the project.")
        return 1
    found = outcome(scan())
    print(*found.lines(), sep="\n")
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main())
