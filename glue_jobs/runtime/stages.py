"""The stages of the Spark jobs, with the services and the contracts that they work with."""

from __future__ import annotations

import boto3

from catalog.catalogue import load_catalogue
from glue_jobs.runtime.registry import read_schemas
from glue_jobs.star.stage import Arguments, Stage


def open_stage(name: str, reads: str, given: Arguments) -> Stage:
    """A stage that works by the registered contracts of the captured tables.

    Args:
        name: The stage whose commits it publishes.
        reads: The stage whose commits it drains.
        given: The job's arguments.

    Raises:
        RegistryUnreadable: The registry does not say what a table looks like.
    """
    s3, glue = boto3.client("s3"), boto3.client("glue")
    catalogue = load_catalogue()
    registered = read_schemas(glue, given.schema_registry, catalogue).catalogue(catalogue)
    return Stage(name, reads, s3, glue, registered, given.buckets)
