"""The repository with more in its own project: a column in every table, further tables, further rules.

What somebody adds who follows docs/how-to, in a copy of the checkout.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

COLUMN = "remark"

_RAW_COLUMN = f"""\
- name: {COLUMN}
  type: text
  nullable: true
  description: Whatever somebody noted.
"""
_STAR_COLUMN = f"- {{name: {COLUMN}, source: {COLUMN}}}\n"

_HEAD = "table: {table}\nzone: {zone}\nversion: 1.0.0\nowner: people@terrifictotes.example\n"
_TABLES = {
    "raw/supplier": """\
grain: One version of a supplier.
key: [supplier_id]
columns:
- {name: supplier_id, type: integer, nullable: false, description: Names the supplier., minimum: 1}
- {name: supplier_name, type: text, nullable: false, description: What it is called.}
- {name: created_at, type: timestamp, nullable: false, description: When it was made (UTC).}
- {name: last_updated, type: timestamp, nullable: false, description: When it was changed (UTC).}
""",
    "raw/delivery": """\
grain: One version of a delivery.
key: [delivery_id]
references:
- {column: supplier_id, table: supplier}
columns:
- {name: delivery_id, type: bigint, nullable: false, description: Names the delivery., minimum: 1}
- {name: supplier_id, type: integer, nullable: false, description: Who delivered., minimum: 1}
- {name: delivered_at, type: timestamp, nullable: false, description: When it came (UTC).}
- {name: weight, type: "decimal(8,3)", nullable: true, description: Kilograms., minimum: 0}
- {name: created_at, type: timestamp, nullable: false, description: When it was made (UTC).}
- {name: last_updated, type: timestamp, nullable: false, description: When it was changed (UTC).}
""",
    "star/dim_supplier": """\
kind: dimension
grain: A supplier as last known.
key: [supplier_id]
built_from: {table: supplier}
columns:
- {name: supplier_id, source: supplier_id}
- {name: supplier_name, source: supplier_name}
""",
    "star/fact_delivery": """\
kind: fact
grain: One captured version of one delivery.
key: [delivery_id]
built_from: {table: delivery}
partition: {name: delivered_month, source_column: delivered_at, granularity: month}
references:
- {column: supplier_id, table: dim_supplier}
columns:
- {name: delivery_record_id, type: integer, nullable: false, description: Numbers versions., record_id: true}
- {name: delivery_id, source: delivery_id}
- {name: supplier_id, source: supplier_id}
- {name: weight, source: weight}
""",
}
_RULES = """
  - name: remark_is_short
    table: [staff, payment, sales_order]
    severity: reject
    reason: Nobody reads a remark that long.
    expectation:
      type: expect_column_values_to_satisfy
      column: remark
      condition: remark IS NULL OR remark <> 'very long'

  - name: delivery_weighs_something
    table: delivery
    severity: warn
    reason: A delivery without a weight.
    lookups:
      - {table: supplier, on: supplier_id}
    expectation:
      type: expect_column_values_to_satisfy
      column: weight
      condition: weight > 0 OR supplier.supplier_name = 'Air'
"""
_SQL = """
CREATE TABLE supplier (
    supplier_id   serial PRIMARY KEY,
    supplier_name text NOT NULL,
    created_at    timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_updated  timestamp(3) NOT NULL
);

CREATE TABLE delivery (
    delivery_id  bigserial PRIMARY KEY,
    supplier_id  integer NOT NULL REFERENCES supplier,
    delivered_at timestamp(3) NOT NULL,
    weight       numeric(8, 3),
    created_at   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_updated timestamp(3) NOT NULL
);
"""


def grow(root: Path, folder: Path) -> Path:
    """A copy of a checkout whose own project has more.

    Args:
        root: The checkout.
        folder: Is made.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)
    contracts = folder / "catalog" / "contracts"
    # What a feed brings has the columns that its answers have.
    raw = {path: path.read_text(encoding="utf-8") for path in contracts.glob("raw/*.yaml")}
    tables = [path.stem for path, text in raw.items() if "\norigin:" not in text]
    for path in [*(contracts / "raw" / f"{table}.yaml" for table in tables), *contracts.glob("star/*.yaml")]:
        text = path.read_text(encoding="utf-8")
        main = re.search(r"^built_from:\n  table: (\w+)", text, re.MULTILINE)
        if path.parent.name == "raw" or (main is not None and main[1] in tables):
            more = _RAW_COLUMN if path.parent.name == "raw" else _STAR_COLUMN
            path.write_text(text.replace("version: 1.0.0", "version: 1.1.0") + more, encoding="utf-8")
    for name, text in _TABLES.items():
        zone, table = name.split("/")
        (contracts / f"{name}.yaml").write_text(_HEAD.format(table=table, zone=zone) + text, encoding="utf-8")
    with (folder / "expectations" / "rules" / "business.yaml").open("a", encoding="utf-8") as file:
        file.write(_RULES)
    with (folder / "totesys" / "schema.sql").open("a", encoding="utf-8") as file:
        file.write(_SQL + "".join(f"ALTER TABLE {table} ADD COLUMN {COLUMN} text;\n" for table in tables))
    for command in ("tools.published_contracts publish", "tools.rights write"):
        subprocess.run([sys.executable, "-m", *command.split()], cwd=folder, check=True)
    # Some tests ask git which files there are.
    for command in ("init --quiet", "add --all"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder
