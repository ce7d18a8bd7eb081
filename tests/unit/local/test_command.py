"""The command behind `make local`: its arguments, what it says and its exit status."""

import io
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local import __main__ as command
from local.arrivals import Arrivals, Place, Sighting
from local.checkout_api import Submission
from local.engine.process import EngineError
from local.errors import LocalError, SubmissionError, ToolFailedError
from local.runner import SEARCH_MINIMUM, Options, look, send, summarise
from local.sample_orders import sample_orders
from local.search.errors import SearchUnavailableError
from local.search_index import SearchIndex, declared_mapping
from tests.templates import ROOT


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back the signal handlers that the command replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


Run = Callable[[Callable[[Options], bool]], None]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Put something else in the place of the run itself."""

    def replace(outcome: Callable[[Options], bool]) -> None:
        def run(console: Console, options: Options) -> bool:
            assert not console.is_terminal
            return outcome(options)

        monkeypatch.setattr(command, "run", run)

    return replace


def raising(error: BaseException) -> Callable[[Options], bool]:
    """Return a run that ends with an error."""

    def outcome(_: Options) -> bool:
        raise error

    return outcome


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], Options(4566, once=False, deadline=300)),
        (["--once", "--port", "0"], Options(None, once=True, deadline=300)),
        (["--port", "4567", "--deadline", "2.5"], Options(4567, once=False, deadline=2.5)),
        (["--port", "4566", "--port", "4567"], Options(4567, once=False, deadline=300)),
        (["--auth"], Options(4566, once=False, deadline=300, auth=True)),
    ],
)
def test_arguments_become_options(running: Run, arguments: list[str], options: Options) -> None:
    """Port 0 is any free one, and of two ports the last counts."""
    chosen: list[Options] = []

    def outcome(given: Options) -> bool:
        chosen.append(given)
        return True

    running(outcome)
    assert command.main(arguments) == 0
    assert chosen == [options]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "65536"], "a port is a number from 0 to 65535, not '65536'"),
        (["--port", "http"], "a port is a number from 0 to 65535, not 'http'"),
        (["--deadline", "-1"], "seconds are a number above 0, not '-1'"),
        (["--deadline", "nan"], "seconds are a number above 0, not 'nan'"),
        (["--deadline", "soon"], "seconds are a number above 0, not 'soon'"),
        (["--twice"], "unrecognized arguments: --twice"),
    ],
)
def test_a_wrong_argument_is_told(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """A wrong argument ends the command with status 2 and a sentence that says what would be right."""
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("arrived", "status"), [(True, 0), (False, 1)])
def test_the_status_tells_whether_all_arrived(running: Run, arrived: bool, status: int) -> None:
    """Status 0 stands for orders that arrived everywhere, 1 for any that did not."""
    running(lambda _: arrived)
    assert command.main(["--once"]) == status


@pytest.mark.parametrize(
    "error",
    [
        LocalError("No room: make some."),
        EngineError("Port 1 is in use: take another."),
        SearchUnavailableError("No Java: install it."),
    ],
)
def test_an_error_is_one_sentence(running: Run, capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    """What can go wrong is told in its sentence, without a traceback, with status 1."""
    running(raising(error))
    assert command.main([]) == 1
    assert capsys.readouterr().err == f"{error}\n"


def test_a_failed_tool_is_told_with_its_last_lines(running: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of the tool's output comes before the sentence about it, which names the log."""
    error = ToolFailedError("sam build failed", Path("build.log"), "[red] line")
    running(raising(error))
    assert command.main([]) == 1
    assert capsys.readouterr().err == f"[red] line\n\n{error}\n"
    assert "build.log" in str(error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--once"], 1)])
def test_a_signal_stops_it(running: Run, number: signal.Signals, arguments: list[str], status: int) -> None:
    """A signal ends watching with status 0, and a run that had to bring every order through with status 1."""

    def outcome(options: Options) -> bool:
        signal.raise_signal(number)
        return not options.once

    running(outcome)
    assert command.main(arguments) == status


def test_a_second_signal_does_not_disturb_stopping(running: Run) -> None:
    """Once it is stopping, further signals change nothing."""

    def outcome(options: Options) -> bool:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        return options.once

    running(outcome)
    assert command.main([]) == 0


def test_each_order_is_sent_and_its_answer_noted() -> None:
    """Accepted orders wait for their events, and one that is refused does not keep the others from being sent."""
    arrivals = Arrivals(lambda: 0.0)
    shown: list[int] = []

    def submit(body: bytes) -> Submission:
        if b"ORDER-00010001-1" in body:
            raise SubmissionError("the API answered 503")
        return Submission("", f"event-{len(arrivals.orders)}", "")

    send(submit, sample_orders(3), arrivals, lambda: shown.append(len(arrivals.orders)))
    assert [order.refusal for order in arrivals.orders] == ["", "the API answered 503", ""]
    assert arrivals.pending(Place.TABLE) == {"event-1", "event-3"}
    assert shown == [1, 1, 2, 2, 3, 3]


def test_looking_asks_each_place_for_what_is_missing_there() -> None:
    """Each place is told what is pending there, and what it shows is noted."""
    arrivals = Arrivals(lambda: 0.0)
    arrivals.accepted(arrivals.sending("1"), "event-1")

    class Everything:
        def __init__(self, place: Place) -> None:
            self.place = place

        def look(self, pending: object) -> Iterator[Sighting]:
            assert pending == {"event-1"}
            yield Sighting(self.place, "event-1", "1")

    look([Everything(place) for place in arrivals.places if place is not Place.API], arrivals)
    assert not arrivals.expected()


class Index(SearchIndex):
    """An index with some documents and some mappings."""

    def __init__(self, documents: int, mappings: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9200", "orders")
        self._documents = documents
        self._mappings = mappings

    def count(self) -> int:
        """Return how many documents it has."""
        return self._documents

    def mappings(self) -> dict[str, Any]:
        """Return the mappings."""
        return self._mappings


def summary(index: SearchIndex | None, *seen: Sighting) -> tuple[bool, list[str]]:
    """Summarise two orders, of 100 and 99, that arrived where they must, and what else was seen."""
    arrivals = Arrivals(lambda: 0.0, search_minimum=None if index is None else SEARCH_MINIMUM)
    for amount in (100, 99):
        order = arrivals.sending(str(amount), Decimal(amount))
        arrivals.accepted(order, f"event-{amount}")
        for place in order.expected_at:
            arrivals.record(Sighting(place, f"event-{amount}", str(amount)))
    for sighting in seen:
        arrivals.record(sighting)
    console = Console(file=io.StringIO())
    success = summarise(console, arrivals, index, 12.34)
    assert isinstance(console.file, io.StringIO)
    return success, console.file.getvalue().splitlines()


class TestSummary:
    """What is said at the end."""

    def test_it_tells_what_is_in_the_search_index(self) -> None:
        """The orders that must be there are, and the index has them, no other, and its declared mapping."""
        assert summary(Index(1, {"orders": declared_mapping()})) == (
            True,
            [
                (
                    "2 of 2 orders in API, topic, orders table, backup object, replay queue, "
                    "and search index for the 1 of 100 and more, after 12.3 s"
                ),
                "1 of 1 documents in the index orders, which has the declared mapping",
            ],
        )

    def test_without_a_search_node_it_tells_the_rest(self) -> None:
        """Search is not spoken of, and its absence is no failure."""
        assert summary(None) == (
            True,
            ["2 of 2 orders in API, topic, orders table, backup object, replay queue, after 12.3 s"],
        )

    def test_an_order_where_it_must_not_be_is_a_failure(self) -> None:
        """An order that is too small for the search index and found there is named."""
        success, lines = summary(
            Index(2, {"orders": declared_mapping()}), Sighting(Place.SEARCH_INDEX, "event-99", "99")
        )
        assert not success
        assert lines[0].startswith("1 of 2 orders in ")
        assert lines[1] == "✗ order 99 must not arrive: search index"

    @pytest.mark.parametrize(
        ("documents", "mappings", "told"),
        [
            (2, {"orders": declared_mapping()}, "2 of 1 documents in the index orders, which has the declared mapping"),
            (0, {}, "0 of 1 documents in the index orders, which does not exist"),
            (
                1,
                {"orders": declared_mapping() | {"dynamic": "true"}},
                "1 of 1 documents in the index orders, whose mapping is not the declared one: orders/dynamic",
            ),
        ],
    )
    def test_an_index_that_is_not_as_it_must_be_is_a_failure(
        self, documents: int, mappings: dict[str, Any], told: str
    ) -> None:
        """Another number of documents, no index and another mapping are each told."""
        success, lines = summary(Index(documents, mappings))
        assert not success
        assert lines[-1] == told


def test_the_minimum_is_that_of_the_template() -> None:
    """What is expected in the search index is what the template's default has delivered there."""
    assert Decimal(ROOT.parameters["SearchMinimumAmount"]["Default"]) == SEARCH_MINIMUM
