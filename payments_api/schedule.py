"""What is asked of the payments, and what is answered: pure functions over rows.

The one statement of what the *last five* and the *next five* payments are. ``payments.sql`` reads the
payments; here stands which of them, in which order, and how a row is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from payments_api.answers import Answer, Counterparty, Page, Payment, models, reported_name

FEW = 5
"""Payments that are called the last, or the next."""

SOURCE_TABLES = frozenset({"address", "counterparty", "currency", "payment", "payment_type"})
"""The captured tables that an answer stands on."""

_READS: Mapping[str, tuple[str, ...]] = {
    "dim_counterparty": ("counterparty_id", "counterparty_legal_name"),
    "dim_currency": ("currency_code", "currency_id"),
    "dim_payment_type": ("payment_type_id", "payment_type_name"),
    "fact_payment_current": (
        "counterparty_id",
        "currency_id",
        "paid",
        "payment_amount",
        "payment_date",
        "payment_id",
        "payment_type_id",
    ),
    "load_offset": ("attempt", "lake", "last_batch", "sequence", "stage"),
}

DIRECTIONS: Mapping[str, Literal["in", "out"]] = {
    "SALES_RECEIPT": "in",
    "PURCHASE_REFUND": "in",
    "PURCHASE_PAYMENT": "out",
    "SALES_REFUND": "out",
}
"""Which way the money goes, by the type of a payment."""

Position = tuple[date, int]
"""Where a payment stands among all: by the day on which it is due, then by its number."""

_LONDON = ZoneInfo("Europe/London")
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Selection:
    """Which payments are asked for, and in which order.

    Attributes:
        which: The last ones, the next ones, or all, the earliest first.
        today: The day that they are seen from.
        limit: How many at most.
        after: All: those after this place alone.
        type: Those of this type alone.
        currency: Those in this currency alone.
    """

    which: Literal["last", "next", "all"]
    today: date
    limit: int = FEW
    after: Position | None = None
    type: str | None = None
    currency: str | None = None


# A day that is over counts as last whether or not it was paid: what is due on a weekend, or on the day on
# which it was agreed, is never marked as paid.
_CONDITIONS: Mapping[str, str] = {
    "last": "(f.payment_date < %(today)s OR (f.payment_date = %(today)s AND f.paid))",
    "next": "(f.payment_date >= %(today)s AND NOT f.paid)",
    "all": "TRUE",
    "after": "(f.payment_date, f.payment_id) > (%(after_date)s, %(after_id)s)",
    "type": "f.payment_type_id IN (SELECT t.payment_type_id FROM {schema}.dim_payment_type AS t "
    "WHERE t.payment_type_name = %(type)s)",
    "currency": "f.currency_id IN (SELECT c.currency_id FROM {schema}.dim_currency AS c "
    "WHERE c.currency_code = %(currency)s)",
}


def today_in_london(now: datetime) -> date:
    """The day that it is for the business.

    Args:
        now: A time with its zone.
    """
    return now.astimezone(_LONDON).date()


def reads(reporting: str) -> dict[str, tuple[str, ...]]:
    """What is read of the warehouse: columns by table or view.

    Args:
        reporting: The code of the currency that amounts are reported in.
    """
    reported = ("payment_id", reported_name(reporting), "rate_date", "rate_is_final")
    return {**_READS, _view(reporting): reported}


def _view(reporting: str) -> str:
    """The view of payments in the reporting currency."""
    return f"fact_payment_{reporting.lower()}"


def statement(selection: Selection, schema: str, reporting: str) -> tuple[str, dict[str, Any]]:
    """The SQL that reads what is asked for, and its parameters by name.

    Args:
        selection: What is asked for.
        schema: The warehouse's schema, quoted as SQL wants it.
        reporting: The code of the currency that amounts are reported in.
    """
    filters = [name for name in ("after", "type", "currency") if getattr(selection, name) is not None]
    text = _text().format(
        schema=schema,
        conditions=" AND ".join(_CONDITIONS[name] for name in (selection.which, *filters)).format(
            schema=schema
        ),
        order="DESC" if selection.which == "last" else "ASC",
        reported_view=_view(reporting),
        amount_reported=reported_name(reporting),
    )
    after_date, after_id = selection.after or (None, None)
    return text, {
        "today": selection.today,
        "after_date": after_date,
        "after_id": after_id,
        "type": selection.type,
        "currency": selection.currency,
        "limit": selection.limit,
    }


@cache
def _text() -> str:
    return (Path(__file__).parent / "payments.sql").read_text(encoding="utf-8")


def payment_of(row: Mapping[str, Any], today: date, reporting: str) -> Payment:
    """A row of ``payments.sql`` as it is answered.

    Args:
        row: By column, its value.
        today: The day that it is seen from.
        reporting: The code of the currency that amounts are reported in.
    """
    reported = row["amount_reported"]
    return models(reporting).payment(
        payment_id=row["payment_id"],
        payment_date=row["payment_date"],
        amount=_money(row["amount"]),
        currency=row["currency"],
        amount_reported=None if reported is None else _money(reported),
        rate_date=row["rate_date"],
        rate_is_final=row["rate_is_final"],
        type=row["type"],
        direction=DIRECTIONS.get(row["type"]),
        counterparty=Counterparty(counterparty_id=row["counterparty_id"], name=row["counterparty_name"]),
        paid=row["paid"],
        overdue=not row["paid"] and row["payment_date"] < today,
    )


def _money(amount: Decimal) -> str:
    """An amount to the cent; one that is finer is said as it is, and never rounded."""
    cents = amount.quantize(_CENT)
    return format(cents if cents == amount else amount, "f")


def answer(rows: Sequence[Mapping[str, Any]], today: date, data_as_of: str | None, reporting: str) -> Answer:
    """The answer that a few rows are.

    Args:
        rows: What the statement gave, in its order.
        today: The day that they are seen from.
        data_as_of: As of when they are known.
        reporting: The code of the currency that amounts are reported in.
    """
    shown = [payment_of(row, today, reporting) for row in rows]
    return models(reporting).answer(as_of=today, data_as_of=data_as_of, payments=shown)


def page(
    rows: Sequence[Mapping[str, Any]], today: date, data_as_of: str | None, limit: int, reporting: str
) -> Page:
    """The page that rows begin, and where the next one goes on.

    Args:
        rows: One more than the page has, where there is one.
        today: The day that they are seen from.
        data_as_of: As of when they are known.
        limit: Payments on a page.
        reporting: The code of the currency that amounts are reported in.
    """
    shown = [payment_of(row, today, reporting) for row in rows[:limit]]
    follows = cursor_of(shown[-1]) if len(rows) > limit else None
    return models(reporting).page(as_of=today, data_as_of=data_as_of, payments=shown, next=follows)


def cursor_of(payment: Payment) -> str:
    """A payment's place among all, as the next page is asked for."""
    return f"{payment.payment_date.isoformat()}_{payment.payment_id}"


def read_cursor(text: str) -> Position:
    """The place that :func:`cursor_of` wrote.

    Raises:
        ValueError: It is none.
    """
    day, _, number = text.partition("_")
    return date.fromisoformat(day), int(number)


def grants(role: str, schema: str, reporting: str) -> tuple[str, ...]:
    """What the owner of the warehouse's tables lets a role do: read what is answered, and nothing else.

    Args:
        role: The role, quoted as SQL wants it.
        schema: The schema of the tables, likewise.
        reporting: The code of the currency that amounts are reported in.
    """
    return (
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        *(
            f"GRANT SELECT ({', '.join(columns)}) ON {schema}.{table} TO {role}"
            for table, columns in reads(reporting).items()
        ),
    )
