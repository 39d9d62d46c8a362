"""Random lives of a source, and random captures of them: what the lake holds is what each snapshot showed.

A machine lets three sessions write (inserts, updates with and without `last_updated`, changed keys,
deletions, savepoints, rollbacks) and keeps two of them open as long as it likes. Captures happen in between,
with writes in their midst, beside one another, and dying at any step. The oracle is the live table, read when
the capture had taken its snapshot.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar
from unittest import mock

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from glue_jobs.lake.commits import Commit
from glue_jobs.runtime import log
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import Endpoint
from tests.examples import examples
from tests.integration.glue_jobs.extract.conftest import LINEAGE, Row, World, new_database

TABLES = ("sales_order", "payment")
STEPS = (
    "capture.snapshot",
    "capture.counted",
    "capture.file_uploaded",
    "capture.uploaded",
    "capture.committed",
    "capture.published",
)

ONE = "(SELECT {key} FROM {table} ORDER BY {key} OFFSET {n} LIMIT 1 FOR UPDATE SKIP LOCKED)"
ORDER, PAYMENT = ({"table": name, "key": f"{name}_id"} for name in TABLES)
PAY = (
    "WITH made AS (INSERT INTO transaction (transaction_type, last_updated) VALUES ('SALE', now())"
    " RETURNING transaction_id)"
    " INSERT INTO payment ({columns}transaction_id, last_updated, counterparty_id, payment_amount,"
    " currency_id, payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number)"
    " SELECT {values}transaction_id, now(), 1, {n}, 1, 1, false, '2024-11-16', 1, 2 FROM made"
)

WRITES: dict[str, str] = {
    "a new order": (
        "INSERT INTO sales_order (last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price,"
        " currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)"
        " VALUES (now(), 1, 1, 1, {n}, 2.5, 1, '2024-11-20', '2024-11-21', 1)"
    ),
    "a new payment": PAY.format(columns="", values="", n="{n}"),
    "an amendment": "UPDATE sales_order SET units_sold = units_sold + 1, last_updated = now()"
    f" WHERE sales_order_id = {ONE.format(**ORDER, n='{n}')}",
    "a silent amendment": "UPDATE sales_order SET units_sold = units_sold + 1"
    f" WHERE sales_order_id = {ONE.format(**ORDER, n='{n}')}",
    "a backdated amendment": "UPDATE sales_order SET units_sold = units_sold + 1, last_updated = '2001-01-01'"
    f" WHERE sales_order_id = {ONE.format(**ORDER, n='{n}')}",
    "many at once": "UPDATE payment SET paid = NOT paid WHERE payment_id % 7 = {n} % 7",
    "the same again": f"UPDATE payment SET paid = paid WHERE payment_id = {ONE.format(**PAYMENT, n='{n}')}",
    "a deletion": f"DELETE FROM payment WHERE payment_id = {ONE.format(**PAYMENT, n='{n}')}",
    "another key": "UPDATE payment SET payment_id = nextval(pg_get_serial_sequence('payment', 'payment_id'))"
    f" WHERE payment_id = {ONE.format(**PAYMENT, n='{n}')}",
    "the old key again": PAY.format(columns="payment_id, ", values="{n} + 1, ", n="{n}")
    + " ON CONFLICT DO NOTHING",
}

writes = st.builds(
    lambda kind, n: WRITES[kind].format(n=n), st.sampled_from(sorted(WRITES)), st.integers(0, 45)
)
open_sessions = st.sampled_from(["first", "second"])
State = dict[str, dict[int, Row]]


class Killed(BaseException):
    """A capture dies; nothing in it may catch this."""


class Lives(RuleBasedStateMachine):
    """One source and the lake that follows it."""

    endpoint: Endpoint
    server: EmbeddedPostgres
    settled: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.database = new_database(self.server)
        self.world = World(self.endpoint, self.server, self.database)
        self.sessions = {name: self._session(autocommit=False) for name in ("first", "second")}
        self.savepoints = dict.fromkeys(self.sessions, 0)
        self.alone = self._session(autocommit=True)
        self.shown: dict[int, State] = {}
        """By batch, the tables as its capture's snapshot showed them."""
        self.lake: State = {name: {} for name in TABLES}
        self.applied = 0
        self.published: set[tuple[str, int, int]] = set()

    def _session(self, *, autocommit: bool) -> psycopg.Connection[tuple[Any, ...]]:
        session = self.world.connect(autocommit=autocommit)
        # Three sessions of one thread: who would wait for another's row gives up instead.
        session.execute("SET lock_timeout = '10ms'")
        if not autocommit:
            session.commit()
        return session

    def teardown(self) -> None:
        for session in (*self.sessions.values(), self.alone):
            session.close()
        with self.server.connect() as connection:
            connection.execute(f"DROP DATABASE {self.database} WITH (FORCE)".encode())

    # ------------------------------------------------------------------ the source lives

    @rule(write=writes)
    def write(self, write: str) -> None:
        self._write(self.alone, write)

    @rule(who=open_sessions, write=writes)
    def write_and_stay_open(self, who: str, write: str) -> None:
        if not self._write(self.sessions[who], write):
            self._end(who, commit=False)

    @rule(who=open_sessions)
    def savepoint(self, who: str) -> None:
        self.savepoints[who] += 1
        self.sessions[who].execute(f"SAVEPOINT s{self.savepoints[who]}".encode())

    @rule(who=open_sessions, back=st.booleans())
    def leave_savepoint(self, who: str, back: bool) -> None:
        if self.savepoints[who]:
            verb = "ROLLBACK TO" if back else "RELEASE"
            self.sessions[who].execute(f"{verb} s{self.savepoints[who]}".encode())
            self.savepoints[who] -= 1

    @rule(who=open_sessions, commit=st.booleans())
    def end(self, who: str, commit: bool) -> None:
        self._end(who, commit=commit)

    @rule(table=st.sampled_from(TABLES))
    def freeze(self, table: str) -> None:
        self._write(self.alone, f"VACUUM (FREEZE) {table}")

    def _write(self, session: psycopg.Connection[tuple[Any, ...]], statement: str) -> bool:
        try:
            session.execute(statement.encode())
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    def _end(self, who: str, *, commit: bool) -> None:
        self.savepoints[who] = 0
        if commit:
            self.sessions[who].commit()
        else:
            self.sessions[who].rollback()

    # ------------------------------------------------------------------ and is captured

    @rule()
    def capture(self) -> None:
        last = self._capture()
        self._settle()
        assert self.lake == last

    @rule(step=st.sampled_from(STEPS[:4]), write=writes)
    def capture_with_a_write_in_its_midst(self, step: str, write: str) -> None:
        last = self._capture(step, lambda: self._write(self.alone, write))
        self._settle()
        assert self.lake == last

    @rule(step=st.sampled_from(STEPS))
    def capture_and_die(self, step: str) -> None:
        def die() -> None:
            raise Killed

        with suppress(Killed):
            self._capture(step, die)
        self._settle()

    @rule(step=st.sampled_from(STEPS[:4]), write=writes)
    def capture_beside_another(self, step: str, write: str) -> None:
        def overtake() -> None:
            self._write(self.alone, write)
            self._capture()

        self._capture(step, overtake)
        self._settle()

    @precondition(lambda self: self.applied > 0)
    @rule()
    def capture_again(self) -> None:
        self._capture()
        batches = self.world.commits.latest_sequence()
        self._capture()
        assert self.world.commits.latest_sequence() == batches
        self._settle()

    def _capture(self, step: str = "", do: Callable[[], object] = lambda: None) -> State:
        """Run the job; when it has come to a step, do something once. Returns what its snapshot showed."""
        original, once = log.step, threading.Lock()
        shown: list[State] = []

        def hooked(name: str, **fields: Any) -> None:
            original(name, **fields)
            if name == "capture.snapshot":
                shown.append(self._live())
            if name == "capture.committed":
                self.shown[fields["batch"]] = shown[-1]
            if name == step and once.acquire(blocking=False):
                do()

        with mock.patch.object(log, "step", hooked):
            self.world.run()
        return shown[-1]

    def _live(self) -> State:
        found = {}
        for table in TABLES:
            key = self.world.catalogue.raw[table].key[0]
            found[table] = {row[key]: row for row in self.world.source_rows(table)}
        return found

    def _settle(self) -> None:
        """Apply what was published, batch by batch: each is what its snapshot showed, and nothing else."""
        for commit in self.world.commits.after(self.applied):
            self._apply(commit)
            self.applied = commit.sequence
            assert self.lake == self.shown[commit.sequence], commit.sequence
            type(self).settled += 1

    def _apply(self, commit: Commit) -> None:
        for table in TABLES:
            key = self.world.catalogue.raw[table].key[0]
            versions: dict[int, list[Row]] = defaultdict(list)
            for row in self.world.rows(table, commit.sequence):
                versions[row[key]].append(row)
            for number, (row, *more) in versions.items():
                assert not more, "a key came twice in one batch"
                before = self.lake[table].get(number)
                stated = {
                    "insert": before is None,
                    "update": before is not None,
                    "delete": before is not None,
                }
                assert stated[row["operation"]], (row["operation"], number)
                if row["operation"] == "delete":
                    del self.lake[table][number]
                    continue
                name = (table, number, row["version_id"])
                assert name not in self.published, "a version was published twice"
                self.published.add(name)
                self.lake[table][number] = {
                    column: value for column, value in row.items() if column not in LINEAGE
                }


def test_every_snapshot_is_published_whole_once_and_in_order_whatever_the_source_and_the_captures_do(
    source_server: EmbeddedPostgres, endpoint: Endpoint, lives: settings
) -> None:
    machine: Any = type("LivesHere", (Lives,), {"endpoint": endpoint, "server": source_server})
    run_state_machine_as_test(machine, settings=lives)
    assert machine.settled >= lives.max_examples, "lives in which hardly anything was published"


@pytest.fixture
def lives() -> settings:
    """The same lives in every run; `make soak` lives others."""
    return settings(
        max_examples=examples(1, 4),
        stateful_step_count=25,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # a smaller example is worth hours of captures to nobody
        suppress_health_check=list(HealthCheck),
    )
