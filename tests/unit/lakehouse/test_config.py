"""Options that a file or the environment states."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from glue_jobs.runtime.errors import UserError
from lakehouse import config
from lakehouse.cli import main


def stated(tmp_path: Path, text: str) -> dict[str, dict[str, object]]:
    (tmp_path / "lakehouse.toml").write_text(text)
    return config.defaults(main.commands, tmp_path / "lakehouse.toml")


def test_a_key_is_of_every_command_that_has_it_and_a_table_is_of_one(tmp_path: Path) -> None:
    found = stated(
        tmp_path, 'state = "/data/stack"\nas = "analyst"\n[sql]\nformat = "csv"\nstate = "/other"\n'
    )
    assert found["run"] == {"state": "/data/stack"}
    assert found["sql"] == {"state": "/other", "role": "analyst", "output": "csv"}
    assert found["explain"] == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state = ", "is no TOML"),
        ('staet = "x"', "no command has an option staet"),
        ("[rnu]\n", r"table \[rnu\]: there is no such command"),
        ("[run]\nformat = 1\n", "the command run has no option format"),
    ],
)
def test_what_no_command_has_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        stated(tmp_path, text)


def test_a_value_that_an_option_does_not_take_is_told_with_the_file_that_states_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(config.VARIABLE, str(tmp_path / "c.toml"))
    (tmp_path / "c.toml").write_text('limit = "many"\n[sql]\nformat = "xml"\n')
    for command, key in ((["runs"], "limit"), (["sql", "SELECT 1"], "format")):
        told = CliRunner().invoke(main, command)
        assert told.exit_code == 2
        assert f"Invalid value for '{key}' in {tmp_path / 'c.toml'}" in told.stderr
    told = CliRunner().invoke(main, ["runs", "--limit", "several"])
    assert "Invalid value for '--limit'" in told.stderr


def test_the_named_file_counts_then_this_directorys_then_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    environment = {"HOME": str(home)}
    assert config.config_file(environment) is None
    (home / ".config" / "lakehouse.toml").touch()
    assert config.config_file(environment) == home / ".config" / "lakehouse.toml"
    (tmp_path / "lakehouse.toml").touch()
    assert config.config_file(environment) == Path("lakehouse.toml")
    (tmp_path / "named.toml").touch()
    assert config.config_file({config.VARIABLE: str(tmp_path / "named.toml")}) == tmp_path / "named.toml"
    with pytest.raises(UserError, match="which is no file"):
        config.config_file({config.VARIABLE: str(tmp_path / "none.toml")})


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_in(*words: str) -> str:
        return CliRunner().invoke(main, ["runs", *words]).stderr

    monkeypatch.setenv(config.VARIABLE, str(tmp_path / "c.toml"))
    (tmp_path / "c.toml").write_text(f'state = "{tmp_path}/of-file"\n')
    assert "of-file" in looked_in()
    monkeypatch.setenv("LAKEHOUSE_STATE", f"{tmp_path}/of-environment")
    assert "of-environment" in looked_in()
    assert "of-line" in looked_in("--state", f"{tmp_path}/of-line")
