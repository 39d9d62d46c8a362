"""What every command shares: the group, options, and how errors become words and exit codes."""

from __future__ import annotations

import errno
import inspect
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard, TypeVar

import click
from click.core import ParameterSource

from glue_jobs.runtime.errors import UserError
from lakehouse.stack_state import DEFAULT, Paths, Running
from lakehouse.terminal import (
    PIPE_CLOSED,
    be_quiet,
    between_words,
    goes_on,
    note,
    print_message,
    replace_unknown_characters,
    terminal_width,
)

if TYPE_CHECKING:
    from catalog.catalogue import Catalogue
    from lakehouse.records import Ask

Command = TypeVar("Command", bound=Callable[..., Any])

JOBS = (
    "extract_cdc",
    "fetch_rates",
    "fetch_files",
    "transform",
    "validate_raw",
    "build_dimensions",
    "build_facts",
    "load_warehouse",
    "reconcile",
    "maintain_lake",
    "build_sites",
    "replay_dead_letters",
    "replay_dead_letters_large",
)
_STATE, _CANCEL = "lakehouse.stack_state", "lakehouse.cancel"
_FULL_BYTES = 16 << 20
"""With less than this free, whatever failed failed of it."""

LOAD_JOB = "load_warehouse"
RATES_JOB = "fetch_rates"
FILES_JOB = "fetch_files"
STAGES = ("capture", "validate", "dimensions", "facts", "load")


ROLES = ("analyst", "personal-data-analyst", "operator")


class _Command(click.Command):
    """A command whose example names what the project has, and whose first sentence is never cut in a list."""

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - the list wraps it
        sentence, _, _ = inspect.cleandoc(self.help or "").partition("\n\n")
        return re.split(r"(?<=[.:])\s", " ".join(sentence.split()))[0].rstrip(".:")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            if error.param is not None and error.ctx is not None and error.param.name is not None:
                source = error.ctx.get_parameter_source(error.param.name)
                if source is ParameterSource.DEFAULT_MAP:
                    error.param_hint = _in_the_file(error.param)
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        example, self.epilog = self.epilog, _named(self.epilog or "")
        super().format_epilog(ctx, formatter)
        self.epilog = example


class CommandGroup(_Command, click.Group):
    """Commands below one of `main`."""

    command_class = _Command


def _in_the_file(parameter: click.Parameter) -> str:
    """How a message names an option that the configuration file states."""
    from lakehouse.config import config_file

    return f"'{parameter.opts[0].removeprefix('--')}' in {config_file(os.environ)}"


def _named(example: str) -> str:
    """An example with names of the project's tables and questions."""
    return re.sub("STAR_TABLE|TABLE|QUESTION", lambda found: _name_of(found.group()), example)


def _name_of(what: str) -> str:
    """A name of the project's in place of what an example says."""
    # Most examples name none, and reading YAML takes a while.
    from catalog.names import captured_table, question, star_table

    if what == "QUESTION":
        return question() or "NAME"
    return (captured_table() if what == "TABLE" else star_table()) or "TABLE"


class _Group(click.Group):
    """Turns the errors that a person can mend into a message and an exit code, without a traceback."""

    command_class = _Command

    def make_context(self, *words: Any, **named: Any) -> click.Context:
        replace_unknown_characters()
        # Its own help is printed here, which may find a full disk.
        try:
            return super().make_context(*words, **named)
        except BrokenPipeError:
            _read_no_more()
        except OSError as error:
            fail(_explain(error))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            # Help, and what was not understood. What is below imports libraries for their errors.
            raise
        except UserError as error:
            fail(str(error), ctx)
        except BrokenPipeError:
            _read_no_more()
        except KeyboardInterrupt:
            sys.exit(goes_on(ctx.meta.get(_CANCEL)))
        except _expected_errors() as error:
            fail(_explain(error), None if _may_not_write(error) else ctx)
        except RuntimeError as error:
            # DuckDB's word for Ctrl-C.
            if "interrupt" not in str(error).lower():
                raise
            sys.exit(goes_on(ctx.meta.get(_CANCEL)))


def _read_no_more() -> NoReturn:
    """End where whoever read has seen enough; what is still in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(PIPE_CLOSED)


def example(*lines: str) -> str:
    """Lines that help shows; ``TABLE``, ``STAR_TABLE`` and ``QUESTION`` become names of the project."""
    # \b keeps click from filling the lines to a paragraph.
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    from importlib.metadata import entry_points

    if wanted:
        (command,) = entry_points(group="console_scripts", name="lakehouse")
        click.echo(f"lakehouse, version {command.dist.version if command.dist else 'unknown'}")
        ctx.exit()


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "lakehouse up && lakehouse run",
        "lakehouse questions",
        "lakehouse down",
    ),
)
@click.option("--version", is_flag=True, callback=_show_version, expose_value=False, help="Show the version.")
@click.pass_context
def main(ctx: click.Context) -> None:
    """The lakehouse on a laptop."""
    from lakehouse import config

    ctx.default_map = config.load(main.commands)


def state_option(command: Command) -> Command:
    """Add what every command about a stack takes: its directory, and how much is said."""
    command = click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=lambda _context, _option, quiet: be_quiet(quiet),
        envvar="LAKEHOUSE_QUIET",
        show_envvar=True,
        help="Print results and errors alone.",
    )(command)
    return click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT,
        show_default=True,
        envvar="LAKEHOUSE_STATE",
        show_envvar=True,
        callback=remember_state,
        help="The directory of the stack; everything of it lives there.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def role_option(command: Command) -> Command:
    """Add ``--as``: with whose rights the lake is asked."""
    return click.option(
        "--as",
        "role",
        type=click.Choice(ROLES),
        default=ROLES[1],
        show_default=True,
        envvar="LAKEHOUSE_ROLE",
        show_envvar=True,
        help="With whose rights: an analyst reads no personal columns, a personal-data-analyst does.",
    )(command)


def remember_state(ctx: click.Context, _: click.Parameter, state: Path | None) -> Path | None:
    """Keep which directory the command is about, for what is said where it fails.

    Args:
        ctx: The command's context.
        state: The directory; nothing for one that the command makes among temporary files.
    """
    ctx.find_root().meta[_STATE] = state or Path(tempfile.gettempdir())
    return state


def command_line(words: str, state: Path) -> str:
    """A command as the person would give it about the same stack, which a variable or a file may name."""
    named = click.get_current_context().get_parameter_source("state") is ParameterSource.COMMANDLINE
    return f"lakehouse {words}" + (f" --state {shlex.quote(str(state))}" if named else "")


def can_be_cancelled(running: Running, state: Path) -> None:
    """From here on runs go on after Ctrl-C, and a second one stops them."""
    from lakehouse.job_runs import cancel

    def stop() -> None:
        stopped = cancel(running.client, Paths.of(state).runs)
        note(f"cancelled: {', '.join(stopped) or 'nothing was running'}")

    click.get_current_context().find_root().meta[_CANCEL] = stop


def page(text: str) -> None:
    """Print a text, a screen at a time where it is longer than the terminal."""
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        # Quit if it fits, keep colours, leave the text on the screen, let long lines run on.
        os.environ.setdefault("LESS", "-FRSX")
        click.echo_via_pager(text + "\n")
    else:
        click.echo(text)


def page_words(text: str) -> None:
    """The same with a text whose lines end between words, where one is wider than the terminal."""
    page(between_words(text, terminal_width(), indented=True))


def star_database(role: str) -> str:
    """Where a role's unqualified tables are."""
    from catalog.catalogue import load_catalogue

    catalogue = load_catalogue()
    return (catalogue.redacted() if role == ROLES[0] else catalogue).zones["star"].database


def seen_by(role: str) -> Catalogue:
    """The contracts of what a role may read."""
    from catalog.catalogue import load_catalogue

    return load_catalogue().redacted() if role == ROLES[0] else load_catalogue()


def asking(running: Running, database: str) -> Ask:
    """What asks the stack's Athena, with the rights of whoever acts."""
    from glue_jobs.runtime.athena import run_query

    athena = running.client("athena")

    def ask(text: str) -> list[tuple[Any, ...]]:
        return run_query(athena, text, database=database, work_group=running.work_group).rows

    return ask


def made(state: Path) -> Paths:
    """The places of a stack that was made, running or not."""
    paths = Paths.of(state)
    if not paths.settings.exists():
        raise UserError(
            f"There is no stack in {paths.root}.", f"Make one with: lakehouse up --state {paths.root}"
        )
    return paths


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors that a person can cause: a file that is wrong, a stack that has ended, no right to write."""
    from botocore.exceptions import BotoCoreError, ClientError

    from catalog.yaml_lines import ContractError

    return (OSError, ContractError, BotoCoreError, ClientError, *_query_errors(), *_database_errors())


def _query_errors() -> tuple[type[Exception], ...]:
    # Only where a query ran: importing the client costs every other command a moment.
    module = sys.modules.get("glue_jobs.runtime.athena")
    return () if module is None else (module.QueryFailed,)


def _database_errors() -> tuple[type[Exception], ...]:
    # As above: only where a database was asked.
    module = sys.modules.get("psycopg")
    return () if module is None else (module.Error,)


def _explain(error: Exception) -> str:
    import psycopg
    from botocore.exceptions import EndpointConnectionError

    from glue_jobs.runtime.connections import explain
    from glue_jobs.runtime.errors import DISK_FULL, is_disk_full

    if is_disk_full(error):
        return DISK_FULL
    if isinstance(error, EndpointConnectionError):
        return "The stack does not answer: it ended meanwhile. Start it again with: lakehouse up"
    if isinstance(error, psycopg.Error):
        return str(explain(error, "database"))
    if _may_not_write(error):
        return f"{_told_by(error)}. Name a directory that you may write to with --state."
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return _told_by(error)
    return str(error)


def _may_not_write(error: Exception) -> TypeGuard[OSError]:
    """Whether somebody wrote where nobody, or who ran it, may."""
    return isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def _told_by(error: OSError) -> str:
    """A place, and what the system says of it."""
    told = error.strerror or "permission denied"
    return f"{error.filename}: {told[0].lower()}{told[1:]}"


def _full_disk(ctx: click.Context) -> str:
    """What to say first where the disk of the stack's directory is full: the rest follows from it."""
    state = ctx.find_root().meta.get(_STATE)
    if state is None:
        return ""
    place = next(path for path in (state.absolute(), *state.absolute().parents) if path.exists())
    if shutil.disk_usage(place).free >= _FULL_BYTES:
        return ""
    return f"The disk of {state.absolute()} is full. Free some space, then give the command again. It said: "


def _in_their_words(message: str) -> str:
    """A message of a job's with the option that the person gave, in place of the secret that jobs read."""
    for database in ("source", "warehouse"):
        if f"The {database} " in message or f"to the {database} " in message:
            return message.replace("in the secret", f"in --{database}")
    return message


def fail(message: str, ctx: click.Context | None = None) -> NoReturn:
    """Say what is wrong, and end with 1."""
    message = (_full_disk(ctx) if ctx is not None else "") + _in_their_words(message)
    print_message(f"lakehouse: {message}")
    sys.exit(1)
