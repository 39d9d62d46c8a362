"""The files of a proposal: contracts as YAML, with marks for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakehouse.new_project.contracts import TO_DESCRIBE
from lakehouse.new_project.proposal import Proposal
from lakehouse.new_project.yaml_text import one_line

_HEAD = f"""\
# Written by lakehouse init from what the database declares. Yours from here on: it is not written again.
# "{TO_DESCRIBE}" stands where a person says what something means; "review" where a guess was made.
"""


def contract_files(proposal: Proposal) -> dict[str, str]:
    """The contracts of a proposal, by path below the project."""
    zones = {"raw": proposal.raw, "star": proposal.star}
    return {
        f"catalog/contracts/{zone}/{table}.yaml": _contract(contract, zone, table, proposal.marks)
        for zone, contracts in zones.items()
        for table, contract in contracts.items()
    }


def _contract(
    contract: Mapping[str, Any], zone: str, table: str, marks: Mapping[tuple[str, str, str], str]
) -> str:
    def marked(line: str, what: str) -> str:
        said = marks.get((zone, table, what))
        return line if said is None else f"{line} # review: {said}"

    lines = []
    for key, value in contract.items():
        if key in ("columns", "references"):
            lines.append(marked(f"{key}:", key))
            lines += [marked(f"- {one_line(one)}", one["name"] if key == "columns" else "-") for one in value]
        else:
            lines.append(marked(f"{key}: {one_line(value)}", "" if key == "grain" else key))
    return _HEAD + "\n".join(lines) + "\n"


def write_new(folder: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Write files that are not there; what is there stays as it is.

    Args:
        folder: The project's; made if missing.
        files: By path below it, their texts.

    Returns:
        The paths that were written, and those that were left, in order.
    """
    written, left = [], []
    for name, text in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            left.append(name)
        else:
            written.append(name)
    return written, left
