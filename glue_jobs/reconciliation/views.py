"""What analysts read, on both sides: the tables and views that Athena shows, and those of the warehouse.

Each side adds up a number for every row, in buckets of keys, by itself: what is shipped is a line for each
bucket. Only of buckets that differ the rows' keys and numbers are asked for. A row's number is taken of its
values' UTF-8 bytes, by each system's own functions, so that neither a session's encoding nor a job of ours
stands between what is shown and what is compared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.keys import Dialect, is_number, shown_key
from catalog.model import Column, Contract
from catalog.types import FINE_MOMENTS
from catalog.view_columns import further_columns
from glue_jobs.reconciliation.canonical import quoted
from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference
from glue_jobs.runtime import athena
from glue_jobs.runtime.athena import QueryFailed
from glue_jobs.runtime.aws import AthenaClient
from glue_jobs.runtime.errors import UserError

BUCKETS = 4096
"""In so many parts the rows of a table are added up; as many as three digits of a digest tell apart."""

LOOKED_INTO = 32
"""Of so many buckets that differ the rows are compared one by one."""

EXAMPLES = 5
"""How many keys of each kind of difference are named."""

Rows = Sequence[Sequence[Any]]
Ask = Callable[[str], Rows]
"""Runs SQL on one side."""


@dataclass(frozen=True)
class Athena:
    """Where Athena is asked.

    Attributes:
        client: A boto3 ``athena`` client.
        work_group: The work group of the queries.
    """

    client: AthenaClient
    work_group: str

    def ask(self, sql: str) -> Rows:
        """What a query finds.

        Raises:
            UserError: It failed.
        """
        try:
            return athena.run_query(self.client, sql, work_group=self.work_group).rows
        except QueryFailed as error:
            words = str(error).splitlines()[0].rstrip(".")
            raise UserError(
                f"Athena does not answer: {words}.", "Compare the catalog with the contracts."
            ) from error


@dataclass(frozen=True)
class ShownView:
    """The table or view that analysts read.

    Attributes:
        contract: The star table.
        name: The view of its current rows, or the table itself where it has none.
        columns: What it shows on both sides, in order.
    """

    contract: Contract
    name: str
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, contract: Contract, *, with_flag: bool = True) -> ShownView:
        """What analysts read of a star table.

        Args:
            contract: The star table.
            with_flag: Whether it says which rows lack a rejected change.
        """
        viewed = contract.kind == "fact" or (contract.kind == "dimension" and with_flag)
        further = further_columns().current if viewed and with_flag else ()
        name = f"{contract.table}_current" if viewed else contract.table
        return cls(contract, name, contract.all_columns + further)


def compare_views(
    view: ShownView, ask_athena: Ask, ask_warehouse: Ask, schema: str
) -> tuple[Comparison, int]:
    """Compare what Athena shows of a star table with what the warehouse shows.

    Args:
        view: What they read.
        ask_athena: Runs SQL through Athena.
        ask_warehouse: Runs SQL in the warehouse.
        schema: The warehouse's schema.

    Returns:
        The comparison, and how many rows Athena shows. Of a bucket that differs and is not looked into the
        rows that one side has more are counted, or one row that differs.
    """
    lake, warehouse = _Trino(view, view.contract.zone_info.database), _Postgres(view, schema)
    left = {str(bucket): (int(rows), int(total)) for bucket, rows, total in ask_athena(lake.buckets())}
    right = {
        str(bucket): (int(rows), int(total)) for bucket, rows, total in ask_warehouse(warehouse.buckets())
    }
    rows = sum(count for count, _ in left.values())
    differ = sorted(bucket for bucket in left.keys() | right.keys() if left.get(bucket) != right.get(bucket))
    if not differ:
        return Comparison("athena", "warehouse"), rows
    chosen = differ[:LOOKED_INTO]
    found = _differences(ask_athena(lake.rows(chosen)), ask_warehouse(warehouse.rows(chosen)))
    counts = {kind: len(keys) for kind, keys in found.items()}
    for bucket in differ[LOOKED_INTO:]:
        more = left.get(bucket, (0, 0))[0] - right.get(bucket, (0, 0))[0]
        counts["missing" if more > 0 else "extra" if more < 0 else "different"] += abs(more) or 1
    examples = tuple(
        Difference(kind, key, waiting=False)
        for kind, keys in found.items()
        for key in sorted(keys)[:EXAMPLES]
    )
    return Comparison("athena", "warehouse", examples=examples, **counts), rows


def _differences(left: Rows, right: Rows) -> dict[str, list[str]]:
    """The keys of rows that are not the same on both sides; a row may be shown more than once."""
    sides = []
    for rows in (left, right):
        by_key: dict[str, list[int]] = {}
        for key, number in rows:
            by_key.setdefault(str(key), []).append(int(number))
        sides.append({key: sorted(numbers) for key, numbers in by_key.items()})
    before, after = sides
    return {
        "missing": [key for key in before if key not in after],
        "extra": [key for key in after if key not in before],
        "different": [
            key for key, numbers in before.items() if key in after and set(after[key]) != set(numbers)
        ],
        "repeated": [
            key
            for key, numbers in before.items()
            if key in after and set(after[key]) == set(numbers) and after[key] != numbers
        ],
    }


class _Side(ABC):
    """The SQL of one side. Both spell a value alike, and take the same number of a row's spelled values."""

    def __init__(self, view: ShownView, place: str) -> None:
        self.relation = f"{quoted(place)}.{quoted(view.name)}"
        self.number = self.hashed(" || ".join(self.framed(column) for column in view.columns))
        contract = view.contract
        if is_number(contract):
            name = quoted(contract.key[0])
            self.key, self.bucket = self.text(name), self.text(f"{name} % {BUCKETS}")
        else:
            self.key = shown_key(contract, self.dialect)
            self.bucket = f"substr({self.digest(self.key)}, 1, 3)"

    def buckets(self) -> str:
        """Rows and the sum of their numbers, by bucket."""
        return (
            f"SELECT bucket, count(*), sum(CAST(number AS {self.sum_type})) FROM"  # noqa: S608 - quoted
            f" (SELECT {self.bucket} AS bucket, {self.number} AS number FROM {self.relation}) AS rows_shown"
            " GROUP BY bucket"
        )

    def rows(self, buckets: Iterable[str]) -> str:
        """Key and number of every row of some buckets."""
        chosen = ", ".join("'{}'".format(bucket.replace("'", "''")) for bucket in buckets)
        return (
            f"SELECT {self.key}, {self.number} FROM {self.relation}"  # noqa: S608 - quoted
            f" WHERE {self.bucket} IN ({chosen})"
        )

    def framed(self, column: Column) -> str:
        """A value so that it can be told from its neighbours whatever it holds: its length before it."""
        spelled = self.spelled(column)
        return f"coalesce({self.text(f'length({spelled})')} || ':' || {spelled}, '-')"

    def spelled(self, column: Column) -> str:
        name, kind = quoted(column.name), column.type
        special = {
            "timestamp": self.timestamp,
            **dict.fromkeys(FINE_MOMENTS, self.fine_timestamp),
            "time": self.time,
            "double": self.double,
            "real": self.real,
        }
        return self.decimal(name) if kind.scale else special.get(kind.name, self.text)(name)

    sum_type = ""
    dialect: Dialect = "engine"

    @abstractmethod
    def text(self, value: str) -> str: ...

    @abstractmethod
    def hashed(self, text: str) -> str: ...

    @abstractmethod
    def digest(self, text: str) -> str: ...

    @abstractmethod
    def timestamp(self, name: str) -> str: ...

    @abstractmethod
    def fine_timestamp(self, name: str) -> str:
        """A time that the lake holds to the microsecond, as Athena shows it."""

    @abstractmethod
    def double(self, name: str) -> str:
        """The bits of a binary number in hexadecimal: each side has another text of it."""

    @abstractmethod
    def real(self, name: str) -> str:
        """Likewise, of 32 bits."""

    @abstractmethod
    def time(self, name: str) -> str: ...

    @abstractmethod
    def decimal(self, name: str) -> str: ...


class _Trino(_Side):
    sum_type = "decimal(38, 0)"
    dialect = "trino"

    def text(self, value: str) -> str:
        return f"CAST({value} AS varchar)"

    def hashed(self, text: str) -> str:
        return f"from_big_endian_64(substr(md5(to_utf8({text})), 1, 8))"

    def digest(self, text: str) -> str:
        return f"lower(to_hex(md5(to_utf8({text}))))"

    def timestamp(self, name: str) -> str:
        return f"date_format({name}, '%Y-%m-%d %H:%i:%s.%f')"

    def fine_timestamp(self, name: str) -> str:
        return self.timestamp(name)

    def double(self, name: str) -> str:
        return f"lower(to_hex(to_ieee754_64({name})))"

    def real(self, name: str) -> str:
        return f"lower(to_hex(to_ieee754_32({name})))"

    def time(self, name: str) -> str:
        return name

    def decimal(self, name: str) -> str:
        # Digits after the point are as many as the type states, and there are some.
        return f"regexp_replace({self.text(name)}, '\\.?0+$', '')"


class _Postgres(_Side):
    sum_type = "numeric"
    dialect = "postgres"

    def text(self, value: str) -> str:
        return f"({value})::text"

    def hashed(self, text: str) -> str:
        return f"('x' || substr(md5({text}), 1, 16))::bit(64)::bigint"

    def digest(self, text: str) -> str:
        return f"md5({text})"

    def timestamp(self, name: str) -> str:
        return f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"

    def fine_timestamp(self, name: str) -> str:
        # A cast to three digits would round by another rule before the year 2000.
        return self.timestamp(f"date_trunc('milliseconds', {name} + interval '500 microseconds')")

    def double(self, name: str) -> str:
        return f"encode(float8send({name}), 'hex')"

    def real(self, name: str) -> str:
        return f"encode(float4send({name}), 'hex')"

    def time(self, name: str) -> str:
        # What the lake's three digits cannot say must show.
        return f"to_char({name}, 'HH24:MI:SS.') || regexp_replace(to_char({name}, 'US'), '(?<=...)0+$', '')"

    def decimal(self, name: str) -> str:
        return f"trim_scale({name})::text"
