"""The search index, as the search node shows it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from local.errors import SearchIndexError

__all__ = ["SearchIndex", "declared_mapping", "mapping_differences"]

TEMPLATE: Final = (
    Path(__file__).resolve().parents[1] / "layers" / "eventfork" / "eventfork" / "search_index" / "index-template.json"
)
TIMEOUT_SECONDS: Final = 60
IDS_AT_ONCE: Final = 1000


class SearchIndex:
    """The orders' index, or indices where they are rotated.

    Parameters
    ----------
    endpoint
        The node's address.
    name
        Name of the index; those that begin with it and a hyphen belong to it.
    open_url
        Sends a request, as `urllib.request.urlopen` does; past every proxy when left alone, since the node is on this
        machine.
    """

    def __init__(self, endpoint: str, name: str, open_url: Callable[..., Any] | None = None) -> None:
        self.endpoint = endpoint
        self.name = name
        self._open_url = open_url or urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def documents(self, event_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Return the documents of events, as far as they are there; none while the index is only being made.

        Raises
        ------
        SearchIndexError
            If the node does not answer with them.
        """
        for start in range(0, len(event_ids), IDS_AT_ONCE):
            wanted = list(event_ids[start : start + IDS_AT_ONCE])
            query = {"size": IDS_AT_ONCE, "query": {"ids": {"values": wanted}}}
            try:
                answer = self._ask("POST", "_search", query)
            except SearchIndexError as error:
                # It exists from its first document on, and can be searched some moments later.
                if error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
                    return
                raise
            for hit in answer["hits"]["hits"]:
                yield hit["_source"]

    def count(self) -> int:
        """Return how many documents it has, the ones that came this moment included.

        Raises
        ------
        SearchIndexError
            If the node does not answer with it.
        """
        self._ask("POST", "_refresh")
        count: int = self._ask("GET", "_count")["count"]
        return count

    def mappings(self) -> dict[str, Any]:
        """Return the mapping of each index, by its name.

        Raises
        ------
        SearchIndexError
            If the node does not answer with them.
        """
        return {name: index["mappings"] for name, index in self._ask("GET", "_mapping").items()}

    def _ask(self, method: str, question: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.endpoint}/{self.name},{self.name}-*/{question}?ignore_unavailable=true&allow_no_indices=true"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        try:
            with self._open_url(request, timeout=TIMEOUT_SECONDS) as response:
                answer: dict[str, Any] = json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise SearchIndexError(f"it answered {error.code} to {question}", error.code) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SearchIndexError(f"no answer to {question}: {error}") from error
        return answer


def declared_mapping() -> dict[str, Any]:
    """Return the mapping that the application declares for its index."""
    mapping: dict[str, Any] = json.loads(TEMPLATE.read_bytes())["template"]["mappings"]
    return mapping


def mapping_differences(declared: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return where two mappings differ, as JSON pointers, in whichever of a node's two ways they are written."""
    one, other = dict(_settings(declared)), dict(_settings(found))
    return sorted(pointer for pointer in one.keys() | other.keys() if one.get(pointer) != other.get(pointer))


def _settings(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for name, part in value.items():
                # What a field with fields of its own is when nothing else is said.
                if (name, part) != ("type", "object"):
                    yield from _settings(part, f"{pointer}/{name}")
        case list():
            yield pointer, ",".join(sorted(value))
        case bool():
            yield pointer, str(value).lower()
        case int() | float():
            yield pointer, str(Decimal(str(value)).normalize())
        case _:
            yield pointer, str(value)
