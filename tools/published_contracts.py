"""Compare every raw contract with the statement of it that was published last.

``catalog/published/<table>.json`` is the JSON Schema that the registry holds. ``check`` refuses a contract
that differs from it; ``publish`` writes it, and refuses a contract whose version does not say what its change
does to those who read the table.

    python -m tools.published_contracts check
    python -m tools.published_contracts publish
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from catalog.catalogue import Catalogue, load_catalogue
from catalog.changes import complaint
from catalog.json_schema import UnreadableSchemaError, contract_of, definition
from catalog.model import Contract
from catalog.project import project_folder
from catalog.yaml_lines import ContractError


def published_folder() -> Path:
    """Where what is published of the project's contracts lies."""
    return project_folder() / "catalog" / "published"


def check(catalogue: Catalogue, folder: Path) -> list[str]:
    """What keeps the contracts from being what is published; nothing where they are."""
    wrong = []
    for table, contract in catalogue.raw.items():
        reason = _complaint(catalogue, folder, contract)
        if reason is None and _text(folder, table) != definition(contract):
            reason = "it is not what is published; run make publish-contracts, and commit what it writes"
        if reason is not None:
            wrong.append(f"catalog/contracts/raw/{table}.yaml: {reason}")
    return wrong + [
        f"{path}: there is no such contract; a table that is given up is removed here too"
        for path in sorted(folder.glob("*.json"))
        if path.stem not in catalogue.raw
    ]


def publish(catalogue: Catalogue, folder: Path) -> list[str]:
    """Write what may be published; why the rest may not."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = []
    for table, contract in catalogue.raw.items():
        reason = _complaint(catalogue, folder, contract)
        if reason is not None:
            wrong.append(f"catalog/contracts/raw/{table}.yaml: {reason}")
        elif _text(folder, table) != definition(contract):
            _path(folder, table).write_text(definition(contract), encoding="utf-8")
    return wrong


def _complaint(catalogue: Catalogue, folder: Path, contract: Contract) -> str | None:
    text = _text(folder, contract.table)
    if text is None:
        return None
    try:
        return complaint(contract_of(text, catalogue.zones), contract)
    except UnreadableSchemaError as error:
        return f"what is published cannot be read ({error}); restore {_path(folder, contract.table)} from git"


def _text(folder: Path, table: str) -> str | None:
    path = _path(folder, table)
    return path.read_text(encoding="utf-8") if path.exists() else None


def _path(folder: Path, table: str) -> Path:
    return folder / f"{table}.json"


COMMANDS: Mapping[str, Callable[[Catalogue, Path], list[str]]] = {"check": check, "publish": publish}


def main(argv: list[str]) -> int:
    """Run one of the commands; 1 with a line for each contract that is refused."""
    if len(argv) != 1 or argv[0] not in COMMANDS:
        print("usage: published_contracts.py check|publish", file=sys.stderr)
        return 2
    try:
        wrong = COMMANDS[argv[0]](load_catalogue(), published_folder())
    except ContractError as error:
        wrong = [str(error)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
