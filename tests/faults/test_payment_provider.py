"""However the payment provider fails on the wire, a charge ends in time, and with a status that says how."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import urllib3
from eventfork.adapters.health import is_reachable
from eventfork.adapters.payment_provider import PaymentProvider
from eventfork.payments import Captured, Declined, ProviderUnavailableError

from tests.unit.payments import payment

CONNECT_SECONDS, READ_SECONDS = 0.5, 1.0
LATEST = CONNECT_SECONDS + 2 * READ_SECONDS
"""Seconds after which it has ended for certain: the last wait may begin just in time."""
CAPTURED = b'{"status":"captured","chargeId":"ch_1"}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Access:
    """Stands for `eventfork.adapters.payment_provider.Access`."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def endpoint(self) -> str:
        """Give the address."""
        return self._endpoint

    def credential(self) -> str:
        """Give the credential."""
        return "a-credential"


def charged(endpoint: str) -> Captured | Declined:
    access: Any = Access(endpoint)
    provider = PaymentProvider(
        access, is_reachable, urllib3.PoolManager(), connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
    )
    begun = time.monotonic()
    try:
        return provider.charge(payment())
    finally:
        assert time.monotonic() - begun < LATEST + 1


@contextmanager
def answering(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Run a server that answers one request with these parts, pausing before each; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                for part in parts:
                    time.sleep(pause)
                    connection.sendall(part)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_an_answer_is_read_whole_in_whatever_parts_it_comes() -> None:
    with answering(HEAD % len(CAPTURED), CAPTURED[:9], CAPTURED[9:], pause=0.1) as endpoint:
        assert charged(endpoint) == Captured("ch_1")
    chunked = b'HTTP/1.1 402 No\r\ntransfer-encoding: chunked\r\n\r\n15\r\n{"status":"declined"}\r\n0\r\n\r\n'
    with answering(chunked) as endpoint:
        assert charged(endpoint) == Declined("no reason given")


@pytest.mark.parametrize(
    ("parts", "pause", "status"),
    [
        ([b""], 2.0, 504),
        ([HEAD % 100, *[b"x"] * 10], 0.3, 504),
        ([], 0.0, 503),
        ([HEAD % 100, b'{"status":'], 0.0, 503),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], 0.0, 503),
    ],
    ids=["none in time", "a byte at a time", "none at all", "cut off", "of another service"],
)
def test_whatever_else_it_says_is_a_failure_and_ends_in_time(parts: list[bytes], pause: float, status: int) -> None:
    with answering(*parts, pause=pause) as endpoint, pytest.raises(ProviderUnavailableError) as failed:
        charged(endpoint)
    assert failed.value.status == status


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ProviderUnavailableError) as failed:
        charged(f"http://127.0.0.1:{port}")
    assert failed.value.status == 503


def test_a_server_that_speaks_no_tls_is_a_failure() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as endpoint, pytest.raises(ProviderUnavailableError):
        charged(endpoint.replace("http:", "https:"))
