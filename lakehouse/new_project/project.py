"""Writes a project for a database, beside what a person has written of it already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.catalogue import Catalogue, read_catalogue
from catalog.model import load_zones
from catalog.pipeline import read_pipeline
from glue_jobs.runtime.errors import UserError
from lakehouse.new_project.additions import Addition, additions
from lakehouse.new_project.database import Database, Place
from lakehouse.new_project.files import contract_files, write_new
from lakehouse.new_project.names import lake_name
from lakehouse.new_project.proposal import Proposal, propose, taken_names
from lakehouse.new_project.report import report
from lakehouse.new_project.shared import ENGINE, shared_files, starting_files
from lakehouse.new_project.tables import Known, LeftOut, Options

REPORT = "REVIEW.txt"
"""The file of a new project that says what to look at, and what it does not hold."""


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        include: Patterns of tables; all where there are none.
        exclude: Patterns of tables that are left out.
        names: By the database's name, dots between its parts, the lake's.
        owner: Who answers for the tables.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Written:
    """What became of it.

    Attributes:
        report: What a person is told.
        written: The files that were written.
        left: Those that were there, and are as they were.
    """

    report: str
    written: tuple[str, ...]
    left: tuple[str, ...]


def write_project(folder: Path, database: Database, asked: Asked) -> Written:
    """Write a project, or what an existing one lacks.

    Args:
        folder: The project's.
        database: What the database holds.
        asked: What a person asks for.

    Raises:
        UserError: No table can be captured, the folder is of another database or no project's, or a name is
            given to what is not there.
        ContractError: What a person has written there cannot be read.
    """
    _refuse_unknown(asked.names or {}, database)
    pipeline = folder / "catalog" / "pipeline.yaml"
    contracts = folder / "catalog" / "contracts"
    stated = read_pipeline(pipeline) if pipeline.exists() else None
    name = stated.name if stated is not None else project_name(folder)
    schema = stated.source.schema_name if stated is not None else usual_schema(database)
    catalogue = read_catalogue(contracts) if (contracts / "zones.yaml").exists() else None
    owner = asked.owner or _owner(catalogue) or f"owner@{name}.example"
    options = Options(owner, schema, asked.include, asked.exclude, asked.names or {})
    known = known_tables(catalogue, schema) if catalogue is not None else {}
    _refuse_another(folder, database, known)
    written_there = contracts if catalogue is not None else ENGINE / "catalog" / "contracts"
    zones = load_zones(written_there / "zones.yaml")
    _refuse_unfit(asked.names or {}, taken_names(zones))
    proposal = propose(database, options, zones, known)
    if not proposal.raw and not known:
        raise UserError(_nothing(proposal, database), "Mend one of these, or name another database.")
    said = report(proposal, database.name)
    files = {
        **shared_files(name, schema, owner),
        **starting_files(name),
        **contract_files(proposal),
        REPORT: f"{said}\n",
    }
    written, left = write_new(folder, files)
    read_pipeline(pipeline)
    read_catalogue(contracts)
    return Written(said, tuple(written), tuple(left))


@dataclass(frozen=True)
class Proposed:
    """What contracts lack of a database.

    Attributes:
        additions: What the contracts of captured tables lack, as YAML to paste.
        files: Contracts of tables that the project does not have, by path below its folder.
        left_out: What cannot be held, with the reason and the way out.
        written: Of the files, those that were written.
    """

    additions: tuple[Addition, ...]
    files: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    written: tuple[str, ...] = ()


def propose_additions(folder: Path, database: Database, asked: Asked, *, write: bool = False) -> Proposed:
    """What the contracts of a project lack of a database; no file that is there is changed.

    Args:
        folder: The project's.
        database: What the database holds.
        asked: What a person asks for.
        write: Whether the contracts of new tables are written.

    Raises:
        UserError: The project is another database's, or a name is given to what is not there.
        ContractError: The project cannot be read.
    """
    _refuse_unknown(asked.names or {}, database)
    stated = read_pipeline(folder / "catalog" / "pipeline.yaml")
    catalogue = read_catalogue(folder / "catalog" / "contracts")
    schema = stated.source.schema_name
    known = known_tables(catalogue, schema)
    if known and not database.places & set(known):
        raise UserError(
            f"The project {stated.name} is about another database: {database.name} has none of its tables.",
            "Name the database that its contracts are of with --source.",
        )
    _refuse_unfit(asked.names or {}, taken_names(catalogue.zones))
    owner = asked.owner or _owner(catalogue) or f"owner@{stated.name}.example"
    options = Options(owner, schema, asked.include, asked.exclude, asked.names or {})
    found, left = additions(database, catalogue, options, known)
    proposal = propose(database, options, catalogue.zones, known)
    files = contract_files(proposal)
    written = tuple(write_new(folder, files)[0]) if write else ()
    if written:
        read_catalogue(folder / "catalog" / "contracts")
    return Proposed(tuple(found), files, (*left, *proposal.left_out), written)


def _owner(catalogue: Catalogue | None) -> str | None:
    """Who answers for most of the tables that a project captures."""
    owners = Counter(contract.owner for contract in (catalogue.captured.values() if catalogue else ()))
    return next((owner for owner, _ in owners.most_common(1)), None)


def project_name(folder: Path) -> str:
    """The name of a project: that of its folder, in letters and digits, since buckets are named after it.

    Raises:
        UserError: It has none of these.
    """
    name = (lake_name(folder.resolve().name) or "").replace("_", "")
    if not name:
        raise UserError(
            f"The folder {folder} has a name that no project can have.",
            "Name one that begins with a letter: databases and buckets are named after it.",
        )
    return name


def usual_schema(database: Database) -> str:
    """The schema that most tables are in; the first of several."""
    counted = Counter(relation.place[0] for relation in database.relations if relation.found.kind in "rp")
    return counted.most_common(1)[0][0] if counted else "public"


def known_tables(catalogue: Catalogue, schema: str) -> dict[Place, Known]:
    """The tables of the source that a project captures already."""
    dimensions = {
        contract.built_from.table: contract.table
        for contract in catalogue.star_of_kind("dimension")
        if contract.built_from is not None
    }
    return {
        contract.at_source(schema): Known(
            contract.table,
            tuple(contract.column(name).at_source for name in contract.key),
            tuple(str(contract.column(name).type) for name in contract.key),
            dimensions.get(contract.table),
        )
        for contract in catalogue.captured.values()
    }


def _refuse_another(folder: Path, database: Database, known: Mapping[Place, Known]) -> None:
    if folder.resolve() == ENGINE or (known and not database.places & set(known)):
        raise UserError(
            f"The project in {folder} is about another database: {database.name} has none of its tables.",
            "Name a folder of its own for each database.",
        )


def _refuse_unknown(names: Mapping[str, str], database: Database) -> None:
    places = [(relation.place, relation.found.columns) for relation in database.relations]
    there = {".".join(place) for place, _ in places}
    there |= {".".join((*place, column)) for place, columns in places for column in columns}
    unknown = sorted(set(names) - there)
    if unknown:
        raise UserError(
            f"The database {database.name} has no {' and no '.join(unknown)}, which --rename names.",
            "Write schema.table or schema.table.column as the database spells them, without quotes.",
        )


def _refuse_unfit(names: Mapping[str, str], taken: frozenset[str]) -> None:
    unfit = sorted({name for name in names.values() if lake_name(name, taken) != name})
    if unfit:
        raise UserError(
            f"--rename gives the name {' and '.join(unfit)}: a word of SQL, or what the lake calls its own.",
            "Give another name.",
        )


def _nothing(proposal: Proposal, database: Database) -> str:
    listed = "".join(f"\n  {one}" for one in proposal.left_out)
    return f"The database {database.name} has no table that can be captured.{listed}\n"
