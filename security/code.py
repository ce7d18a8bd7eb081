"""Look for what is unsafe in the code that is not a test: bandit, every severity.

What is no fault stands in `suppressions.toml`; bandit's own comments, which need no reason, count for nothing.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from security.suppressions import Finding, entries, judge

__all__ = ["findings", "folders", "main"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]


def folders(root: Path) -> list[str]:
    """Return every folder that holds code, but for the tests."""
    there = sorted(child for child in root.iterdir() if child.is_dir() and not child.name.startswith("."))
    return [child.name for child in there if child.name != "tests" and any(child.rglob("*.py"))]


def findings(report: dict[str, Any]) -> list[Finding]:
    """Read the findings out of bandit's report; what bandit could not read is one too."""
    found = [
        Finding(one["test_id"], one["filename"].removeprefix("./"), f"line {one['line_number']}: {one['issue_text']}")
        for one in report["results"]
    ]
    found += [Finding("unreadable", one["filename"], one["reason"]) for one in report["errors"]]
    return found


def main() -> int:
    """Print the outcome; 0 when there is no fault."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--ignore-nosec", "--format", "json", "--recursive"]
    command += folders(PROJECT_ROOT)
    scanned = subprocess.run(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False)
    report = json.loads(scanned.stdout)
    files = [name for name in report["metrics"] if name != "_totals"]
    outcome = judge(findings(report), entries("bandit"), checked=len(files))
    print(*outcome.lines(), sep="\n")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
