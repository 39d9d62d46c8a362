"""Runs notebooks from the first cell to the last, each in a fresh kernel of this Python."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from glue_jobs.runtime.errors import UserError

HERE = Path(__file__).parent

CELL_SECONDS = 900
"""Seconds that a cell may take."""


def notebooks() -> list[Path]:
    """The project's notebooks, by name."""
    return sorted(HERE.glob("*.ipynb"))


def execute(path: Path, environment: Mapping[str, str]) -> Any:
    """Run a notebook; the file stays as it is.

    Args:
        path: The notebook.
        environment: Variables on top of this process's own: where AWS is, and the work group.

    Returns:
        The notebook with its outputs, as nbformat holds it.

    Raises:
        UserError: A cell failed; the message names notebook and cell.
    """
    # Where letters must first be looked for on a machine, matplotlib says so: here, and not in a notebook.
    import_module("matplotlib.font_manager")
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        # No port is opened, and nobody's settings, start-up files and history are touched.
        config.KernelManager.transport = "ipc"
        config.KernelManager.connection_file = f"{folder}/kernel.json"
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            config=config,
            resources={"metadata": {"path": str(HERE.parent)}},
        )
        given = {**os.environ, **environment, "IPYTHONDIR": folder, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        try:
            return client.execute(env=given)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise UserError(
                f"{path.name} stopped in its {_failed(notebook)}: {_reason(error)}.",
                "It reads Athena as the environment says: credentials, region and WR_WORKGROUP.",
            ) from error


def _failed(notebook: Any) -> str:
    """The cell that ran last, as a person counts."""
    ran = [number for number, cell in enumerate(notebook.cells, 1) if cell.get("execution_count")]
    return f"cell {ran[-1]}" if ran else "first cell"


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".strip().rstrip(".")
    return str(error).strip().partition("\n")[0].rstrip(".")
