"""The closed list of functions as documentation; running this module puts it where it stands."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from local_aws.athena.signatures import Signature, entries

DOCUMENT = Path(__file__).parents[2] / "docs" / "athena.md"
BEGIN, END = "<!-- functions: begin -->", "<!-- functions: end -->"


def listed() -> str:
    """A heading for each area, and below it a line for each function with its signatures."""
    parts = []
    for area, group in groupby(entries(), key=lambda entry: entry.area):
        lines = [f"**{area}**", ""]
        for name, same in groupby(group, key=lambda entry: entry.name):
            lines.append(f"- `{name}`: " + "; ".join(f"`{_shown(entry)}`" for entry in same))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _shown(entry: Signature) -> str:
    head, _, result = entry.text.partition(" -> ")
    inputs = head.partition("(")[2].removesuffix(")")
    shown = "decimal" if result.startswith("@") and result != "@zip" else result
    return f"({inputs}) → {'array(row(…))' if shown == '@zip' else shown}"


def filled(document: str) -> str:
    """A document with the list between its marks."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{listed()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
