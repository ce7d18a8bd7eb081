"""What is shown: every order and place, in a terminal and elsewhere."""

import io
from decimal import Decimal

import pytest
from rich.console import Console

from local.arrivals import Arrivals, Place, Sighting
from local.display import arrivals_table, order_line, step, wide


def plain() -> Console:
    """A console that is no terminal."""
    return Console(file=io.StringIO(), width=80, force_terminal=False)


def shown(console: Console) -> str:
    """Return what it shows."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_step_is_told_before_and_after() -> None:
    """Where there is no terminal, a step is one line when it begins and one, with its remarks, when it is done."""
    console = plain()
    with step(console, "Building") as remark:
        assert shown(console) == "Building ...\n"
        remark("nothing new [at all]")
    last = shown(console).splitlines()[-1]
    assert last.startswith("✓ Building (0.")
    assert last.endswith(" s, nothing new [at all])")


def test_a_step_that_fails_is_not_told_as_done() -> None:
    """An error leaves the step without its tick, in a terminal too."""
    for console in (plain(), Console(file=io.StringIO(), force_terminal=True)):
        with pytest.raises(ValueError, match="broken"), step(console, "Building"):
            raise ValueError("broken")
        assert "✓" not in shown(console)


def test_lines_to_paste_are_not_broken() -> None:
    """A line longer than the terminal stays one line, with what looks like markup."""
    console = plain()
    wide(console, "curl [bold] " + "x" * 200)
    assert shown(console) == "curl [bold] " + "x" * 200 + "\n"


def cells(arrivals: Arrivals) -> dict[str, list[str]]:
    """Return what the table shows of each order, place by place."""
    console = plain()
    console.print(arrivals_table(arrivals, 40))
    rows = [line.split("│")[1:-1] for line in shown(console).splitlines() if "ORDER-" in line]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_table_shows_each_order_at_each_place() -> None:
    """Seen, awaited and refused are told apart."""
    arrivals = Arrivals(lambda: 0.0)
    arrivals.accepted(arrivals.sending("ORDER-1"), "event-1")
    arrivals.refused(arrivals.sending("ORDER-2"), "the API answered 503")
    assert cells(arrivals) == {"ORDER-1": ["✓", "…", "…", "…", "…"], "ORDER-2": ["✗"] * 5}


def test_the_table_shows_where_an_order_must_not_arrive() -> None:
    """Not expected is told apart from awaited, and from seen in spite of it."""
    arrivals = Arrivals(lambda: 0.0, search_minimum=Decimal(100))
    for amount in (100, 99, 98):
        arrivals.accepted(arrivals.sending(f"ORDER-{amount}", Decimal(amount)), f"event-{amount}")
    arrivals.record(Sighting(Place.SEARCH_INDEX, "event-98", "ORDER-98"))
    last = {order_id: row[-1] for order_id, row in cells(arrivals).items()}
    assert last == {"ORDER-100": "…", "ORDER-99": "-", "ORDER-98": "✗"}


def test_the_table_shows_what_fits() -> None:
    """In a terminal with few lines the latest orders are shown, and how many are not."""
    arrivals = Arrivals(lambda: 0.0)
    for number in range(30):
        arrivals.sending(f"ORDER-{number}")
    console = plain()
    console.print(arrivals_table(arrivals, 18))
    assert "20 earlier orders are not shown" in shown(console)
    assert "ORDER-19" not in shown(console)
    assert "ORDER-20" in shown(console)
    assert "ORDER-29" in shown(console)


def test_a_line_tells_how_far_an_order_has_come() -> None:
    """Arrived, missing somewhere and refused are each told in one line."""
    arrivals = Arrivals(lambda: 0.0)
    order = arrivals.sending("7")
    arrivals.accepted(order, "event-7")
    for place in (Place.TOPIC, Place.TABLE, Place.REPLAY_QUEUE):
        arrivals.record(Sighting(place, "event-7", "7"))
    assert order_line(order) == "✗ order 7 has not arrived: backup object"
    arrivals.record(Sighting(Place.BACKUP, "event-7", "7"))
    assert order_line(order) == "✓ order 7 arrived everywhere within 0.0 s"
    refused = arrivals.sending("8")
    arrivals.refused(refused, "the API answered 503")
    assert order_line(refused) == "✗ order 8: the API answered 503"
    arrivals.record(Sighting(Place.SEARCH_INDEX, "event-7", "7"))
    assert order_line(order) == "✗ order 7 must not arrive: search index"
