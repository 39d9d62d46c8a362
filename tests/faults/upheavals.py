"""What befalls a source, a lake and a warehouse from outside while the jobs go on; the soak draws from it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from catalog.star_views import athena_views
from glue_jobs.lake import layout
from glue_jobs.sources.capture_run import TablesPaused
from glue_jobs.warehouse.load import AnotherLake, load
from tests.faults.pipeline import READER, Pipeline

PARTED = f"""
ALTER TABLE payment RENAME TO plain;
CREATE TABLE payment (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (payment_id))
    PARTITION BY RANGE (payment_id);
ALTER TABLE payment ATTACH PARTITION plain DEFAULT;
GRANT SELECT ON payment TO {READER};
"""
"""Has payments in partitions, of which some can come and go."""

FIRST_KEY, ROWS = 10_000_000, 4
"""Where the keys of what comes begin, and how many rows come at once."""

PAYMENT = (
    "created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id, payment_type_id,"
    " paid, payment_date, company_ac_number, counterparty_ac_number"
)

WRONG = {
    "sales_order": ("created_at = 'infinity'", "created_at = '2024-11-14 09:30'"),
    "address": ("created_at = '-infinity'", "created_at = '2024-11-14 09:30'"),
    "staff": (f"first_name = repeat('x', {17 << 20})", "first_name = 'Ada'"),
}
"""By table, what makes a row one that is rejected, a text above its limit among them, and what heals it."""


class Upheavals:
    """Draws what happens, and keeps what it needs to take it back.

    Args:
        pipeline: The pipeline, whose payments are ``PARTED``.
        chance: Decides.
        seen: Counts what happened.
    """

    def __init__(self, pipeline: Pipeline, chance: random.Random, seen: Counter[str]) -> None:
        self.pipeline = pipeline
        self.chance = chance
        self.seen = seen
        self._left: list[str] = []
        self._made = 0
        self._parts: list[int] = []
        self._children: list[int] = []
        self._wrong: list[tuple[str, int]] = []

    @property
    def kinds(self) -> dict[str, Callable[[], None]]:
        """By name, what can happen."""
        return {
            "a partition comes": self.attach,
            "a partition goes": self.detach,
            "a partition is swapped": self.swap,
            "a child comes": self.inherit,
            "a child goes": self.disinherit,
            "a table is rewritten in mid-capture": self.rewrite_in_mid_capture,
            "a full capture is asked for": self.ask_for_a_full_capture,
            "another lake loads": self.load_another_lake,
            "a change is rejected": self.reject,
            "a dead letter is healed": self.heal,
            "dead letters are replayed": self.replay,
            "the catalog loses an entry": self.drop_from_the_catalog,
        }

    def befall(self) -> None:
        """One of them, drawn; each once before any comes again."""
        if not self._left:
            self._left = self.chance.sample(sorted(self.kinds), len(self.kinds))
        kind = self._left.pop()
        self.kinds[kind]()
        self.seen[kind] += 1

    # ------------------------------------------------------------------ rows without a new transaction id

    def _next(self) -> int:
        self._made += 1
        return self._made

    def _part(self, change: str, like: str) -> int:
        """A table of its own with the rows of a future partition, written well before it joins."""
        number = self._next()
        first = FIRST_KEY + 10 * number
        self.pipeline.sql(
            f"CREATE TABLE part_{number} (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (payment_id));"
            f"INSERT INTO part_{number} (payment_id, {PAYMENT})"
            f" SELECT {first} + row_number() OVER (ORDER BY payment_id) % 10, {PAYMENT} FROM {like}"
            f" WHERE payment_date > '2000-01-01' ORDER BY payment_id LIMIT {ROWS};"
            f"UPDATE part_{number} SET {change}"
        )
        return number

    def _attached(self, number: int) -> str:
        first = FIRST_KEY + 10 * number
        values = f"FOR VALUES FROM ({first}) TO ({first + 10})"
        return f"ALTER TABLE payment ATTACH PARTITION part_{number} {values};"

    def attach(self) -> None:
        number = self._part("paid = true", "plain")
        self.pipeline.sql(self._attached(number))
        self._parts.append(number)

    def detach(self) -> None:
        if not self._parts:
            self.attach()
            return
        number = self._parts.pop(self.chance.randrange(len(self._parts)))
        self.pipeline.sql(f"ALTER TABLE payment DETACH PARTITION part_{number}; DROP TABLE part_{number}")

    def swap(self) -> None:
        """A copy with other amounts takes the place of a partition, all in one transaction."""
        if not self._parts:
            self.attach()
            return
        number = self._parts[-1]
        self.pipeline.sql(
            f"CREATE TABLE copy_{number} (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (payment_id));"
            f"INSERT INTO copy_{number} SELECT * FROM part_{number};"
            f"UPDATE copy_{number} SET payment_amount = payment_amount + 1"
        )
        self.pipeline.sql(
            f"BEGIN; ALTER TABLE payment DETACH PARTITION part_{number};"
            f"DROP TABLE part_{number}; ALTER TABLE copy_{number} RENAME TO part_{number};"
            f"{self._attached(number)} COMMIT"
        )

    def inherit(self) -> None:
        number = self._next()
        self.pipeline.sql(
            f"CREATE TABLE child_{number} (LIKE department INCLUDING ALL);"
            f"INSERT INTO child_{number} SELECT * FROM ONLY department ORDER BY department_id LIMIT 1;"
            f"UPDATE child_{number} SET department_id = {FIRST_KEY + number}"
        )
        self.pipeline.sql(f"ALTER TABLE child_{number} INHERIT department")
        self._children.append(number)

    def disinherit(self) -> None:
        if not self._children:
            self.inherit()
            return
        self.pipeline.sql(f"ALTER TABLE child_{self._children.pop()} NO INHERIT department")

    # ------------------------------------------------------------------ structure and requests

    def rewrite_in_mid_capture(self) -> None:
        """A table is rewritten by a transaction that is open while a capture runs."""
        table = self.chance.choice(["payment_type", "currency", "staff"])
        with self.pipeline.connect(autocommit=False) as other:
            other.execute(
                f"ALTER TABLE {table} ADD soak text GENERATED ALWAYS AS ('a' || 'b') STORED".encode()
            )
            with pytest.raises(TablesPaused, match=f"{table} is locked by the session"):
                self.pipeline.capture()
            other.execute(f"ALTER TABLE {table} DROP COLUMN soak".encode())
            other.commit()

    def ask_for_a_full_capture(self) -> None:
        self.pipeline.capture("--full_capture", self.chance.choice(["all", "payment", "design,staff"]))

    def load_another_lake(self) -> None:
        """A lake that is not this warehouse's refuses, and changes nothing."""
        s3, catalogue = self.pipeline.lake.s3, self.pipeline.lake.catalogue
        name = f"another-{layout.new_attempt()}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        another = replace(self.pipeline.lake.clients, ingestion=name, processed=name)
        with pytest.raises(AnotherLake, match="The warehouse is not this lake's"):
            load(another, self.pipeline.loader_dsn, catalogue)

    # ------------------------------------------------------------------ dead letters

    def reject(self) -> None:
        table = self.chance.choice(sorted(WRONG))
        with self.pipeline.connect() as source:
            query = f"SELECT {table}_id FROM {table} ORDER BY {table}_id"
            key = self.chance.choice(source.execute(query.encode()).fetchall())[0]
        self.pipeline.sql(f"UPDATE {table} SET {WRONG[table][0]} WHERE {table}_id = {key}")
        self._wrong.append((table, key))

    def heal(self) -> None:
        if not self._wrong:
            self.reject()
            return
        table, key = self._wrong.pop(0)
        self.pipeline.sql(f"UPDATE {table} SET {WRONG[table][1]} WHERE {table}_id = {key}")

    def replay(self) -> None:
        assert self.pipeline.lake.replay() == 0

    # ------------------------------------------------------------------ the catalog

    def drop_from_the_catalog(self) -> None:
        """A table, a view or a partition that somebody took away."""
        lake = self.pipeline.lake
        contract = self.chance.choice([c for c in lake.catalogue.contracts if c.zone in ("star", "raw")])
        names = [contract.table, *(view.name for view in athena_views(contract))]
        lake.glue.delete_table(DatabaseName=contract.zone_info.database, Name=self.chance.choice(names))
