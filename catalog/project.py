"""Where the project lies that everything else reads.

A project is what is particular to one business: contracts, rules, questions, a dashboard and how it is
deployed. Its files lie in folders named as those of this repository, so that the packages find it beside
themselves wherever they are installed: ``catalog/contracts``, ``catalog/pipeline.yaml``,
``expectations/rules``, ``bi/queries``, ``bi/dashboard``. The environment can name another one.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LAKEHOUSE_PROJECT"
"""The environment variable that names another project's folder."""


def project_folder() -> Path:
    """The folder of the project: the one that the environment names, or the one that came with the code."""
    named = os.environ.get(VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parent.parent


FOLDER = project_folder()
"""The folder of this process's project."""

PACKED = (
    "bi/dashboard/",
    "bi/queries/",
    "catalog/contracts/",
    "catalog/pipeline.yaml",
    "catalog/published/",
    "expectations/rules/",
)
"""What jobs read of a project: below its folder, and beside the packages in a wheel."""
