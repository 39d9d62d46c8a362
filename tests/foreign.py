"""Two databases for which nobody wrote contracts, and how a person takes them into a lake, step by step.

``webshop`` is as a framework made it: uuid keys, times with a zone, json, names in camel case. ``freight``
has keys of several columns, three schemas, two tables of one name, columns called ``key`` and ``content``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lakehouse.embedded_postgres import EmbeddedPostgres

READER, LOADER = "visitor", "keeper"


@dataclass(frozen=True)
class Foreign:
    """A database and what happens in it.

    Attributes:
        name: Its name.
        schemas: Its schemas, as SQL spells them.
        arguments: What a person gives ``init`` besides.
        changes: Changes and deletions of rows.
        rule: A raw contract, what a line of it says, and what a tightened rule makes of that.
        breaks: A change that breaks the rule.
        letter: Table and key of the row that it is then.
        structure: What becomes another: a column, a value, a table.
        uses: Changes of rows that need all of that.
        told: What ``contracts propose`` names.
        altered: What the load then adds to the warehouse.
        gone: A raw contract and one of the star, and their line of a column that goes.
        drops: The same in the database.
    """

    name: str
    schemas: tuple[str, ...]
    arguments: tuple[str, ...]
    changes: str
    rule: tuple[str, str, str]
    breaks: str
    letter: tuple[str, str]
    structure: str
    uses: str
    told: tuple[str, ...]
    altered: tuple[str, ...]
    gone: tuple[str, str, str]
    drops: str


WEBSHOP = Foreign(
    "webshop",
    ("public", '"Depot"'),
    ("--exclude", "*_log"),
    """
    UPDATE "User" SET "firstName" = 'Zoë', profile = '{"n": [1, 2]}' WHERE email = '7@shop.example';
    INSERT INTO "User" VALUES (md5('new')::uuid, 'n@x.example', NULL, '{}', '2026-05-05 05:05:05.000005+02');
    DELETE FROM "Order Line" WHERE "orderId" = 9;
    DELETE FROM "Order" WHERE id = 9;
    UPDATE "Depot".movement SET took = '2 days', at = at + interval '100 days' WHERE id = 12;
    UPDATE product SET tags = '{}' WHERE code = 'P-4';
    """,
    (
        "stock",
        "{name: units, type: integer, nullable: false,",
        "{name: units, type: integer, maximum: 9, nullable: false,",
    ),
    """UPDATE "Depot".stock SET units = 10 WHERE product = 'P-1' AND shelf = 'A1'""",
    ("stock", "P-1/A1"),
    """
    ALTER TABLE "Order" ADD "giftNote" text;
    ALTER TABLE product ADD "madeOf" text NOT NULL DEFAULT 'jute';
    ALTER TYPE "OrderState" ADD VALUE 'BACK';
    CREATE TABLE voucher (code text PRIMARY KEY, "userId" uuid NOT NULL REFERENCES "User", worth integer);
    GRANT SELECT ON voucher TO visitor;
    """,
    """
    UPDATE "Order" SET "giftNote" = 'For Zoë' WHERE id = 3;
    UPDATE "Order" SET state = 'BACK' WHERE id = 4;
    INSERT INTO voucher SELECT 'V' || i, md5(i::text)::uuid, i FROM generate_series(1, 9) AS i;
    """,
    ("gift_note", "made_of", "[OPEN, PAID, SENT, BACK]", "fact_voucher.yaml"),
    ("dim_product.made_of", "fact_source_order.gift_note"),
    ("category", "dim_category", "name"),
    "ALTER TABLE category DROP name",
)

FREIGHT = Foreign(
    "freight",
    ("public", "yard", '"Sales"'),
    ("--rename", "Sales.depot=sales_depot"),
    """
    UPDATE depot SET key = NULL, content = 'new' WHERE code = 'D/2~';
    UPDATE yard.berth SET row_version = -1, fingerprint = NULL WHERE number = 2;
    DELETE FROM "Sales"."invoiceLine" WHERE "No" = 7;
    DELETE FROM "Sales".invoice WHERE "No" = 7;
    UPDATE yard.visit SET day = day + 30 WHERE visit_no = 3;
    UPDATE "Sales".invoice SET whole = 0.01 WHERE series = 'A' AND "No" = 8;
    INSERT INTO "Sales".invoice VALUES ('A', 99, 'D/1~', 'draft', '2026-06-30 23:59:59.9996+00', 1);
    """,
    ("visit", "type: 'decimal(10,3)',", "type: 'decimal(10,3)', maximum: 99,"),
    "UPDATE yard.visit SET tons = 100 WHERE visit_no = 5",
    ("visit", "2025-12-25/5"),
    """
    ALTER TABLE yard.berth ADD whole text;
    ALTER TABLE "Sales".invoice ADD "paidAt" timestamptz;
    ALTER TYPE "Sales".state ADD VALUE 'paid';
    CREATE TABLE yard.crane (depot_code text, number smallint, arm smallint, tons real,
                             PRIMARY KEY (depot_code, number, arm));
    GRANT SELECT ON yard.crane TO visitor;
    """,
    """
    UPDATE yard.berth SET whole = 'yes' WHERE number = 1;
    UPDATE "Sales".invoice SET state = 'paid', "paidAt" = '2026-07-01 00:00:00.000001+00' WHERE "No" < 4;
    INSERT INTO yard.crane SELECT 'D/1~', 1, i, i / 3.0 FROM generate_series(1, 4) AS i;
    """,
    ("whole", "paid_at", "[draft, sent, paid]", "dim_crane.yaml"),
    ("fact_berth.whole", "fact_invoice.paid_at"),
    ("depot", "dim_depot", "opened"),
    "ALTER TABLE depot DROP opened",
)


@contextmanager
def foreign_server(root: Path, folder: Path, *databases: Foreign) -> Iterator[EmbeddedPostgres]:
    """A server with these databases, a role that may read them, and a warehouse for each.

    Args:
        root: The repository.
        folder: The server's.
        databases: The databases.
    """
    with EmbeddedPostgres(folder, durable=False) as server:
        server.ensure_role(READER)
        server.ensure_role(LOADER)
        for one in databases:
            server.ensure_database(one.name)
            server.ensure_database(f"{one.name}_warehouse", owner=LOADER)
            with server.connect(one.name) as source:
                source.execute((root / "tests" / "fixtures" / f"{one.name}.sql").read_bytes())
                for schema in one.schemas:
                    source.execute(f"GRANT USAGE ON SCHEMA {schema} TO {READER}".encode())
                    source.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READER}".encode())
                source.execute(b"ANALYZE")
        yield server


def init(server: EmbeddedPostgres, one: Foreign, folder: Path) -> str:
    """Have a project written; what is said of it on both streams."""
    command = [sys.executable, "-m", "lakehouse.cli", "init", *one.arguments, str(folder)]
    dsn = server.dsn(READER, one.name)
    done = subprocess.run([*command, "--source", dsn], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def paste(project: Path, proposed: str) -> None:
    """Do with what ``contracts propose`` printed as it says there.

    Args:
        project: The project's folder.
        proposed: What was printed.
    """
    blocks = re.findall(r"^# (catalog/contracts/\S+\.yaml): (.+)\n((?:(?!# ).+\n)*)", proposed, re.MULTILINE)
    for name, what, lines in blocks:
        path = project / name
        text = path.read_text(encoding="utf-8")
        column = re.search(r"state of the column (\w+):$", what)
        if column is not None:
            of_column = re.compile(rf"(?m)^(- {{name: {column[1]},.*?)allowed_values: \[[^]]*\]")
            found = of_column.search(text)
            assert found is not None
            text = text.replace(found[0], found[1] + lines.strip())
        elif what == "add to references:":
            text = re.sub(r"(?m)^(?=columns:)", f"references:\n{lines}", text, count=1)
        elif what.endswith("add to the end of columns:"):
            text += lines
        else:
            continue
        path.write_text(text.replace("version: 1.0.0", "version: 1.1.0"), encoding="utf-8")


def take_out(path: Path, column: str) -> None:
    """Take a column out of a contract that ``init`` wrote."""
    text = path.read_text(encoding="utf-8")
    shorter = re.sub(rf"(?m)^- \{{name: {column},.*\n", "", text)
    assert shorter != text
    path.write_text(shorter, encoding="utf-8")
