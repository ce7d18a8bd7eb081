"""Draw every picture of the documentation from its text: `name.dot` beside `name.svg`. Needs Graphviz.

Run it as `make pictures`; a test fails where a text was changed and its picture was not.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = ("docs", "pipelines", "applications")


def sources() -> list[Path]:
    """Return the texts of all pictures."""
    return sorted(path for folder in FOLDERS for path in (PROJECT_ROOT / folder).rglob("*.dot"))


def seal(source: Path) -> str:
    """Return the comment that ends a picture, and says which text it was drawn from."""
    return f"<!-- drawn from {source.name}, sha256 {hashlib.sha256(source.read_bytes()).hexdigest()} -->\n"


def main() -> int:
    """Draw, and name what was drawn; 1 when Graphviz is missing."""
    dot = shutil.which("dot")
    if dot is None:
        print("Graphviz is missing: install it (Debian: apt-get install graphviz), and run this again.")
        return 1
    for source in sources():
        picture = source.with_suffix(".svg")
        drawn = subprocess.run([dot, "-Tsvg", str(source)], capture_output=True, check=True, text=True)
        picture.write_text(drawn.stdout + seal(source), encoding="utf-8")
        print(f"{picture.relative_to(PROJECT_ROOT)} is drawn.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
