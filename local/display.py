"""What the local command shows: steps with their duration, and the table of orders and places."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.arrivals import Arrivals, OrderArrivals, Place

__all__ = ["arrivals_table", "order_line", "step", "wide"]

ROWS_AROUND_TABLE = 8


@contextlib.contextmanager
def step(console: Console, title: str) -> Iterator[Callable[[str], None]]:
    """Show that something is being done: a spinner with the time passed in a terminal, plain lines elsewhere.

    Yields a function that takes a remark to add once it is done.
    """
    remarks: list[str] = []
    started = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            progress.add_task(title, total=None)
            yield remarks.append
    else:
        wide(console, f"{title} ...")
        yield remarks.append
    remarks.insert(0, f"{time.monotonic() - started:.1f} s")
    wide(console, f"✓ {title} ({', '.join(remarks)})")


def wide(console: Console, text: str, style: str = "") -> None:
    """Print lines as they are, never broken, so that they can be pasted."""
    console.print(Text(text, style), soft_wrap=True)


def arrivals_table(arrivals: Arrivals, height: int) -> Table:
    """Draw the orders and where each has arrived, the latest ones when there are more than fit.

    Parameters
    ----------
    arrivals
        What is known.
    height
        Lines of the terminal.
    """
    rows = max(height - ROWS_AROUND_TABLE, 1)
    orders = arrivals.orders
    hidden = len(orders) - rows
    table = Table("order", title=f"{hidden} earlier orders are not shown" if hidden > 0 else None)
    for place in arrivals.places:
        table.add_column(place.value, justify="center")
    for order in orders[-rows:]:
        table.add_row(Text(order.order_id), *(_cell(arrivals, order, place) for place in arrivals.places))
    return table


def order_line(order: OrderArrivals) -> str:
    """Tell in one line how far an order has come."""
    if order.refusal:
        return f"✗ order {order.order_id}: {order.refusal}"
    if order.missing:
        return f"✗ order {order.order_id} has not arrived: {', '.join(place.value for place in order.missing)}"
    if order.misplaced:
        return f"✗ order {order.order_id} must not arrive: {', '.join(place.value for place in order.misplaced)}"
    return f"✓ order {order.order_id} arrived everywhere within {max(order.seconds.values()):.1f} s"


def _cell(arrivals: Arrivals, order: OrderArrivals, place: Place) -> Text:
    if place in order.misplaced:
        return Text("✗", "red")
    if place in order.seconds:
        return Text("✓", "green")
    if place not in order.expected_at and not order.refusal:
        return Text("-", "dim")
    if order.refusal or arrivals.overdue(order):
        return Text("✗", "red")
    return Text("…", "yellow")
