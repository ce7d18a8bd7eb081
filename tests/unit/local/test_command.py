"""The command behind `make local`: its arguments, what it says and its exit status."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from local import __main__ as command
from local.arrivals import Arrivals, Place, Sighting
from local.checkout_api import Submission
from local.engine.process import EngineError
from local.errors import LocalError, SubmissionError, ToolFailedError
from local.runner import Options, look, send
from local.sample_orders import sample_orders


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


@pytest.mark.parametrize("error", [LocalError("No room: make some."), EngineError("Port 1 is in use: take another.")])
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

    look([Everything(place) for place in Place if place is not Place.API], arrivals)
    assert not arrivals.expected()
