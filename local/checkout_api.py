"""The checkout API, as a client sees it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from local.errors import SubmissionError

__all__ = ["Submission", "submit"]

TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True)
class Submission:
    """An accepted order.

    Attributes
    ----------
    order_id : str
        The order's id.
    event_id : str
        The id of the event that it became.
    location : str
        Where to read the order, relative to the address it was sent to.
    """

    order_id: str
    event_id: str
    location: str


def submit(url: str, body: bytes, open_url: Callable[..., Any] | None = None, token: str | None = None) -> Submission:
    """Send an order to the API.

    Parameters
    ----------
    url
        Address of the API, without `/checkout`.
    body
        The order as JSON.
    open_url
        Sends the request, as `urllib.request.urlopen` does; past every proxy when left alone, since the API is on this
        machine.
    token
        Access token to send it with; none when left alone, for an API that anybody may call.

    Raises
    ------
    SubmissionError
        If the API does not answer 202 with the ids.
    """
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"{url}/checkout", body, headers, method="POST")
    open_url = open_url or urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        with open_url(request, timeout=TIMEOUT_SECONDS) as response:
            status, text, location = response.status, response.read(), response.headers.get("location", "")
    except urllib.error.HTTPError as error:
        with error:
            raise SubmissionError(f"the API answered {error.code}: {_shown(error.read())}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SubmissionError(f"the API did not answer: {error}") from error
    try:
        answer = json.loads(text)
        accepted = Submission(answer["orderId"], answer["eventId"], location)
    except (ValueError, KeyError, TypeError) as error:
        raise SubmissionError(f"the API answered {status}, but not with the ids: {_shown(text)}") from error
    if status != http.HTTPStatus.ACCEPTED:
        raise SubmissionError(f"the API answered {status} instead of 202: {_shown(text)}")
    return accepted


def _shown(body: bytes) -> str:
    return " ".join(body.decode(errors="replace").split())[:500] or "(nothing)"
