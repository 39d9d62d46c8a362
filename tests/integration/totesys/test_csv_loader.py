"""The loader takes a whole snapshot or nothing, and says where a file is wrong."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from totesys import csv_loader, database

STAMP = "2022-11-03 14:20:49.962"
ORDER = "agreed_delivery_date,agreed_payment_date,agreed_delivery_location_id"
FILES = {
    "currency": ["currency_id,currency_code,created_at,last_updated", f"1,GBP,{STAMP},{STAMP}"],
    "department": [
        "department_id,department_name,location,manager,created_at,last_updated",
        f"4,Dispatch,,,{STAMP},{STAMP}",
    ],
    "address": [
        (
            "address_id,address_line_1,address_line_2,district,city,postal_code,country,phone,created_at,"
            "last_updated"
        ),
        f'1,"1, High ""Street""",,,Leeds,02813,Bouvet Island (Bouvetoya),0730 783349,{STAMP},{STAMP}',
    ],
    "counterparty": [
        (
            "counterparty_id,counterparty_legal_name,legal_address_id,commercial_contact,delivery_contact,"
            "created_at,last_updated"
        ),
        f'1,"Osei, Hartnell & Vane",1,,Christy O\'Hara,{STAMP},{STAMP}',
    ],
    "staff": ["staff_id,first_name,last_name,department_id,email_address,created_at,last_updated"],
    "design": ["design_id,created_at,design_name,file_location,file_name,last_updated"],
    "sales_order": [
        (
            "sales_order_id,created_at,last_updated,design_id,staff_id,counterparty_id,units_sold,unit_price,"
            f"currency_id,{ORDER}"
        )
    ],
    "purchase_order": [
        (
            "purchase_order_id,created_at,last_updated,staff_id,counterparty_id,item_code,item_quantity,"
            f"item_unit_price,currency_id,{ORDER}"
        )
    ],
    "payment_type": [
        "payment_type_id,payment_type_name,created_at,last_updated",
        f"1,SALES_RECEIPT,{STAMP},{STAMP}",
    ],
    "transaction": [
        "transaction_id,transaction_type,sales_order_id,purchase_order_id,created_at,last_updated"
    ],
    "payment": [
        (
            "payment_id,created_at,last_updated,transaction_id,counterparty_id,payment_amount,currency_id,"
            "payment_type_id,paid,payment_date,company_ac_number,counterparty_ac_number"
        )
    ],
}


def write(folder: Path, **changed: list[str]) -> Path:
    for table, lines in {**FILES, **changed}.items():
        (folder / f"{table}.csv.gz").write_bytes(
            gzip.compress("".join(f"{line}\n" for line in lines).encode())
        )
    return folder


def count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # type: ignore[index]
            for table in database.TABLES
        )


def test_values_arrive_as_written_and_an_empty_field_is_null(empty: str, tmp_path: Path) -> None:
    counts = csv_loader.load(empty, write(tmp_path))

    assert counts == {table: len(lines) - 1 for table, lines in FILES.items()}
    with psycopg.connect(empty) as connection:
        assert connection.execute(
            "SELECT address_line_1, address_line_2, postal_code FROM address"
        ).fetchone() == (
            '1, High "Street"',
            None,
            "02813",
        )
        assert connection.execute("SELECT nextval('department_department_id_seq')").fetchone() == (5,)
        assert connection.execute("SELECT nextval('staff_staff_id_seq')").fetchone() == (1,)


def test_columns_may_come_in_another_order(empty: str, tmp_path: Path) -> None:
    write(tmp_path, currency=["last_updated,currency_code,created_at,currency_id", f"{STAMP},USD,{STAMP},7"])
    csv_loader.load(empty, tmp_path)

    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT currency_id, currency_code FROM currency").fetchone() == (7, "USD")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"currency": ["currency_id,code,created_at,last_updated"]},
            r"currency\.csv\.gz, line 1: the header lacks currency_code and has the unknown code",
        ),
        ({"currency": [""]}, r"currency\.csv\.gz, line 1: the header lacks currency_id"),
        (
            {"currency": [FILES["currency"][0], f"1,GBP,{STAMP},{STAMP}", f"two,USD,{STAMP},{STAMP}"]},
            r"currency\.csv\.gz, line 3, column currency_id: invalid input syntax for type integer$",
        ),
        (
            {"currency": [FILES["currency"][0], f"1,,{STAMP},{STAMP}"]},
            r"currency\.csv\.gz, line 2: null value in column",
        ),
        (
            {"currency": [*FILES["currency"], f"1,USD,{STAMP},{STAMP}"]},
            r"currency\.csv\.gz, line 3: duplicate key value",
        ),
        (
            {"currency": [FILES["currency"][0], "1,GBP"]},
            r"currency\.csv\.gz, line 2: missing data for column",
        ),
        (
            {"counterparty": [FILES["counterparty"][0], f"1,Nobody,99,,,{STAMP},{STAMP}"]},
            r"counterparty: a row refers to one that is not there: .*legal_address_id.*99",
        ),
    ],
)
def test_a_wrong_file_is_named_and_nothing_is_loaded(
    empty: str, tmp_path: Path, changed: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(database.TotesysError, match=message):
        csv_loader.load(empty, write(tmp_path, **changed))
    assert count(empty) == 0


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2024-01-02T11:00:00.123+02:00", "2024-01-02 09:00:00.123"),
        ("2024-01-02T11:00:00.123Z", "2024-01-02 11:00:00.123"),
        ("2024-01-02 11:00:00.123-05", "2024-01-02 16:00:00.123"),
        ("2024-07-02 11:00 Europe/London", "2024-07-02 10:00:00"),
        ("2024-01-02 01:00:00+14:00", "2024-01-01 11:00:00"),
        ("2024-03-31 01:30:00", "2024-03-31 01:30:00"),
        ("2024-01-02T11:00:00.1230000", "2024-01-02 11:00:00.123"),
        ("infinity", "infinity"),
    ],
)
def test_a_time_is_stored_in_utc_whatever_offset_it_states(
    empty: str, tmp_path: Path, written: str, stored: str
) -> None:
    before = defaults(empty)
    csv_loader.load(empty, write(tmp_path, currency=[FILES["currency"][0], f"1,GBP,{written},{STAMP}"]))
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT created_at::text, last_updated::text FROM currency").fetchall() == [
            (stored, STAMP)
        ]
    assert defaults(empty) == before


def defaults(dsn: str) -> list[tuple[str, ...]]:
    """What the columns of all tables are, and what stands in them by default."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod),"
            " pg_get_expr(adbin, adrelid), attnotnull::text FROM pg_attribute"
            " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            " WHERE attrelid::regclass::text = ANY(%s) AND attnum > 0 ORDER BY 1, attnum",
            [list(database.TABLES)],
        ).fetchall()


PAYMENT = "1,2022-11-03 14:20:49.962,2022-11-03 14:20:49.962,1,1,{},1,1,t,2022-11-04,1,1"


@pytest.mark.parametrize(
    ("table", "rows", "place"),
    [
        ("currency", [f"1,GBP,{STAMP},{STAMP}", f"2,USD,{STAMP}1,{STAMP}"], "row 2 .*column created_at"),
        ("currency", [f"1,GBP,{STAMP},2024-01-02T11:00:00.1239+02:00"], "row 1 .*column last_updated"),
        ("payment", [PAYMENT.format("12.505")], "row 1 .*column payment_amount"),
        ("payment", [PAYMENT.format("123456789012.00")], "row 1 .*column payment_amount"),
    ],
)
def test_digits_that_a_column_has_no_room_for_are_refused(
    empty: str, tmp_path: Path, table: str, rows: list[str], place: str
) -> None:
    with pytest.raises(database.TotesysError, match=rf"{table}\.csv\.gz, {place}: has more digits"):
        csv_loader.load(empty, write(tmp_path, **{table: [FILES[table][0], *rows]}))
    assert count(empty) == 0


@pytest.mark.parametrize("header", ["{}", '"{}"'])
def test_a_byte_order_mark_is_read_over(empty: str, tmp_path: Path, header: str) -> None:
    first, *rest = FILES["currency"]
    names = first.split(",")
    marked = "\ufeff" + ",".join(header.format(name) for name in names)
    assert csv_loader.load(empty, write(tmp_path, currency=[marked, *rest]))["currency"] == 1


@pytest.mark.parametrize("line", [1, 2, 3, 9_000])
def test_bytes_that_are_not_utf8_are_refused_with_their_line(empty: str, tmp_path: Path, line: int) -> None:
    head, _ = FILES["department"]
    lines = [head, *(f"{n},Dispatch,,,{STAMP},{STAMP}" for n in range(1, 9_000))]
    text = [one.encode() + b"\n" for one in lines]
    text[line - 1] = (
        text[line - 1].replace(b"epartment_name", b"epartment_n\xe4me").replace(b"Disp", b"D\xe4sp")
    )
    write(tmp_path)
    (tmp_path / "department.csv.gz").write_bytes(gzip.compress(b"".join(text)))
    with pytest.raises(database.TotesysError, match=rf"department\.csv\.gz, line {line}\b"):
        csv_loader.load(empty, tmp_path)
    assert count(empty) == 0


def test_an_error_does_not_show_the_row(empty: str, tmp_path: Path) -> None:
    write(tmp_path, currency=[FILES["currency"][0], f"secret,GBP,{STAMP},{STAMP}"])
    with pytest.raises(database.TotesysError) as caught:
        csv_loader.load(empty, tmp_path)
    assert "secret" not in str(caught.value)


def test_missing_files_are_all_named(empty: str, tmp_path: Path) -> None:
    write(tmp_path)
    for table in ("design", "payment"):
        (tmp_path / f"{table}.csv.gz").unlink()
    with pytest.raises(database.TotesysError, match=r"lacks design\.csv\.gz, payment\.csv\.gz; all eleven"):
        csv_loader.load(empty, tmp_path)


def test_a_damaged_file_is_named(empty: str, tmp_path: Path) -> None:
    write(tmp_path)
    whole = (tmp_path / "address.csv.gz").read_bytes()
    (tmp_path / "address.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(database.TotesysError, match=r"address\.csv\.gz is damaged"):
        csv_loader.load(empty, tmp_path)
    (tmp_path / "address.csv.gz").write_bytes(b"plain text")
    with pytest.raises(database.TotesysError, match=r"address\.csv\.gz is damaged"):
        csv_loader.load(empty, tmp_path)


def test_a_directory_that_is_none_is_named(empty: str, tmp_path: Path) -> None:
    with pytest.raises(database.TotesysError, match="nowhere is no directory"):
        csv_loader.load(empty, tmp_path / "nowhere")


def test_the_real_snapshot_loads_to_the_penny(empty: str, shared_data: Path) -> None:
    counts = csv_loader.load(empty, shared_data)

    assert counts == {
        "currency": 3,
        "department": 8,
        "address": 30,
        "counterparty": 20,
        "staff": 20,
        "design": 473,
        "sales_order": 11_187,
        "purchase_order": 4_649,
        "payment_type": 4,
        "transaction": 15_836,
        "payment": 15_836,
    }
    with psycopg.connect(empty) as connection:
        sales = connection.execute(
            "SELECT currency_code, sum(units_sold * unit_price) FROM sales_order JOIN currency"
            " USING (currency_id) GROUP BY 1"
        ).fetchall()
    assert dict(sales) == {
        "GBP": Decimal("543550705.50"),
        "USD": Decimal("575687991.30"),
        "EUR": Decimal("567792732.95"),
    }
