"""A shop of a few rows in every table but purchase orders, in SQL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.projects import SHOP

SMALL = """
INSERT INTO currency (currency_code, last_updated) SELECT c, now() FROM unnest(ARRAY['GBP','USD','EUR']) c;
INSERT INTO department (department_name, location, last_updated)
    SELECT 'D' || i, CASE WHEN i % 2 = 0 THEN 'Leeds' END, now() FROM generate_series(1, 4) i;
INSERT INTO address (address_line_1, city, postal_code, country, phone, last_updated)
    SELECT i || ' Road', 'Leeds', '0' || i, 'Italy', '0113 000000', now() FROM generate_series(1, 5) i;
INSERT INTO counterparty (counterparty_legal_name, legal_address_id, last_updated)
    SELECT 'C' || i, i, now() FROM generate_series(1, 3) i;
INSERT INTO staff (first_name, last_name, department_id, email_address, last_updated)
    SELECT 'F' || i, 'O''L' || i, i, i || '@x', now() FROM generate_series(1, 3) i;
INSERT INTO design (design_name, file_location, file_name, last_updated)
    SELECT 'Wooden', '/usr', i || '.json', now() FROM generate_series(1, 6) i;
INSERT INTO payment_type (payment_type_name, last_updated)
    SELECT t, now() FROM unnest(enum_range(NULL::"PaymentTypeName")) t;
INSERT INTO sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold,
                         unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
                         agreed_delivery_location_id)
    SELECT '2024-11-14 09:30', now(), 1 + i % 6, 1 + i % 3, 1 + i % 3, 1000 + i, 2 + i / 100.0,
           1 + i % 3, '2024-11-15', '2024-11-16', 1 + i % 5
    FROM generate_series(1, 40) i;
INSERT INTO transaction (transaction_type, sales_order_id, last_updated)
    SELECT 'SALE', i, now() FROM generate_series(1, 40) i;
INSERT INTO payment (created_at, last_updated, transaction_id, counterparty_id, payment_amount,
                     currency_id, payment_type_id, paid, payment_date, company_ac_number,
                     counterparty_ac_number)
    SELECT '2024-11-14 09:30', now(), i, 1, i * 10.25, 1, 1, false, '2024-11-16', 12345678, 87654321
    FROM generate_series(1, 40) i;
"""


def create_shop(dsn: str) -> None:
    """Make the shop's tables, empty, as a role that may create some."""
    with psycopg.connect(dsn) as connection:
        connection.execute((SHOP / "schema.sql").read_bytes())


def grant_reader(dsn: str, role: str) -> None:
    """Let a role read every table that is there, and nothing more."""
    with psycopg.connect(dsn) as connection:
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for a server of any version.

    Those before 16, and programs that work on a server's files, go there by its whole name, as an account
    that may not pass through what only root may enter.
    """
    # Not below pytest's own folder: another pytest of the same user would shut the server out of that.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@contextmanager
def small_server(
    reader: str, binaries: Path | None = None, create: Callable[[str], None] = create_shop
) -> Iterator[EmbeddedPostgres]:
    """A server with the database ``small``, which that role may read: a template for tests to copy.

    Args:
        reader: The role.
        binaries: The server's programs; those that the project brings along unless told otherwise.
        create: Makes the tables, which may have more than those of the shop.
    """
    with (
        server_folder() as folder,
        EmbeddedPostgres(folder, durable=False, binaries=binaries) as server,
    ):
        server.ensure_role(reader)
        server.ensure_database("small")
        create(server.dsn(database="small"))
        with server.connect("small") as connection:
            connection.execute(SMALL.encode())
        grant_reader(server.dsn(database="small"), reader)
        yield server
