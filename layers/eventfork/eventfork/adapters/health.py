"""HTTP: the health endpoint of what a circuit guards."""

import ipaddress
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3

from eventfork.json_text import JsonTextError, parse

__all__ = ["HealthEndpoint", "is_reachable"]

_CONNECT_SECONDS: Final = 1.0
_READ_SECONDS: Final = 3.0
_HEALTHY: Final = {"status": "healthy"}
_MOST_BYTES: Final = 256
"""More than the healthy answer takes, however it is laid out."""


def is_reachable(url: str) -> bool:
    """Whether a URL may be asked: by TLS any host; without it this machine alone, where nobody can listen in."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # Whoever reads a port that is none is told so.
        _ = parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host)))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # RFC 6761, 6.3: these names mean the loopback address, whatever a name server says.
        return host == "localhost" or host.endswith(".localhost")


class HealthEndpoint:
    """An address that tells whether a service can do its work.

    Parameters
    ----------
    http : urllib3 PoolManager, optional
        What sends requests.
    connect_seconds, read_seconds : float
        How long a connection may take, and how long the whole answer.
    clock : callable
        Gives seconds that only ever grow.
    """

    def __init__(
        self,
        http: Any = None,
        *,
        connect_seconds: float = _CONNECT_SECONDS,
        read_seconds: float = _READ_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http or urllib3.PoolManager()
        self._timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._seconds = connect_seconds + read_seconds
        self._clock = clock

    def complaint(self, url: str) -> str | None:
        """Tell what keeps a service from counting as healthy, for people; None if it is healthy.

        Healthy is the status 200 with the JSON document `{"status": "healthy"}` in time, and nothing else is: a
        redirection, another status, another document, silence, and an address that may not be asked are complaints.
        """
        if not is_reachable(url):
            return "its address is neither https nor on this machine"
        before = self._clock()
        try:
            response = self._http.request(
                "GET",
                url,
                headers={"accept": "application/json", "connection": "close"},
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                if response.status != 200:
                    return f"it answers with the status {response.status}"
                body = self._read(response, before + self._seconds)
            finally:
                # Whatever is left of the answer is not waited for.
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return f"it does not answer ({type(error).__name__})"
        return "its answer takes too long" if body is None else _complaint(body)

    def _read(self, response: Any, until: float) -> bytes | None:
        """Read an answer, but no more of it than shows that it is too long; None if it takes too long."""
        body = b""
        while len(body) <= _MOST_BYTES:
            # A time-out of the connection bounds each single wait: who sends a byte a second never exceeds it.
            if self._clock() > until:
                return None
            part = response.read(1)
            if not part:
                break
            body += part
        return None if self._clock() > until else body


def _complaint(body: bytes) -> str | None:
    if len(body) > _MOST_BYTES:
        return "its answer is too long"
    try:
        document = parse(body)
    except JsonTextError:
        return "its answer is no JSON"
    return None if document == _HEALTHY else "its answer is another document"
