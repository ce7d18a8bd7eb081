"""The search for card data finds it in every form in which something on the way may have stored it."""

import base64
import gzip
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.canaries import Canary, Finder, card

CARD = card("a path")
FINDER = Finder(CARD.canaries)

WAYS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "base64": base64.b64encode,
    "base64 of URLs": base64.urlsafe_b64encode,
    "base64 without its padding": lambda content: base64.b64encode(content).rstrip(b"="),
    "base64 in a document": lambda content: json.dumps({"data": base64.b64encode(content).decode()}).encode(),
    "gzip": gzip.compress,
    "gzip behind something else": lambda content: b"head " + gzip.compress(content),
    "two gzip members": lambda content: gzip.compress(b"first\n") + gzip.compress(content),
    "gzip in base64": lambda content: base64.b64encode(gzip.compress(content)),
    "base64 in gzip": lambda content: gzip.compress(base64.b64encode(content)),
    "a URL": lambda content: quote(content, safe="").encode(),
    "a form": lambda content: quote_plus(content).encode(),
    "JSON in JSON in JSON": lambda content: json.dumps(json.dumps(json.dumps({"a": content.decode()}))).encode(),
    "escapes of JSON": lambda content: "".join(f"\\u{one:04x}" for one in content).encode(),
    "escaped escapes": lambda content: json.dumps("".join(f"\\u{one:04x}" for one in content)).encode(),
    "escapes of HTML": lambda content: "".join(f"&#{one};" for one in content).encode(),
    "capitals": bytes.upper,
    "beside bytes that are no text": lambda content: b"\xff\xfe" + content + b"\x80",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("canary", CARD.canaries, ids=lambda canary: canary.kind)
def test_a_canary_is_found_however_it_was_stored(way: str, canary: Canary) -> None:
    """Encoded, escaped, packed, and these within each other."""
    stored = WAYS[way](f"before {canary.text} after".encode())
    assert FINDER.found(stored) == {canary: 1}


@pytest.mark.parametrize("way", ["as it is", "JSON in JSON in JSON", "gzip in base64", "a URL"])
@pytest.mark.parametrize("spelling", CARD.spellings)
def test_a_number_is_found_in_every_spelling(spelling: str, way: str) -> None:
    """With separators of any kind between its digits."""
    [canary] = FINDER.found(WAYS[way](f"on 2026-11-20 {spelling}, thanks".encode()))
    assert canary.kind == "number"


def test_what_is_there_twice_is_counted_twice_and_what_is_not_there_is_not_found() -> None:
    """Neither a mask nor the card of another path is taken for it."""
    assert FINDER.found(f"{CARD.cvv} {CARD.cvv} {CARD.number}").total() == 3
    other = card("another path")
    assert not FINDER.found(f"[card ending {CARD.number[-4:]}] {CARD.marker} {other.spellings} {other.fields}")
    assert not Finder([]).found("anything")


def test_every_path_has_a_card_of_its_own() -> None:
    """Otherwise nobody could tell by which path something leaked."""
    texts = [canary.text for number in range(500) for canary in card(f"path {number}").canaries]
    assert len(set(texts)) == len(texts)
