"""A totesys of any size, made up by a seed: seed, scale and last day decide on every row, byte for byte.

The business that it plays: seed rows on one day, a quiet fortnight, a start that ramps up to full tempo in
eleven weeks, then every working day between 08:00 and 18:59 about 22.6 sales, 9.1 purchases and 0.9 designs
(times the scale) until the afternoon of the last day, two years after the first. That is how long the real
one lived, and how much it sold; its days are the invented one's where the last is 15 November 2024. Unlike
it, the invented one grows, sells more before Christmas and less in August, and has large customers and small
ones, of whom some come and some go. One event inserts an order, its transaction and its payment with one
stamp. At 07:55:11 on weekdays one statement marks what is due as paid; what is due on a weekend, or on the
day it was agreed, never is. Now and then an order is edited in place, and its last_updated stays as it was.

Rows are made day by day as numpy columns and streamed through COPY, so memory does not grow with the scale,
but for eight bytes a design and a few for each silent edit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray
from psycopg import sql

from totesys import seed_rows
from totesys.database import bulk_load

Progress = Callable[[int, int], None]
"""Told, now and then, how many events were written and how many there will be."""

Integers: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = dict[str, pa.Array]

SALES = 11_187
PURCHASES = 4_649
DESIGNS = 473
"""What the real database held of each; a scale multiplies them."""

SEED_SALES = 5
SEED_PURCHASES = 5
SEED_DESIGNS = 10

LAST_DAY = date(2024, 11, 15)
"""The last day of the real data, and of the invented ones where nothing else is asked."""

YEARS = (2000, 2100)
"""In which years the last day may be."""

_SEED_DAYS, _FIRST_DAYS, _RAMP_DAYS = 743, 730, 653
"""How long before the last day there are the first rows, a business, and its full tempo."""

GROWTH_A_YEAR = 0.2
SEASONS = (0.85, 0.9, 1.0, 1.0, 1.05, 1.0, 0.95, 0.8, 1.0, 1.05, 1.25, 1.15)
"""How much is sold in each month of a year, against a usual one."""

CUSTOMERS_COME = {3: 0.2, 8: 0.4, 13: 0.55, 18: 0.8}
CUSTOMERS_GO = {5: 0.45, 10: 0.7, 16: 0.9}
"""By counterparty, after what share of the business's life its first order comes, or its last."""

LARGEST_CUSTOMER = 6
"""How many times the orders of the smallest customer the largest one gives."""

MAX_SCALE = (2**31 - 1) // (SALES + PURCHASES)
"""Beyond it, a transaction's id would not fit an integer."""

SALES_COLUMNS_EDITED = ("design_id", "staff_id", "agreed_delivery_date", "agreed_delivery_location_id")
PURCHASE_COLUMNS_EDITED = ("staff_id", "agreed_delivery_date", "agreed_delivery_location_id")
SILENT_EDITS_PER_WORKING_DAY = 0.5
LONGEST_DELIVERY_DAYS = 649

_SECOND = 1_000
_HOUR = 3_600 * _SECOND
_DAY = 24 * _HOUR
_OPENS = 8 * _HOUR
_CLOSES = 19 * _HOUR
_LAST_DAY_ENDS = 14 * _HOUR + 40 * 60 * _SECOND
_PAID_AT = 7 * _HOUR + 55 * 60 * _SECOND + 11 * _SECOND

_SEED_FIRST = 14 * _HOUR + 20 * 60 * _SECOND + 49_962
_SEED_PEOPLE = _SEED_FIRST + 1_601
_SEED_EVENTS = _SEED_FIRST + 2_224

_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)
_CODES = 36**7
_CODE_STEP = 48_271_655_093  # prime to 36, so that the step visits every code once before it repeats
_CODE_START = 27_182_818_284

_EVENTS_PER_BATCH = 200_000


def last_finished_day(today: date) -> date:
    """The last working day before a day."""
    return _working_day(today - timedelta(days=1))


def generate(
    dsn: str,
    scale: int = 1,
    seed: int = 20_221_103,
    progress: Progress | None = None,
    until: date = LAST_DAY,
) -> dict[str, int]:
    """Fill the empty tables of totesys.

    Args:
        dsn: The database, as the tables' owner.
        scale: How many times the real volume, 1 to 135,000; the small tables stay as they are.
        seed: Names the data set.
        progress: Told how far it is.
        until: The last day on which something happens; on a weekend that is the Friday before.

    Returns:
        The number of rows, by table.

    Raises:
        ValueError: The scale or the last day is out of range.
        TotesysError: A table is missing or not empty.
    """
    history = History(scale, seed, until)
    with bulk_load(dsn) as connection:
        counts = {table: _copy(connection, table, columns) for table, columns in small_tables(until).items()}
        done = 0
        for batch in history.batches():
            for table, columns in batch.items():
                counts[table] = counts.get(table, 0) + _copy(connection, table, columns)
            done += len(batch["transaction"]["transaction_id"])
            if progress is not None:
                progress(done, history.events)
    return counts


def small_tables(until: date = LAST_DAY) -> dict[str, Columns]:
    """The tables that do not grow with the scale, as columns.

    Args:
        until: The last day of the business.
    """
    seed_day = _number(_working_day(until)) - _SEED_DAYS
    first, people = seed_day * _DAY + _SEED_FIRST, seed_day * _DAY + _SEED_PEOPLE
    tables: dict[str, dict[str, list[Any]]] = {
        "currency": {"currency_code": list(seed_rows.CURRENCY_CODES)},
        "department": _by_column(("department_name", "location", "manager"), seed_rows.DEPARTMENTS),
        "address": _by_column(
            ("address_line_1", "address_line_2", "district", "city", "postal_code", "country", "phone"),
            seed_rows.ADDRESSES,
        ),
        "counterparty": _by_column(
            ("counterparty_legal_name", "legal_address_id", "commercial_contact", "delivery_contact"),
            seed_rows.COUNTERPARTIES,
        ),
        "staff": {
            **_by_column(("first_name", "last_name", "department_id"), seed_rows.STAFF),
            "email_address": [seed_rows.email_address(first, last) for first, last, _ in seed_rows.STAFF],
        },
        "payment_type": {"payment_type_name": list(seed_rows.PAYMENT_TYPE_NAMES)},
    }
    result = {}
    for table, values in tables.items():
        rows = len(next(iter(values.values())))
        stamps = np.full(rows, people if table in ("counterparty", "staff") else first)
        result[table] = {
            f"{table}_id": pa.array(np.arange(1, rows + 1)),
            **{name: pa.array(column) for name, column in values.items()},
            **_stamps(stamps),
        }
    return result


@dataclass(frozen=True)
class _Edits:
    """Silent edits of one kind of order, sorted by order; each array has one entry an edit."""

    order: Integers  # 0-based position of the order among all of its kind
    day: Integers  # days since 1970 on which it was edited
    column: Integers  # position in the tuple of columns that are edited
    chance: NDArray[np.float64]  # 0 to 1, picks the new value

    def of(self, first: int, count: int) -> _Edits:
        """Those of ``count`` orders from ``first`` on, with positions counted from there."""
        low, high = np.searchsorted(self.order, [first, first + count])
        return _Edits(
            self.order[low:high] - first, self.day[low:high], self.column[low:high], self.chance[low:high]
        )


class History:
    """All that happened from the seed day to the last one, planned as a whole and made a day at a time.

    Args:
        scale: How many times the real volume.
        seed: Names the data set.
        until: The last day.

    Attributes:
        events: How many orders there are, sales and purchases together; each has a transaction and a payment.
        days: The days since 1970 on which something is inserted: the seed day, then every weekday.
    """

    def __init__(self, scale: int, seed: int, until: date = LAST_DAY) -> None:
        if not 1 <= scale <= MAX_SCALE:
            raise ValueError(f"the scale is {scale}; it may be 1 to {MAX_SCALE:,}")
        if not YEARS[0] <= until.year <= YEARS[1]:
            raise ValueError(f"the last day is {until}; it may be in the years {YEARS[0]} to {YEARS[1]}")
        self._scale = scale
        self._seed = seed
        self.events = (SALES + PURCHASES) * scale
        self._last = _number(_working_day(until))
        self._first = self._last - _SEED_DAYS
        weekdays = np.arange(self._last - _FIRST_DAYS, self._last + 1)
        weekdays = weekdays[_is_weekday(weekdays)]
        self.days: Integers = np.concatenate([[self._first], weekdays])
        rng = self._rng(0)
        self._sales = self._spread(rng, SALES * scale, SEED_SALES, _tempo(weekdays))
        self._purchases = self._spread(rng, PURCHASES * scale, SEED_PURCHASES, _tempo(weekdays))
        self._designs = self._spread(rng, DESIGNS * scale, SEED_DESIGNS, np.ones(len(weekdays)))
        self._paid_stamps = self._rng(1).integers(0, _SECOND, self._last - self._first + 1)

    def batches(self) -> Iterator[Mapping[str, Columns]]:
        """The tables that grow, in the order of time: from table to columns of one length."""
        waiting: list[dict[str, Columns]] = []
        size = 0
        for index in range(len(self.days)):
            waiting.append(self._day(index))
            size += int(self._sales[index] + self._purchases[index])
            if size >= _EVENTS_PER_BATCH:
                yield _joined(waiting)
                waiting, size = [], 0
        if waiting:
            yield _joined(waiting)

    # ------------------------------------------------------------------ the plan

    def _rng(self, *part: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._scale, *part])

    @staticmethod
    def _spread(
        rng: np.random.Generator, total: int, on_seed_day: int, tempo: NDArray[np.float64]
    ) -> Integers:
        """How many of ``total`` fall on each day; exact in sum, scattered like independent arrivals."""
        weights = tempo.copy()
        weights[-1] *= (_LAST_DAY_ENDS - _OPENS) / (_CLOSES - _OPENS)
        later = rng.multinomial(total - on_seed_day, weights / weights.sum())
        return np.concatenate([[on_seed_day], later])

    @cached_property
    def _design_stamps(self) -> Integers:
        """When each design was made, in milliseconds since 1970, ascending."""
        stamps = [np.full(SEED_DESIGNS, self._first * _DAY + _SEED_FIRST)]
        rng = self._rng(2)
        stamps += [
            self._working_times(rng, index, int(self._designs[index])) for index in range(1, len(self.days))
        ]
        return np.concatenate(stamps)

    @cached_property
    def _edits(self) -> tuple[_Edits, _Edits]:
        """The silent edits of sales and of purchases: each takes one of all the orders made so far."""
        rng = self._rng(3)
        working_days = len(self.days) - 1
        count = round(SILENT_EDITS_PER_WORKING_DAY * working_days * self._scale)
        day = rng.integers(1, working_days + 1, count)
        sales, purchases = np.cumsum(self._sales)[day], np.cumsum(self._purchases)[day]
        order = (rng.random(count) * (sales + purchases)).astype(np.int64)
        column, chance = rng.integers(0, 12, count), rng.random(count)
        kinds = []
        for chosen, position, width in (
            (order < sales, order, len(SALES_COLUMNS_EDITED)),
            (order >= sales, order - sales, len(PURCHASE_COLUMNS_EDITED)),
        ):
            by_order = np.argsort(position[chosen], kind="stable")
            kinds.append(
                _Edits(
                    position[chosen][by_order],
                    self.days[day[chosen]][by_order],
                    column[chosen][by_order] % width,
                    chance[chosen][by_order],
                )
            )
        return kinds[0], kinds[1]

    # ------------------------------------------------------------------ one day

    def _working_times(self, rng: np.random.Generator, index: int, count: int) -> Integers:
        closes = _LAST_DAY_ENDS if index == len(self.days) - 1 else _CLOSES
        times: Integers = np.sort(rng.integers(_OPENS, closes, count)) + self.days[index] * _DAY
        return times

    def _day(self, index: int) -> dict[str, Columns]:
        rng = self._rng(4, index)
        sales, purchases = int(self._sales[index]), int(self._purchases[index])
        sales_before, purchases_before = int(self._sales[:index].sum()), int(self._purchases[:index].sum())
        if index == 0:
            stamps = np.sort(rng.integers(0, 3, sales + purchases)) + self._first * _DAY + _SEED_EVENTS
        else:
            stamps = self._working_times(rng, index, sales + purchases)
        is_sale = rng.permutation(np.arange(sales + purchases) < sales)
        position = np.where(
            is_sale, sales_before + np.cumsum(is_sale), purchases_before + np.cumsum(~is_sale)
        )
        order = {
            "created": stamps,
            "staff_id": rng.integers(1, len(seed_rows.STAFF) + 1, len(stamps)),
            "counterparty_id": self._customers(rng, index, len(stamps)),
            "currency_id": rng.integers(1, len(seed_rows.CURRENCY_CODES) + 1, len(stamps)),
            "agreed_delivery_date": (stamps + rng.integers(0, 7 * _DAY, len(stamps))) // _DAY,
            "agreed_payment_date": (stamps + rng.integers(0, 6 * _DAY, len(stamps))) // _DAY,
            "agreed_delivery_location_id": rng.integers(1, len(seed_rows.ADDRESSES) + 1, len(stamps)),
        }
        sold = self._sales_of(rng, {name: values[is_sale] for name, values in order.items()}, sales_before)
        bought = self._purchases_of(
            rng, {name: values[~is_sale] for name, values in order.items()}, purchases_before
        )
        cents = np.empty(len(stamps), dtype=np.int64)
        cents[is_sale] = sold["units_sold"] * sold["unit_price"]
        cents[~is_sale] = bought["item_quantity"] * bought["item_unit_price"]
        first = sales_before + purchases_before + 1
        ids = np.arange(first, first + len(stamps))
        return {
            "design": self._designs_of(rng, index),
            "sales_order": _order_columns("sales_order_id", sales_before, sold),
            "purchase_order": _order_columns("purchase_order_id", purchases_before, bought),
            "transaction": {
                "transaction_id": pa.array(ids),
                "transaction_type": pa.array(np.where(is_sale, "SALE", "PURCHASE").tolist(), pa.string()),
                "sales_order_id": pa.array(position, mask=~is_sale),
                "purchase_order_id": pa.array(position, mask=is_sale),
                **_stamps(stamps),
            },
            "payment": self._payments_of(rng, ids, order, is_sale, cents),
        }

    def _customers(self, rng: np.random.Generator, index: int, count: int) -> Integers:
        """Whose orders those of a day are."""
        upto = np.cumsum(_weights_of_customers(index / (len(self.days) - 1)))
        chosen: Integers = np.searchsorted(upto, rng.random(count) * upto[-1], side="right") + 1
        return chosen

    def _designs_of(self, rng: np.random.Generator, index: int) -> Columns:
        before, count = int(self._designs[:index].sum()), int(self._designs[index])
        stamps = self._design_stamps[before : before + count]
        names = [seed_rows.DESIGN_NAMES[i] for i in rng.integers(0, len(seed_rows.DESIGN_NAMES), count)]
        places = [seed_rows.FILE_LOCATIONS[i] for i in rng.integers(0, len(seed_rows.FILE_LOCATIONS), count)]
        drawn = _dates(stamps // _DAY - rng.integers(30, 800, count)).to_pylist()
        suffixes = rng.integers(0, 36**4, count)
        files = [
            f"{name.lower()}-{day:%Y%m%d}-{np.base_repr(suffix, 36).zfill(4).lower()}.json"
            for name, day, suffix in zip(names, drawn, suffixes, strict=True)
        ]
        return {
            "design_id": pa.array(np.arange(before + 1, before + count + 1)),
            "design_name": pa.array(names, pa.string()),
            "file_location": pa.array(places, pa.string()),
            "file_name": pa.array(files, pa.string()),
            **_stamps(stamps),
        }

    def _sales_of(
        self, rng: np.random.Generator, order: dict[str, Integers], before: int
    ) -> dict[str, Integers]:
        count = len(order["created"])
        designs = np.searchsorted(self._design_stamps, order["created"], side="right")
        columns = {
            **order,
            "design_id": (rng.random(count) * designs).astype(np.int64) + 1,
            "units_sold": rng.integers(1_001, 99_974, count),
            "unit_price": rng.integers(200, 401, count),
        }
        self._edit(columns, self._edits[0].of(before, count), SALES_COLUMNS_EDITED)
        return columns

    def _purchases_of(
        self, rng: np.random.Generator, order: dict[str, Integers], before: int
    ) -> dict[str, Integers]:
        count = len(order["created"])
        columns = {
            **order,
            "item_code": (np.arange(before, before + count) * _CODE_STEP + _CODE_START) % _CODES,
            "item_quantity": rng.integers(1, 1_000, count),
            "item_unit_price": rng.integers(332, 99_908, count),
        }
        self._edit(columns, self._edits[1].of(before, count), PURCHASE_COLUMNS_EDITED)
        return columns

    def _edit(self, columns: dict[str, Integers], edits: _Edits, editable: tuple[str, ...]) -> None:
        """Change one column of each edited order, in place."""
        for number, name in enumerate(editable):
            chosen = edits.column == number
            order, day, chance = edits.order[chosen], edits.day[chosen], edits.chance[chosen]
            if name == "agreed_delivery_date":
                longest = columns["created"][order] // _DAY + LONGEST_DELIVERY_DAYS
                columns[name][order] = np.minimum(day + 1 + (chance * 7).astype(np.int64), longest)
                continue
            if name == "design_id":
                choices = np.searchsorted(self._design_stamps, (day + 1) * _DAY)
            else:
                choices = np.full(len(order), _EDIT_CHOICES[name])
            step = 1 + (chance * (choices - 1)).astype(np.int64)
            columns[name][order] = (columns[name][order] - 1 + step) % choices + 1

    def _payments_of(
        self,
        rng: np.random.Generator,
        ids: Integers,
        order: dict[str, Integers],
        is_sale: NDArray[np.bool_],
        cents: Integers,
    ) -> Columns:
        due, created = order["agreed_payment_date"], order["created"]
        paid = _is_weekday(due) & (due > created // _DAY) & (due <= self._last)
        stamp = self._paid_stamps[np.where(paid, due - self._first, 0)]
        return {
            "payment_id": pa.array(ids),
            "transaction_id": pa.array(ids),
            "counterparty_id": pa.array(order["counterparty_id"]),
            "payment_amount": _decimals(cents),
            "currency_id": pa.array(order["currency_id"]),
            "payment_type_id": pa.array(
                np.where(is_sale, seed_rows.SALES_RECEIPT, seed_rows.PURCHASE_PAYMENT)
            ),
            "paid": pa.array(paid),
            "payment_date": _dates(due),
            "company_ac_number": pa.array(rng.integers(10_000_000, 100_000_000, len(ids))),
            "counterparty_ac_number": pa.array(rng.integers(10_000_000, 100_000_000, len(ids))),
            "created_at": _times(created),
            "last_updated": _times(np.where(paid, due * _DAY + _PAID_AT + stamp, created)),
        }


_EDIT_CHOICES = {"staff_id": len(seed_rows.STAFF), "agreed_delivery_location_id": len(seed_rows.ADDRESSES)}


def _order_columns(key: str, before: int, columns: dict[str, Integers]) -> Columns:
    made: dict[str, Callable[[Integers], pa.Array]] = {
        "agreed_delivery_date": _dates,
        "agreed_payment_date": _dates,
        "unit_price": _decimals,
        "item_unit_price": _decimals,
        "item_code": _item_codes,
    }
    stamps = columns["created"]
    return {
        key: pa.array(np.arange(before + 1, before + len(stamps) + 1)),
        **{name: made.get(name, pa.array)(values) for name, values in columns.items() if name != "created"},
        **_stamps(stamps),
    }


def _copy(connection: psycopg.Connection, table: str, columns: Columns) -> int:
    rows = pa.table(columns)
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink, pyarrow.csv.WriteOptions(include_header=False))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        copy.write(memoryview(sink.getvalue()))
    return int(rows.num_rows)


def _joined(days: list[dict[str, Columns]]) -> dict[str, Columns]:
    return {
        table: {name: pa.concat_arrays([day[table][name] for day in days]) for name in days[0][table]}
        for table in days[0]
    }


def _by_column(names: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> dict[str, list[Any]]:
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _working_day(day: date) -> date:
    """A day, or the Friday before where it is on a weekend."""
    return day - timedelta(days=max(day.weekday() - 4, 0))


def _number(day: date) -> int:
    """The days since 1970."""
    return (day - date(1970, 1, 1)).days


def _tempo(days: Integers) -> NDArray[np.float64]:
    """How much happens on each of ascending working days, against a usual one."""
    started = days - days[-1] + _FIRST_DAYS
    ramp = np.clip(started / (_FIRST_DAYS - _RAMP_DAYS), 0.04, 1.0)
    growth = (1 + GROWTH_A_YEAR) ** (started / 365)
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    tempo: NDArray[np.float64] = ramp * growth * np.array(SEASONS)[month]
    return tempo


def _weights_of_customers(share: float) -> NDArray[np.float64]:
    """How often each counterparty orders when a share of the business's life is over, 0 to 1."""
    count = len(seed_rows.COUNTERPARTIES)
    # 7 is prime to 20: large and small ones stand among each other.
    sizes = 1 + (np.arange(count) * 7 % count) * (LARGEST_CUSTOMER - 1) / (count - 1)
    there = [
        CUSTOMERS_COME.get(key, 0.0) <= share <= CUSTOMERS_GO.get(key, 1.0) for key in range(1, count + 1)
    ]
    weights: NDArray[np.float64] = sizes * there
    return weights


def _is_weekday(days: Integers) -> NDArray[np.bool_]:
    return (days + 3) % 7 < 5  # 1 January 1970 was a Thursday


def _times(milliseconds: Integers) -> pa.Array:
    return pa.array(milliseconds).cast(pa.timestamp("ms"))


def _stamps(milliseconds: Integers) -> Columns:
    times = _times(milliseconds)
    return {"created_at": times, "last_updated": times}


def _dates(days: Integers) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def _decimals(cents: Integers) -> pa.Array:
    # An Arrow decimal of two digits is the number of cents in sixteen bytes.
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(pa.decimal128(10, 2), len(cents), [None, pa.py_buffer(words)])


def _item_codes(numbers: Integers) -> pa.Array:
    digits = numbers[:, None] // 36 ** np.arange(6, -1, -1) % 36
    offsets = np.arange(0, 7 * len(numbers) + 1, 7, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(_ALPHABET[digits])]
    )
