"""What the site's pages say: made of contracts, views, questions and what the lake shows, before any design.

A page is a title and blocks. Words are escaped where they become HTML, so nothing that a contract says can be
markup; whoever renders pages (:mod:`sites.catalog.render`) adds the frame, the navigation and the search.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from bi.questions import Question, tables_read
from catalog.catalogue import Catalogue
from catalog.lineage import CARD, NOTEBOOK, QUESTION, ColumnLineage, Dataset, Field
from catalog.model import Column, Contract, Zone
from catalog.star_views import StarView, athena_views
from catalog.types import glue_type
from sites.catalog import column_lineage, lineage
from sites.catalog.lineage import Node
from sites.catalog.live import (
    Live,
    Shown,
    TableName,
    ValidationSummary,
    differences,
    stated_table,
    stated_views,
)
from sites.templates import environment

HERE = Path(__file__).parent

INDEX = "index"
"""The page that a folder begins with."""

QUESTIONS = "questions"
"""The folder of the questions; the other folders are zones."""

LINEAGE = "lineage"
"""The folder of the page that tells what is traced and what is not, and of cards and notebooks."""

GONE = f"gone/{INDEX}"
"""The page that takes the place of a table's when there is no such table any more."""


@dataclass(frozen=True)
class _Origin:
    """What a star column is made of.

    Attributes:
        expression: How, if not as it is.
        sources: Name and address of each raw column.
    """

    expression: str | None
    sources: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Block:
    """A piece of a page.

    Attributes:
        kind: ``section`` begins one, ``html`` is shown as it is, ``sql`` is code to be copied.
        text: The section's title, the HTML or the SQL.
        summary: SQL: the HTML that is shown instead until the reader unfolds it; nothing shows it at once.
        searched: Whether the search finds its words.
    """

    kind: Literal["section", "html", "sql"]
    text: str
    summary: str = ""
    searched: bool = True


@dataclass(frozen=True)
class Page:
    """A page: its title, and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Entry:
    """What the search finds by its name: a column, and where it is explained.

    Attributes:
        name: Database, table and column, with points between.
        page: The page.
        anchor: The place on it.
    """

    name: str
    page: str
    anchor: str


@dataclass(frozen=True)
class Group:
    """Pages that belong together in the navigation: the page of the group, and by page what it is called."""

    title: str
    page: str
    pages: Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """Everything that is to be rendered.

    Attributes:
        pages: By name, which is the path without its ending.
        entries: The columns, for the search.
        groups: The navigation.
    """

    pages: Mapping[str, Page]
    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class _Table:
    """A table or a view, as its page needs it."""

    zone: Zone
    name: str
    means: str
    contract: Contract
    columns: tuple[Column, ...]
    partition_columns: tuple[Column, ...]
    stated: Shown
    view: StarView | None = None
    judged_as: tuple[str, ...] = field(default=())

    @property
    def page(self) -> str:
        return f"{self.zone.name}/{self.name}"

    @property
    def key(self) -> TableName:
        return self.zone.database, self.name

    @property
    def node(self) -> Node:
        return Node(*self.key)


def site(
    catalogue: Catalogue,
    questions: Mapping[str, Question],
    live: Live,
    columns: ColumnLineage | None = None,
) -> Site:
    """The whole site.

    Args:
        catalogue: The contracts.
        questions: The analysts' questions, by name.
        live: What the lake shows.
        columns: Where columns come from; nothing shows no lineage of columns.
    """
    tables = tuple(_tables(catalogue))
    star = catalogue.zones["star"].database
    reads = {name: tables_read(question, star) for name, question in questions.items()}
    of_key = {table.key: table for table in tables}
    writer = _Writer(catalogue, questions, reads, live, of_key, columns or ColumnLineage({}))
    pages = {INDEX: writer.front(), f"{QUESTIONS}/{INDEX}": writer.questions(), GONE: writer.gone()}
    pages |= {f"{name}/{INDEX}": writer.zone(zone) for name, zone in catalogue.zones.items()}
    pages |= {table.page: writer.table(table) for table in tables}
    pages |= {f"{QUESTIONS}/{name}": writer.question(question) for name, question in questions.items()}
    groups = list(_groups(catalogue, tables, questions))
    if columns is not None:
        pages[f"{LINEAGE}/{INDEX}"] = writer.lineage()
        groups.append(Group("Lineage", f"{LINEAGE}/{INDEX}", {}))
    return Site(pages, tuple(_entries(tables)), tuple(groups))


def _tables(catalogue: Catalogue) -> Iterable[_Table]:
    for contract in catalogue.contracts:
        built = contract.built_from
        sources = [built.table, *(join.table for join in built.joins)] if built and built.table else []
        judged = [contract.table] if contract.zone != "star" else [name for name in sources if name]
        judged_as = tuple(dict.fromkeys(name for name in judged if name in catalogue.raw))
        yield _Table(
            contract.zone_info,
            contract.table,
            contract.grain,
            contract,
            contract.all_columns,
            contract.partition_columns,
            stated_table(contract),
            judged_as=judged_as,
        )
        stated = stated_views(contract)
        for view in athena_views(contract):
            yield _Table(
                contract.zone_info,
                view.name,
                view.description,
                contract,
                view.columns,
                (),
                stated[view.name],
                view=view,
                judged_as=judged_as,
            )


def _entries(tables: Iterable[_Table]) -> Iterable[Entry]:
    for table in tables:
        for column in (*table.columns, *table.partition_columns):
            name = f"{table.zone.database}.{table.name}.{column.name}"
            yield Entry(name, table.page, anchor(column))


def _groups(
    catalogue: Catalogue, tables: Sequence[_Table], questions: Mapping[str, Question]
) -> Iterable[Group]:
    # What analysts ask comes first.
    for name in sorted(catalogue.zones, key=lambda name: name != "star"):
        zone = catalogue.zones[name]
        of_zone = {table.page: table.name for table in tables if table.zone is zone}
        yield Group(zone.database, f"{name}/{INDEX}", of_zone)
    asked = {f"{QUESTIONS}/{name}": question.title for name, question in questions.items()}
    yield Group("Questions", f"{QUESTIONS}/{INDEX}", asked)


def anchor(column: Column) -> str:
    """The place of a column on its table's page."""
    return f"column-{column.name}"


@dataclass(frozen=True)
class _Writer:
    catalogue: Catalogue
    asked: Mapping[str, Question]
    reads: Mapping[str, tuple[TableName, ...]]
    live: Live
    tables: Mapping[TableName, _Table]
    columns: ColumnLineage

    # --- pages ---------------------------------------------------------------------------------

    def front(self) -> Page:
        zones = [
            (zone, f"{name}/{INDEX}.html", [table for table in self.tables.values() if table.zone is zone])
            for name, zone in sorted(self.catalogue.zones.items(), key=lambda item: item[0] != "star")
        ]
        found = column_lineage.figures(self.columns) if self.columns.tables else None
        said = _html(
            "front",
            zones=zones,
            questions=self.asked,
            live=self.live,
            folder=QUESTIONS,
            lineage=(found, f"{LINEAGE}/{INDEX}.html") if found else None,
        )
        return Page("Catalogue", (said,))

    def zone(self, zone: Zone) -> Page:
        page = f"{zone.name}/{INDEX}"
        of_zone = [table for table in self.tables.values() if table.zone is zone]
        kinds = [
            ("Facts", [t for t in of_zone if t.contract.kind == "fact" and not t.view]),
            ("Views over facts", [t for t in of_zone if t.contract.kind == "fact" and t.view]),
            (
                "Dimensions",
                [t for t in of_zone if t.contract.kind in ("dimension", "calendar") and not t.view],
            ),
            ("Views over dimensions", [t for t in of_zone if t.contract.kind == "dimension" and t.view]),
            ("Dead letters", [t for t in of_zone if t.contract.kind == "dead_letters"]),
            ("Tables", [t for t in of_zone if t.contract.kind is None]),
        ]
        blocks = [_html("zone", zone=zone, tables=of_zone)]
        for title, tables in kinds:
            if tables:
                cards = [(t, href(page, t.page), self.live.touched.get(t.key)) for t in tables]
                blocks += [Block("section", title), _html("cards", cards=cards)]
        return Page(zone.database, tuple(blocks))

    def table(self, table: _Table) -> Page:
        blocks = [self._facts(table), Block("section", "Columns"), self._columns(table)]
        blocks += [Block("section", "Lineage"), self._lineage(table)]
        blocks += self._column_lineage(table.page, Dataset(*table.key))
        if table.view is not None:
            blocks += [Block("section", "Definition"), Block("sql", table.view.sql, searched=False)]
        if table.judged_as:
            blocks += [Block("section", "Last validation results"), self._validations(table)]
        asked = self._asked_of(table)
        if asked:
            blocks.append(Block("section", "Questions"))
            blocks += [self._asked(table.page, question) for question in asked]
        return Page(".".join(table.key), tuple(blocks))

    def questions(self) -> Page:
        page = f"{QUESTIONS}/{INDEX}"
        return Page("Questions", (_html("questions", questions=self._linked(page, self.asked.values())),))

    def question(self, question: Question) -> Page:
        page = f"{QUESTIONS}/{question.name}"
        tables = [self.tables[key] for key in self.reads[question.name]]
        read = [(".".join(table.key), href(page, table.page), table.means) for table in tables]
        return Page(
            question.title,
            (
                _html("question", question=question),
                Block("section", "SQL"),
                Block("sql", question.sql),
                Block("section", "Traps that it avoids"),
                _html("traps", traps=question.avoids),
                Block("section", "Tables that it reads"),
                _html("read", read=read),
                *self._answer_lineage(page, question.name),
            ),
        )

    def lineage(self) -> Page:
        page = f"{LINEAGE}/{INDEX}"
        link = self._linker(page)
        blocks = [_html("lineage", found=column_lineage.figures(self.columns))]
        listed = column_lineage.untraced(self.columns)
        blocks += [Block("section", "Untraced columns"), _html("untraced", listed=listed)]
        for title, place in (("Dashboard cards", CARD), ("Notebooks", NOTEBOOK)):
            of_place = [table for table in self.columns.tables.values() if table.dataset.place == place]
            if of_place:
                shown = [(t.dataset.table, column_lineage.rows(self.columns, t, link)) for t in of_place]
                blocks += [Block("section", title), _html("readers", title=title, shown=shown)]
        return Page("Lineage", tuple(replace(b, searched=b.kind == "section") for b in blocks))

    def gone(self) -> Page:
        return Page("No longer in the catalogue", (_html("gone"),))

    # --- blocks --------------------------------------------------------------------------------

    def _facts(self, table: _Table) -> Block:
        shown = self.live.shown.get(table.key)
        fact = (table.contract.table, href(table.page, f"{table.zone.name}/{table.contract.table}"))
        return _html(
            "facts",
            table=table,
            fact=fact if table.view else None,
            shown=shown,
            differences=differences(table.stated, shown) if shown else (),
            known=bool(self.live.shown),
            touched=self.live.touched.get((table.zone.database, table.contract.table)),
            loaded=self.live.loaded if table.zone.name == "star" else None,
            partition=table.contract.partition,
        )

    def _columns(self, table: _Table) -> Block:
        refers = {reference.column: reference.table for reference in table.contract.references}
        rows = [
            {
                "column": column,
                "anchor": anchor(column),
                "type": glue_type(column.type),
                "badges": [*self._badges(table, column)],
                "refers": refers.get(column.name),
                "refers_to": href(table.page, f"{table.zone.name}/{refers[column.name]}")
                if column.name in refers
                else None,
                "origin": self._origin(table, column),
            }
            for column in (*table.columns, *table.partition_columns)
        ]
        return _html("columns", rows=rows)

    def _badges(self, table: _Table, column: Column) -> Iterable[str]:
        if column.name in table.contract.key:
            yield "key"
        if column.name in {stated.name for stated in table.contract.partition_columns}:
            yield "partition"
        if column.personal:
            yield "personal"
        if column.nullable:
            yield "may be empty"

    def _origin(self, table: _Table, column: Column) -> _Origin | None:
        built = table.contract.built_from
        if column.expression is None or built is None or built.table is None:
            return None
        sources = []
        for named in column.inputs:
            source, _, name = named.rpartition(".")
            raw = self.catalogue.raw[source or built.table]
            address = f"{href(table.page, f'raw/{raw.table}')}#{anchor(raw.column(name))}"
            sources.append((f"{raw.table}.{name}", address))
        return _Origin(column.sql, tuple(sources))

    def _lineage(self, table: _Table) -> Block:
        drawn = lineage.through(lineage.edges(self.catalogue), table.node)

        def link(node: Node) -> str | None:
            there = self.tables.get((node.place, node.name))
            return href(table.page, there.page) if there else None

        svg = lineage.drawing(drawn, table.node, link)
        return Block("html", f'<div class="scroll">{svg}</div>', searched=False)

    def _column_lineage(self, page: str, dataset: Dataset) -> Iterable[Block]:
        """Where each column comes from and what it reaches; nothing where nothing is known of the table."""
        known = self.columns.tables.get(dataset)
        if known is not None:
            link = self._linker(page)
            rows = column_lineage.rows(self.columns, known, link)
            deciding = column_lineage.deciding(known, link)
            yield replace(_html("column_lineage", rows=rows, deciding=deciding, by=known.by), searched=False)

    def _answer_lineage(self, page: str, name: str) -> Iterable[Block]:
        found = list(self._column_lineage(page, Dataset(QUESTION, name)))
        if found:
            yield Block("section", "Where its columns come from")
            yield from found

    def _linker(self, page: str) -> column_lineage.LinkOf:
        """The addresses of columns, as a page links them; of no column, those of their tables."""

        def link(of: Field) -> str | None:
            if of.place == QUESTION and of.table in self.asked:
                there = href(page, f"{QUESTIONS}/{of.table}")
                return f"{there}#lineage-{of.column}" if of.column else there
            table = self.tables.get((of.place, of.table))
            if table is None:
                return None
            return f"{href(page, table.page)}#column-{of.column}" if of.column else href(page, table.page)

        return link

    def _validations(self, table: _Table) -> Block:
        top = href(table.page, "../")
        found: list[tuple[str, str, ValidationSummary]] = [
            (name, top + verdict.page, verdict)
            for name in table.judged_as
            for verdict in self.live.validations.get(name, ())
        ]
        opened = {name: self.live.open_letters.get(name, 0) for name in table.judged_as}
        letters = [(n, count, href(table.page, f"dead_letter/{n}")) for n, count in opened.items() if count]
        several = len(table.judged_as) > 1
        return _html("validations", found=found, letters=letters, several=several, names=table.judged_as)

    def _asked_of(self, table: _Table) -> list[Question]:
        """The questions that read a table, itself or by a view over it."""
        names = {table.key}
        if table.contract.kind == "fact" and table.view is None:
            names |= {t.key for t in self.tables.values() if t.view and t.contract is table.contract}
        return [question for name, question in self.asked.items() if names & set(self.reads[name])]

    def _asked(self, page: str, question: Question) -> Block:
        address = href(page, f"{QUESTIONS}/{question.name}")
        summary = _html("asked", question=question, address=address).text
        return Block("sql", question.sql, summary, searched=False)

    def _linked(self, page: str, questions: Iterable[Question]) -> list[tuple[Question, str]]:
        return [(question, href(page, f"{QUESTIONS}/{question.name}")) for question in questions]


def href(page: str, to: str) -> str:
    """The address of a page, as another one links it; of a folder outside the site if it ends in a slash."""
    there = posixpath.relpath(to, posixpath.dirname(page) or ".")
    return f"{there}/" if to.endswith("/") else f"{there}.html"


def _html(part: str, **given: Any) -> Block:
    """A part of ``parts.html.j2``, filled."""
    return Block("html", str(getattr(_parts(), part)(**given)).strip())


@lru_cache(maxsize=1)
def _parts() -> Any:
    made = environment(HERE / "templates")
    made.filters.update(number=lambda value: f"{value:,}", moment=_moment)
    return made.get_template("parts.html.j2").module


def _moment(text: str) -> str:
    if len(text) == len("2024-11-15"):
        return text
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
