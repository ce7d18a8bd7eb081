"""Which interpreter the set-up settles on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).parents[3] / "setup" / "find-python"
INTERPRETER = str(Path(sys.executable).resolve())


class Machine:
    """A machine with nothing on its PATH but what a test puts there.

    Parameters
    ----------
    root
        An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.first = root / "first"
        self.second = root / "second"
        for name in ("sh", "sed", "tail", "tr"):
            self.put(root / "basics" / name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        self.path = [self.first, self.second, root / "basics"]

    def put(self, program: Path, script: str) -> Path:
        """Make `script` a program."""
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
        return program

    def python(self, program: Path, flaw: str = "") -> Path:
        """Make `program` a real interpreter, in which the Python statement `flaw` has been run."""
        start = f"import sys; {flaw or 'pass'}; exec(sys.argv[1])"
        return self.put(program, f'#!/bin/sh\nexec {INTERPRETER} -I -c "{start}" "$3"\n')

    def shim(self, program: Path) -> Path:
        """Make `program` what a version manager leaves for a version that is not selected."""
        return self.put(program, "#!/bin/sh\necho 'command not found' >&2\nexit 127\n")

    def find(self, python: str = "") -> subprocess.CompletedProcess[str]:
        """Run the search as make does."""
        environment = {"PATH": ":".join(map(str, self.path)), "HOME": str(self.home), "PYTHON": python}
        return subprocess.run([FIND_PYTHON], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine without Python."""
    return Machine(tmp_path)


def test_finds_the_interpreter_on_the_path(machine: Machine) -> None:
    """An interpreter that works is found, and named by its real path."""
    machine.python(machine.first / "python3")
    found = machine.find()
    assert (found.returncode, found.stdout, found.stderr) == (0, f"{INTERPRETER}\n", "")


@pytest.mark.parametrize(
    "flaw",
    ["sys.version_info = (3, 10, 13)", "sys.version_info = (3, 15, 0)", "sys.modules['ensurepip'] = None"],
    ids=["too old", "too new", "without ensurepip"],
)
def test_passes_over_what_does_not_do(machine: Machine, flaw: str) -> None:
    """An interpreter of the wrong version, or without what virtual environments need, is passed over."""
    machine.python(machine.first / "python3", flaw)
    assert machine.find().returncode == 1
    machine.python(machine.second / "python3")
    assert machine.find().stdout == f"{INTERPRETER}\n"


def test_looks_behind_shims(machine: Machine) -> None:
    """Behind a shim that fails, the version it stands for is found."""
    manager = machine.home / "manager"
    machine.path.insert(0, manager / "shims")
    machine.shim(manager / "shims" / "python3.12")
    machine.python(manager / "versions" / "3.12.1" / "bin" / "python3.12")
    assert machine.find().stdout == f"{INTERPRETER}\n"
    assert machine.find("python3.12").stdout == f"{INTERPRETER}\n"


def test_knows_where_pyenv_keeps_its_versions(machine: Machine) -> None:
    """Where PATH has no Python at all, those of pyenv are tried."""
    machine.python(machine.home / ".pyenv" / "versions" / "3.11.7" / "bin" / "python3.11")
    assert machine.find().stdout == f"{INTERPRETER}\n"


def test_says_what_was_tried(machine: Machine) -> None:
    """When nothing works, one line says what was tried, why each was passed over, and what to do."""
    shim = machine.shim(machine.first / "python3.13")
    old = machine.python(machine.second / "python3", "sys.version_info = (3, 10, 13)")
    found = machine.find()
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert f"({shim} does not start; {old} is Python 3.10): install one" in found.stderr


def test_takes_the_one_that_is_named(machine: Machine) -> None:
    """PYTHON names the interpreter, by path or by command; nothing else is tried instead."""
    machine.python(machine.first / "python3")
    named = machine.python(machine.second / "mine")
    assert machine.find(str(named)).stdout == f"{INTERPRETER}\n"
    assert machine.find("mine").stdout == f"{INTERPRETER}\n"
    missing = machine.find("python3.11")
    assert missing.returncode == 1
    assert "PYTHON=python3.11 cannot be used (it is not there)" in missing.stderr
