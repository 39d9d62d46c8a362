"""The contract model: what a contract file may say, checked whole before anything reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypeVar, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from catalog.expression import references
from catalog.names import CAPTURED
from catalog.regex import PatternError, portable, whole_text
from catalog.sql_parser import RESERVED, VALUE_WORDS
from catalog.types import FLOATS, LogicalType, UnknownTypeError, parse_type
from catalog.yaml_lines import ContractError, YamlPath, line_of, load_with_lines

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
VERSION_PATTERN = r"^[0-9]+\.[0-9]+\.[0-9]+$"

CELL_BYTES = 16 << 20
"""How many bytes a text may have unless its column states another limit."""

NOT_KEPT = "{length} bytes, not kept: the contract allows {limit}"
"""What stands for a text that is longer."""

RATE_UNITS = "decimal(18,9)"
"""The type of units for one unit of a base currency, of which cross rates are made."""

AMOUNT_DIGITS, AMOUNT_SCALE = 20, 2
"""Digits of an amount that is converted: times a rate of eighteen digits it fits in the 38 of a decimal."""

UNRESOLVED = "unresolved_dead_letters"
"""The star's table of rows that lack a rejected change; the views' ``has_rejected_change`` stands on it."""

NO_KEY = (
    "a table without a key is not captured, since nothing tells which of its rows changed or went: state as"
    " key columns that are never empty and the same in no two rows, or give it such a column in the source"
)
"""Why a raw table's contract states a key."""

_COMPARABLE = ("integer", "bigint", "decimal")


def _read_type(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_type(value)
        except UnknownTypeError as error:
            raise ValueError(str(error)) from error
    return value


ModelT = TypeVar("ModelT", bound=BaseModel)

TypeField = Annotated[LogicalType, BeforeValidator(_read_type), PlainSerializer(str)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Strict(BaseModel):
    """Nothing unknown is accepted and nothing can change after it was checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Column(Strict):
    """One column of a table.

    Attributes:
        name: Its name, the same on every platform.
        type: Its logical type.
        nullable: Whether a row that is not a deletion may leave it empty.
        description: What a value means.
        personal: Whether it is personal data, which never leaves the tables.
        allowed_values: The only values it may hold.
        pattern: A regular expression that its whole text matches.
        minimum: The smallest number it may hold.
        maximum: The largest number it may hold.
        severity: Raw tables: what happens to a row whose value breaks ``allowed_values``, ``pattern``,
            ``minimum`` or ``maximum``: ``reject`` or ``warn``. Unless stated, a pattern warns, the others
            reject.
        source: Star tables: ``column`` of the main source table, or ``table.column`` of a joined one. Raw
            tables: what the database calls it, to the letter, where that is another name.
        sql: Star tables, in place of ``source``: an expression over such columns, see
            :mod:`catalog.expression`; in the calendar over ``calendar_day``.
        record_id: Facts: whether it numbers the versions.
        default: Star tables: the value where the source has none.
        max_bytes: Raw tables: how many bytes a text may have; 16 MiB unless stated. A longer one is not
            captured: its row is rejected, with the length in place of the text.
        warehouse_type: ``numeric`` where the warehouse declares a decimal without digits, ``serial`` where it
            declares a numbered key.
    """

    name: Name
    type: TypeField
    nullable: bool
    description: Annotated[str, Field(min_length=1)]
    personal: bool = False
    allowed_values: Optional[tuple[str, ...]] = None
    pattern: Optional[str] = None
    minimum: Optional[Decimal] = None
    maximum: Optional[Decimal] = None
    severity: Optional[Literal["reject", "warn"]] = None
    source: Optional[Annotated[str, Field(min_length=1)]] = None
    sql: Optional[str] = None
    record_id: bool = False
    default: Optional[str] = None
    max_bytes: Optional[Annotated[int, Field(ge=1)]] = None
    warehouse_type: Optional[Literal["numeric", "serial"]] = None

    @property
    def cell_limit(self) -> int:
        """How many bytes a text may have."""
        return CELL_BYTES if self.max_bytes is None else self.max_bytes

    @property
    def at_source(self) -> str:
        """What the database calls a raw column."""
        return self.name if self.source is None else self.source

    @property
    def expression(self) -> Optional[str]:
        """How a star column is made from others, before its default; nothing for a record's number."""
        return self.sql if self.sql is not None else self.source

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a star column is made from: ``column``, or ``table.column``."""
        return references(self.expression) if self.expression is not None else ()

    @field_validator("sql")
    @classmethod
    def _expression_is_read(cls, value: Optional[str]) -> Optional[str]:
        if value is not None:
            references(value)
        return value

    @field_validator("pattern")
    @classmethod
    def _pattern_compiles(cls, value: Optional[str]) -> Optional[str]:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Column:
        kind = self.type.name
        if (self.minimum is not None or self.maximum is not None) and kind not in _COMPARABLE:
            raise ValueError(f"column {self.name}: a range needs a number, not {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"column {self.name}: minimum {self.minimum} is above maximum {self.maximum}")
        if (self.pattern is not None or self.allowed_values is not None) and kind != "text":
            raise ValueError(f"column {self.name}: pattern and allowed_values need text, not {self.type}")
        if self.max_bytes is not None and kind != "text":
            raise ValueError(f"column {self.name}: max_bytes needs text, not {self.type}")
        if self.warehouse_type == "numeric" and kind != "decimal":
            raise ValueError(f"column {self.name}: the warehouse can hold only a decimal as numeric")
        if self.warehouse_type == "serial" and kind != "integer":
            raise ValueError(f"column {self.name}: the warehouse can number only an integer")
        if self.record_id and kind != "integer":
            raise ValueError(f"column {self.name}: a record's number is an integer, not {self.type}")
        if (self.source is not None) + (self.sql is not None) + self.record_id > 1:
            raise ValueError(f"column {self.name}: source, sql and record_id exclude each other")
        if self.default is not None and kind != "text":
            raise ValueError(f"column {self.name}: a default needs text, not {self.type}")
        return self


class SourceName(Strict):
    """What the database calls a table, to the letter, and its schema, where these are other names.

    Attributes:
        schema_name: Its schema; the one of ``pipeline.yaml`` unless stated.
        table: Its name; the contract's unless stated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_name: Annotated[Optional[str], Field(alias="schema", min_length=1)] = None
    table: Annotated[Optional[str], Field(min_length=1)] = None


class Reference(Strict):
    """A column whose values are keys of another table in the same zone."""

    column: Name
    table: Name


class ReadFiles(Strict):
    """How the documents of a feed of files become rows.

    A document is one JSON value: an object, an array of objects, an object that holds such an array, or one
    object a line.

    Attributes:
        rows: The member that holds the array, where documents wrap it.
        members: By column, which member of an object it is taken from, with points between the names of
            nested ones (``order.id``); a column that is not named is taken from the member of its own name.
        filled: By column, what the reader states of where a row stood: the file's ``key``, the ``sha256`` of
            its bytes, or its ``place``, the number of the line or element, from 1.
        ignored: Members that are known and not taken, with all that is nested in them.
        unknown_members: What happens where an object has others: they are reported in the log, or the feed is
            paused until the contract knows them.
    """

    rows: Optional[Annotated[str, Field(min_length=1)]] = None
    members: dict[Name, Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]] = Field(default_factory=dict)
    filled: dict[Name, Literal["key", "sha256", "place"]] = Field(default_factory=dict)
    ignored: tuple[Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")], ...] = ()
    unknown_members: Literal["report", "pause"] = "report"


class Join(Strict):
    """Another source table, found by a column of the main one that holds its key."""

    table: Name
    on: Name


class BuiltFrom(Strict):
    """What a star table is made of: one source table with its joins, or the calendar."""

    table: Optional[Name] = None
    joins: tuple[Join, ...] = ()
    calendar: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> BuiltFrom:
        if self.calendar == (self.table is not None):
            raise ValueError("built_from names either a table or the calendar")
        if self.calendar and self.joins:
            raise ValueError("the calendar joins nothing")
        return self


class PartitionBy(Strict):
    """How a star table is cut: by the month or the day of a source timestamp that never changes."""

    name: Name
    source_column: Name
    granularity: Literal["month", "day"]


class CrossRates(Strict):
    """How cross rates follow from what a fact of rates states: units of a currency for one unit of a base.

    Attributes:
        base: The column of the base currency's code.
        units: The column of the units.
    """

    base: Name
    units: Name


class Daily(Strict):
    """How a fact that is published on some days is shown for every day, in the view ``<fact>_daily``.

    Attributes:
        day: The column that says of which day a row is; it refers to the calendar.
        calendar_key: The calendar's key.
        whose: The column that says who published it.
        of: The columns that say of what it is.
        shows: The columns that are shown.
        stale_days: A row that is older, by more days than these, than the newest that its publisher has
            published by a day is not shown for that day: of that it publishes nothing any more.
        cross_rates: Of rates of currencies: how those to the reporting currency follow, which the view
            ``<fact>_<code of that currency>`` shows for every day.
    """

    day: Name
    calendar_key: Name
    whose: Name
    of: Annotated[tuple[Name, ...], Field(min_length=1)]
    shows: Annotated[tuple[Name, ...], Field(min_length=1)]
    stale_days: Annotated[int, Field(ge=1, le=366)]
    cross_rates: Optional[CrossRates] = None


class Newest(Strict):
    """Of rows that are events of something, the newest of each: a view of its own name over what is current.

    What came late is no later for it.

    Attributes:
        view: The view's name.
        of: The columns that say of what a row is.
        by: The columns by which the newest is known, the most significant first.
    """

    view: Name
    of: Annotated[tuple[Name, ...], Field(min_length=1)]
    by: Annotated[tuple[Name, ...], Field(min_length=1)]


class Reported(Strict):
    """What a row of a fact amounts to, which the view ``<fact>_<code>`` shows in the reporting currency.

    Attributes:
        amount: The columns whose product is the amount.
        currency: The column that refers to the amount's currency.
        day: The column that says by which day's rate it is converted; it refers to the calendar.
    """

    amount: Annotated[tuple[Name, ...], Field(min_length=1)]
    currency: Name
    day: Name


class Zone(Strict):
    """What the tables of one zone share.

    Attributes:
        name: The zone.
        description: What the zone holds.
        database: Its Glue database.
        bucket: The logical name of its bucket.
        prefix: Where in the bucket its tables lie; ends in a slash.
        copies: The zone whose tables it shows without their personal columns; see :mod:`catalog.redaction`.
        lineage: Columns that every file has after the table's own.
        dimension_lineage: Columns that the files of dimensions have besides, after those.
        validation_columns: Dead letters: columns that a rejected row has after what it was
            captured with.
        partition_columns: Columns that stand in the path, for all tables of the zone.
    """

    name: Name
    description: str
    database: Name
    bucket: Literal["ingestion", "processed"]
    prefix: Annotated[str, Field(pattern=r"^([a-z_]+/)+$")]
    copies: Optional[Literal["raw", "star"]] = None
    lineage: tuple[Column, ...] = ()
    dimension_lineage: tuple[Column, ...] = ()
    validation_columns: tuple[Column, ...] = ()
    partition_columns: tuple[Column, ...] = ()


class Contract(Strict):
    """The one statement of a table.

    Attributes:
        table: Its name in the zone's database.
        zone: The zone it belongs to.
        version: Semantic version of this contract.
        kind: Star tables: whether it is a fact, a dimension, the calendar, or the list of dead letters that
            keep rows of the others from being what the source has.
        owner: Who answers for its content.
        grain: What one row stands for.
        key: The columns that name a row; a fact's business key.
        columns: Its columns in order.
        references: Columns that hold keys of other tables.
        partition: Star tables: how it is cut, if it is.
        own_partition_columns: Ops tables, and the list of dead letters: columns that stand in the path.
        origin: Raw tables: where their rows come from: the captured ``database``, or a feed, which answers by
            ``http`` or comes as ``files``.
        read: Raw tables of files: how their documents become rows.
        source: Raw tables: what the database calls the table.
        rotation: Raw tables: ``routine`` where the source detaches partitions as a matter of course, so that
            the deletions of their rows need nobody's approval.
        built_from: Star tables: its sources.
        daily: Facts: how one that is published on some days is shown for every day.
        newest: Facts: of events the newest of each thing, as a view.
        reported: Facts: what a row amounts to, which is shown in the reporting currency.
        also_called: Star tables: names that other systems use, under which the warehouse shows it, too.
        synonyms: Star tables: words that people use for it, by which a search finds it.
    """

    table: Name
    zone: Literal["raw", "dead_letter", "star", "ops", "redacted_raw", "redacted_star"]
    version: Annotated[str, Field(pattern=VERSION_PATTERN)]
    kind: Optional[Literal["fact", "dimension", "calendar", "dead_letters"]] = None
    owner: Annotated[str, Field(min_length=1)]
    grain: Annotated[str, Field(min_length=1)]
    key: Annotated[tuple[Name, ...], Field(min_length=1)]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    references: tuple[Reference, ...] = ()
    partition: Optional[PartitionBy] = None
    own_partition_columns: tuple[Column, ...] = ()
    origin: Literal["database", "http", "files"] = CAPTURED
    read: Optional[ReadFiles] = None
    source: SourceName = SourceName()
    rotation: Optional[Literal["routine"]] = None
    built_from: Optional[BuiltFrom] = None
    daily: Optional[Daily] = None
    newest: Optional[Newest] = None
    reported: Optional[Reported] = None
    also_called: tuple[Name, ...] = ()
    synonyms: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z ]*$")], ...] = ()
    _zone_info: Zone = PrivateAttr()

    @property
    def zone_info(self) -> Zone:
        """What all tables of this table's zone share."""
        return self._zone_info

    def at_source(self, schema: str) -> tuple[str, str]:
        """The schema and the name of a raw table, as the database has them.

        Args:
            schema: The schema of tables that state no other.
        """
        return self.source.schema_name or schema, self.source.table or self.table

    @property
    def lineage(self) -> tuple[Column, ...]:
        """The columns that say where a row came from, after the table's own."""
        if self.kind == "dead_letters":
            return ()
        of_kind = self._zone_info.dimension_lineage if self.kind == "dimension" else ()
        return self._zone_info.lineage + of_kind

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column that a file of this table holds, in order; partition columns stand in the path."""
        return self.columns + self.lineage

    @property
    def stages(self) -> tuple[str, ...]:
        """Which stages build a star table: one, or of the list of dead letters each its part."""
        if self.kind == "dead_letters":
            return ("dimensions", "facts")
        return ("facts",) if self.kind == "fact" else ("dimensions",)

    @property
    def partition_columns(self) -> tuple[Column, ...]:
        """The columns that stand in the path, in order."""
        if self.partition is not None:
            return (_partition_column(self.partition),)
        return self.own_partition_columns + self._zone_info.partition_columns

    @property
    def prefix(self) -> str:
        """Where in its bucket the table lies; ends in a slash."""
        return f"{self._zone_info.prefix}{self.table}/"

    def column(self, name: str) -> Column:
        """The column of that name, lineage and partition columns included.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.all_columns + self.partition_columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.zone}.{self.table} has no column {name}")

    @model_validator(mode="after")
    def _names_agree(self) -> Contract:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"columns stated twice: {', '.join(twice)}")
        for name in self.key:
            if name not in names:
                raise ValueError(f"the key names {name}, which is no column")
            if self.column_is_nullable(name):
                raise ValueError(f"the key column {name} may not be nullable")
        for reference in self.references:
            if reference.column not in names:
                raise ValueError(f"a reference names {reference.column}, which is no column")
        return self

    @model_validator(mode="after")
    def _rejected_changes_follow_from_dead_letters(self) -> Contract:
        if self.zone == "star" and (self.kind == "dead_letters") != (self.table == UNRESOLVED):
            raise ValueError(f"the kind dead_letters is that of the table {UNRESOLVED} alone")
        made = [column.name for column in self.columns if column.expression or column.record_id]
        if self.kind == "dead_letters" and (self.built_from or self.partition or made):
            raise ValueError(f"{UNRESOLVED} follows from dead letters: it states no sources")
        return self

    @model_validator(mode="after")
    def _feeds_are_raw(self) -> Contract:
        if self.origin == CAPTURED:
            return self
        if self.zone not in ("raw", "dead_letter", "redacted_raw"):
            raise ValueError(f"only raw tables have an origin, and {self.zone} is another zone")
        named = [column.name for column in self.columns if column.source is not None]
        if self.rotation is not None or self.source != SourceName() or named:
            raise ValueError("only tables of the captured database have a rotation, or names at the source")
        kinds = {column.name: column.type.name for column in self.columns}
        if len(self.key) != 1 or kinds[self.key[0]] not in ("integer", "bigint"):
            raise ValueError("the key of a feed's table is one integer or bigint column")
        return self

    @model_validator(mode="after")
    def _files_say_how(self) -> Contract:
        if (self.origin == "files") != (self.read is not None):
            raise ValueError("a raw table of the origin files, and no other, states how they are read")
        if self.read is None:
            return self
        kinds = {column.name: column.type.name for column in self.columns}
        unknown = sorted({*self.read.members, *self.read.filled} - kinds.keys())
        if unknown:
            raise ValueError(f"read names {', '.join(unknown)}, which is no column")
        twice = sorted(self.read.members.keys() & self.read.filled.keys())
        if twice:
            raise ValueError(f"{', '.join(twice)} is filled, and taken from a member")
        for name, what in self.read.filled.items():
            if kinds[name] != ("integer" if what == "place" else "text"):
                raise ValueError(f"{name} is filled with the {what}, which is no {kinds[name]}")
            if what == "key" and not self.column_is_nullable(name):
                raise ValueError(f"{name} may be empty: a run that dies may keep a file and not its key")
        odd = [name for name in self.member_of if kinds[name] in FLOATS]
        if odd:
            raise ValueError(f"{odd[0]}: numbers of files are read exactly, so its type is a decimal")
        return self

    @model_validator(mode="after")
    def _members_are_read_once(self) -> Contract:
        if self.read is None:
            return self
        paths = [path.split(".") for path in (*self.member_of.values(), *self.read.ignored)]
        for index, path in enumerate(paths):
            others = (other for place, other in enumerate(paths) if place != index)
            if any(other[: len(path)] == path for other in others):
                raise ValueError(f"the member {'.'.join(path)} is read twice, or holds another that is")
        return self

    @property
    def member_of(self) -> dict[str, str]:
        """By column of a table of files, the member that it is taken from."""
        read = self.read
        if read is None:
            return {}
        names = (column.name for column in self.columns if column.name not in read.filled)
        return {name: read.members.get(name, name) for name in names}

    @model_validator(mode="after")
    def _star_says_how(self) -> Contract:
        if self.zone != "star":
            if self.kind or self.built_from or self.partition or self.also_called:
                raise ValueError("only star tables have kind, built_from, partition and also_called")
            stated = [c.name for c in self.columns if c.sql or c.record_id or c.default is not None]
            if stated:
                raise ValueError(f"only star columns have sql and default: {', '.join(stated)}")
            return self
        if self.kind == "dead_letters":
            return self
        if self.kind is None or self.built_from is None:
            raise ValueError("a star table states its kind and what it is built_from")
        if self.built_from.calendar != (self.kind == "calendar"):
            raise ValueError("the calendar, and nothing else, is built from the calendar")
        for column in self.columns:
            if (column.expression is None) != column.record_id:
                raise ValueError(f"column {column.name}: source or sql is stated")
        numbered = [column.name for column in self.columns if column.record_id]
        if len(numbered) != (1 if self.kind == "fact" else 0):
            raise ValueError("a fact, and no other table, has exactly one record_id column")
        return self

    @model_validator(mode="after")
    def _named_at_the_source(self) -> Contract:
        if self.zone == "star":
            if self.source != SourceName():
                raise ValueError("only raw tables have another name at the source")
            return self
        names = [column.at_source for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"columns of the source that are stated twice: {', '.join(twice)}")
        if self.zone == "ops" and (self.source != SourceName() or any(c.source for c in self.columns)):
            raise ValueError("only raw tables have other names at the source, and ops is another zone")
        return self

    @model_validator(mode="after")
    def _daily_names_columns(self) -> Contract:
        if self.daily is None:
            return self
        if self.kind != "fact":
            raise ValueError("only facts are shown for every day")
        stated, names = self.daily, {column.name for column in self.columns}
        named = (stated.day, stated.whose, *stated.of, *stated.shows)
        unknown = sorted(set(named) - names)
        if unknown or len(set(named)) != len(named):
            raise ValueError(f"daily names {', '.join(unknown) or 'a column twice'}")
        return self

    @model_validator(mode="after")
    def _newest_names_columns(self) -> Contract:
        if self.newest is None:
            return self
        if self.kind != "fact":
            raise ValueError("only of facts the newest rows are shown")
        names = {column.name for column in self.columns}
        unknown = sorted({*self.newest.of, *self.newest.by} - names)
        if unknown:
            raise ValueError(f"newest names {', '.join(unknown)}, which is no column")
        if not set(self.key) <= {*self.newest.of, *self.newest.by}:
            raise ValueError("newest orders rows by their key at last, so that no two are the newest")
        return self

    @model_validator(mode="after")
    def _cross_rates_follow(self) -> Contract:
        stated = self.daily.cross_rates if self.daily is not None else None
        if self.daily is None or stated is None:
            return self
        kinds = {column.name: str(column.type) for column in self.columns}
        if len(self.daily.of) != 1 or {kinds.get(self.daily.of[0]), kinds.get(stated.base)} != {"text"}:
            raise ValueError("rates are of one currency and of one base, whose codes are text")
        if kinds.get(stated.units) != RATE_UNITS:
            raise ValueError(f"the units of rates are {RATE_UNITS}, so that a cross rate is exact")
        return self

    @model_validator(mode="after")
    def _amounts_fit(self) -> Contract:
        if self.reported is None:
            return self
        if self.kind != "fact":
            raise ValueError("only facts are reported in another currency")
        kinds = {column.name: column.type for column in self.columns}
        named = (*self.reported.amount, self.reported.currency, self.reported.day)
        unknown = sorted(set(named) - kinds.keys())
        if unknown:
            raise ValueError(f"reported names {', '.join(unknown)}")
        if any(column.personal for column in self.columns if column.name in named):
            raise ValueError("what is reported is no personal column")
        digits = [_number_digits(kinds[name]) for name in self.reported.amount]
        if None in digits or sum(whole + scale for whole, scale in filter(None, digits)) > AMOUNT_DIGITS:
            raise ValueError(f"an amount is a product of numbers that has at most {AMOUNT_DIGITS} digits")
        if sum(scale for _, scale in filter(None, digits)) > AMOUNT_SCALE:
            raise ValueError(f"an amount has at most {AMOUNT_SCALE} digits after the point")
        return self

    @model_validator(mode="after")
    def _inputs_are_joined(self) -> Contract:
        if self.zone != "star":
            return self
        joined = {"", *(join.table for join in self.built_from.joins)} if self.built_from else {""}
        for column in self.columns:
            for name in column.inputs:
                if name.rpartition(".")[0] not in joined:
                    raise ValueError(f"column {column.name}: {name} is of a table that is not joined")
        return self

    def column_is_nullable(self, name: str) -> bool:
        """Whether one of the table's own columns may be empty."""
        return next(column.nullable for column in self.columns if column.name == name)


def _number_digits(kind: LogicalType) -> Optional[tuple[int, int]]:
    """Digits before and after the point that every value of a number's type fits; nothing of other types."""
    if kind.name == "decimal":
        return (kind.precision or 0) - (kind.scale or 0), kind.scale or 0
    return {"integer": (10, 0), "bigint": (19, 0)}.get(kind.name)


def _partition_column(partition: PartitionBy) -> Column:
    if partition.granularity == "month":
        kind, words = parse_type("text"), "Month (YYYY-MM)"
    else:
        kind, words = parse_type("date"), "Day"
    return Column(
        name=partition.name,
        type=kind,
        nullable=False,
        description=f"{words} of the source's {partition.source_column}, which never changes.",
    )


def attach_zone(contract: Contract, zone: Zone) -> Contract:
    """Tell a contract what its zone shares; refuse a column that the zone has as well."""
    taken = [column.name for column in contract.columns if column.name in _names_of_zone(zone)]
    if taken:
        raise ValueError(f"these columns are the zone's own: {', '.join(taken)}")
    contract._zone_info = zone  # noqa: SLF001 - the one place that completes a contract
    return contract


def _names_of_zone(zone: Zone) -> frozenset[str]:
    shared = zone.lineage + zone.dimension_lineage + zone.partition_columns
    return frozenset(column.name for column in shared)


def rejected_rows(raw: Contract, zone: Zone) -> Contract:
    """The contract of the dead letters of a raw table: its rows as captured, and why they were rejected.

    Args:
        raw: The raw table.
        zone: The dead letter zone.
    """
    anything = {"nullable": True, "allowed_values": None, "pattern": None, "minimum": None, "maximum": None}
    columns = [
        column.model_copy(update={} if column.name in raw.key else {**anything, "severity": None})
        for column in raw.all_columns
    ]
    contract = raw.model_copy(
        update={
            "zone": zone.name,
            "grain": f"A row of {raw.table} that validation rejected, exactly as it was captured.",
            "columns": (*columns, *zone.validation_columns),
            "references": (),
        }
    )
    return attach_zone(contract, zone)


def load_contract(path: Path, zones: dict[str, Zone], raw: Mapping[str, Contract]) -> Contract:
    """Read and check one contract file.

    Args:
        path: ``<zone>/<table>.yaml``; folder and file name agree with what the file says.
        zones: The zones by name.
        raw: Raw tables, from whose columns a star table's inherit what they do not state.

    Raises:
        ContractError: Anything that is wrong, with file, line and reason.
    """
    data, lines = load_with_lines(path)
    if isinstance(data, dict) and data.get("zone") == "raw" and not data.get("key"):
        raise ContractError(path, line_of(lines, ("key",)), NO_KEY)
    _inherit(data, raw)
    _check_star_sources(data, path, lines)
    contract = validate(Contract, data, path, lines)
    if contract.table != path.stem:
        raise ContractError(
            path, line_of(lines, ("table",)), f"table {contract.table!r} is not the file's name"
        )
    if contract.zone != path.parent.name:
        raise ContractError(
            path, line_of(lines, ("zone",)), f"zone {contract.zone!r} is not the folder's name"
        )
    _check_portable(contract, path, lines)
    taken = _names_of_zone(zones[contract.zone])
    if contract.zone == "raw" and "dead_letter" in zones:
        taken |= {column.name for column in zones["dead_letter"].validation_columns}
    for index, column in enumerate(contract.columns):
        if column.name in taken:
            reason = f"{column.name} is a column that the zone adds by itself"
            place = line_of(lines, ("columns", index, "name"))
            raise ContractError(path, place, f"{reason}: {_other_name(contract, column)}")
    return attach_zone(contract, zones[contract.zone])


def _check_star_sources(data: Any, path: Path, lines: dict[YamlPath, int]) -> None:
    """Refuse a star column's source that is no expression; a raw column's is whatever the database says."""
    if not isinstance(data, dict) or data.get("zone") != "star" or not isinstance(data.get("columns"), list):
        return
    for index, stated in enumerate(data["columns"]):
        source = stated.get("source") if isinstance(stated, dict) else None
        if isinstance(source, str):
            _check_star_source(source, path, line_of(lines, ("columns", index, "source")))


def _check_star_source(source: str, path: Path, line: int) -> None:
    try:
        references(source)
    except ValueError as error:
        raise ContractError(path, line, f"source: {error}") from error


def _inherit(data: Any, raw: Mapping[str, Contract]) -> None:
    """Give a star table's columns what they leave to the raw columns that they are made from.

    A column that is a raw one is of its type, means the same and may be empty where that may; any column is
    personal that is made from a personal one. Who checks sources tells of one that is not there.
    """
    if not isinstance(data, dict) or not isinstance(data.get("columns"), list):
        return
    built_from = data.get("built_from")
    main = built_from.get("table") if isinstance(built_from, dict) else None
    known = {f"{table}.{column.name}": column for table, one in raw.items() for column in one.columns}
    for stated in data["columns"]:
        if not isinstance(stated, dict) or not isinstance(stated.get("source", stated.get("sql")), str):
            continue
        try:
            inputs = references(stated.get("source", stated.get("sql")))
        except ValueError:
            continue
        made_from = [known.get(name if "." in name else f"{main}.{name}") for name in inputs]
        found = [column for column in made_from if column is not None]
        stated.setdefault("personal", any(column.personal for column in found))
        if "source" in stated:
            column = found[0] if found else Column(name="x", type="text", nullable=False, description="x")
            stated.setdefault("type", str(column.type))
            stated.setdefault("nullable", column.nullable)
            stated.setdefault("description", column.description)


def _check_portable(contract: Contract, path: Path, lines: dict[YamlPath, int]) -> None:
    """Refuse what one of the engines would not read as it is written."""
    why = _why_no_name(contract.table)
    if why is not None:
        raise ContractError(path, line_of(lines, ("table",)), why)
    for index, column in enumerate(contract.columns):
        at: YamlPath = ("columns", index)
        why = _why_no_name(column.name)
        if why is not None:
            raise ContractError(
                path, line_of(lines, (*at, "name")), f"{why}: {_other_name(contract, column)}"
            )
        if column.pattern is not None:
            try:
                portable(whole_text(column.pattern))
            except PatternError as error:
                raise ContractError(path, line_of(lines, (*at, "pattern")), str(error)) from error


def _why_no_name(name: str) -> Optional[str]:
    if name in RESERVED:
        return f"{name} is a reserved word of SQL"
    return f"{name} is a value in SQL, and no name, where nobody quotes it" if name in VALUE_WORDS else None


def _other_name(contract: Contract, column: Column) -> str:
    """How a column gets another name, in words."""
    if contract.zone != "raw":
        return "give it another name"
    return f"give it another name, with source: {column.at_source}"


def load_zones(path: Path) -> dict[str, Zone]:
    """Read the file that says what the tables of each zone share.

    Raises:
        ContractError: Anything that is wrong, with file, line and reason.
    """
    data, lines = load_with_lines(path)
    if not isinstance(data, dict):
        raise ContractError(path, 1, "expected a mapping from zone to what it shares")
    zones = {}
    for name, stated in data.items():
        if not isinstance(stated, dict):
            raise ContractError(path, line_of(lines, (name,)), f"zone {name} states nothing")
        zones[name] = validate(Zone, {"name": name, **stated}, path, lines, at=(name,))
    return zones


def validate(
    model: type[ModelT], data: Any, path: Path, lines: dict[YamlPath, int], at: YamlPath = ()
) -> ModelT:
    """Check data against a model and turn the first complaint into file, line and reason."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaints = [
            (
                line_of(lines, at + _plain(detail["loc"])),
                _reason(detail["loc"], detail["msg"], detail["type"]),
            )
            for detail in error.errors(include_url=False)
        ]
        line, reason = min(complaints)
        raise ContractError(path, line, reason) from error


def _plain(location: tuple[Union[int, str], ...]) -> YamlPath:
    return tuple(part for part in location if isinstance(part, int) or not part.startswith("function-"))


def _reason(location: tuple[Union[int, str], ...], message: str, kind: str) -> str:
    where = ".".join(str(part) for part in _plain(location))
    if kind == "extra_forbidden":
        return f"unknown key {where!r}"
    if kind == "missing":
        return f"the key {where!r} is missing"
    words = message.removeprefix("Value error, ")
    return f"{where}: {words}" if where else words
