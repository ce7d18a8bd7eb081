"""Hold every template to the rules of AWS Control Tower: cfn-guard, with the rules that the CDK's validator brings.

Run with the interpreter of the `sam` environment. What is no fault stands in `suppressions.toml`: a place is a
deployment (`alone` or `application`), the template's folder and the resource, as in `application pipelines/backup Key`.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from security.cfn_guard import findings, scan
from security.deployments import deployed
from security.outcome import CouldNotRunError
from security.suppressions import entries, judge

__all__ = ["main"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
# Breaks a rule, so that rules which find nothing are not taken for templates without a fault.
PLANTED: Final = "planted"
PLANTED_TEMPLATE: Final = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {}}}}


def main() -> int:
    """Print the outcome; 0 when there is no fault."""
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count = 0
            for deployment, path, document in deployed(PROJECT_ROOT):
                file = f"{deployment} {Path(path).parent}".replace("/", ":").removesuffix(" .")
                (folder / f"{file}.json").write_text(json.dumps(document, default=str), encoding="utf-8")
                count += 1
            (folder / f"{PLANTED}.json").write_text(json.dumps(PLANTED_TEMPLATE), encoding="utf-8")
            print(f"{count} templates, as they are deployed", flush=True)
            found, applied = findings(scan(folder))
    except (CouldNotRunError, ValueError) as error:
        print(error)
        return 1
    planted = {finding for finding in found if finding.place.startswith(PLANTED)}
    if not planted:
        print("the fault that is planted to be found was not: cfn-guard does not look")
        return 1
    outcome = judge([one for one in found if one not in planted], entries("cfn-guard"), checked=applied - len(planted))
    print(*outcome.lines(), sep="\n")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
