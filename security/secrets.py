"""Look for secrets in every file of the project, and in every line that its history ever held: detect-secrets.

Run with the interpreter of the `secrets` environment. What is no secret stands in `suppressions.toml`, by kind and
file. Lists of hashes are left out: `security.dependencies` lets nothing but versions and hashes stand in them.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

from security.outcome import CouldNotRunError
from security.repository import git, history, tracked
from security.suppressions import Finding, entries, judge

__all__ = ["findings", "main"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
LISTS_OF_HASHES: Final = ("requirements/", "layers/eventfork/requirements.txt", "setup/cfn-guard/package-lock.json")
# Looks like an access key, and is none; made of two parts lest it be found here.
PLANTED: Final = "AKIA" + "QYLPMN5HZZZZPLNT"
PLANTED_FILE: Final = "planted.txt"


def _readable(root: Path, name: str) -> str:
    return (root / name).read_bytes().decode("utf-8", errors="replace")


def _laid_out(root: Path, place: Path) -> Iterator[str]:
    """Write below `place` what is to be scanned, and give the names: each file, and below it lines it has no more."""
    texts = {name: _readable(root, name) for name in tracked(root)}
    former = history(root)
    for name in sorted({*texts, *former}):
        if name.startswith(LISTS_OF_HASHES):
            continue
        text = texts.get(name, "")
        gone = former.get(name, set()) - set(text.split("\n"))
        file = place / name
        # A file may once have been where a folder is now.
        if file.is_dir() or any(parent.is_file() for parent in file.parents):
            file = place / name.replace("/", "--")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([text, *sorted(gone)]), encoding="utf-8")
        yield str(file.relative_to(place))


def findings(root: Path) -> tuple[list[Finding], int]:
    """Return what looks like a secret, and how many files were looked at.

    Raises
    ------
    CouldNotRunError
        What was planted is not found, so that nothing else would be.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        names = list(_laid_out(root, place))
        (place / PLANTED_FILE).write_text(f'key = "{PLANTED}"\n', encoding="utf-8")
        secrets = SecretsCollection(root=folder)
        with default_settings():
            secrets.scan_files(*names, PLANTED_FILE)
    found = {Finding(secret.type, name, _sentence(secret.secret_hash)) for name, secret in secrets}
    planted = {finding for finding in found if finding.place == PLANTED_FILE}
    if not planted:
        raise CouldNotRunError("the key that is planted to be found was not: detect-secrets does not look")
    return sorted(found - planted, key=str), len(names)


def _sentence(digest: str) -> str:
    return f"looks like a secret (SHA-1 {digest}): revoke it, take it out, or say in suppressions.toml why it is none"


def main() -> int:
    """Print the outcome; 0 when there is no fault."""
    try:
        found, checked = findings(PROJECT_ROOT)
        shallow = git(PROJECT_ROOT, "rev-parse", "--is-shallow-repository").strip() == "true"
        commits = git(PROJECT_ROOT, "rev-list", "--count", "HEAD").strip()
    except CouldNotRunError as error:
        print(error)
        return 1
    print(f"{checked} files, {commits} commits{', and no more: this clone is shallow' if shallow else ''}.")
    outcome = judge(found, entries("secrets"), checked=checked)
    print(*outcome.lines(), sep="\n")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
