"""JSON text in and out, exactly: numbers keep every digit, and whatever two readers could read differently is refused.

JsonTextError
├── JsonSyntaxError     the text is no JSON document
└── AmbiguousJsonError  it is one, but readers disagree on what it says
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

__all__ = [
    "MAXIMUM_DEPTH",
    "AmbiguousJsonError",
    "JsonSyntaxError",
    "JsonTextError",
    "canonical",
    "parse",
    "pointer",
    "render",
]

MAXIMUM_DEPTH: Final = 64
"""Containers within containers. Well inside what every JSON reader downstream takes (OpenSearch refuses at 1,000)."""


class JsonTextError(ValueError):
    """A text that cannot be taken as one JSON document.

    Attributes
    ----------
    pointer : str
        JSON pointer (RFC 6901) to the offending value; "" is the whole document.
    detail : str
        What is wrong, without quoting the value.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or 'the document'}: {detail}")
        self.pointer = pointer
        self.detail = detail


class JsonSyntaxError(JsonTextError):
    """The text is no JSON document (RFC 8259)."""


class AmbiguousJsonError(JsonTextError):
    """The text is JSON, but repeats a key, nests too deep or holds a lone surrogate: readers would disagree on it."""


class _RepeatedKey(dict[str, Any]):
    """An object in which a key stands more than once; it lives only until `parse` has found where it stands."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.key = Counter(key for key, _ in pairs).most_common(1)[0][0]


def _constant(name: str) -> NoReturn:
    raise JsonSyntaxError("", f"{name} is not a JSON number")


def pointer(path: Sequence[str | int]) -> str:
    """Give the JSON pointer (RFC 6901) to the value that `path` leads to."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def parse(text: str | bytes) -> Any:
    """Read one JSON document; fractions become Decimal, so that money keeps every digit.

    Raises
    ------
    JsonSyntaxError
        If `text` is not exactly one JSON document, or holds NaN, Infinity or a number beyond what Python represents.
    AmbiguousJsonError
        If an object repeats a key, a string holds a lone surrogate, or it nests deeper than `MAXIMUM_DEPTH`.
    """
    repeated: list[_RepeatedKey] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            values = _RepeatedKey(pairs)
            repeated.append(values)
        return values

    try:
        text = text if isinstance(text, str) else text.decode()
        document = json.loads(text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=keep)
    except json.JSONDecodeError as error:
        raise JsonSyntaxError("", f"{error.msg} (line {error.lineno}, column {error.colno})") from error
    except UnicodeDecodeError as error:
        raise JsonSyntaxError("", "is not encoded in UTF-8") from error
    except RecursionError as error:
        raise AmbiguousJsonError("", f"nests deeper than {MAXIMUM_DEPTH} levels") from error
    except JsonTextError:
        raise
    except (ArithmeticError, ValueError) as error:
        # int() takes at most 4,300 digits (sys.get_int_max_str_digits), Decimal exponents end at 18 digits.
        raise JsonSyntaxError("", "a number has more digits than can be read") from error
    # Walking takes longer than reading, and most texts show without it that there is nothing to be found.
    if repeated or "\\u" in text or not _encodable(text) or text.count("{") + text.count("[") > MAXIMUM_DEPTH:
        for path, value in _walk(document):
            _refuse_ambiguity(path, value)
    return document


def _walk(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, dict):
            pending.extend(((*path, key), child) for key, child in value.items())
        elif isinstance(value, list):
            pending.extend(((*path, index), child) for index, child in enumerate(value))


def _refuse_ambiguity(path: tuple[str | int, ...], value: Any) -> None:
    if isinstance(value, str):
        if not _encodable(value):
            raise AmbiguousJsonError(pointer(path), "holds a lone surrogate, which is no character")
    elif isinstance(value, dict):
        if not all(map(_encodable, value)):
            raise AmbiguousJsonError(pointer(path), "has a key that holds a lone surrogate, which is no character")
        if isinstance(value, _RepeatedKey):
            raise AmbiguousJsonError(pointer((*path, value.key)), "stands more than once in one object")
    if isinstance(value, dict | list) and len(path) >= MAXIMUM_DEPTH:
        raise AmbiguousJsonError("", f"nests deeper than {MAXIMUM_DEPTH} levels")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def render(value: Any) -> str:
    """Write a parsed document on one line, every number with its digits; the inverse of `parse`."""
    return "".join(_rendered(value, number=str, keys=list))


def canonical(value: Any) -> str:
    """Write a parsed document so that equal documents give equal text: keys sorted, numbers by value."""
    return "".join(_rendered(value, number=_by_value, keys=sorted))


def _plain(value: str | bool | None) -> str:
    # SQS refuses a message with one of the two, and what SNS cannot deliver there would be lost; escaped it is.
    return json.dumps(value, ensure_ascii=False).translate({0xFFFE: r"\ufffe", 0xFFFF: r"\uffff"})


def _by_value(number: int | Decimal) -> str:
    # Not Decimal.normalize(): that rounds to the context's precision.
    sign, digits, exponent = Decimal(number).as_tuple()
    text = "".join(map(str, digits))
    stripped = text.rstrip("0")
    if not stripped:
        return "0"
    return f"{'-' * sign}{stripped}e{int(exponent) + len(text) - len(stripped)}"


def _rendered(value: Any, *, number: Any, keys: Any) -> Iterator[str]:
    match value:
        case None | bool() | str():
            yield _plain(value)
        case int() | Decimal():
            yield number(value)
        case Mapping():
            opening = "{"
            for key in keys(value):
                yield f"{opening}{_plain(key)}:"
                yield from _rendered(value[key], number=number, keys=keys)
                opening = ","
            yield "}" if value else "{}"
        case list() | tuple():
            opening = "["
            for child in value:
                yield opening
                yield from _rendered(child, number=number, keys=keys)
                opening = ","
            yield "]" if value else "[]"
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")
