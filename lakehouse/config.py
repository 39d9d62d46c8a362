"""What a person states once for every command: a configuration file, see docs/command-line.md."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from glue_jobs.runtime.errors import UserError

VARIABLE = "LAKEHOUSE_CONFIG"
"""Names a file in place of the usual ones."""

NAME = "lakehouse.toml"


def config_file(environment: Mapping[str, str]) -> Path | None:
    """The file that counts: the named one, else that of this directory, else that of the user.

    Args:
        environment: The process's environment.

    Raises:
        UserError: The named one is not there.
    """
    named = environment.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise UserError(f"{VARIABLE} names {named}, which is no file.", "Correct it, or unset it.")
        return Path(named)
    home = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "/") / ".config")
    return next((path for path in (Path(NAME), home / NAME) if path.is_file()), None)


def defaults(commands: Mapping[str, click.Command], path: Path | None) -> dict[str, dict[str, Any]]:
    """The options that a file states, by command and parameter, as click takes them.

    A key outside every table is an option of each command that has it; a table is named after its command.

    Args:
        commands: The commands, by name.
        path: The file; nothing states nothing.

    Raises:
        UserError: It is no TOML, or states what no command has.
    """
    if path is None:
        return {}
    try:
        stated = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML: {error}.", "Correct it.") from error
    options = {name: dict(_options(command)) for name, command in commands.items()}
    found: dict[str, dict[str, Any]] = {name: {} for name in commands}
    for key, value in stated.items():
        if isinstance(value, dict):
            if key not in commands:
                raise UserError(f"{path} has a table [{key}]: there is no such command.", "Correct it.")
            unknown = set(value) - set(options[key])
            if unknown:
                raise UserError(
                    f"{path}: the command {key} has no option {min(unknown)}.",
                    f"It has {', '.join(sorted(options[key]))}.",
                )
        elif not any(key in of for of in options.values()):
            raise UserError(f"{path}: no command has an option {key}.", "Correct it.")
    for name, of in options.items():
        both = {**{key: value for key, value in stated.items() if not isinstance(value, dict)},
                **stated.get(name, {})}  # fmt: skip
        found[name] = {of[key]: value for key, value in both.items() if key in of}
    return found


def load(commands: Mapping[str, click.Command]) -> dict[str, dict[str, Any]]:
    """The options that this user's file states, see `defaults`."""
    return defaults(commands, config_file(os.environ))


def _options(command: click.Command) -> Iterator[tuple[str, str]]:
    """The long options of a command without their dashes, each with its parameter."""
    for parameter in command.params:
        for option in parameter.opts:
            if isinstance(parameter, click.Option) and option.startswith("--") and parameter.name:
                yield option.removeprefix("--"), parameter.name
