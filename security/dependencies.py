"""Hold every dependency to one version and its hash: requirements, the layer's too, what builds us, and npm packages.

`make lock` writes the requirements anew; `npm install --package-lock-only` in `setup/cfn-guard`, the lock of npm.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from security.outcome import Outcome

__all__ = ["locked", "normalized", "npm_faults", "pyproject_faults", "requirements_faults", "requirements_files"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
PINNED: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[A-Za-z0-9._,-]+\])?==(?P<version>[A-Za-z0-9._+!-]+)(\s*;\s*[^#]+)?$"
)
HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}$")
EXACT_NPM: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")
MEND: Final = "run make lock"


def requirements_files(root: Path) -> list[Path]:
    """Return every lock of Python packages."""
    return sorted(
        [
            *root.glob("requirements/*.txt"),
            *root.glob("layers/*/requirements.txt"),
            *root.glob("functions/*/requirements.txt"),
        ]
    )


def _requirements(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    return (line for line in map(str.strip, joined.splitlines()) if line and not line.startswith("#"))


def requirements_faults(name: str, text: str) -> list[str]:
    """Complain of each requirement in a lock that is not one version with at least one hash."""
    faults = []
    for requirement in _requirements(text):
        first, *hashes = re.split(r"\s+(?=--hash=)", requirement)
        if not PINNED.match(first):
            faults.append(f"{name}: {first[:80]} is not one exact version: {MEND}.")
        elif not hashes or not all(HASH.match(one) for one in hashes):
            faults.append(f"{name}: {first} has no hash, or one that is no SHA-256: {MEND}.")
    return faults


def locked(text: str) -> dict[str, str]:
    """Return the version of each package that a lock holds, by normalized name."""
    found = (PINNED.match(re.split(r"\s+--hash=", requirement)[0]) for requirement in _requirements(text))
    return {normalized(one["name"]): one["version"] for one in found if one}


def normalized(name: str) -> str:
    """Return the one form of a package's name that indexes compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pyproject_faults(pyproject: dict[str, Any], locks: dict[str, dict[str, str]]) -> list[str]:
    """Complain of direct dependencies that are not exact, and of locks that do not hold them."""
    faults = []
    for group, listed in {
        "build-system": pyproject["build-system"]["requires"],
        **pyproject["dependency-groups"],
    }.items():
        for requirement in (one for one in listed if isinstance(one, str)):
            pinned = PINNED.match(requirement)
            lock = locks.get("main" if group == "build-system" else group, {})
            if not pinned:
                faults.append(f"pyproject.toml: {requirement} in {group} is not one exact version: write ==.")
            elif lock.get(normalized(pinned["name"])) != pinned["version"]:
                faults.append(f"pyproject.toml: {requirement} of {group} is not what its lock holds: {MEND}.")
    return faults


def npm_faults(package: dict[str, Any], lock: dict[str, Any]) -> list[str]:
    """Complain of npm packages that are not exact, not in the lock, or in it without a hash."""
    faults = []
    installed = {path: one for path, one in lock["packages"].items() if path}
    for name, version in package.get("dependencies", {}).items():
        if not EXACT_NPM.match(version):
            faults.append(f"package.json: {name} {version} is not one exact version.")
        elif installed.get(f"node_modules/{name}", {}).get("version") != version:
            faults.append(f"package-lock.json: {name} {version} is missing: run npm install --package-lock-only.")
    faults += [
        f"package-lock.json: {path} has no integrity hash: run npm install --package-lock-only."
        for path, one in installed.items()
        if not one.get("integrity", "").startswith("sha512-")
    ]
    return faults


def check(root: Path = PROJECT_ROOT) -> Outcome:
    """Check all that is declared and locked below a folder."""
    files = requirements_files(root)
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    locks = {file.stem: locked(text) for file, text in texts.items() if file.parent.name == "requirements"}
    locks["layer"] = locked((root / "layers" / "eventfork" / "requirements.txt").read_text(encoding="utf-8"))
    faults = [fault for file, text in texts.items() for fault in requirements_faults(str(file.relative_to(root)), text)]
    faults += pyproject_faults(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")), locks)
    npm_locks = sorted(root.glob("setup/*/package-lock.json"))
    packages = 0
    for file in npm_locks:
        lock = json.loads(file.read_text(encoding="utf-8"))
        packages += len(lock["packages"]) - 1
        faults += npm_faults(json.loads(file.with_name("package.json").read_text(encoding="utf-8")), lock)
    return Outcome(_count(texts.values()) + packages, len(faults), faults=tuple(faults))


def _count(texts: Iterable[str]) -> int:
    return sum(1 for text in texts for _ in _requirements(text))


def main() -> int:
    """Print the outcome; 0 when there is no fault."""
    outcome = check()
    print(*outcome.lines(), sep="\n")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
