"""What a person at a terminal sees besides results: notes, what goes on, times as people say them."""

from __future__ import annotations

import io
import locale
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from lakehouse.drive import JobEvent, Watch

INTERRUPTED = 128 + signal.SIGINT
"""The exit code of a command that a person interrupted."""

PIPE_CLOSED = 128 + signal.SIGPIPE
"""The exit code of a command whose reader has gone, as shells say it of any program."""

_SECOND_CHANCE = 2.0
"""Seconds within which a second Ctrl-C cancels what the first one left running."""

_LOOK_SECONDS = 0.05

_AGES = ((86_400, "day"), (3_600, "h"), (60, "min"))


class _Quiet:
    """Whether notes and progress are left out, see `be_quiet`."""

    on = False


def be_quiet(quiet: bool) -> None:
    """Leave notes and progress out, or not; results and errors are always there."""
    _Quiet.on = quiet


def terminal_width() -> int | None:
    """Columns of the terminal that results go to; nothing for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def replace_unknown_characters() -> None:
    """Let nothing end because a terminal has no character for it: a question mark stands for that."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_data(lines: Iterable[str]) -> None:
    """Print lines that programs read: in UTF-8, but to a terminal of another encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    for line in lines:
        click.echo(line)


def console() -> Console:
    """Standard error, for what is not a result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, quiet=_Quiet.on)


def note(text: str) -> None:
    """Say something that is not a result."""
    if not _Quiet.on:
        print_message(text)


def print_message(text: str) -> None:
    """Print on standard error, on a terminal between words where a line would be too long."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    click.echo(between_words(text, width), err=True)


def print_result(text: str) -> None:
    """Print lines of a result, on a terminal between words where one would be too long.

    A terminal breaks a line wherever it is full, in the middle of a number too.
    """
    click.echo(between_words(text, terminal_width(), indented=True))


def between_words(text: str, width: int | None, *, indented: bool = False) -> str:
    """A text whose lines end between words.

    Args:
        text: The text.
        width: Of the terminal; nothing leaves the text as it is.
        indented: Whether that goes for indented lines, too. In a message they are SQL, with a mark below it.
    """
    if width is None:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        margin = line[: len(line) - len(line.lstrip(" "))]
        wrapper = textwrap.TextWrapper(
            width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
        )
        whole = len(line) <= width or (margin and not indented)
        lines += [line] if whole else wrapper.wrap(line)
    return "\n".join(lines)


@contextmanager
def progress(first: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what happens now; on a terminal it moves, elsewhere lines follow."""
    if not sys.stderr.isatty():
        yield lambda text: None if text.endswith("%") else note(text)
        return
    with console().status(first) as line:
        yield line.update


def watch(report: Callable[[str], None], jobs: tuple[str, ...]) -> Watch:
    """What reports the beginning of job runs as progress, and their ends as lines.

    Args:
        report: From `progress`.
        jobs: Every job that may run: their names are as wide as the longest.
    """
    from glue_jobs.runtime.errors import UserError
    from lakehouse.parts import require_for

    screen, width = console(), max(map(len, jobs), default=0)

    def report_event(event: JobEvent) -> None:
        if event.state == "RUNNING":
            # What it lacks the stack installs, too: here the person sees how far that is. Where it cannot be
            # installed the run ends, and says so.
            with suppress(UserError):
                require_for(event.job, report)
            report(f"{event.job} is running")
        else:
            line = f"{event.job:<{width}}  {event.state:<9}  {event.seconds:7.1f} s"
            screen.print(line, markup=False, soft_wrap=True)

    return report_event


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago something was, as people say it.

    Args:
        moment: When it was, UTC.
        now: The time now; the clock's unless given.
    """
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 0:
        return f"in {lasting(-seconds)}"
    return f"{lasting(seconds)} ago"


def lasting(seconds: float) -> str:
    """A duration in its largest unit, such as ``3 min``."""
    for size, unit in _AGES:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{int(seconds)} s"


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def grouped(digits: str) -> str:
    """A number's text with thousands apart as the terminal's language has them; every digit stays.

    Args:
        digits: As Athena writes a whole number or a decimal.
    """
    with suppress(locale.Error):
        locale.setlocale(locale.LC_NUMERIC, "")
    convention = locale.localeconv()
    separator, point = str(convention["thousands_sep"]), str(convention["decimal_point"])
    whole, dot, fraction = digits.partition(".")
    sign, whole = (whole[0], whole[1:]) if whole[:1] == "-" else ("", whole)
    if not whole.isdigit() or not (fraction.isdigit() or not dot):
        return digits
    if separator:
        head = len(whole) % 3
        parts = [whole[:head]] if head else []
        whole = separator.join([*parts, *(whole[at : at + 3] for at in range(head, len(whole), 3))])
    return f"{sign}{whole}{point + fraction if dot else ''}"


def goes_on(cancel: Callable[[], None] | None) -> int:
    """Say that what was started goes on, and cancel it where a second Ctrl-C comes at once.

    Args:
        cancel: Stops what was started; nothing where nothing was.

    Returns:
        The exit code.
    """
    if cancel is None:
        _line("interrupted")
        return INTERRUPTED
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        _line(
            "interrupted; the run goes on: lakehouse status shows it, lakehouse cancel stops it, "
            "and so does Ctrl-C once more, now"
        )
        end = time.monotonic() + _SECOND_CHANCE
        while not pressed and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        if pressed:
            cancel()
    finally:
        signal.signal(signal.SIGINT, before)
    return INTERRUPTED


def _line(text: str) -> None:
    sys.stderr.write(f"\nlakehouse: {text}\n")
    sys.stderr.flush()
