"""What contracts lack of a database is proposed as YAML that makes them whole, and no file is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import read_catalogue
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.postgres_source import SourceColumn
from glue_jobs.sources.structure import StructureConflict, check
from lakehouse.new_project.contracts import TO_DESCRIBE
from lakehouse.new_project.database import Database, ForeignKey, Relation
from lakehouse.new_project.project import Asked, Proposed, propose_additions, write_project

from .test_proposal import relation

CUSTOMER = relation("customer", "name text, createdAt timestamp(3) without time zone")
ORDER = relation(
    "order_line",
    "customer_id integer, state enum, amount numeric(8,2)",
    ("id",),
    ("customer_id", "customer"),
)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_project(tmp_path / "shop", database(), Asked())
    return tmp_path / "shop"


def database(*relations: Relation) -> Database:
    return Database("shop", "reader", relations or (CUSTOMER, ORDER))


def changed(one: Relation, *gone: str, **more: SourceColumn) -> Relation:
    """A table without some columns, and with others."""
    columns = {name: of for name, of in one.found.columns.items() if name not in gone}
    return replace(one, found=replace(one.found, columns={**columns, **more}))


def proposed(folder: Path, *relations: Relation, write: bool = False, **asked: Any) -> Proposed:
    before = files(folder)
    found = propose_additions(folder, database(*relations), Asked(**asked), write=write)
    after = files(folder)
    assert {path: after[path] for path in before} == before
    assert {str(path.relative_to(folder)) for path in after.keys() - before.keys()} == set(found.written)
    return found


def test_who_answers_for_a_project_answers_for_its_new_tables(tmp_path: Path) -> None:
    folder, place = tmp_path / "shop", "catalog/contracts/raw/note.yaml"
    write_project(folder, database(), Asked(owner="data@shop.example"))
    whole = database(CUSTOMER, ORDER, relation("note"))
    found = propose_additions(folder, whole, Asked())
    assert "owner: data@shop.example\n" in found.files[place]
    found = propose_additions(folder, whole, Asked(owner="other@shop.example"))
    assert "owner: other@shop.example\n" in found.files[place]
    write_project(folder, whole, Asked())
    assert "owner: data@shop.example\n" in (folder / place).read_text()


def test_contracts_that_state_all_lack_nothing(folder: Path) -> None:
    found = proposed(folder)
    assert (found.additions, found.files, found.left_out) == ((), {}, ())


def test_what_is_proposed_makes_the_contracts_agree_with_the_database(folder: Path) -> None:
    told = replace(
        changed(
            ORDER,
            state=SourceColumn(4, "enum", values=("a", "b", "it's, new")),
            eMail=SourceColumn(9, "text"),
            shipTo=SourceColumn(10, "integer"),
        ),
        foreign_keys=(*ORDER.foreign_keys, ForeignKey(("shipTo",), ("public", "customer"), ("id",))),
    )
    found = proposed(folder, CUSTOMER, told)
    raised = "raise the version to 1.1.0, and"
    assert [(Path(one.path).stem, one.what) for one in found.additions] == [
        ("order_line", f"{raised} state of the column state:"),
        ("order_line", f"{raised} add to the end of columns:"),
        ("order_line", "add to references:"),
        ("fact_order_line", f"to show them in the star {raised} add to the end of columns:"),
    ]
    values, columns, references, star = found.additions
    assert f"description: {TO_DESCRIBE}" in columns.lines[0]
    assert columns.lines[0].endswith("personal: true} # review: its name looks personal")
    # As a person pastes it.
    contracts = folder / "catalog" / "contracts"
    raw, fact = contracts / "raw" / "order_line.yaml", contracts / "star" / "fact_order_line.yaml"
    text = raw.read_text().replace("allowed_values: [a, b]", values.lines[0])
    text = text.replace("references:\n", "\n".join(["references:", *references.lines, ""]), 1)
    raw.write_text(text + "\n".join(columns.lines) + "\n")
    fact.write_text(fact.read_text() + "\n".join(star.lines) + "\n")
    catalogue = read_catalogue(contracts)
    check(catalogue.raw["order_line"], told.found)
    assert catalogue.star["fact_order_line"].column("e_mail").nullable
    assert catalogue.star["fact_order_line"].column("e_mail").personal
    assert proposed(folder, CUSTOMER, told).additions == ()


def test_a_new_table_is_written_where_that_is_asked_and_nothing_else_is(folder: Path) -> None:
    review = relation("review", "customer_id integer, stars integer", ("id",), ("customer_id", "customer"))
    more = changed(CUSTOMER, remark=SourceColumn(9, "text"))
    found = proposed(folder, more, ORDER, review)
    assert sorted(found.files) == [
        "catalog/contracts/raw/review.yaml",
        "catalog/contracts/star/fact_review.yaml",
    ]
    assert found.written == ()
    found = proposed(folder, more, ORDER, review, write=True)
    assert found.written == tuple(sorted(found.files))
    assert [one.lines[0] for one in found.additions][1:] == [
        "- {name: remark, source: remark, nullable: true}"
    ]
    assert read_catalogue(folder / "catalog" / "contracts").raw["review"].references[0].table == "customer"
    assert proposed(folder, more, ORDER, review, write=True).written == ()
    assert proposed(folder, more, ORDER, relation("x_log"), review, exclude=("*_log",)).files == {}


def test_what_went_or_is_another_is_told_with_what_a_person_can_do(folder: Path) -> None:
    told = changed(CUSTOMER, "name", full_name=SourceColumn(9, "text"))
    found = proposed(folder, told, changed(ORDER, amount=SourceColumn(5, "numeric(10,2)")))
    renamed, retyped = (one.what for one in found.additions if not one.lines)
    assert renamed == (
        "the database has no column name; take name out, or state of it, where it is only called otherwise"
        " now, source: full_name"
    )
    assert retyped == (
        "the column amount is numeric(10,2) now, which decimal(8,2) does not hold; decimal(10,2) holds it,"
        " under another name"
    )
    (gone,) = (one for one in proposed(folder, ORDER).additions if "customer" in one.path)
    assert gone.what == "the database has no public.customer; state its new name by source, or take it out"
    with pytest.raises(StructureConflict):
        check(read_catalogue(folder / "catalog" / "contracts").raw["customer"], told.found)


def test_a_part_of_another_table_is_not_taken_for_gone(folder: Path) -> None:
    whole = Database("shop", "reader", (), frozenset({CUSTOMER.place, ORDER.place}))
    found = propose_additions(folder, whole, Asked())
    assert found.additions == ()
    assert [str(one).partition(",")[0] for one in found.left_out] == [
        "public.customer is a part of another table",
        "public.order_line is a part of another table",
    ]


def test_what_cannot_be_held_or_named_is_listed(folder: Path) -> None:
    told = changed(CUSTOMER, photo=SourceColumn(9, "bytea"), created_at=SourceColumn(10, "date"))
    found = proposed(folder, told, ORDER)
    assert [str(one).partition(". ")[0] for one in found.left_out] == [
        "public.customer.photo holds bytes, for which the lake has no type",
        "public.customer.created_at would be created_at, as a column of its contract would",
    ]
    renamed = proposed(folder, told, ORDER, names={"public.customer.created_at": "created_on"})
    assert "- {name: created_on, source: created_at, type: date" in str(renamed.additions[0])


def test_another_database_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="is about another database: shop has none of its tables"):
        proposed(folder, relation("elsewhere"))
