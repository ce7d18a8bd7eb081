"""Run checkov over every template, and hold its suppressions to what was agreed: few ids, each with its reason.

Run with the interpreter of the `checkov` environment.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def complaints(report: dict[str, Any]) -> list[str]:
    """Return a sentence for each thing in `report` that must not be."""
    results = report["results"]
    found = [
        f"{check['check_id']} fails for {check['resource']} in {check['file_path']}: {check['check_name']}."
        for check in results["failed_checks"]
    ]
    found += [f"{path} cannot be read as a template." for path in results["parsing_errors"]]
    for check in results["skipped_checks"]:
        if check["check_id"] not in ALLOWED_SUPPRESSIONS:
            found.append(f"{check['check_id']} is suppressed for {check['resource']}, and may not be.")
        elif check["check_result"].get("suppress_comment", NO_REASON) in ("", NO_REASON):
            found.append(f"{check['check_id']} is suppressed for {check['resource']} without a reason.")
    return found


def main() -> int:
    """Print the outcome; 0 when there is nothing to complain about."""
    if not Path("template.yaml").exists():
        print("checkov: no template.yaml here; run this from the root of the project.")
        return 1
    report = scan()
    found = complaints(report)
    summary = report["summary"]
    suppressed = sorted({check["check_id"] for check in report["results"]["skipped_checks"]})
    for complaint in found:
        print(complaint)
    print(
        f"checkov {summary['checkov_version']}: {summary['passed']} passed, {summary['failed']} failed, "
        f"{len(suppressed)} ids suppressed{': ' if suppressed else ''}{', '.join(suppressed)}."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
