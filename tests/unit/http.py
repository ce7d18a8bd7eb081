"""What sends requests, for tests: it keeps each, and answers it as it is told."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError


@dataclass(frozen=True)
class Sent:
    """A request: its method, its URL, and that without scheme and host; its body, as JSON if it is any."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """The path and what follows it."""
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def document(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """An answer, in the form of botocore's."""

    status_code: int
    content: bytes


@dataclass
class Http:
    """Stands for `botocore.httpsession.URLLib3Session`.

    Attributes
    ----------
    answers : list
        For the next requests, pairs of status and body (a document becomes JSON); None for no answer at all. After
        the last, every request succeeds.
    sent : list of Sent
        Every request, in order.
    """

    answers: list[tuple[int, Any] | None] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def send(self, request: Any) -> Answer:
        """Keep the request, and answer it."""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        self.sent.append(Sent(request.method, request.url, headers, bytes(request.body or b"")))
        answer = self.answers.pop(0) if self.answers else (200, {"success": True})
        if answer is None:
            raise EndpointConnectionError(endpoint_url=request.url)
        status, body = answer
        return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
