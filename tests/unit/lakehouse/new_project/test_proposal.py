"""What is proposed for a database, by kinds of what it may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import load_catalogue, read_catalogue
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.postgres_source import Leaf, SourceColumn, SourceTable
from glue_jobs.sources.structure import check, check_key
from lakehouse.new_project.columns import key_type, lake_type, looks_personal
from lakehouse.new_project.contracts import CUT_FROM_ROWS, TO_DESCRIBE
from lakehouse.new_project.database import Database, ForeignKey, Relation
from lakehouse.new_project.names import lake_name
from lakehouse.new_project.project import Asked, write_project
from lakehouse.new_project.proposal import Proposal, propose
from lakehouse.new_project.report import capture_seconds, report, shown_bytes, shown_seconds
from lakehouse.new_project.tables import Known, Options
from lakehouse.new_project.yaml_text import one_line

OPTIONS = Options(owner="data@shop.example", schema="public")


def relation(
    name: str,
    columns: Mapping[str, str] | str = "",
    key: tuple[str, ...] = ("id",),
    *references: tuple[str, str],
    schema: str = "public",
    kind: str = "r",
    **more: Any,
) -> Relation:
    """A table with an integer key ``id``, unless told otherwise; what ends in ? may be empty."""
    if isinstance(columns, str):
        pairs = (one.split(" ", 1) for one in columns.split(", ") if one)
        columns = {"id": "integer", **dict(pairs)}
    declared = {
        name: SourceColumn(number, of.rstrip("?"), values=("a", "b") if of.startswith("enum") else None)
        for number, (name, of) in enumerate(columns.items(), 1)
    }
    numbers = frozenset(declared[one].number for one in key)
    leaves = (Leaf(7, name, "r", "heap"),)
    keys = tuple(ForeignKey((column,), ("public", target), ("id",)) for column, target in references)
    return Relation(
        place=(schema, name),
        found=SourceTable(7, kind, True, False, 0, numbers, declared, leaves),
        required=frozenset(column for column, of in columns.items() if not of.endswith("?")),
        keys=(key,) if key else (),
        foreign_keys=keys,
        **more,
    )


def proposed(*relations: Relation, options: Options = OPTIONS) -> Proposal:
    return propose(Database("shop", "reader", relations), options, load_catalogue().zones)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("smallint", "integer"),
        ("bigint", "bigint"),
        ("boolean", "boolean"),
        ("date", "date"),
        ("timestamp(3) without time zone", "timestamp"),
        ("timestamp without time zone", "timestamp(6)"),
        ("timestamp(0) with time zone", "timestamptz"),
        ("time(3) without time zone", "time"),
        ("time without time zone", "text"),
        ("real", "real"),
        ("double precision", "double"),
        ("numeric(10,2)", "decimal(10,2)"),
        ("numeric(3,5)", "decimal(5,5)"),
        ("numeric(2,-3)", "text"),
        ("numeric", "decimal(38,10)"),
        ("numeric(39,2)", None),
        ("character varying(20)", "text"),
        ("uuid", "text"),
        ("jsonb", "text"),
        ("integer[]", "text"),
        ("public.citext", "text"),
        ("enum", "text"),
        ("bytea", None),
    ],
)
def test_a_type_is_the_first_that_holds_every_value(declared: str, kind: str | None) -> None:
    assert lake_type(declared) == kind


@pytest.mark.parametrize(
    ("declared", "base", "kind"),
    [
        ("integer", None, "integer"),
        ("uuid", None, "text"),
        ("character(3)", None, "text"),
        ("timestamp(3) without time zone", None, "timestamp"),
        ("timestamp with time zone", None, "text"),
        ("bytea", None, "text"),
        ("public.order_no", "bigint", "text"),
        ("public.email", "public.citext", None),
        ("public.citext", None, None),
        ("numeric(10,0)", None, "text"),
        ("numeric(50,2)", None, "text"),
        ("public.amount", "numeric(10,2)", "text"),
        ("boolean", None, "text"),
        ("time(3) without time zone", None, "text"),
        ("time with time zone", None, "text"),
        ("date", None, "date"),
        ("integer[]", None, "text"),
        ("numeric[]", None, None),
        ("daterange", None, "text"),
        ("numrange", None, None),
        ("bit(5)", None, "text"),
        ('"char"', None, "text"),
        ("numeric", None, None),
        ("double precision", None, None),
        ("interval", None, None),
        ("money", None, None),
        ("jsonb", None, None),
    ],
)
def test_a_column_is_part_of_a_key_where_each_value_has_one_text(
    declared: str, base: str | None, kind: str | None
) -> None:
    assert key_type(SourceColumn(1, declared), base) == kind


def test_a_text_that_equals_others_is_part_of_no_key() -> None:
    assert key_type(SourceColumn(1, "text", is_vague=True), None) is None


@pytest.mark.parametrize(
    ("name", "proposed_name"),
    [
        ("created_at", "created_at"),
        ("a__b", "a__b"),
        ("createdAt", "created_at"),
        ("HTMLPage", "html_page"),
        ("orderID", "order_id"),
        ("Order Line", "order_line"),
        ("_prisma_migrations", "prisma_migrations"),
        ("Größe", "grosse"),
        ("Straße", "strasse"),
        ("2fa", "source_2fa"),
        ("select", "source_select"),
        ("user", "source_user"),
        ("valid_from", "source_valid_from"),
        ("batch", "source_batch"),
        ("名前", None),
        ("øre", None),
        ("--", None),
    ],
)
def test_a_name_is_proposed_in_snake_case_or_not_at_all(name: str, proposed_name: str | None) -> None:
    assert lake_name(name, frozenset({"batch"})) == proposed_name


@pytest.mark.parametrize(
    ("table", "column", "personal"),
    [
        ("visit", "email", True),
        ("visit", "e_mail", True),
        ("visit", "work_phone2", True),
        ("visit", "first_name", True),
        ("visit", "date_of_birth", True),
        ("visit", "birth_date", True),
        ("visit", "delivery_address", True),
        ("visit", "address_id", False),
        ("visit", "name", False),
        ("customers", "name", True),
        ("visit", "price", False),
        ("visit", "zipped", False),
    ],
)
def test_a_name_looks_personal(table: str, column: str, personal: bool) -> None:
    assert looks_personal(table, column) is personal


def test_a_contract_states_what_the_database_does() -> None:
    users = relation(
        "Users",
        "fullName text, createdAt timestamp with time zone, state enum, balance numeric?, photo bytea?",
        comment="Who may log in.",
        comments={"state": "Whether they may."},
    )
    made = proposed(users)
    assert made.raw["users"] == {
        "table": "users",
        "zone": "raw",
        "version": "1.0.0",
        "owner": "data@shop.example",
        "grain": 'One version of a row of public."Users". Who may log in.',
        "key": ["id"],
        "source": {"table": "Users"},
        "columns": [
            {"name": "id", "type": "integer", "nullable": False, "description": TO_DESCRIBE},
            {
                "name": "full_name",
                "source": "fullName",
                "type": "text",
                "nullable": False,
                "description": TO_DESCRIBE,
                "personal": True,
            },
            {
                "name": "created_at",
                "source": "createdAt",
                "type": "timestamptz",
                "nullable": False,
                "description": TO_DESCRIBE,
            },
            {
                "name": "state",
                "type": "text",
                "nullable": False,
                "description": "Whether they may.",
                "allowed_values": ["a", "b"],
            },
            {"name": "balance", "type": "decimal(38,10)", "nullable": True, "description": TO_DESCRIBE},
        ],
    }
    assert made.marks["raw", "users", "full_name"] == "its name looks personal"
    assert "states no digits" in made.marks["raw", "users", "balance"]
    (left,) = made.left_out
    assert left.what == 'public."Users".photo'
    assert left.reason == "holds bytes, for which the lake has no type"
    assert left.remedy.startswith("State it as text")


def vague(one: Relation) -> Relation:
    """The same, whose columns have a collation that is not deterministic."""
    columns = {name: replace(of, is_vague=True) for name, of in one.found.columns.items()}
    return replace(one, found=replace(one.found, columns=columns))


LEFT_OUT = [
    (
        relation("report", kind="v", made_of=(("public", "a"), ("Sales", "b"))),
        'is a view over public.a, "Sales".b: it has no row versions. Capture public.a, "Sales".b',
    ),
    (relation("log", "at date", ()), "has no key. A table without a key is not captured"),
    (relation("price", {"id": "numeric"}), "the key column id, which is numeric: a value of it has several"),
    (
        vague(relation("loose", {"id": "text"})),
        "key column id, whose collation takes texts for equal that are not the same. Give the column",
    ),
    (relation("far", in_reach=False), "GRANT USAGE ON SCHEMA public TO reader"),
    (relation("metric", is_hypertable=True), "is a hypertable of Timescale"),
    (relation("away", kind="f"), "is a foreign table in the source: it has no row versions"),
    (relation("名前"), "letters that have no plain form. Name it with --rename 'public.名前=NAME'"),
    (relation("x" * 46), "longer than the 45 characters"),
    (relation("it's 名"), r"Name it with --rename 'public.it'\''s 名=NAME'"),
]


@pytest.mark.parametrize(("one", "words"), LEFT_OUT, ids=[one.place[1] for one, _ in LEFT_OUT])
def test_what_cannot_be_held_is_listed_with_reason_and_way_out(one: Relation, words: str) -> None:
    made = proposed(one, relation("other"))
    assert list(made.raw) == ["other"]
    (left,) = made.left_out
    assert words in str(left)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"leaves": (Leaf(7, "t", "r", "columnar"),)}, "by the access method columnar"),
        ({"readable": False}, "GRANT SELECT ON public.t"),
        ({"secured": True}, "Under row-level security"),
    ],
)
def test_what_a_capture_would_pause_is_left_out(changed: dict[str, Any], words: str) -> None:
    table = relation("t")
    made = proposed(replace(table, found=replace(table.found, **changed)))
    assert words in str(made.left_out[0])


def test_names_that_two_would_share_are_refused_for_both() -> None:
    item = {"id": "integer", "ID": "text", "code": "text", "tag": "text", "Tag": "text"}
    made = proposed(
        relation("users", schema="a"),
        relation("users", schema="b"),
        relation("price", "x date", (), schema="c"),
        relation("item", item, ("code",)),
        relation("bad", {"id": "integer", "ID": "text"}),
        relation("price"),
        relation("price_current"),
    )
    assert [column["name"] for column in made.raw["item"]["columns"]] == ["code"]
    assert list(made.raw) == ["item", "price"]
    assert [(one.what, one.reason) for one in made.left_out] == [
        ("a.users", "would be users, as b.users would"),
        ("b.users", "would be users, as a.users would"),
        ("c.price", "has no key"),
        ("public.bad", 'has the key column id, which would be id, as "ID" would'),
        ('public.item."ID"', "would be id, as id would"),
        ('public.item."Tag"', "would be tag, as tag would"),
        ("public.item.id", 'would be id, as "ID" would'),
        ("public.item.tag", 'would be tag, as "Tag" would'),
        ("public.price_current", "would be price_current, and so would a view of price be called"),
    ]
    remedies = [one.remedy.partition(",")[0] for one in made.left_out]
    assert "Name it with --rename 'a.users=NAME'" in remedies
    assert "Name it with --rename 'public.item.ID=NAME'" in remedies


def test_a_person_names_what_would_collide() -> None:
    names = {"b.users": "b_users", "a.users.ID": "other_id"}
    made = proposed(
        relation("users", {"id": "integer", "ID": "text"}, schema="a"),
        relation("users", schema="b"),
        options=replace(OPTIONS, names=names),
    )
    assert made.left_out == ()
    assert made.raw["users"]["source"] == {"schema": "a"}
    assert made.raw["b_users"]["source"] == {"schema": "b", "table": "users"}
    assert made.raw["users"]["columns"][1] == {
        "name": "other_id",
        "source": "ID",
        "type": "text",
        "nullable": False,
        "description": TO_DESCRIBE,
    }


def test_a_key_of_days_or_times_is_marked_for_those_that_no_calendar_has() -> None:
    made = proposed(relation("t", {"id": "integer", "day": "date", "at": "date"}, ("id", "day")))
    mark = made.marks["raw", "t", "day"]
    assert mark == "infinity and years BC name no row, unless it is text"
    assert ("raw", "t", "at") not in made.marks


def test_money_is_marked_for_places_whose_money_has_other_decimals() -> None:
    made = proposed(
        relation("t", {"id": "integer", "paid": "money", "due": "public.due"}, bases={"due": "money"})
    )
    for column in ("paid", "due"):
        assert "with two decimals" in made.marks["raw", "t", column]


def test_a_unique_index_stands_in_for_a_key_that_cannot_be_held() -> None:
    table = replace(
        relation("t", {"id": "numeric", "code": "text"}),
        keys=(("id",), ("code",)),
    )
    made = proposed(table)
    assert made.raw["t"]["key"] == ["code"]
    assert made.marks["raw", "t", "key"] == "the key is that of a unique index"


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        ((), (), ["order_log", "source_order", "stock"]),
        (("public.*",), (), ["order_log", "source_order"]),
        ((), ("*_log", "depot.*"), ["source_order"]),
        (("order*",), ("order_log",), ["source_order"]),
        (("Order",), (), []),
    ],
)
def test_patterns_choose_tables(
    include: tuple[str, ...], exclude: tuple[str, ...], chosen: list[str]
) -> None:
    tables = (relation("order"), relation("order_log"), relation("stock", schema="depot"))
    made = proposed(*tables, options=replace(OPTIONS, include=include, exclude=exclude))
    assert sorted(made.raw) == chosen
    assert made.skipped == len(tables) - len(chosen)


STAR = (
    relation("country"),
    relation("customer", "country_id integer, name text", ("id",), ("country_id", "country")),
    relation(
        "orders",
        "customer_id integer, total numeric(8,2), placed_at timestamp without time zone",
        ("id",),
        ("customer_id", "customer"),
        rows=CUT_FROM_ROWS,
    ),
    relation("product", "country_id integer, price numeric(8,2)", ("id",), ("country_id", "country")),
    relation("offer", "product_id integer, last_seen date", ("id",), ("product_id", "product")),
    relation("line", "order_id integer, units integer", ("id",), ("order_id", "orders")),
    relation(
        "tagged",
        {"customer_id": "integer", "country_id": "integer"},
        ("customer_id", "country_id"),
        ("customer_id", "customer"),
        ("country_id", "country"),
    ),
    relation("place", "country_id integer, label text", ("id",), ("country_id", "country")),
    relation("category", "parent_id integer?", ("id",), ("parent_id", "category")),
)


def test_facts_and_dimensions_are_guessed_from_foreign_keys_and_said_to_be_guesses() -> None:
    made = proposed(*STAR)
    kinds = {name: contract["kind"] for name, contract in made.star.items()}
    assert [name for name, kind in kinds.items() if kind == "fact"] == [
        "fact_orders",
        "fact_line",
        "fact_tagged",
    ]
    assert [name for name, kind in kinds.items() if kind == "dimension"] == [
        *("dim_country", "dim_customer", "dim_product", "dim_offer", "dim_place", "dim_category")
    ]
    assert made.raw["line"]["references"] == [{"column": "order_id", "table": "orders"}]
    assert made.raw["category"]["references"] == [{"column": "parent_id", "table": "category"}]
    assert made.star["fact_orders"] == {
        "table": "fact_orders",
        "zone": "star",
        "version": "1.0.0",
        "kind": "fact",
        "owner": "data@shop.example",
        "grain": "One captured version of one row of orders.",
        "key": ["id"],
        "built_from": {"table": "orders"},
        "partition": {"name": "placed_month", "source_column": "placed_at", "granularity": "month"},
        "references": [{"column": "customer_id", "table": "dim_customer"}],
        "columns": [
            {
                "name": "orders_record_id",
                "type": "integer",
                "nullable": False,
                "description": "Numbers the versions of all rows of orders.",
                "record_id": True,
            },
            *({"name": name, "source": name} for name in ("id", "customer_id", "total", "placed_at")),
        ],
    }
    # What it refers to is a fact, which no column of a star refers to; and it is too small to be cut.
    assert "references" not in made.star["fact_line"]
    assert "partition" not in made.star["fact_line"]
    assert all("guess" in made.marks["star", table, ""] for table in made.star)


def test_a_record_s_number_takes_its_name_from_no_column() -> None:
    columns = "customer_id integer, line_record_id integer, fact_line_record_id integer, units integer"
    line = relation("line", columns, ("id",), ("customer_id", "customer"))
    made = proposed(relation("customer"), line)
    assert made.star["fact_line"]["columns"][0]["name"] == "fact_fact_line_record_id"


def test_a_foreign_key_to_what_is_read_as_a_part_of_another_is_not_stated() -> None:
    child = relation("child", "code text")
    refers = ForeignKey(("code",), ("public", "leaf"), ("id",))
    known = {("public", "leaf"): Known("leaf", ("id",), ("text",))}
    database = Database("shop", "reader", (replace(child, foreign_keys=(refers,)),))
    made = propose(database, OPTIONS, load_catalogue().zones, known)
    assert "references" not in made.raw["child"]


def test_a_column_that_refers_to_a_wider_key_is_as_wide() -> None:
    made = proposed(
        relation("c", "b_id integer", ("id",), ("b_id", "b")),
        relation("b", {"id": "integer"}, ("id",), ("id", "a")),
        relation("a", {"id": "bigint"}),
    )
    assert made.raw["c"]["columns"][1]["type"] == "bigint"
    assert made.raw["c"]["references"] == [{"column": "b_id", "table": "b"}]


def test_a_column_that_refers_to_a_key_that_is_a_text_is_one() -> None:
    made = proposed(
        relation("c", "b_id numeric(18,0)", ("id",), ("b_id", "b")),
        relation("b", {"id": "numeric(18,0)"}),
        relation("d", "b_id numeric(9,0)", ("id",), ("b_id", "b")),
    )
    assert made.raw["c"]["columns"][1]["type"] == "text"
    assert made.raw["c"]["references"] == [{"column": "b_id", "table": "b"}]
    # Other digits may have other texts.
    assert "references" not in made.raw["d"]


@pytest.mark.parametrize(
    ("declared", "key", "stated"),
    [
        ("text", {}, True),
        ("character varying(3)", {}, True),
        ("character(3)", {}, False),
        ("public.citext", {}, False),
        ("text", {"is_checked": False}, False),
        ("text", {"target": ("public", "gone")}, False),
        ("text", {"target_columns": ("other",)}, False),
    ],
)
def test_a_foreign_key_is_stated_where_equal_values_have_equal_texts(
    declared: str, key: dict[str, Any], stated: bool
) -> None:
    child = relation("child", f"code {declared}")
    refers = replace(ForeignKey(("code",), ("public", "parent"), ("id",)), **key)
    made = proposed(relation("parent", {"id": "text"}), replace(child, foreign_keys=(refers,)))
    assert ("references" in made.raw["child"]) is stated
    assert (("raw", "child", "columns") in made.marks) is not stated


def many() -> tuple[Relation, ...]:
    """Three hundred tables, each of which refers to the first."""
    columns = "first integer, amount numeric(8,2)"
    further = (relation(f"t{n:03}", columns, ("id",), ("first", "t000")) for n in range(1, 300))
    return tuple(replace(one, rows=1000) for one in (relation("t000"), *further))


def test_what_is_written_is_a_project_that_the_capture_agrees_with(tmp_path: Path) -> None:
    odd = relation("Odd, {\n#", {"id": "uuid", 'a"\n: b': "text", "is_deleted": "boolean", "month": "date"})
    relations = (*STAR, *many(), odd)
    folder = tmp_path / "my-Shop 2"
    done = write_project(folder, Database("shop", "reader", relations), Asked())
    assert done.left == ()
    catalogue = read_catalogue(folder / "catalog" / "contracts")
    assert catalogue.zones["raw"].database == "myshop2_raw"
    assert len(catalogue.captured) == len(relations)
    by_place = {one.place: one.found for one in relations}
    for contract in catalogue.captured.values():
        found = by_place[contract.at_source("public")]
        check(contract, found)
        check_key(contract, found)
    assert catalogue.raw["odd"].column("source_is_deleted").at_source == "is_deleted"


def test_a_second_time_it_changes_nothing_and_adds_what_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_project(folder, Database("shop", "reader", STAR[:3]), Asked())
    contracts = folder / "catalog" / "contracts"
    # A person names a table otherwise, and describes it.
    (contracts / "raw" / "customer.yaml").rename(contracts / "raw" / "buyer.yaml")
    for path in [*contracts.glob("*/*.yaml"), folder / "catalog" / "pipeline.yaml"]:
        text = path.read_text().replace("table: customer", "table: buyer")
        path.write_text(text.replace(TO_DESCRIBE, "Described."))
    raw = contracts / "raw" / "buyer.yaml"
    raw.write_text(raw.read_text().replace("key: [id]", "key: [id]\nsource: {table: customer}"))
    before = {path: path.read_text() for path in folder.rglob("*.*") if path.is_file()}

    review = relation("review", "customer_id integer, stars integer", ("id",), ("customer_id", "customer"))
    done = write_project(folder, Database("shop", "reader", (*STAR[:3], review)), Asked())
    assert done.written == ("catalog/contracts/raw/review.yaml", "catalog/contracts/star/fact_review.yaml")
    assert "catalog/pipeline.yaml" in done.left
    assert {path: path.read_text() for path in before} == before
    catalogue = read_catalogue(contracts)
    (reference,) = catalogue.star["fact_review"].references
    assert (reference.column, reference.table) == ("customer_id", "dim_customer")


def test_a_project_of_another_database_is_left_alone(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "shop"
    write_project(folder, Database("shop", "reader", (relation("a"),)), Asked())
    for project in (folder, root):
        with pytest.raises(UserError, match="about another database: depot has none of its tables"):
            write_project(project, Database("depot", "reader", (relation("b"),)), Asked())
    assert not list(folder.rglob("b.yaml"))


@pytest.mark.parametrize(
    ("folder", "relations", "asked", "words"),
    [
        ("shop", (relation("a"),), Asked(names={"public.b": "c"}), "has no public.b, which --rename names"),
        (
            "shop",
            (relation("a", {"x": "date"}, ()),),
            Asked(),
            "no table that can be captured.\n  public.a has no key",
        ),
        ("2020", (relation("a"),), Asked(exclude=("a",)), "no table that can be captured"),
        ("--", (relation("a"),), Asked(), "a name that no project can have"),
    ],
)
def test_what_makes_no_project_is_refused_and_nothing_is_written(
    tmp_path: Path, folder: str, relations: tuple[Relation, ...], asked: Asked, words: str
) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        write_project(tmp_path / folder, Database("shop", "reader", relations), asked)
    assert list(tmp_path.iterdir()) == []


def test_the_report_tells_sizes_guesses_and_what_is_not_held_before_the_first_capture() -> None:
    made = proposed(*many(), relation("v", kind="v", made_of=(("public", "t000"),)))
    said = report(made, "shop")
    assert "300 tables of shop to capture\n" in said
    assert (
        "the first capture reads about 300,000 rows, 0 bytes by the server's estimate, in about 11 seconds"
        in said
    )
    assert "299 facts, guessed from foreign keys: fact_t001" in said
    assert f'898 columns to describe: search for "{TO_DESCRIBE}"' in said
    assert "not held (1):\n  public.v is a view over public.t000" in said


@pytest.mark.parametrize(
    ("rows", "tables", "words"),
    [
        (0, 1, "3 seconds"),
        (6_000, 300, "10 seconds"),
        (3_000_000, 40, "13 seconds"),
        (30_000_000, 40, "2 minutes"),
    ],
)
def test_the_time_of_a_first_capture_follows_from_rows_and_tables(rows: int, tables: int, words: str) -> None:
    assert shown_seconds(capture_seconds(rows, tables)) == words


@pytest.mark.parametrize(
    ("size", "words"), [(999, "999 bytes"), (3_400_000, "3.4 MB"), (10**16, "10000.0 TB")]
)
def test_a_size_is_told_in_its_unit(size: int, words: str) -> None:
    assert shown_bytes(size) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("a, b", "'a, b'"),
        ("x\ny", r'"x\ny"'),
        ("yes", "'yes'"),
        ({"a": "x: {", "b": [1, True]}, "{a: 'x: {', b: [1, true]}"),
        ("é\u2028", r'"é\L"'),
    ],
)
def test_a_value_stands_on_one_line(value: object, text: str) -> None:
    assert one_line(value) == text
