"""The planted bugs keep up with the code, and one that slips through is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.night import at_night
from tools import mutants
from tools.mutants import MUTANTS, Edit, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mistake_can_still_be_made_and_is_still_python(mutant: Mutant, root: Path) -> None:
    for edit in mutant.edits:
        compile(edit.applied((root / edit.path).read_text(encoding="utf-8")), edit.path, "exec")
    for test in mutant.tests[:1]:
        assert (root / test.partition("::")[0]).is_file(), test


def test_a_mistake_whose_place_is_gone_is_told() -> None:
    with pytest.raises(ValueError, match="0 times, not once"):
        Edit("a.py", "old", "new").applied("text")


@pytest.mark.parametrize(
    ("new", "code", "told"), [("1", 1, "not noticed: nothing at all"), at_night("2", 0, "all 1 were noticed")]
)
def test_a_mistake_that_no_test_notices_turns_the_verdict(
    new: str,
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "test_it.py").write_text("from code import x\ndef test_x(): assert x == 1\n")
    mutant = Mutant("nothing at all", (Edit("code.py", "x = 1", f"x = {new}"),), ("test_it.py",))
    monkeypatch.setattr(mutants, "MUTANTS", (mutant,))
    monkeypatch.setattr(mutants, "copy_checkout", lambda target: _copy(tmp_path, target))
    assert mutants.main([]) == code
    assert told in capsys.readouterr().out


def _copy(source: Path, target: Path) -> None:
    for path in source.glob("*.py"):
        (target / path.name).write_text(path.read_text())
