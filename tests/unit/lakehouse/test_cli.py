"""The command line tells a person what is wrong and what to do, and never shows a traceback."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import lakehouse
from catalog.project import VARIABLE, project_folder
from lakehouse.cli import main

COMMANDS = (
    "init",
    "up",
    "run",
    "capture",
    "sql",
    "questions",
    "status",
    "alerts",
    "reconcile",
    "release",
    "rebuild",
    "validate",
    "maintain",
    "docs",
    "notebooks",
    "dashboard",
    "payments",
    "env",
    "down",
    "demo",
)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _all_commands(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command, and every group of commands, by its words."""
    for name, command in group.commands.items():
        yield (*above, name)
        if isinstance(command, click.Group):
            yield from _all_commands(command, *above, name)


@pytest.mark.parametrize("words", [*_all_commands(main)], ids="-".join)
def test_help_shows_an_example(words: tuple[str, ...]) -> None:
    shown = call(*words, "--help")
    assert shown.exit_code == 0
    assert f"lakehouse {' '.join(words)}" in shown.output.split("Example:")[1]


def test_an_example_names_no_column_that_its_question_may_lack() -> None:
    shown = call("sql", "--help").output.split("Example:")[1]
    assert set(re.findall(r"--param (\S+)", shown)) == {"COLUMN=VALUE"}


@pytest.mark.parametrize("command", ["sql", "record"])
def test_help_of_a_project_that_cannot_be_read_is_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "catalog" / "contracts" / "raw").mkdir(parents=True)
    (tmp_path / "catalog" / "contracts" / "zones.yaml").write_text("zones: [")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    shown = call(command, "--help")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "TABLE" in shown.output.split("Example:")[1]


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_of_commands_cuts_no_sentence(width: int) -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=width).output
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, shown.splitlines())) <= width
    words = " ".join(shown.split())
    for name, command in main.commands.items():
        assert f"{name} {command.get_short_help_str()}" in words
        assert command.get_short_help_str()[-1].isalnum() or command.get_short_help_str().endswith("/")


def test_help_lists_every_command() -> None:
    shown = call("--help").output
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("capture", "--full"),
        ("sql", "SELECT 1"),
        ("sql", "--named", "freshness"),
        ("questions",),
        ("status",),
        ("alerts",),
        ("reconcile",),
        ("release",),
        ("rebuild",),
        ("maintain",),
        ("docs",),
        ("notebooks",),
        ("dashboard",),
        ("payments",),
        ("env",),
    ],
    ids=lambda c: c[0],
)
def test_without_a_stack_every_command_says_how_to_start_one(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    refused = call(*command, "--state", tmp_path / "none")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert f"lakehouse up --state {tmp_path / 'none'}" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_an_api_asks_for_tokens_or_for_signatures(tmp_path: Path) -> None:
    refused = call("payments", "--signed", "--audience", "payments", "--state", tmp_path / "none")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "An API asks for tokens or for signatures" in refused.stderr


@pytest.mark.parametrize("name", ["", "my shop", "café", "a\n", "n" * 1025])
def test_a_namespace_that_no_catalog_takes_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    refused = call(
        "lineage", "--namespace", name, "--write", tmp_path / "written", "--state", tmp_path / "none"
    )
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "Invalid value for '--namespace'" in refused.stderr
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("name", ["users", "users=", "a.users=Users", "=users"])
def test_a_name_for_the_lake_is_given_to_something_and_plain(tmp_path: Path, name: str) -> None:
    refused = call("init", "--source", "postgresql:///shop", "--rename", name, tmp_path / "shop")
    assert refused.exit_code == 2
    assert "is not SCHEMA.TABLE=name" in " ".join(refused.stderr.split())


_WITHOUT_JSON = {
    *("init", "contracts", "contracts propose", "up", "down", "demo", "explain", "sql", "logs"),
    *("console", "dashboard", "docs", "notebooks", "payments"),
}


def test_every_command_answers_programs_unless_it_is_named() -> None:
    without = {
        " ".join(words) for words in _all_commands(main) if "--json" not in call(*words, "--help").output
    }
    assert without == _WITHOUT_JSON


def test_a_table_that_the_job_would_not_know_starts_none(tmp_path: Path) -> None:
    refused = call("capture", "--full", "--table", "nosuch", "--state", tmp_path)
    assert refused.exit_code == 1
    assert "There is no table nosuch to capture in full." in refused.stderr


def test_a_feed_that_the_job_would_not_know_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The project that comes with the code: it has a feed of files.
    monkeypatch.setenv(VARIABLE, str(Path(lakehouse.__file__).parents[1]))
    refused = call("files", "--reprocess", "nosuch", "--state", tmp_path)
    assert refused.exit_code == 1
    assert "There is no feed of files nosuch. There are delivery_event." in refused.stderr


def test_a_table_is_named_for_a_full_capture_alone(tmp_path: Path) -> None:
    refused = call("capture", "--table", "payment", "--state", tmp_path)
    assert refused.exit_code == 2
    assert "--table is of --full" in refused.stderr


def test_days_are_asked_for_in_order(tmp_path: Path) -> None:
    refused = call("rates", "--from", "2024-05-01", "--to", "2024-03-31", "--state", tmp_path)
    assert refused.exit_code == 2
    assert "--to, 2024-03-31, is before --from, 2024-05-01." in " ".join(refused.stderr.split())


@pytest.mark.parametrize(("command", "what"), [("rates", "exchange rates"), ("files", "files")])
def test_what_no_feed_brings_is_not_fetched(tmp_path: Path, command: str, what: str) -> None:
    refused = call(command, "--state", tmp_path)
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"lakehouse: The project has no feed of {what}. docs/how-to/add-a-feed.md says how to add one.\n"
    )


def test_a_dashboard_that_does_not_hang_together_is_refused_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = shutil.copytree(project_folder(), tmp_path / "project")
    monkeypatch.setenv(VARIABLE, str(project))
    declared = project / "bi" / "dashboard" / "dashboard.yaml"
    declared.unlink()
    missing = call("dashboard", "--state", tmp_path)
    declared.write_text("name: small\ntitle: Small\nfields: {}\nsheets: none\n")
    refused = call("dashboard", "--state", tmp_path)
    assert missing.exit_code == refused.exit_code == 1
    assert "the project declares no dashboard" in missing.stderr
    assert refused.stderr.startswith(f"lakehouse: {declared}:4: sheets: ")


@pytest.mark.parametrize("words", [(), ("SELECT 1", "--named", "freshness")], ids=["neither", "both"])
def test_sql_takes_a_query_or_the_name_of_one(words: tuple[str, ...]) -> None:
    refused = call("sql", *words)
    assert refused.exit_code == 2
    assert "Give a query, or the name of one with --named." in refused.stderr


def test_down_without_a_stack_is_no_error(tmp_path: Path) -> None:
    done = call("down", "--state", tmp_path / "none")
    assert done.exit_code == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--source", "postgresql:///a", "--scale", "2"), "--source names an existing one"),
        (("--source", "postgresql:///a", "--until", "2024-11-15"), "--until would fill an embedded source"),
        (("--until", "2024-11-15", "--data", "."), "--data and --until both fill the source"),
        (("--source", "postgresql:///a", "--data", "."), "--source names an existing one"),
        (("--scale", "2", "--data", "."), "both fill the source"),
        (("--source", "postgresql:///a", "--warehouse", "postgresql:///a"), "name the same database"),
        (("--data", "nowhere-at-all"), "is no directory"),
        (("--source", "nonsense"), "cannot be read"),
        (("--source", "postgresql://127.0.0.1:1/totesys"), "cannot be reached"),
        (("--source", "postgresql:///totesys?host=/no/such/place"), "cannot be reached"),
    ],
)
def test_up_refuses_what_cannot_be(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    refused = call("up", *options, "--state", tmp_path / "state")
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    # Nothing was made, so the next up may ask for something else.
    assert [path.name for path in (tmp_path / "state").glob("*") if path.is_dir()] == []
    assert not (tmp_path / "state" / "settings.json").exists()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = call("up", "--state", tmp_path / "file" / "state")
    assert refused.exit_code == 1
    assert str(tmp_path / "file") in refused.stderr


def test_an_unknown_stage_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    refused = call("run", "--stage", "everything", "--state", tmp_path)
    assert refused.exit_code == 2
    assert "capture" in refused.stderr


def test_an_engine_is_forced_where_there_is_a_choice(tmp_path: Path) -> None:
    unknown = call("run", "--engine", "duckdb", "--state", tmp_path)
    assert unknown.exit_code == 2
    assert "embedded" in unknown.stderr
    refused = call("run", "--stage", "reconcile", "--engine", "spark", "--state", tmp_path)
    assert refused.exit_code == 2
    assert "The job reconcile runs on one engine" in refused.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file that is always full")
@pytest.mark.parametrize("words", [(), ("run",)], ids=["all", "one"])
def test_help_that_finds_no_space_says_so(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        failed = subprocess.run(
            [sys.executable, "-m", "lakehouse.cli", *words, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert failed.returncode == 1
    assert failed.stderr.startswith("lakehouse: The disk that it writes to is full.")
    assert "Traceback" not in failed.stderr


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_ROLE", "boss")
    refused = call("questions", "--state", tmp_path)
    assert refused.exit_code == 2
    assert "LAKEHOUSE_ROLE" in refused.stderr


def test_where_the_disk_of_the_stack_is_full_that_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "not" / "there"
    assert "is full" not in call("status", "--state", state).output
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    failed = call("status", "--state", state)
    assert failed.exit_code == 1
    assert f"The disk of {state} is full. Free some space" in failed.output
    assert "No stack is running" in failed.output


def test_who_may_not_write_hears_nothing_of_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody makes directories there, root neither; and a file system that takes none has no space.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    failed = call("up", "--state", "/sys/lakehouse")
    assert failed.exit_code == 1
    assert failed.stderr.startswith("lakehouse: /sys/lakehouse: ")
    assert failed.stderr.endswith(" Name a directory that you may write to with --state.\n")


@pytest.mark.parametrize("named", [True, False])
def test_where_the_disk_of_a_demonstration_is_full_that_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    # Where there is no project, nothing is started.
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    failed = call("demo", *(("--state", tmp_path / "named") if named else ()))
    assert failed.exit_code == 1
    assert f"The disk of {tmp_path / ('named' if named else 'temporary')} is full." in failed.output
