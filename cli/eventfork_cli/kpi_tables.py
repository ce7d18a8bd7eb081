"""How each KPI is printed: its columns, its rows as text, and what its bars compare."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from eventfork.kpis import CustomerOrders, DeliveryTime, Kpi, PaymentMethod, Product, Reading, Revenue
from rich.console import Console

from eventfork_cli.display import Cell, Column, lines, money, share, span, table

__all__ = ["TABLES", "KpiTable", "document", "show"]


@dataclass(frozen=True, slots=True)
class KpiTable:
    """The table of a KPI.

    Attributes
    ----------
    columns : sequence of Column
    cells : callable
        Gives the cells of a row.
    compared : callable or None
        Gives what a row's bar shows, and the unit it is in: only bars of one unit are compared.
    """

    columns: Sequence[Column]
    cells: Callable[[Any], Sequence[Cell]]
    compared: Callable[[Any], tuple[Decimal | int, str]] | None = None

    def bars(self, rows: Sequence[Any]) -> list[float] | None:
        """Give the length of each row's bar: that of the greatest of its unit is 1."""
        if self.compared is None:
            return None
        values = [self.compared(row) for row in rows]
        greatest: defaultdict[str, Decimal | int] = defaultdict(int)
        for value, unit in values:
            greatest[unit] = max(greatest[unit], value)
        return [float(value / greatest[unit]) if greatest[unit] else 0.0 for value, unit in values]


def _delivery_time(row: DeliveryTime) -> Sequence[str]:
    return (span(row.seconds), f"{row.orders:,}")


def _product(row: Product) -> Sequence[str]:
    return (row.product, row.name or "", f"{row.quantity:,}")


def _payment_method(row: PaymentMethod) -> Sequence[str]:
    return ("(none given)" if row.method is None else row.method, f"{row.orders:,}", share(row.share))


def _revenue(row: Revenue) -> Sequence[str]:
    return (row.day.isoformat(), row.currency, f"{row.orders:,}", money(row.amount))


def _customer(row: CustomerOrders) -> Sequence[Cell]:
    amounts = (f"{money(amount)} {currency}" for currency, amount in row.amounts.items())
    return (row.customer, f"{row.orders:,}", tuple(amounts))


TABLES: Final = {
    "average-delivery-time": KpiTable((Column("average"), Column("orders", numbers=True)), _delivery_time),
    "most-popular-products": KpiTable(
        (Column("product"), Column("name"), Column("pieces", numbers=True)), _product, lambda row: (row.quantity, "")
    ),
    "preferred-payment-methods": KpiTable(
        (Column("method"), Column("orders", numbers=True), Column("share", numbers=True)),
        _payment_method,
        lambda row: (row.orders, ""),
    ),
    "revenue-over-time": KpiTable(
        (Column("day"), Column("currency"), Column("orders", numbers=True), Column("amount", numbers=True)),
        _revenue,
        lambda row: (row.amount, row.currency),
    ),
    "orders-by-customer": KpiTable(
        (Column("customer"), Column("orders", numbers=True), Column("amount", numbers=True)),
        _customer,
        lambda row: (row.orders, ""),
    ),
}
"""By the name of the KPI; a test holds it to `eventfork.kpis.KPIS`."""


def show(console: Console, kpi: Kpi, reading: Reading[Any]) -> None:
    """Print a KPI: what it answers, its rows, and what is not exact or not complete about them."""
    form = TABLES[kpi.name]
    lines(console, kpi.title, "bold")
    lines(console, kpi.question, "dim")
    if reading.rows:
        table(console, form.columns, [form.cells(row) for row in reading.rows], form.bars(reading.rows))
    else:
        lines(console, "No orders yet.")
    for note in reading.notes:
        lines(console, f"Note: {note}", "yellow")
    console.print()


def document(kpi: Kpi, reading: Reading[Any]) -> dict[str, Any]:
    """Give a KPI for scripts, every figure with all its digits."""
    return {
        "title": kpi.title,
        "rows": [
            {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(row).items()}
            for row in reading.rows
        ],
        "notes": list(reading.notes),
    }
