"""Publishes lineage as files in the documentation bucket: an event of OpenLineage for each commit.

    lineage/events/<stage>/<sequence>.json    the run event of a commit
    lineage/readers.ndjson                    what reads the tables: a job event a line
    lineage/written.json                      by stage, up to which sequence there are events

Every run writes the events of the commits that are new, and those of readers where they are others. An event
says what contracts and texts said when it was written: later ones do not change it.
"""

from __future__ import annotations

import json

from catalog.catalogue import Catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.column_lineage import lineage_of
from glue_jobs.documentation.openlineage import EVENTS, project
from glue_jobs.lake.clients import LakeClients

TOP = "lineage/"
"""The folder of the files in the documentation bucket."""

WRITTEN = f"{TOP}written.json"
"""Where it stands how far events are written."""


def build(lake: LakeClients, bucket: Bucket, catalogue: Catalogue) -> int:
    """Bring the files up to date.

    Args:
        lake: Its clients.
        bucket: The documentation bucket.
        catalogue: The contracts.

    Returns:
        How many files were looked at or written.
    """
    stated = bucket.get(WRITTEN)
    written: dict[str, int] = {} if stated is None else json.loads(stated)
    found = 0
    for name, body in project(lake, catalogue, lineage_of(catalogue), load_pipeline().name, written):
        bucket.publish(TOP + name, body)
        found += 1
        folder, _, rest = name.partition("/")
        if folder == EVENTS:
            stage, _, file = rest.partition("/")
            written[stage] = int(file.partition(".")[0])
    # Last: a run that was stopped before writes the same events again.
    bucket.publish(WRITTEN, json.dumps(written, sort_keys=True).encode())
    return found
