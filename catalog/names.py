"""Names of the project's tables and questions as its files bear them, for what shows one at once.

Reading contracts takes longer than printing the help of a command, and a wrong one may not keep it away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from catalog.project import contracts_folder, queries_folder
from catalog.yaml_lines import ContractError, load_with_lines

CAPTURED: Final = "database"
"""The origin of a raw table that is captured; a contract that states none means it."""


def contract_files(folder: Path, zone: str) -> list[Path]:
    """The contracts of a zone, each named after its table, in the order of the names.

    Args:
        folder: Holds all contracts.
        zone: The zone.
    """
    return sorted((folder / zone).glob("*.yaml"))


def question_files(folder: Path) -> list[Path]:
    """The questions in a folder, each named as it is asked for, in the order of the names."""
    return sorted(folder.glob("*.sql"))


def captured_table() -> str | None:
    """A raw table that is captured: the first one."""
    files = contract_files(contracts_folder(), "raw")
    return next((path.stem for path in files if _states(path, "origin", CAPTURED) == CAPTURED), None)


def star_table() -> str | None:
    """A table of the star: the first fact, else the first of all."""
    files = contract_files(contracts_folder(), "star")
    return next((path.stem for path in files if _states(path, "kind") == "fact"), _first(files))


def question() -> str | None:
    """A question: the first one."""
    return _first(question_files(queries_folder()))


def _first(files: list[Path]) -> str | None:
    return files[0].stem if files else None


def _states(path: Path, key: str, default: str | None = None) -> Any:
    """What a contract says under a key; nothing where it cannot be read."""
    try:
        stated, _ = load_with_lines(path)
    except (ContractError, OSError, UnicodeDecodeError):
        return None
    return stated.get(key, default) if isinstance(stated, dict) else None
