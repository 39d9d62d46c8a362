"""The warehouse's tables and views from the contracts, as SQLAlchemy metadata.

The star tables are declared as the contracts state them, with the lineage columns after them; types,
quoting and the order of creation are SQLAlchemy's work. Beside them stand two tables of the load itself:
which commits it has consumed, and one row for each load.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Optional

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from catalog.catalogue import Catalogue
from catalog.model import Column, Contract
from catalog.star_views import warehouse_views
from catalog.types import warehouse_type
from catalog.warehouse_names import AUDIT_TABLE, OFFSET_TABLE, WAREHOUSE_SCHEMA

VERSION_ORDER = "batch_sequence"
"""The lineage column that orders the versions of a row."""

_NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_version_key",
}


@dataclass(frozen=True)
class View:
    """A view over the star tables.

    Attributes:
        name: Its name, in the tables' schema.
        body: The query, in PostgreSQL's SQL.
        description: What one row means.
    """

    name: str
    body: str
    description: str

    @property
    def comment(self) -> str:
        """The description and a fingerprint of the query, by which a view of an older contract is known."""
        fingerprint = hashlib.sha256(self.body.encode()).hexdigest()[:12]
        return f"{self.description} [{fingerprint}]"

    def statements(self, schema: str) -> tuple[str, str]:
        """The SQL that makes the view, or remakes it, and that describes it."""
        # As it is: a dialect whose parameters begin with % doubles each one that a text has.
        dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call,unused-ignore]
        name = qualified(schema, self.name)
        comment = sa.literal(self.comment).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        return f"CREATE OR REPLACE VIEW {name} AS {self.body}", f"COMMENT ON VIEW {name} IS {comment}"


def qualified(schema: str, name: str) -> str:
    """The name of a table or view as SQL wants it."""
    quote = postgresql.dialect().identifier_preparer.quote_identifier  # type: ignore[no-untyped-call,unused-ignore]
    return f"{quote(schema)}.{quote(name)}"


def is_of_contracts(comment: Optional[str]) -> bool:
    """Whether a view's comment is one that :class:`View` gives: a load made it, and nobody else."""
    return re.search(r" \[[0-9a-f]{12}\]$", comment or "") is not None


def metadata(catalogue: Catalogue, schema: str = WAREHOUSE_SCHEMA) -> sa.MetaData:
    """Every table of the warehouse.

    Args:
        catalogue: The contracts.
        schema: The PostgreSQL schema that holds the tables.

    Returns:
        The star tables, the offset table and the audit table; ``views`` gives the views over them.
    """
    found = sa.MetaData(schema=schema, naming_convention=_NAMING)
    for contract in catalogue.star.values():
        _star_table(found, contract, catalogue)
    _load_tables(found)
    return found


def views(catalogue: Catalogue, tables: sa.MetaData) -> tuple[View, ...]:
    """The views over facts and dimensions, and the synonyms.

    Args:
        catalogue: The contracts.
        tables: What ``metadata`` gave for them.
    """
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call,unused-ignore]
    quote = dialect.identifier_preparer.format_table
    found: list[View] = []
    for contract in catalogue.star.values():
        shown = warehouse_views(contract, lambda name: quote(table_of(tables, name)))
        found += [View(view.name, view.sql, view.description) for view in shown]
        for name in contract.also_called:
            body = str(sa.select(*table_of(tables, contract.table).c).compile(dialect=dialect))
            found.append(View(name, body, f"Another name of {contract.table}."))
    return tuple(found)


def table_of(tables: sa.MetaData, name: str) -> sa.Table:
    """A table of the metadata by its bare name."""
    return tables.tables[f"{tables.schema}.{name}"]


def _star_table(tables: sa.MetaData, contract: Contract, catalogue: Catalogue) -> sa.Table:
    record = next((column.name for column in contract.columns if column.record_id), None)
    primary = (record,) if record else contract.key
    references = {reference.column: reference.table for reference in contract.references}
    columns = []
    for column in contract.all_columns:
        target = references.get(column.name)
        key = catalogue.star[target].key[0] if target else ""
        columns.append(
            _column(
                column,
                *([sa.ForeignKey(f"{tables.schema}.{target}.{key}")] if target else []),
                primary_key=column.name in primary,
            )
        )
    versions = [sa.UniqueConstraint(*contract.key, VERSION_ORDER)] if contract.kind == "fact" else []
    return sa.Table(contract.table, tables, *columns, *versions, comment=contract.grain)


def _column(column: Column, *constraints: sa.ForeignKey, primary_key: bool) -> sa.Column[Any]:
    kind = sa.Numeric() if column.warehouse_type == "numeric" else warehouse_type(column.type)
    return sa.Column(
        column.name,
        kind,
        *constraints,
        primary_key=primary_key,
        autoincrement=column.warehouse_type == "serial",
        nullable=column.nullable,
        comment=column.description,
    )


def _load_tables(tables: sa.MetaData) -> None:
    sa.Table(
        OFFSET_TABLE,
        tables,
        sa.Column("stage", sa.String(), primary_key=True, comment="The stage whose commits are loaded."),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="Its last commit that is loaded."),
        sa.Column("last_batch", sa.BigInteger(), nullable=False, comment="Last capture that this covers."),
        sa.Column("loaded_at", postgresql.TIMESTAMP(precision=3), nullable=False, comment="When (UTC)."),
        sa.Column("lake", sa.String(), comment="Which lake this is, by the attempt of its first capture."),
        sa.Column("attempt", sa.String(), comment="Which commit has that number, by its attempt."),
        comment="How far the warehouse has read the lake; changes in the transaction that loads the rows.",
    )
    sa.Table(
        AUDIT_TABLE,
        tables,
        sa.Column(
            "load_id", sa.BigInteger(), primary_key=True, autoincrement=False, comment="Dense number, from 1."
        ),
        sa.Column("run_id", sa.String(), nullable=False, comment="The run of the job, as its log names it."),
        sa.Column(
            "first_batch",
            sa.BigInteger(),
            nullable=False,
            comment="First capture that it brought anything of.",
        ),
        sa.Column(
            "last_batch",
            sa.BigInteger(),
            nullable=False,
            comment="Last capture that is wholly loaded after it.",
        ),
        sa.Column(
            "dimensions_sequence",
            sa.BigInteger(),
            nullable=False,
            comment="Dimension commits read up to here.",
        ),
        sa.Column("facts_sequence", sa.BigInteger(), nullable=False, comment="Fact commits read up to here."),
        sa.Column(
            "snapshot_at",
            postgresql.TIMESTAMP(precision=3),
            comment="When the last capture took its snapshot of the source (UTC).",
        ),
        sa.Column(
            "tables",
            postgresql.JSONB(),
            nullable=False,
            comment="By table: rows read from the lake, rows that were new or changed here.",
        ),
        sa.Column("seconds", sa.Numeric(12, 3), nullable=False, comment="From the lock to the commit."),
        sa.Column("loaded_at", postgresql.TIMESTAMP(precision=3), nullable=False, comment="When (UTC)."),
        comment="One row for each load that changed the warehouse.",
    )
