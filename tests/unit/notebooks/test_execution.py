"""A notebook is run as the environment says, stays as it is stored, and says where it failed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from glue_jobs.runtime.errors import UserError
from notebooks.execution import execute


def test_a_notebook_that_fails_names_the_cell_and_why_and_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    cells = [
        new_code_cell('import os\n\nassert os.environ["LAKE"] == "here"'),
        new_markdown_cell("Prose."),
        new_code_cell('raise ValueError("no totes today")'),
        new_code_cell("print('never')"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    before = path.read_bytes()
    said = r"^bad\.ipynb stopped in its cell 3: ValueError: no totes today\. .*WR_WORKGROUP"
    with pytest.raises(UserError, match=said):
        execute(path, {"LAKE": "here"})
    assert path.read_bytes() == before
