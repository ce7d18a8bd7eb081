"""What the simulated payment provider keeps things in, for tests: memory; and how it is asked, without a network."""

import io
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from eventfork.json_text import render
from eventfork.provider_simulator import Behaviour, Outcome, Provider, Received, Request


class Kept:
    """Keeps in memory what `eventfork.provider_simulator.Log` keeps."""

    def __init__(self) -> None:
        self._behaviour: Behaviour | None = None
        self._received: list[Received] = []
        self._outcomes: dict[str, Outcome] = {}
        self._admitted: Counter[int] = Counter()

    def behaviour(self) -> Behaviour | None:
        """Give how it is to behave, if it was told."""
        return self._behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """Keep how it is to behave."""
        self._behaviour = behaviour

    def admit(self, now: datetime, most: int) -> bool:
        """Count one request more in this second, unless there were so many."""
        second = int(now.timestamp())
        if self._admitted[second] >= most:
            return False
        self._admitted[second] += 1
        return True

    def settle(self, outcome: Outcome) -> Outcome | None:
        """Keep an outcome, unless its key has one already: then give that."""
        if outcome.key in self._outcomes:
            return self._outcomes[outcome.key]
        self._outcomes[outcome.key] = outcome
        return None

    def keep(self, received: Received) -> None:
        """Keep a request."""
        self._received.append(received)

    def received(self) -> Iterable[Received]:
        """Give every request."""
        return list(self._received)

    def outcomes(self) -> Iterable[Outcome]:
        """Give every outcome."""
        return list(self._outcomes.values())


class ProviderWithoutNetwork:
    """Stands for `urllib3.PoolManager`: the provider answers at once.

    Parameters
    ----------
    provider : Provider
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def request(self, method: str, url: str, *, body: bytes, headers: dict[str, str], **_: Any) -> urllib3.HTTPResponse:
        """Have a request answered."""
        answer = self._provider.answer(Request(method, urlsplit(url).path, headers, {}, body))
        text = io.BytesIO(render(answer.body).encode())
        return urllib3.HTTPResponse(text, dict(answer.headers), answer.status.value, preload_content=False)
