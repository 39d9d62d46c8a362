"""What is counted as a line of the project, and what is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import lines


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("glue_jobs/star/build.py", "code"),
        ("tools/find_python.sh", "code"),
        ("bi/questions/orders.sql", "SQL"),
        ("catalog/pipeline.yaml", "YAML"),
        (".github/workflows/ci.yml", "YAML"),
        ("terraform/main.tf", "HCL"),
        ("sites/catalog/templates/page.html.j2", "templates"),
        ("tests/unit/test_project.py", None),
        ("terraform/tests/inputs.tftest.hcl", None),
        ("terraform/.terraform.lock.hcl", None),
        ("requirements/laptop.txt", None),
        ("docs/guarantees.md", None),
        ("catalog/published/staff.json", None),
    ],
)
def test_a_file_is_counted_by_its_ending_outside_tests_and_locks(name: str, kind: str | None) -> None:
    assert lines.kind(name) == kind


def test_only_lines_of_files_that_git_tracks_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests").mkdir()
    files = {"a.py": "x = 1\n\n# y\n", "b c.yaml": "a: 1\n", "tests/test_a.py": "y = 2\n", "README.md": "#\n"}
    for name, text in {**files, "untracked.py": "z = 3\n", "gone.sql": "SELECT 1\n"}.items():
        (tmp_path / name).write_text(text)
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", *files, "gone.sql"], check=True)
    (tmp_path / "gone.sql").unlink()
    assert lines.main([str(tmp_path)]) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert printed == {"code": "3", "SQL": "0", "YAML": "1", "HCL": "0", "templates": "0", "all": "4"}
