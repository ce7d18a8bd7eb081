"""How the search node is started and stopped, with the real one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.search import process
from local.search.errors import SearchNodeError
from local.search.process import SearchNode

pytestmark = pytest.mark.search_node

DEADLINE_SECONDS = 180
OWNER = """
import sys
from local.search.process import SearchNode
node = SearchNode()
node.launch()
if sys.argv[1] == "ready":
    node.wait_until_ready()
print(node.port, node._process.pid, flush=True)
sys.stdin.read()
"""


def ask(node: SearchNode, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Give the node's answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{node.url}/{path}", data, {"content-type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
        answer: dict[str, Any] = json.loads(response.read())
    return answer


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold, within a generous time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def gone(group: int) -> bool:
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def node() -> Iterator[SearchNode]:
    """Start a node."""
    with SearchNode() as node:
        yield node


def test_it_can_do_what_the_pipeline_needs(node: SearchNode) -> None:
    """The node runs scripts before it indexes, on this machine's loopback alone."""
    script = {"processors": [{"script": {"source": "ctx._id = ctx.id; ctx._index = 'placed-here'"}}]}
    ask(node, "PUT", "_ingest/pipeline/placement", script)
    indexed = ask(node, "POST", "elsewhere/_doc?pipeline=placement", {"id": "event-1"})
    assert (indexed["_index"], indexed["_id"]) == ("placed-here", "event-1")
    assert node.url == f"http://127.0.0.1:{node.port}"
    addresses = ask(node, "GET", "_nodes/_local/http")["nodes"]
    assert [entry["http"]["publish_address"] for entry in addresses.values()] == [f"127.0.0.1:{node.port}"]


def test_it_comes_back_with_what_it_held(node: SearchNode) -> None:
    """Stopped it does not answer; started again it has the same address and the same documents."""
    ask(node, "PUT", "kept/_doc/1", {"amount": 17})
    url = node.url
    node.stop()
    assert (node.running, answers(node.port)) == (False, False)
    node.start()
    assert (node.running, node.url) == (True, url)
    assert ask(node, "GET", "kept/_doc/1")["_source"] == {"amount": 17}


def test_nothing_of_it_is_left_behind() -> None:
    """Closed, twice even, neither its process nor its data is there."""
    with SearchNode() as node:
        port, directory = node.port, node.log_file.parent
        with pytest.raises(SearchNodeError, match=r"already started: call stop\(\)"):
            node.start()
    node.close()
    assert not answers(port)
    assert not directory.exists()
    with pytest.raises(SearchNodeError, match=r"not started: call start\(\)"):
        _ = node.url


@pytest.mark.parametrize("moment", ["ready", "starting"])
def test_it_ends_with_its_owner(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose owner is killed ends by itself, however far it has come."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", OWNER, moment]
    owner = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=process.PROJECT_ROOT, process_group=0
    )
    with owner:
        assert owner.stdout is not None
        port, group = map(int, owner.stdout.readline().split())
        assert answers(port) is (moment == "ready")
        os.kill(owner.pid, signal.SIGKILL)
    assert soon(lambda: gone(group))
    assert not answers(port)


def test_a_port_in_use_is_named(node: SearchNode) -> None:
    """Starting on a port that is taken says which, and what to do."""
    with pytest.raises(SearchNodeError, match=rf"Port {node.port} .* choose another port"):
        SearchNode(port=node.port).start()


def test_a_node_that_cannot_start_is_told_with_its_log(node: SearchNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that ends while it starts, as when its port is taken at the last moment, is told with its last lines."""
    monkeypatch.setattr(SearchNode, "_free_port", lambda _: node.port)
    monkeypatch.setattr(SearchNode, "_answers", lambda _: False)
    other = SearchNode()
    try:
        with pytest.raises(SearchNodeError, match=r"(?s)ended while starting; its log says:.*Address already in use"):
            other.start()
        assert not other.running
    finally:
        other.close()


def test_a_silent_node_is_stopped() -> None:
    """A node that does not answer in time is an error that says so, and does not run on."""
    node = SearchNode(start_timeout=0.01)
    with pytest.raises(SearchNodeError, match=r"did not answer on http://127\.0\.0\.1:\d+ within 0 seconds"):
        node.start()
    assert not node.running
    node.close()


def test_a_place_without_room_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the data cannot be kept, the error names the place."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(SearchNodeError, match=f"{tmp_path}/absent.*make room or permission"):
        SearchNode().start()
