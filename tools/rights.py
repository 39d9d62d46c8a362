"""Writes the policy documents that Terraform reads, or looks whether they are what ``pipeline.yaml`` makes.

python -m tools.rights check
python -m tools.rights write
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.project import project_folder
from catalog.rights import Document, documents


def folder() -> Path:
    """Where the project's documents lie."""
    return project_folder() / "terraform" / "rights"


def check(made: Mapping[str, Document], folder: Path) -> list[str]:
    """What keeps the files from being what is made; nothing where they are."""
    there = _there(folder)
    wrong = [
        f"{name} is not what catalog/pipeline.yaml makes"
        for name in made
        if _text(made[name]) != there.get(name)
    ]
    return wrong + [
        f"{name} is of nothing that catalog/pipeline.yaml states" for name in there.keys() - made.keys()
    ]


def write(made: Mapping[str, Document], folder: Path) -> list[str]:
    """Write the files, and take away those of what is not stated any more."""
    for name in _there(folder).keys() - made.keys():
        (folder / name).unlink()
    for name, document in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(document), encoding="utf-8")
    return []


def _there(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.json"))
    }


def _text(document: Document) -> str:
    return json.dumps(document, indent=1) + "\n"


def main(argv: list[str]) -> int:
    """Run one of the commands; 1 with a line for each file that is not as it must be."""
    commands = {"check": check, "write": write}
    if len(argv) != 1 or argv[0] not in commands:
        print("usage: python -m tools.rights check|write", file=sys.stderr)
        return 2
    made = documents(load_pipeline(), load_catalogue())
    wrong = commands[argv[0]](made, folder())
    for line in wrong:
        print(f"terraform/rights/{line}: run make rights, and commit what it writes", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
