"""Every page of docs/how-to is followed to its end, and asks for no file that it does not name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.how_to import Commands, Edit, follow, steps
from tests.night import by_day
from tools.mutants import copy_checkout

ELSEWHERE = ("add-a-source.md", "deploy-on-aws.md", "start-a-project.md")
"""Followed in ``tests/end_to_end``, by stacks and deployments: ``test_how_to.py``, ``test_deploy.py``,
``test_new_project.py``."""

PAGES = sorted(
    path.name
    for path in (Path(__file__).parents[2] / "docs" / "how-to").glob("*.md")
    if path.name not in ELSEWHERE
)

OF_THE_PROJECT = (
    "tests/unit/bi",
    "tests/unit/catalog/test_alarms.py",
    "tests/unit/catalog/test_contracts.py",
    "tests/unit/catalog/test_pipeline.py",
    "tests/unit/catalog/test_redaction.py",
    "tests/unit/catalog/test_rights.py",
    "tests/unit/catalog/test_warehouse.py",
    "tests/unit/expectations/test_rules.py",
    "tests/unit/test_rooms.py",
    "tests/unit/totesys/test_generator.py",
    "tests/unit/totesys/test_its_contracts.py",
)
"""What is tested of the project's own files without a stack, but for the figures of docs/costs.md."""


BY_DAY = ("add-a-column.md", "add-a-question.md", "add-a-rule.md")


class Followed:
    """A copy of the checkout in which pages are followed, one after another: none stands in another's way.

    Attributes:
        checkout: The copy.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self._pages: dict[str, tuple[str, list[str]]] = {}
        copy_checkout(checkout)
        git(checkout, "init", "--quiet")
        commit(checkout, "clone")

    def page(self, name: str) -> tuple[str, list[str]]:
        """What did not go as a page says, and the files that are other ones afterwards."""
        if name not in self._pages:
            complaint = ""
            try:
                follow(text_of(self.checkout, name), self.checkout)
            except (ValueError, OSError) as error:
                complaint = str(error)
            commit(self.checkout, name)
            changed = git(self.checkout, "diff", "--name-only", "HEAD~1", "HEAD").split()
            self._pages[name] = complaint, changed
        return self._pages[name]


def text_of(checkout: Path, page: str) -> str:
    return (checkout / "docs" / "how-to" / page).read_text(encoding="utf-8")


def git(checkout: Path, *arguments: str) -> str:
    who = ("-c", "user.name=reader", "-c", "user.email=reader@example.com", "-c", "core.hooksPath=/dev/null")
    return subprocess.run(
        ["git", *who, *arguments], cwd=checkout, check=True, capture_output=True, text=True
    ).stdout


def commit(checkout: Path, page: str) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--allow-empty", f"--message={page}")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    return Followed(tmp_path_factory.mktemp("how-to") / "checkout")


@pytest.mark.parametrize("page", by_day(BY_DAY, PAGES))
def test_a_page_is_followed_to_its_end(followed: Followed, page: str) -> None:
    complaint, _ = followed.page(page)
    assert complaint == ""


@pytest.mark.parametrize("page", by_day(BY_DAY, PAGES))
def test_a_page_names_every_file_that_changes(followed: Followed, page: str) -> None:
    text = text_of(followed.checkout, page)
    folders = {Path(name) for name in re.findall(r"`([\w./-]+/[\w./-]+)`", text)}
    changed = [file for file in followed.page(page)[1] if file not in text]
    assert [file for file in changed if not folders & set(Path(file).parents)] == []


def test_of_a_column_a_person_writes_contracts_and_what_makes_the_examples_source(root: Path) -> None:
    edits = [step for step in steps(text_of(root, "add-a-column.md")) if isinstance(step, Edit)]
    written = {Path(edit.path).parent.as_posix() for edit in edits}
    assert written == {"catalog/contracts/raw", "catalog/contracts/star", "totesys"}


@pytest.mark.slow
def test_with_every_page_followed_the_projects_own_tests_pass(followed: Followed) -> None:
    """So no page leaves out a file that these would ask for."""
    assert [complaint for complaint, _ in map(followed.page, PAGES) if complaint] == []
    environment = {**os.environ, "PYTHONPATH": str(followed.checkout)}
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n0", "-m", "not slow", "-p", "no:cacheprovider"),
            *(f"--basetemp={followed.checkout.parent / 'tests'}", *OF_THE_PROJECT),
        ],
        cwd=followed.checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("Look:\n\n```yaml\na: 1\n```\n", "no sentence before this block"),
        ("Add to the end of `gone.txt`:\n\n```text\none\n```\n", "gone.txt"),
        ("Write `kept.txt`:\n\n```text\none\n```\n", "there already"),
        ("Change `kept.txt`:\n\n```diff\n-three\n+four\n```\n", "0 times"),
        ("```console\n$ cat kept.txt\ntwo\none\n```\n", "does not print 'one'"),
        ("```console\n$ false\n```\n", "ends with 1"),
    ],
)
def test_a_page_that_cannot_be_followed_is_noticed(tmp_path: Path, page: str, words: str) -> None:
    (tmp_path / "kept.txt").write_text("one\ntwo\n")
    with pytest.raises((ValueError, OSError), match=words):
        follow(page, tmp_path)


def test_a_page_is_followed_step_by_step(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("one\ntwo\n")
    page = """
Change `kept.txt`:

```diff
 one
-two
+three
```

In the same way,
add to the end of `kept.txt`:

```text
four
```

Write `new.txt`:

```text
new
```

```console
$ cat kept.txt new.txt
three
new
```
"""
    assert [type(step) for step in steps(page)] == [Edit, Edit, Edit, Commands]
    follow(page, tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "one\nthree\nfour\n"
