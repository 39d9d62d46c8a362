"""Glue job: the sites in the documentation bucket, and lineage as files, from contracts, commits and texts.

It runs where Great Expectations and the generator of the catalogue's pages do, which the Python shell's 3.9
is too old for, and starts no Spark.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.documentation import catalogue_site, lineage_files, validation_site
from glue_jobs.documentation.front import SiteArguments, publish_parts
from glue_jobs.runtime import arguments, entry_point

JOB = "build_sites"


def main(argv: Sequence[str]) -> int:
    """Bring the sites up to date; 1 where one could not be built.

    Args:
        argv: See :class:`~glue_jobs.documentation.front.SiteArguments`; others are ignored.
    """
    # In this order: pages of the second link those of the first.
    sites = {
        "validation": validation_site.build,
        "catalogue": catalogue_site.build,
        "lineage": lineage_files.build,
    }
    return publish_parts(arguments.parse(SiteArguments, argv), sites)


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:])
