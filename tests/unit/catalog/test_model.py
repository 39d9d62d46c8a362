"""A contract file that is wrong is refused with file, line and reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog.catalogue import read_catalogue
from catalog.project import contracts_folder
from catalog.yaml_lines import ContractError


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """A copy of the real contracts that a test may spoil."""
    return Path(shutil.copytree(contracts_folder(), tmp_path / "contracts"))


SPOILED = {
    "an unknown key": ("raw/staff.yaml", "owner:", "ownre: x\nowner:", "unknown key 'ownre'"),
    "a key stated twice": ("raw/staff.yaml", "owner:", "owner: x\nowner:", "the key 'owner' is stated twice"),
    "an unknown column key": (
        "raw/staff.yaml",
        "  description: Given name.",
        "  desc: Given name.",
        "columns.1.description' is missing",
    ),
    "a missing key": ("raw/staff.yaml", "version: 1.0.0\n", "", "the key 'version' is missing"),
    "an unknown type": ("raw/staff.yaml", "  type: integer", "  type: int4", "unknown type 'int4'"),
    "another table's name": ("raw/staff.yaml", "table: staff", "table: stuff", "is not the file's name"),
    "another zone": ("raw/staff.yaml", "zone: raw", "zone: ops", "is not the folder's name"),
    "a key that is no column": (
        "raw/staff.yaml",
        "key:\n- staff_id",
        "key:\n- staff_no",
        "the key names staff_no, which is no column",
    ),
    "a table without a key": (
        "raw/staff.yaml",
        "key:\n- staff_id\n",
        "key: []\n",
        "a table without a key is not captured",
    ),
    "a table that states no key": (
        "raw/staff.yaml",
        "key:\n- staff_id\n",
        "",
        "a table without a key is not captured",
    ),
    "a key of a type that has several texts": (
        "raw/sales_order.yaml",
        "key:\n- sales_order_id\n",
        "key:\n- sales_order_id\n- unit_price\n",
        "unit_price is decimal(10,2); a key's columns are integer, bigint, text, date, timestamp",
    ),
    "a key of times that athena rounds": (
        "raw/currency.yaml",
        "key:\n- currency_id\ncolumns:\n",
        "key: [made]\ncolumns:\n- {name: made, type: timestamptz, nullable: false, description: When.}\n",
        "made is timestamptz, of which Athena shows too little to tell two; a key's columns are",
    ),
    "a star key that is not that of the source": (
        "star/dim_design.yaml",
        "key:\n- design_id\n",
        "key:\n- design_id\n- file_name\n",
        "the key is to be made of that of design, (design_id), in order",
    ),
    "a column stated twice": (
        "raw/staff.yaml",
        "- name: last_name",
        "- name: first_name",
        "columns stated twice: first_name",
    ),
    "a column of the zone": (
        "raw/staff.yaml",
        "- name: last_name",
        "- name: operation",
        "operation is a column that the zone adds by itself: give it another name, with source: operation",
    ),
    "a reference to nowhere": (
        "raw/staff.yaml",
        "  table: department",
        "  table: departments",
        "there is no table departments",
    ),
    "a reference of another type": (
        "raw/staff.yaml",
        "- column: department_id",
        "- column: first_name",
        "first_name is not of department's key type",
    ),
    "a pattern that is none": (
        "raw/currency.yaml",
        "pattern: ^[A-Z]{3}$",
        "pattern: ^[A-Z",
        "not a regular expression",
    ),
    "a pattern on a number": (
        "raw/currency.yaml",
        "  minimum: 1",
        "  pattern: ^1$",
        "pattern and allowed_values need text",
    ),
    "a range on text": (
        "raw/currency.yaml",
        "  pattern: ^[A-Z]{3}$",
        "  minimum: 1",
        "a range needs a number, not text",
    ),
    "an empty range": (
        "raw/sales_order.yaml",
        "  maximum: 100000",
        "  maximum: 10",
        "minimum 1000 is above maximum 10",
    ),
    "a raw table that is built": (
        "raw/staff.yaml",
        "owner:",
        "kind: fact\nowner:",
        "only star tables have kind, built_from, partition and also_called",
    ),
    "a raw column with an expression": (
        "raw/staff.yaml",
        "- name: last_name",
        "- sql: x\n  name: last_name",
        "only star columns have sql",
    ),
    "two columns that are one of the source": (
        "raw/staff.yaml",
        "- name: last_name",
        "- source: first_name\n  name: last_name",
        "columns of the source that are stated twice: first_name",
    ),
    "two tables that are one of the source": (
        "raw/staff.yaml",
        "owner:",
        "source: {table: sales_order}\nowner:",
        "sales_order is that table of the source already",
    ),
    "a star table with another name at the source": (
        "star/dim_design.yaml",
        "owner:",
        "source: {schema: sales}\nowner:",
        "only raw tables have another name at the source",
    ),
    "a name at the source of what never was there": (
        "ops/heartbeats.yaml",
        "owner:",
        "source: {schema: sales}\nowner:",
        "only raw tables have other names at the source",
    ),
    "a source that is no expression": (
        "star/dim_design.yaml",
        "  source: file_name",
        "  source: fileName!",
        "source: ",
    ),
    "a star table of nothing": (
        "star/dim_design.yaml",
        "built_from:\n  table: design\n",
        "",
        "states its kind and what it is built_from",
    ),
    "a star table of a table that is not there": (
        "star/dim_design.yaml",
        "  table: design\n",
        "  table: designs\n",
        "there is no raw table designs",
    ),
    "a join to a table that is not there": (
        "star/dim_staff.yaml",
        "  - table: department\n",
        "  - table: departments\n",
        "of a table that is not joined",
    ),
    "a join by a column that is not there": (
        "star/dim_staff.yaml",
        "    on: department_id",
        "    on: department",
        "staff has no column department",
    ),
    "a source column that is not there": (
        "star/dim_design.yaml",
        "  source: file_name",
        "  source: filename",
        "there is no column filename, at character 1 of: filename",
    ),
    "a source column of another type": (
        "star/dim_design.yaml",
        "  source: file_name",
        "  type: text\n  source: created_at",
        "created_at is timestamp, which text does not hold",
    ),
    "a source that may be empty": (
        "star/dim_staff.yaml",
        "  default: Unknown\n  source: department.location\n",
        "  source: department.location\n",
        "may be empty: state a default",
    ),
    "a source that is personal": (
        "star/dim_location.yaml",
        "  source: phone",
        "  personal: false\n  source: phone",
        "phone says personal: true",
    ),
    "a derivation of another type": (
        "star/fact_payment.yaml",
        "  type: time\n",
        "  type: text\n",
        "time_of(created_at) is time, which text does not hold",
    ),
    "a fact without a number": (
        "star/fact_payment.yaml",
        "  record_id: true\n",
        "  source: payment_id\n",
        "exactly one record_id column",
    ),
    "a calendar of a table": (
        "star/dim_date.yaml",
        "  calendar: true",
        "  table: design",
        "the calendar, and nothing else, is built from the calendar",
    ),
    "a built_from that names nothing": (
        "star/dim_date.yaml",
        "  calendar: true",
        "  calendar: false",
        "built_from names either a table or the calendar",
    ),
    "a partition by a column that is not there": (
        "star/fact_payment.yaml",
        "  source_column: created_at",
        "  source_column: made_at",
        "payment has no column made_at",
    ),
    "an expression that is none": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)",
        "  sql: iso_date(payment_date",
        ") is expected, not the end, at character 22 of: iso_date(payment_date",
    ),
    "a function that is not there": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)",
        "  sql: to_date(payment_date)",
        "there is no function to_date",
    ),
    "an expression with what is only in other engines": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)",
        "  sql: iso_date(payment_date) + 1",
        "a number is expected, not date, at character 1 of: iso_date(payment_date) + 1",
    ),
    "an expression beside a source": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)",
        "  sql: iso_date(payment_date)\n  source: payment_date",
        "source, sql and record_id exclude each other",
    ),
    "a column made of nothing": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)\n",
        "",
        "column payment_date: source or sql is stated",
    ),
    "an expression of the calendar's that reads a table": (
        "star/dim_date.yaml",
        "  sql: year_of(calendar_day)",
        "  sql: year_of(created_at)",
        "there is no column created_at",
    ),
    "an expression with personal data": (
        "star/fact_payment.yaml",
        "  sql: iso_date(payment_date)",
        "  sql: iso_date(payment_date || CAST(company_ac_number AS STRING))\n  personal: false",
        "says personal: true",
    ),
    "a name that is reserved": (
        "raw/staff.yaml",
        "- name: last_name",
        "- name: order",
        "order is a reserved word of SQL",
    ),
    "a name that is a value": (
        "raw/staff.yaml",
        "- name: last_name",
        "- name: user",
        "user is a value in SQL, and no name, where nobody quotes it: give it another name, with source: u",
    ),
    "a name that dead letters add": (
        "raw/staff.yaml",
        "- name: last_name",
        "- name: broken_rules",
        "broken_rules is a column that the zone adds by itself",
    ),
    "a name that the star adds": (
        "star/dim_design.yaml",
        "- name: file_name\n  source",
        "- name: is_inferred\n  source",
        "is_inferred is a column that the zone adds by itself: give it another name",
    ),
    "a name that the views of facts add": (
        "star/fact_payment.yaml",
        "- name: payment_amount\n",
        "- name: valid_from\n",
        "valid_from is a column that the views over fact_payment add: give it another name",
    ),
    "a name that the views of dimensions add": (
        "star/dim_design.yaml",
        "- name: file_name\n  source",
        "- name: has_rejected_change\n  source",
        "has_rejected_change is a column that the views over dim_design add",
    ),
    "a star name that is a value": (
        "star/dim_design.yaml",
        "- name: file_name\n  source",
        "- name: current_date\n  source",
        "current_date is a value in SQL",
    ),
    "a pattern that engines read differently": (
        "raw/currency.yaml",
        "pattern: ^[A-Z]{3}$",
        "pattern: ^\\w{3}$",
        "\\w is not of the allow-list, at character 2 of the pattern \\w{3}",
    ),
    "an unknown granularity": (
        "star/fact_payment.yaml",
        "  granularity: month",
        "  granularity: week",
        "partition.granularity",
    ),
    "a default for a number": (
        "star/dim_design.yaml",
        "  source: design_id",
        "  source: design_id\n  default: '1'",
        "a default needs text",
    ),
    "a wrong version": ("raw/staff.yaml", "version: 1.0.0", "version: one", "version"),
    "no YAML": ("raw/staff.yaml", "table: staff", "table: [staff", "not valid YAML"),
    "an unknown key of a zone": (
        "zones.yaml",
        "  prefix: raw/",
        "  prefix: raw/\n  folder: raw",
        "unknown key 'folder'",
    ),
}


def test_a_star_column_has_what_it_does_not_state_of_the_raw_column_that_it_is(contracts: Path) -> None:
    raw, star = contracts / "raw" / "design.yaml", contracts / "star" / "dim_design.yaml"
    key, sign, others = raw.read_text().partition("- name: design_name")
    others = others.replace("  description: ", "  personal: true\n  description: Raw. ")
    raw.write_text(key + sign + others)
    stated = "- name: file_name\n  source: file_name"
    assert stated in star.read_text()
    inherited = read_catalogue(contracts).star["dim_design"].column("file_name")
    of_raw = read_catalogue(contracts).raw["design"].column("file_name")
    assert of_raw.description.startswith("Raw. ")
    shared = {"name", "type", "nullable", "description", "personal"}
    assert inherited.model_dump(include=shared) == of_raw.model_dump(include=shared)
    star.write_text(star.read_text().replace(stated, f"{stated}\n  nullable: true\n  description: Its own."))
    own = read_catalogue(contracts).star["dim_design"].column("file_name")
    assert (own.nullable, own.description, own.personal) == (True, "Its own.", True)


@pytest.mark.parametrize(("file", "old", "new", "reason"), SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_file_is_refused_with_file_line_and_reason(
    contracts: Path, file: str, old: str, new: str, reason: str
) -> None:
    path = contracts / file
    text = path.read_text()
    assert old in text, "the case no longer fits the file"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError) as refused:
        read_catalogue(contracts)
    assert refused.value.path == path
    assert 1 <= refused.value.line <= len(path.read_text().splitlines())
    assert reason.split("' is", maxsplit=1)[0] in str(refused.value)


def test_what_is_joined_may_not_have_a_column_of_the_stars_lineage(contracts: Path) -> None:
    path = contracts / "raw" / "department.yaml"
    path.write_text(path.read_text().replace("name: manager", "name: is_deleted"))
    with pytest.raises(ContractError, match=r"dim_staff\.yaml:\d+: .*department has .*: is_deleted"):
        read_catalogue(contracts)


def test_a_table_that_is_called_as_a_view_or_a_table_of_the_pipeline_is_refused(contracts: Path) -> None:
    dimension = contracts / "star" / "dim_design.yaml"
    text = dimension.read_text().replace("table: dim_design\n", "table: dim_design_current\n")
    (contracts / "star" / "dim_design_current.yaml").write_text(text)
    with pytest.raises(ContractError, match=r"_current\.yaml:1: dim_design_current is what a view over d"):
        read_catalogue(contracts)
    (contracts / "star" / "dim_design_current.yaml").unlink()
    raw = contracts / "raw" / "design.yaml"
    (contracts / "raw" / "held_rows.yaml").write_text(
        raw.read_text().replace("table: design", "table: held_rows")
    )
    with pytest.raises(ContractError, match=r"held_rows\.yaml:1: held_rows is a table of the dead letters"):
        read_catalogue(contracts)


def test_a_reference_to_a_key_of_several_columns_is_refused_where_it_is_stated(contracts: Path) -> None:
    path, key = contracts / "raw" / "department.yaml", "key:\n- department_id\n"
    path.write_text(path.read_text().replace(key, f"{key}- department_name\n"))
    with pytest.raises(ContractError, match=r"staff\.yaml:\d+: department has a key of 2 columns, and a ref"):
        read_catalogue(contracts)


def test_the_line_is_that_of_the_mistake(contracts: Path) -> None:
    path = contracts / "raw/staff.yaml"
    lines = path.read_text().splitlines()
    at = lines.index("- name: email_address") + 1
    lines[at] = "  type: e-mail"
    path.write_text("\n".join(lines))
    with pytest.raises(
        ContractError, match=rf"staff\.yaml:{at + 1}: columns\.4\.type: unknown type 'e-mail'"
    ):
        read_catalogue(contracts)


def test_an_empty_file_is_refused(contracts: Path) -> None:
    (contracts / "raw/staff.yaml").write_text("")
    with pytest.raises(ContractError, match="the file is empty"):
        read_catalogue(contracts)


def test_a_missing_zone_is_refused(contracts: Path) -> None:
    path = contracts / "zones.yaml"
    path.write_text(path.read_text().replace("\nops:", "\nopps:"))
    with pytest.raises(ContractError, match=r"zones\.yaml:1: the zone 'ops' is missing"):
        read_catalogue(contracts)


@pytest.mark.parametrize("text", ["- raw\n", "raw: nothing\n"])
def test_a_zones_file_of_another_shape_is_refused(contracts: Path, text: str) -> None:
    (contracts / "zones.yaml").write_text(text)
    with pytest.raises(ContractError, match=r"zones\.yaml:1: "):
        read_catalogue(contracts)
