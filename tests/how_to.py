"""Pages of docs/how-to as a person follows them: each edit of a file and each command, in their order.

A block is an edit where the sentence before it ends in a colon and says which file it is for:

- *Write* `path`: the block is the whole of a new file.
- *Add to the end of* `path`: it is appended.
- *Change* `path`: it is a difference, whose old lines stand in the file exactly once.

A block of the language ``console`` holds commands after ``$``, and below them what they print, line by line;
what is printed besides is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """A change of a file: how, which one, and the block."""

    verb: str
    path: str
    text: str

    def run(self, checkout: Path) -> None:
        """Make it.

        Raises:
            ValueError: The file is not as the page supposes.
        """
        file = checkout / self.path
        if self.verb == "Write":
            if file.exists():
                raise ValueError(f"{self.path} is there already")
            file.write_text(self.text, encoding="utf-8")
            return
        before = file.read_text(encoding="utf-8")
        if self.verb == "Change":
            lines = self.text.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if not line.startswith("+"))
            new = "".join(line[1:] for line in lines if not line.startswith("-"))
            if before.count(old) != 1:
                raise ValueError(f"{self.path} has the old lines {before.count(old)} times")
            file.write_text(before.replace(old, new), encoding="utf-8")
        else:
            file.write_text(before + self.text, encoding="utf-8")


@dataclass(frozen=True)
class Commands:
    """Commands of one shell, and the lines that they print, of which others are left out."""

    lines: tuple[str, ...]
    printed: tuple[str, ...]

    def run(self, checkout: Path, shell: Path | None = None) -> None:
        """Run them.

        Args:
            checkout: Where they are run.
            shell: A file that keeps what they export for those that are run with it later.

        Raises:
            ValueError: One failed, or did not print what the page says.
        """
        # What `make` installs first is there: these are the recipes themselves.
        tools = Path(sys.executable).parent
        make = f'make() {{ command make --no-print-directory -o development -o setup BIN={tools} "$@"; }}'
        before = [] if shell is None else [f"if [ -e {shell} ]; then . {shell}; fi"]
        after = [] if shell is None else [f"export -p > {shell}"]
        environment = {
            **{name: value for name, value in os.environ.items() if name != "LAKEHOUSE_PROJECT"},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(checkout),
            "TERM": "dumb",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([make, *before, *self.lines, *after])],
            cwd=checkout,
            env=environment,
            stdout=subprocess.PIPE,
            # In the order in which a person sees both.
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = done.stdout
        if done.returncode != 0:
            raise ValueError(f"{self.lines} ends with {done.returncode}: {said[-3000:]}")
        rest = said
        for line in self.printed:
            _, found, rest = rest.partition(line)
            if not found:
                raise ValueError(f"{self.lines} does not print {line!r}, but: {said[-3000:]}")


def steps(page: str) -> list[Edit | Commands]:
    """What a page has a person do, in order.

    Raises:
        ValueError: A block is neither an edit nor commands, so that nothing would try it.
    """
    found: list[Edit | Commands] = []
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        language, text = block.groups()
        if language == "console":
            lines = text.splitlines()
            commands = tuple(line[2:] for line in lines if line.startswith("$ "))
            found.append(Commands(commands, tuple(line for line in lines if not line.startswith("$ "))))
            continue
        sentence = " ".join(page[: block.start()].rstrip().rpartition("\n\n")[2].split())
        edit = re.search(r"\b(Write|Change|[Aa]dd to the end of) `([^`]+)`:$", sentence)
        if edit is None:
            raise ValueError(f"no sentence before this block says what it is for: {text[:80]!r}")
        found.append(Edit(edit[1], edit[2], text))
    return found


def follow(page: str, checkout: Path) -> None:
    """Do what a page says.

    Raises:
        OSError: A file that it changes is not there.
        ValueError: Something does not go as it says.
    """
    for step in steps(page):
        step.run(checkout)
