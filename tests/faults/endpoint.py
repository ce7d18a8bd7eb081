"""Endpoints that answer as a test wants: by themselves, or between a client and a service, failing as they are told."""

import json
import threading
from abc import ABC, abstractmethod
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

import urllib3

__all__ = ["Answer", "Endpoint", "FaultyEndpoint", "FaultyFirehose", "Health", "Request"]


class Request(NamedTuple):
    """What a client asks; the path with its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What it is told."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Endpoint(ABC):
    """A server on a port of this machine; a context manager.

    Attributes
    ----------
    url : str
        Where it is reached.
    """

    def __init__(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                answer = endpoint.answer(Request(self.command, self.path, dict(self.headers), body))
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_DELETE = do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - what http.server calls

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @abstractmethod
    def answer(self, request: Request) -> Answer | None:
        """Answer a request; with None the connection is closed instead. Runs in a thread per connection."""


class Health(Enum):
    """How an endpoint in front of a service answers."""

    HEALTHY = "healthy"
    HALF = "refuses every other record"
    THROTTLED = "throttles every call"
    SILENT = "closes the connection without an answer"


class FaultyEndpoint(Endpoint):
    """A service, as healthy as it is told to be.

    Attributes
    ----------
    health : Health
        May be changed at any time.
    calls : dict
        How many calls each state of health has answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.health = Health.HEALTHY
        self.calls = dict.fromkeys(Health, 0)
        self._service_url = ""
        self._http = urllib3.PoolManager(maxsize=16, retries=False)

    def forward_to(self, service_url: str) -> None:
        """Say where the real service is."""
        self._service_url = service_url

    def answer(self, request: Request) -> Answer | None:
        """Answer one call according to the state of health."""
        health = self.health
        self.calls[health] += 1
        match health:
            case Health.SILENT:
                return None
            case Health.THROTTLED:
                return self.throttled()
            case Health.HALF:
                # A single record is refused every other time, or it would never come through.
                return self.half(request, self.calls[Health.HALF] % 2)
            case Health.HEALTHY:
                return self.forwarded(request)

    @abstractmethod
    def throttled(self) -> Answer:
        """Answer as the service does when it is called too often."""

    @abstractmethod
    def half(self, request: Request, first: int) -> Answer:
        """Answer having forwarded every other record from the `first` on, and refused the rest."""

    def forwarded(self, request: Request) -> Answer:
        """Return what the real service answers."""
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in ("host", "content-length", "connection")
        }
        url = self._service_url + request.path
        answer = self._http.request(request.method, url, body=request.body, headers=headers)
        return Answer(answer.status, answer.data, answer.headers.get("content-type", "application/json"))


class FaultyFirehose(FaultyEndpoint):
    """Firehose, as healthy as it is told to be."""

    def throttled(self) -> Answer:
        """Answer as Firehose does above its limits."""
        error = {"__type": "ServiceUnavailableException", "message": "Slow down."}
        return Answer(503, json.dumps(error).encode(), "application/x-amz-json-1.1")

    def half(self, request: Request, first: int) -> Answer:
        """Refuse every other record of a batch."""
        call = json.loads(request.body)
        kept = call["Records"][first::2]
        results: list[dict[str, str]] = [{"ErrorCode": "ServiceUnavailableException"} for _ in call["Records"]]
        if kept:
            forwarded = self.forwarded(request._replace(body=json.dumps({**call, "Records": kept}).encode()))
            results[first::2] = json.loads(forwarded.body)["RequestResponses"]
        body = {"FailedPutCount": len(results) - len(kept), "RequestResponses": results}
        return Answer(200, json.dumps(body).encode(), "application/x-amz-json-1.1")
