"""Generated requests through the functions of the API, in this process: none may break them, or show in their logs.

`make fuzz BODIES=100000 SEED=1`. The same seed makes the same requests; one that breaks something is named by its seed,
its number and its kind, and `--only NUMBER` sends it alone.
"""

import argparse
import base64
import importlib.util
import io
import json
import logging
import os
import random
import re
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from security import outcome as summed_up

__all__ = ["Functions", "Outcome", "Request", "main", "request", "run", "work"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
EVENTS: Final = PROJECT_ROOT / "events"
ORDER_TEXT: Final = (EVENTS / "order.json").read_text(encoding="utf-8")
DEADLINE_SECONDS: Final = 120.0
"""What no request takes by far, even where the machine is short of CPU: who passes it hangs."""
GATEWAY_BYTES: Final = 10 * 1024 * 1024
"""The largest request that API Gateway passes on. API Gateway developer guide, "Quotas for REST APIs"."""
TOPIC_BYTES: Final = 256 * 1024
CHECKOUT_STATUSES: Final = frozenset({202, 400, 413, 415})
ORDER_STATUSES: Final = frozenset({200, 404})
CARD: Final = {
    "card-number": "4111 1117 3049 5549",
    "card-expiry": "expiry-canary",
    "card-owner": "Owner Canary",
    "card-cvv": "cvv-canary",
}
CANARIES: Final = (*CARD.values(), "4111111730495549")
_DIGITS: Final = re.compile(r"(?<=[0-9])[ .-](?=[0-9])")


class Request(NamedTuple):
    """What the gateway passes on to one of the functions.

    Attributes
    ----------
    recipe : str
        Seed, number and kind: how to make it again.
    function : str
        The folder of the function that answers it.
    event : dict
    """

    recipe: str
    function: str
    event: dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What came of it: how many requests by status, what broke, and the slowest."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: int = 0

    def summary(self) -> str:
        """Give it in one line."""
        by_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        seconds, recipe = self.slowest
        return (
            f"bodies {self.statuses.total():,} ({by_status}), exceptions {len(self.broken)}, "
            f"largest {self.largest:,} bytes, slowest {seconds:.2f} s ({recipe})"
        )


class _Service:
    """Stands for SNS and DynamoDB at the edge of the adapters: takes everything, keeps the last, and has nothing."""

    def __init__(self) -> None:
        self.published = ""

    def publish(self, **message: Any) -> dict[str, Any]:
        json.dumps(message).encode()
        self.published = message["Message"]
        return {"MessageId": "1"}

    def query(self, **question: Any) -> dict[str, Any]:
        json.dumps(question).encode()
        return {"Items": []}


class _Context:
    function_name = "function"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "f4b5c1f0-6c4f-4f0e-9d0b-2f6f7c1a0d11"


class Functions:
    """The functions of the API as Lambda loads them, logging all they ever would, without AWS behind them.

    Attributes
    ----------
    logged : io.StringIO
        What was logged or printed.
    """

    def __init__(self) -> None:
        self.logged = io.StringIO()
        self.service = _Service()
        settings = {
            "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:topic",
            "TABLE_NAME": "table",
            "CUSTOMER_ID_CLAIM": "username",
            "EVERYBODY_MAY_CALL": "true",
        }
        os.environ |= {**settings, "POWERTOOLS_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOGGER_LOG_EVENT": "true"}
        with redirect_stdout(self.logged):
            self._handlers = {name: self._loaded(name) for name in ("checkout_api", "order_api")}

    def _loaded(self, name: str) -> Callable[[Mapping[str, Any], Any], Any]:
        os.environ["POWERTOOLS_SERVICE_NAME"] = f"generated-{name}-{id(self)}"
        path = PROJECT_ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"generated_{name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"no function at {path}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        vars(module)["client"] = lambda _: self.service
        handler: Callable[[Mapping[str, Any], Any], Any] = module.handler
        return handler

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have all that is logged meanwhile, by anybody, at any level, or printed, in `logged`."""
        root, handler = logging.getLogger(), logging.StreamHandler(self.logged)
        level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(handler)
        try:
            with redirect_stdout(self.logged):
                yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    def answer(self, one: Request) -> Any:
        """Give a function's answer to a request, as JSON brings it to the gateway."""
        return json.loads(json.dumps(self._handlers[one.function](one.event, _Context())))


# What requests are made of.

_TOKENS: Final = (
    *("{", "}", "[", "]", ",", ":", '"', "'", "\\", "\\u", "\\ud800", "\\udc00", "\\u0000", "\x00", "\ufeff", "\u2028"),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "true",
        "-",
        "0",
        "1e",
        "1e400000",
        "-1e-400000",
        "1E+99999999999999999999",
    ),
    *(
        "\u0664\u0662",
        "\uff14\uff11\uff11\uff11",
        "\ud800",
        "\U0010ffff",
        "\ufffe",
        "//",
        "/*",
        "\t",
        "\r\n",
        "id",
        "payment",
        "card-number",
    ),
)
_NUMBERS: Final = (
    *("1e400000", "-1e400000", "1e-400000", "1e999999999999999999", "1e9999999999999999999", "9" * 100_000),
    *("0." + "0" * 100_000 + "1", "-" + "9" * 4_300, "9" * 4_301, "1" * 39, "0.1", "-0", "1e2", "00", "1.", ".5", "+1"),
    *("4111111730495549", "4.111111730495549e15", "NaN", "Infinity", "9223372036854775808"),
)
_VALUES: Final = (
    *("null", "true", "[]", "{}", '""', '"x"', '" "', '"."', '".."', '"4111 1117 3049 5549"', '"\\ud800"', '"\\u0000"'),
    *('"0000-00-00T00:00:00Z"', '"9999-12-31T23:59:60Z"', '"2026-11-20T08:15:42+99:99"', '"2026-11-20t08:15:42z"'),
    *('"{\\"card-cvv\\": \\"cvv-canary\\"}"', "\"[{'cvv': 737}]\"", "[[[[]]]]", '{"card":{"expiry":"expiry-canary"}}'),
)
_CONTENT_TYPES: Final = (
    *(
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON ",
        "application/json;;;=",
        "text/plain",
        "",
    ),
    *("application/json, application/json", "application/jsonx", "multipart/form-data; boundary=x", ";", "\u00a0"),
)


def _logarithmic(chance: random.Random, least: int, most: int) -> int:
    return int(least * (most / least) ** chance.random())


def _sample(chance: random.Random) -> str:
    order = json.loads(ORDER_TEXT)
    order["payment"] |= CARD
    order["id"] = chance.randrange(10**9)
    return json.dumps(order, ensure_ascii=chance.random() < 0.5)


def _with_value(chance: random.Random, value: str) -> str:
    """Put a JSON text in the place of a value of the sample order's."""
    text = _sample(chance)
    places = list(re.finditer(r'(?<=: )("(?:[^"\\]|\\.)*"|-?[0-9.]+)', text))
    place = chance.choice(places)
    return text[: place.start()] + value + text[place.end() :]


def _nested(chance: random.Random) -> str:
    depth = _logarithmic(chance, 2, GATEWAY_BYTES // 16 if chance.random() < 0.02 else TOPIC_BYTES // 8)
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ('[{"":', "}]"), ("[[],", "]")])
    closed = depth if chance.random() < 0.8 else chance.randrange(depth)
    nested = opening * depth + chance.choice(["1", "", '"x"', "[]"]) + closing * closed
    return nested if chance.random() < 0.3 else _with_value(chance, nested)


def _number(chance: random.Random) -> str:
    number = chance.choice(_NUMBERS)
    if chance.random() < 0.3:
        number = str(chance.randrange(10 ** _logarithmic(chance, 1, 4_000))) + chance.choice(["", ".0", "e-7", "E30"])
    return _with_value(chance, number)


def _long(chance: random.Random) -> str:
    length = _logarithmic(chance, 10, GATEWAY_BYTES if chance.random() < 0.01 else TOPIC_BYTES)
    unit = chance.choice(
        ["x", "4111 ", "4", "é", "\\u0034", "\\\\", "a=", "card:", "[", "-", "\U0001f600", "%34", "&#52;"]
    )
    return _with_value(chance, '"' + unit * (length // len(unit)) + '"')


def _repeated(chance: random.Random) -> str:
    text = _sample(chance)
    place = chance.choice([match.end() for match in re.finditer("{", text)])
    name = chance.choice(["id", "payment", "card-cvv", "4111111730495549", "a/b~c", "\\u0069d", "x" * 1000])
    return text[:place] + f'"{name}": 1, ' * _logarithmic(chance, 1, 5_000) + text[place:]


def _many(chance: random.Random) -> str:
    keys = ", ".join(f'"{chance.choice(["k", "4111-1117-", "cvv"])}{number}": {number}' for number in range(3_000))
    return (
        _with_value(chance, "{" + keys + "}")
        if chance.random() < 0.5
        else _with_value(chance, "[" + "0," * 9_999 + "0]")
    )


def _mutated(chance: random.Random) -> str:
    text = _sample(chance)
    for _ in range(_logarithmic(chance, 1, 20)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 1, 2, 10, 100]))
        text = text[:start] + chance.choice(["", chance.choice(_TOKENS), text[start:end] * 2]) + text[end:]
    return text


def _bytes(chance: random.Random) -> bytes:
    content = bytearray(_sample(chance).encode())
    for _ in range(_logarithmic(chance, 1, 20)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    encoded = [
        bytes(content),
        b"\xef\xbb\xbf" + content,
        _sample(chance).encode("utf-16"),
        chance.randbytes(200),
        b"\xff",
    ]
    return chance.choice(encoded)


def _text(chance: random.Random) -> str:
    if chance.random() < 0.1:
        return chance.choice(["", " ", "\x00", "null", "[]", "{}", '"', "\ufeff{}", ORDER_TEXT * 2, "[" * 1000])
    return "".join(chance.choice(_TOKENS) for _ in range(_logarithmic(chance, 1, 300)))


_KINDS: Final[dict[str, Callable[[random.Random], str | bytes]]] = {
    "an order": _sample,
    "another value": lambda chance: _with_value(chance, chance.choice(_VALUES)),
    "another number": _number,
    "nested": _nested,
    "long": _long,
    "repeated keys": _repeated,
    "many": _many,
    "mutated": _mutated,
    "mutated bytes": _bytes,
    "text": _text,
    "cut off": lambda chance: (text := _sample(chance))[: chance.randrange(len(text))],
}
_WEIGHTS: Final = {"nested": 1, "long": 1, "many": 0.3, "repeated keys": 1, "mutated": 4, "another number": 2}


def request(seed: int, number: int) -> Request:
    """Make the request of that number of a seed: the same whenever it is asked for."""
    # Not to keep a secret: to make the same requests again.
    chance = random.Random(f"{seed}/{number}")
    if chance.random() < 0.05:
        return _order_request(chance, f"seed {seed}, number {number}, an order asked for")
    [kind] = chance.choices(list(_KINDS), [_WEIGHTS.get(kind, 2) for kind in _KINDS])
    body = _KINDS[kind](chance)
    headers: dict[str, Any] | None = {"content-type": "application/json"}
    if chance.random() < 0.1:
        name = chance.choice(["content-type", "Content-Type", "CONTENT-TYPE", "content_type", "x-content-type", ""])
        headers = chance.choice([None, {}, {name: chance.choice(_CONTENT_TYPES), "accept": "\x00", "É": "ß"}])
        kind += ", with odd headers"
    event = {**json.loads((EVENTS / "checkout-api.json").read_text(encoding="utf-8")), "headers": headers}
    if isinstance(body, bytes) or (chance.random() < 0.2 and "\ud800" not in body):
        content = body if isinstance(body, bytes) else body.encode()
        event |= {"body": base64.b64encode(content).decode(), "isBase64Encoded": True}
        kind += ", in base64"
    else:
        event |= {"body": body or chance.choice([None, ""]), "isBase64Encoded": False}
    return Request(f"seed {seed}, number {number}, {kind}", "checkout_api", event)


def _order_request(chance: random.Random, recipe: str) -> Request:
    def identifier() -> str:
        text = "".join(chance.choice(_TOKENS) for _ in range(_logarithmic(chance, 1, 30)))
        odd = ["%", "%zz", "%00", "%ff%fe", "%ed%a0%80", "%2e%2e", "+", " ", "4111111730495549", "x" * 10_000]
        return chance.choice([quote(text.replace("\ud800", ""), safe=""), chance.choice(odd)])

    event = json.loads((EVENTS / "order-api.json").read_text(encoding="utf-8"))
    return Request(
        recipe, "order_api", {**event, "pathParameters": {"customerId": identifier(), "orderId": identifier()}}
    )


class _Watchdog:
    """Ends the process if one request takes too long, and says which."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._recipe, self._began = "", time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def begin(self, recipe: str) -> None:
        self._recipe, self._began = recipe, time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(1):
            if time.monotonic() - self._began > self._seconds:
                sys.__stderr__.write(f"no answer within {self._seconds:.0f} s: {self._recipe}\n")  # type: ignore[union-attr]
                sys.__stderr__.flush()  # type: ignore[union-attr]
                os._exit(3)


def run(seed: int, numbers: range, progress: Callable[[int], object] = lambda _: None) -> Outcome:
    """Send the requests of these numbers; the process ends where one is not answered."""
    functions, outcome = Functions(), Outcome()
    with _Watchdog(DEADLINE_SECONDS) as watchdog:
        for number in numbers:
            one = request(seed, number)
            watchdog.begin(one.recipe)
            _send(functions, one, outcome)
            progress(number)
    return outcome


def _send(functions: Functions, one: Request, outcome: Outcome) -> None:
    functions.logged.seek(0)
    functions.logged.truncate()
    functions.service.published = ""
    began = time.monotonic()
    faults = []
    status = 500
    try:
        with functions.listening():
            answer = functions.answer(one)
        status = answer["statusCode"]
        shown = {
            "the log": functions.logged.getvalue(),
            "the topic": functions.service.published,
            "the answer": str(answer),
        }
        # What is mutated may have made another field of the one that held the card.
        spared = {"the topic"} if "mutated" in one.recipe else set[str]()
        faults += [
            f"a canary in {place}" for place, text in shown.items() if place not in spared and _holds_canary(text)
        ]
        faults += (
            ["an exception in the log"] if "Traceback" in shown["the log"] or '"ERROR"' in shown["the log"] else []
        )
        faults += [] if status == 202 or not shown["the topic"] else ["refused, but published"]
        if status >= 400:
            json.loads(answer["body"])
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        faults.append(traceback.format_exc(limit=-4))
    seconds = time.monotonic() - began
    expected = CHECKOUT_STATUSES if one.function == "checkout_api" else ORDER_STATUSES
    faults += [] if status in expected else [f"the status {status}"]
    outcome.statuses[status] += 1
    outcome.broken += [f"{one.recipe}: {fault}" for fault in faults]
    outcome.largest = max(outcome.largest, len(one.event.get("body") or ""))
    outcome.slowest = max(outcome.slowest, (seconds, one.recipe))


def _holds_canary(text: str) -> bool:
    plain = _DIGITS.sub("", text)
    return any(canary in text or canary in plain for canary in CANARIES)


def work(body: str) -> int:
    """Count what is called, in Python and in C, until a body is answered."""
    functions, calls = Functions(), 0
    event = {**json.loads((EVENTS / "checkout-api.json").read_text(encoding="utf-8")), "body": body}

    def count(_frame: Any, kind: str, _argument: Any) -> None:
        nonlocal calls
        calls += kind in {"call", "c_call"}

    functions.answer(Request("", "checkout_api", event))
    with functions.listening():
        sys.setprofile(count)
        try:
            functions.answer(Request("", "checkout_api", event))
        finally:
            sys.setprofile(None)
    return calls


def main() -> int:
    """Send as many as asked for, with progress and a line that sums up; 1 where one broke something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="send the request of this number alone")
    asked = parser.parse_args()
    numbers = range(asked.bodies) if asked.only is None else range(asked.only, asked.only + 1)

    def progress(number: int) -> None:
        if (number + 1) % max(1, asked.bodies // 20) == 0:
            print(f"{number + 1:,} of {len(numbers):,}", flush=True)

    outcome = run(asked.seed, numbers, progress)
    print(outcome.summary())
    faults = tuple(" ".join(one.split()) for one in outcome.broken[:20])
    print(*summed_up.Outcome(len(numbers), len(outcome.broken), faults=faults).lines(), sep="\n")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
