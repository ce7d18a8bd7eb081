"""Healthy is one answer, in time; whatever else there is to hear is not, and some addresses are not asked at all."""

import socket
from typing import Any

import pytest
import urllib3
from eventfork.adapters.health import HealthEndpoint, is_reachable

URL = "https://provider.example/v1/health"
HEALTHY = b'{"status": "healthy"}'


class Answer:
    """An answer of a server that sends what it sends, part by part."""

    def __init__(self, status: int, body: bytes, server: "Server") -> None:
        self.status = status
        self._body = body
        self._server = server
        self.closed = False

    def read(self, most: int) -> bytes:
        """Give the next part."""
        self._server.now += self._server.seconds_a_part
        part, self._body = self._body[:most], self._body[most:]
        return part

    def close(self) -> None:
        """Hear no more of it."""
        self.closed = True


class Server:
    """Stands for urllib3's PoolManager, and for the clock while it answers."""

    def __init__(self, status: int = 200, body: bytes = HEALTHY, error: Exception | None = None) -> None:
        self.status, self.body, self.error = status, body, error
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: list[Answer] = []
        self.now = 0.0
        self.seconds_a_part = 0.0

    def request(self, method: str, url: str, **options: Any) -> Answer:
        """Keep the request, and answer it."""
        self.requests.append((method, url, options))
        if self.error:
            raise self.error
        self.answers.append(Answer(self.status, self.body, self))
        return self.answers[-1]

    def complaint(self, url: str = URL) -> str | None:
        """Give what an endpoint here is complained of."""
        return HealthEndpoint(self, clock=lambda: self.now).complaint(url)


def test_the_expected_answer_is_healthy() -> None:
    """However its JSON is laid out."""
    for body in (HEALTHY, b'{"status":"healthy"}', b'\n{\n  "status" : "healthy"\n}\n'):
        assert Server(body=body).complaint() is None


def test_a_service_is_asked_once_and_briefly_and_followed_nowhere() -> None:
    """A redirection could lead to an answer that anybody gives."""
    server = Server()
    server.complaint()
    [(method, url, options)] = server.requests
    assert (method, url) == ("GET", URL)
    assert (options["retries"], options["redirect"]) == (False, False)
    assert (options["timeout"].connect_timeout, options["timeout"].read_timeout) == (1.0, 3.0)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 404, 429, 500, 503])
def test_another_status_is_not_healthy(status: int) -> None:
    """Even with the right body: only who expects 200 knows what it means."""
    assert Server(status).complaint() == f"it answers with the status {status}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"healthy",
        b'"healthy"',
        b'{"status": "degraded"}',
        b'{"status": "Healthy"}',
        b'{"status": "healthy", "database": "down"}',
        b'{"status": "down", "status": "healthy"}',
        b'[{"status": "healthy"}]',
        b'{"status": ["healthy"]}',
        b"<html>healthy</html>",
        b'\xff{"status": "healthy"}',
        HEALTHY + b" " * 1000,
    ],
)
def test_another_document_is_not_healthy(body: bytes) -> None:
    """Nor is more than one: a page that a proxy puts in between is no health."""
    server = Server(body=body)
    assert server.complaint() is not None
    assert all(answer.closed for answer in server.answers)


def test_an_answer_without_end_is_left_at_its_beginning() -> None:
    """It is no reason to run out of memory."""
    server = Server(body=b"x" * 1_000_000)
    assert server.complaint() == "its answer is too long"
    assert server.answers[0].closed


NO_POOL: Any = None
ERRORS = (
    urllib3.exceptions.ConnectTimeoutError(),
    urllib3.exceptions.ReadTimeoutError(NO_POOL, URL, "read timed out"),
    urllib3.exceptions.NewConnectionError(NO_POOL, "refused"),
    urllib3.exceptions.SSLError("certificate verify failed"),
    urllib3.exceptions.ProtocolError("connection reset"),
    urllib3.exceptions.LocationParseError("no address"),
    ConnectionResetError(),
    TimeoutError(),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_answer_is_not_healthy(error: Exception) -> None:
    """Whatever the reason; its kind is told, its text is not."""
    assert Server(error=error).complaint() == f"it does not answer ({type(error).__name__})"


def test_a_right_answer_that_comes_too_slowly_is_not_healthy() -> None:
    """A byte a second never exceeds the time-out of a single wait."""
    server = Server()
    server.seconds_a_part = 1
    assert server.complaint() == "its answer takes too long"
    assert server.now < len(HEALTHY)
    assert server.answers[0].closed


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://provider.example/health", True),
        ("https://10.0.0.1:8443/health", True),
        ("http://127.0.0.1:4566/health", True),
        ("http://127.8.8.8/health", True),
        ("http://[::1]:4566/health", True),
        ("http://localhost:4566/health", True),
        ("http://abc123.execute-api.localhost:4566/v1/health", True),
        ("http://provider.example/health", False),
        ("http://10.0.0.1/health", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://localhost.provider.example/health", False),
        ("http://127.0.0.1.provider.example/health", False),
        ("http://localhost@provider.example/health", False),
        ("http://0.0.0.0/health", False),
        ("ftp://127.0.0.1/health", False),
        ("file:///etc/passwd", False),
        ("https:///health", False),
        ("https://provider.example:port/health", False),
        ("http://[::1/health", False),
        ("provider.example/health", False),
        ("", False),
    ],
)
def test_without_tls_only_this_machine_is_asked(url: str, reachable: bool) -> None:
    """What may not be asked is not: nothing is sent there."""
    server = Server()
    assert is_reachable(url) == reachable
    assert (server.complaint(url) is None) == reachable
    assert len(server.requests) == reachable


class Wire(urllib3.PoolManager):
    """The real PoolManager, whose connections lead to what has been said already, and end there."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self.peers: list[socket.socket] = []

        def connected() -> socket.socket:
            ours, theirs = socket.socketpair()
            theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            self.peers.append(theirs)
            return ours

        class Connection(urllib3.connection.HTTPConnection):
            _new_conn = staticmethod(connected)

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Connection

        self.pool_classes_by_scheme = {"http": Pool}

    def heard(self) -> list[bytes]:
        """Give what was sent on each connection."""
        heard = [peer.recv(4096) for peer in self.peers]
        for peer in self.peers:
            peer.close()
        return heard


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + HEALTHY, None),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HEALTHY, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n" + HEALTHY + b"\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + HEALTHY, "it does not answer (ProtocolError)"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "it answers with the status 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "its answer is no JSON"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "it does not answer (ProtocolError)"),
        (b"", "it does not answer (ProtocolError)"),
    ],
)
def test_what_comes_over_a_connection_is_judged_by_all_of_it(said: bytes, complaint: str | None) -> None:
    """One connection, one request, and nothing is left open."""
    wire = Wire(said)
    assert HealthEndpoint(wire).complaint("http://127.0.0.1:4566/v1/health") == complaint
    [request] = wire.heard()
    assert request.startswith(b"GET /v1/health HTTP/1.1\r\n")
    wire.clear()


def test_without_anything_being_said_urllib3_asks() -> None:
    """As AWS's own client does."""
    assert isinstance(HealthEndpoint()._http, urllib3.PoolManager)
