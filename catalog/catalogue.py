"""All contracts together: loaded once, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from catalog.expression import ExpressionError, star_columns, star_expression
from catalog.keys import KEY_TYPES
from catalog.model import Contract, Zone, load_contract, load_zones, rejected_rows
from catalog.names import CAPTURED, contract_files
from catalog.project import contracts_folder, once_per_project
from catalog.redaction import copy_of, shown_elsewhere
from catalog.types import FINE_MOMENTS
from catalog.view_columns import names_of_views, views_over
from catalog.yaml_lines import ContractError, YamlPath, line_of, load_with_lines


@dataclass(frozen=True)
class Catalogue:
    """Every table that the lakehouse has, by zone and name.

    Attributes:
        zones: The zones by name.
        raw: The source's tables as captured, and those of feeds.
        dead_letter: What was not published, with the reason.
        star: The tables that analysts read.
        ops: What the pipeline says of itself.
    """

    zones: Mapping[str, Zone]
    raw: Mapping[str, Contract]
    dead_letter: Mapping[str, Contract]
    star: Mapping[str, Contract]
    ops: Mapping[str, Contract]

    def with_raw(self, raw: Mapping[str, Contract]) -> Catalogue:
        """The same with other raw tables, and the dead letters that follow from them."""
        rejected = {name: rejected_rows(table, self.zones["dead_letter"]) for name, table in raw.items()}
        return replace(self, raw=raw, dead_letter={**self.dead_letter, **rejected})

    @property
    def captured(self) -> dict[str, Contract]:
        """The raw tables that are captured from the database; the others are of feeds."""
        return {name: table for name, table in self.raw.items() if table.origin == CAPTURED}

    @property
    def fed(self) -> dict[str, Contract]:
        """The raw tables that feeds bring."""
        return {name: table for name, table in self.raw.items() if table.origin != CAPTURED}

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """Every contract, zone by zone."""
        zones = (self.raw, self.dead_letter, self.star, self.ops)
        return tuple(contract for zone in zones for contract in zone.values())

    @cached_property
    def copies(self) -> tuple[Contract, ...]:
        """Of each table that has personal columns, its copy without them; see :mod:`catalog.redaction`."""
        tables = {"raw": self.raw, "star": self.star}
        found = (
            copy_of(contract, zone)
            for zone in self.zones.values()
            if zone.copies is not None
            for contract in tables[zone.copies].values()
        )
        return tuple(copy for copy in found if copy is not None)

    @property
    def tables(self) -> tuple[Contract, ...]:
        """Every table that the catalog shows: those that contracts state, and their copies."""
        return self.contracts + self.copies

    def redacted(self) -> Catalogue:
        """As whoever sees no personal columns finds raw and star: in other databases, with fewer columns."""
        shown = {str(zone.copies): zone for zone in self.zones.values() if zone.copies is not None}
        copies: dict[tuple[str, str], Contract] = {(copy.zone, copy.table): copy for copy in self.copies}

        def of_zone(key: str, tables: Mapping[str, Contract]) -> dict[str, Contract]:
            zone = shown[key]
            return {
                name: copies.get((zone.name, name)) or shown_elsewhere(contract, zone.database)
                for name, contract in tables.items()
            }

        zones = {**self.zones, "raw": shown["raw"], "star": shown["star"]}
        return replace(self, zones=zones, raw=of_zone("raw", self.raw), star=of_zone("star", self.star))

    def copied(self, copy: Contract) -> Contract:
        """The contract of the table that a copy is of."""
        tables = self.raw if self.zones[copy.zone].copies == "raw" else self.star
        return tables[copy.table]

    def star_of_kind(self, kind: str) -> tuple[Contract, ...]:
        """The star tables of one kind: ``fact``, ``dimension`` or ``calendar``."""
        return tuple(contract for contract in self.star.values() if contract.kind == kind)


@once_per_project
def load_catalogue() -> Catalogue:
    """The project's own catalogue.

    Raises:
        ContractError: A file is wrong or disagrees with another, with file, line and reason.
    """
    return read_catalogue(contracts_folder())


def read_catalogue(folder: Path) -> Catalogue:
    """Read the contracts below a folder: ``zones.yaml`` and ``<zone>/<table>.yaml``.

    Raises:
        ContractError: A file is wrong or disagrees with another, with file, line and reason.
    """
    zones = load_zones(folder / "zones.yaml")
    by_zone: dict[str, dict[str, Contract]] = {}
    for name in ("raw", "dead_letter", "star", "ops"):
        if name not in zones:
            raise ContractError(folder / "zones.yaml", 1, f"the zone {name!r} is missing")
        by_zone[name] = {
            path.stem: load_contract(path, zones, by_zone.get("raw", {}))
            for path in contract_files(folder, name)
        }
    for name in sorted(by_zone["raw"].keys() & by_zone["dead_letter"].keys()):
        place = folder / "raw" / f"{name}.yaml"
        raise ContractError(place, 1, f"{name} is a table of the dead letters: give it another name")
    catalogue = Catalogue(zones, **by_zone).with_raw(by_zone["raw"])
    _check_places(folder, catalogue)
    for contract in catalogue.contracts:
        _check_references(folder, catalogue, contract)
        _check_key(folder, catalogue, contract)
        if contract.zone == "star":
            _check_sources(folder, catalogue, contract)
            _check_daily(folder, catalogue, contract)
            _check_newest(folder, catalogue, contract)
            _check_columns(folder, catalogue, contract)
            _check_views(folder, catalogue, contract)
    return catalogue


def _check_places(folder: Path, catalogue: Catalogue) -> None:
    """Refuse two raw tables that are one table of the database."""
    seen: dict[tuple[str, str], str] = {}
    for contract in catalogue.captured.values():
        # No schema has no name: it stands for the one that tables have which state none.
        place = contract.at_source("")
        if place in seen:
            reason = f"{seen[place]} is that table of the source already"
            _refuse(folder, contract, ("source",), reason)
        seen[place] = contract.table


def _check_references(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    tables: Mapping[str, Contract] = getattr(catalogue, contract.zone)
    for index, reference in enumerate(contract.references):
        target = tables.get(reference.table)
        if target is None:
            _refuse(folder, contract, ("references", index), f"there is no table {reference.table}")
        elif len(target.key) != 1:
            _refuse(
                folder,
                contract,
                ("references", index),
                f"{reference.table} has a key of {len(target.key)} columns, and a reference has one",
            )
        elif target.origin != CAPTURED:
            # Which keys are there is what captures know; no feed says it.
            reason = f"{reference.table} is brought by a feed: which of its keys are there is not known"
            _refuse(folder, contract, ("references", index), reason)
        elif target.column(target.key[0]).type != contract.column(reference.column).type:
            _refuse(
                folder,
                contract,
                ("references", index),
                f"{reference.column} is not of {reference.table}'s key type",
            )


def _check_key(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    """Keys have one text each; they stand in lists that everybody sees, so none is personal."""
    if contract.zone == "raw" or contract.kind in ("fact", "dimension"):
        for index, name in enumerate(contract.key):
            kind = contract.column(name).type
            if kind.name not in KEY_TYPES:
                why = ", of which Athena shows too little to tell two" if kind.name in FINE_MOMENTS else ""
                _refuse(
                    folder,
                    contract,
                    ("key", index),
                    f"{name} is {kind}{why}; a key's columns are {', '.join(KEY_TYPES)}",
                )
    if contract.zone not in {zone.copies for zone in catalogue.zones.values()}:
        return
    for index, name in enumerate(contract.key):
        if contract.column(name).personal:
            _refuse(folder, contract, ("key", index), f"{name} is personal, and keys are shown to everybody")


def _check_sources(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    built_from = contract.built_from
    if built_from is None or built_from.table is None:
        return
    main = catalogue.raw.get(built_from.table)
    if main is None:
        _refuse(folder, contract, ("built_from", "table"), f"there is no raw table {built_from.table}")
    _check_joins(folder, catalogue, contract, main)
    made_from = tuple(contract.column(name).source for name in contract.key)
    if made_from != main.key:
        stated = ", ".join(main.key)
        _refuse(
            folder, contract, ("key",), f"the key is to be made of that of {main.table}, ({stated}), in order"
        )
    if contract.partition is not None and contract.partition.source_column not in {
        column.name for column in main.columns
    }:
        _refuse(
            folder, contract, ("partition",), f"{main.table} has no column {contract.partition.source_column}"
        )


def _check_joins(folder: Path, catalogue: Catalogue, contract: Contract, main: Contract) -> None:
    own = {column.name for column in main.columns}
    for index, join in enumerate(contract.built_from.joins if contract.built_from else ()):
        fed = [name for name in (main.table, join.table) if name in catalogue.fed]
        if fed:
            reason = f"{fed[0]} is brought by a feed, and versions of feeds and captures are not compared"
            _refuse(folder, contract, ("built_from", "joins", index), reason)
        if join.table not in catalogue.raw:
            _refuse(folder, contract, ("built_from", "joins", index), f"there is no raw table {join.table}")
        if join.on not in own:
            _refuse(folder, contract, ("built_from", "joins", index), f"{main.table} has no column {join.on}")
        key = catalogue.raw[join.table].key
        if len(key) != 1:
            _refuse(
                folder,
                contract,
                ("built_from", "joins", index),
                f"{join.table} has a key of {len(key)} columns, and a join has one",
            )
        # What is joined is kept with the lineage of the star.
        lineage = {column.name for column in contract.zone_info.lineage}
        taken = sorted(lineage & {column.name for column in catalogue.raw[join.table].columns})
        if taken:
            _refuse(
                folder,
                contract,
                ("built_from", "joins", index),
                f"{join.table} has columns that the zone adds to what is joined: {', '.join(taken)}",
            )


def _check_daily(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    stated = contract.daily
    if stated is None:
        return
    calendars = [reference.table for reference in contract.references if reference.column == stated.day]
    found = [catalogue.star[name] for name in calendars if catalogue.star[name].kind == "calendar"]
    if not found or found[0].key != (stated.calendar_key,):
        reason = f"{stated.day} refers to no calendar with the key {stated.calendar_key}"
        _refuse(folder, contract, ("daily", "day"), reason)


def _check_newest(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    stated = contract.newest
    if stated is None:
        return
    others = [one for one in catalogue.star_of_kind("fact") if one.newest is not None and one is not contract]
    taken = {one.newest.view for one in others if one.newest is not None} | set(catalogue.star)
    if stated.view in taken or any(stated.view.startswith(f"{name}_") for name in catalogue.star):
        _refuse(folder, contract, ("newest", "view"), f"{stated.view} is another table's or view's name")


def _check_columns(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    sources = star_columns(contract, catalogue)
    for index, column in enumerate(contract.columns):
        if column.expression is None:
            continue
        at = ("columns", index, "source" if column.source is not None else "sql")
        try:
            made = star_expression(contract, column, catalogue)
        except ExpressionError as error:
            _refuse(folder, contract, at, str(error))
        personal = any(sources[name].personal for name in column.inputs if name in sources)
        if personal != column.personal:
            _refuse(folder, contract, at, f"{column.expression} says personal: {str(personal).lower()}")
        if made.nullable and not column.nullable:
            _refuse(
                folder, contract, at, f"{column.expression} may be empty: state a default or nullable: true"
            )


def _check_views(folder: Path, catalogue: Catalogue, contract: Contract) -> None:
    """Refuse what views over the star call something of their own."""
    taken = names_of_views(contract)
    for index, column in enumerate(contract.columns):
        if column.name in taken:
            reason = (
                f"{column.name} is a column that the views over {contract.table} add: give it another name"
            )
            _refuse(folder, contract, ("columns", index, "name"), reason)
    of = next((name for name in catalogue.star if contract.table in views_over(name)), None)
    if of is not None:
        _refuse(folder, contract, ("table",), f"{contract.table} is what a view over {of} is called")


def _refuse(folder: Path, contract: Contract, at: YamlPath, reason: str) -> NoReturn:
    path = folder / contract.zone / f"{contract.table}.yaml"
    _, lines = load_with_lines(path)
    raise ContractError(path, line_of(lines, at), reason)
