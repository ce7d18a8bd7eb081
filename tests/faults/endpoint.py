"""An endpoint between a function and a service of the engine, which fails as it is told."""

import json
import threading
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import urllib3

__all__ = ["FaultyFirehose", "Health"]


class Health(Enum):
    """How the endpoint answers."""

    HEALTHY = "healthy"
    HALF = "refuses every other record"
    THROTTLED = "throttles every call"
    SILENT = "closes the connection without an answer"


class FaultyFirehose:
    """Firehose, as healthy as it is told to be; a context manager.

    Attributes
    ----------
    health : Health
        May be changed at any time.
    calls : dict
        How many calls each state of health has answered.
    """

    def __init__(self) -> None:
        self.health = Health.HEALTHY
        self.calls = dict.fromkeys(Health, 0)
        self._engine_url = ""
        self._http = urllib3.PoolManager(maxsize=16, retries=False)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                endpoint.answer(self)

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

    def forward_to(self, engine_url: str) -> None:
        """Say where the real service is."""
        self._engine_url = engine_url

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one call according to the state of health."""
        health = self.health
        self.calls[health] += 1
        body = request.rfile.read(int(request.headers["content-length"]))
        match health:
            case Health.SILENT:
                request.close_connection = True
                request.connection.close()
            case Health.THROTTLED:
                error = {"__type": "ServiceUnavailableException", "message": "Slow down."}
                self._respond(request, 503, json.dumps(error).encode())
            case Health.HALF:
                self._respond(request, 200, self._half(request, json.loads(body)))
            case Health.HEALTHY:
                self._respond(request, 200, self._forwarded(request, body))

    def _half(self, request: BaseHTTPRequestHandler, call: dict[str, Any]) -> bytes:
        # A single record is refused every other time, or it would never come through.
        first = self.calls[Health.HALF] % 2
        kept = call["Records"][first::2]
        taken = json.loads(self._forwarded(request, json.dumps({**call, "Records": kept}).encode())) if kept else None
        results: list[dict[str, str]] = [{"ErrorCode": "ServiceUnavailableException"} for _ in call["Records"]]
        results[first::2] = taken["RequestResponses"] if taken else []
        return json.dumps({"FailedPutCount": len(results) - len(kept), "RequestResponses": results}).encode()

    def _forwarded(self, request: BaseHTTPRequestHandler, body: bytes) -> bytes:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in ("host", "content-length", "connection")
        }
        return self._http.request("POST", self._engine_url, body=body, headers=headers).data

    def _respond(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        request.send_response(status)
        request.send_header("content-type", "application/x-amz-json-1.1")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
