"""Card data that occurs nowhere else, and a search that finds it in whatever form it was stored."""

import base64
import binascii
import hashlib
import html
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus

__all__ = ["Canary", "Card", "Finder", "card"]

_SEPARATED = re.compile(r"(?<=[0-9])[^0-9A-Za-z\n]{1,3}(?=[0-9])")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_JSON_ESCAPE = re.compile(r"\\+u([0-9A-Fa-f]{4})")
_GZIP = b"\x1f\x8b"
_DEEPEST = 6
"""Encodings within encodings: an object of Firehose's is base64 in gzip at the most."""


class Canary(NamedTuple):
    """A text that leaked wherever it is found; `path` is the way that it was sent, `kind` what it is of a card."""

    path: str
    kind: str
    text: str


class Card(NamedTuple):
    """A card that nothing else is paid with, and a marker that is no card data, to be found where the order goes."""

    path: str
    number: str
    cvv: str
    expiry: str
    owner: str
    marker: str

    @property
    def canaries(self) -> list[Canary]:
        """What must not be found; the marker is none of it."""
        kinds = {"number": self.number, "cvv": self.cvv, "expiry": self.expiry, "owner": self.owner}
        return [Canary(self.path, kind, text) for kind, text in kinds.items()]

    @property
    def spellings(self) -> list[str]:
        """Give its number as people and programs write it."""
        groups = re.findall("....", self.number)
        return [self.number, *(between.join(groups) for between in (" ", "-", ".", "\u00a0", "\u2013", " - ", "  "))]

    @property
    def fields(self) -> dict[str, str]:
        """Give the card fields of an order's payment."""
        return {
            "card-number": " ".join(re.findall("....", self.number)),
            "card-expiry": self.expiry,
            "card-owner": self.owner,
            "card-cvv": self.cvv,
        }


def card(path: str) -> Card:
    """Make the card of a path: the same on every run, and that of no other path."""
    mark = hashlib.sha256(path.encode()).hexdigest()
    account = f"411111{int(mark, 16) % 10**9:09}"
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in account[::-2])
    number = account + str(-(doubled + sum(map(int, account[-2::-2]))) % 10)
    letters = mark[:16].translate(str.maketrans("0123456789", "ghijklmnop"))
    return Card(path, number, f"cvv-{letters}", f"expiry-{letters}", f"Owner {letters.title()}", f"marker-{letters}")


class Finder:
    """Finds texts in what a store holds: as they are, and in every encoding that something on the way may have used.

    Digits are found with separators between them, texts in any case, both behind the escapes of JSON, URLs and HTML, in
    base64 and in gzip, and in these within each other.

    Parameters
    ----------
    canaries : iterable of Canary
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._by_text = {canary.text.casefold(): canary for canary in canaries}
        longest_first = sorted(self._by_text, key=len, reverse=True)
        self._known: dict[bytes, Counter[Canary]] = {}
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def found(self, content: bytes | str) -> Counter[Canary]:
        """Count the texts in a record: each as often as in that of its readings that has most of it."""
        record = content.encode(errors="surrogatepass") if isinstance(content, str) else content
        # Most of what a store held a moment ago it still holds, and reading it takes long.
        digest = hashlib.sha256(record).digest()
        if digest not in self._known:
            counts: Counter[Canary] = Counter()
            for reading in _readings(record):
                counts |= Counter(self._by_text[match] for match in self._pattern.findall(reading.casefold()))
            self._known[digest] = counts
        return self._known[digest].copy()


def _readings(content: bytes, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    for unpacked in _unpacked(content):
        yield from _readings(unpacked, depth + 1)
    text = content.decode(errors="replace")
    for unescaped in _unescaped(text):
        yield unescaped
        yield _SEPARATED.sub("", unescaped)
        for encoded in set(_BASE64.findall(unescaped)):
            if decoded := _decoded(encoded):
                yield from _readings(decoded, depth + 1)


def _unpacked(content: bytes) -> Iterator[bytes]:
    start = content.find(_GZIP)
    while start >= 0:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            yield unpacker.decompress(content[start:])
        except zlib.error:
            start = content.find(_GZIP, start + 1)
            continue
        # One member follows another where objects were joined.
        start = content.find(_GZIP, len(content) - len(unpacker.unused_data)) if unpacker.unused_data else -1


def _unescaped(text: str) -> set[str]:
    readings = {text}
    for unescape in (_from_json, unquote_plus, html.unescape):
        readings |= {unescape(reading) for reading in readings}
    return readings


def _from_json(text: str) -> str:
    return _JSON_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def _decoded(encoded: str) -> bytes | None:
    plain = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        return None
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return None
    # Names and hashes look like base64 too, but give no text.
    return decoded if decoded.startswith(_GZIP) or _is_text(decoded) else None


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
