"""The stages as jobs open them, with the services, the contracts and the engine that they work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable

from catalog.catalogue import Catalogue, load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import READS
from glue_jobs.runtime.aws import GlueClient
from glue_jobs.runtime.registry import read_schemas
from glue_jobs.stages.stage import Stage


@dataclass(frozen=True)
class StageArguments:
    """Arguments of the jobs that run stages.

    Attributes:
        ingestion_bucket: Bucket of the raw zone, the ops zone and the commits.
        processed_bucket: Bucket of the star.
        schema_registry: Schema registry that holds the contracts of the captured tables.
        schema_versions: Which version of them the release reads, see
            :func:`~glue_jobs.runtime.registry.parse_versions`.
    """

    ingestion_bucket: str
    processed_bucket: str
    schema_registry: str
    schema_versions: str


def registered_catalog(glue: GlueClient, given: StageArguments) -> Catalogue:
    """The contracts, those of the captured tables as the registry states them.

    Raises:
        RegistryUnreadable: The registry does not say what a table looks like.
    """
    catalogue = load_catalogue()
    return read_schemas(glue, given.schema_registry, catalogue, given.schema_versions).catalogue(catalogue)


def open_stage(name: str, lake: LakeClients, catalogue: Catalogue, engine: Callable[[], Engine]) -> Stage:
    """A stage by its name.

    Args:
        name: The stage whose commits it publishes.
        lake: Its clients.
        catalogue: The contracts, see :func:`registered_catalog`.
        engine: Gives the engine, see :func:`made_once`.
    """
    return Stage(name, str(READS[name]), lake, catalogue, engine)


@contextmanager
def made_once(make: Callable[[], Engine]) -> Iterator[Callable[[], Engine]]:
    """An engine that is made when somebody first asks for it, and closed at the end."""
    made: list[Engine] = []

    def engine() -> Engine:
        if not made:
            made.append(make())
        return made[0]

    try:
        yield engine
    finally:
        for one in made:
            one.close()
