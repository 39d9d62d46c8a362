"""Plants bugs of the kinds that lose or double data, and sees whether the tests notice: `make mutants`.

Each mutant is the pipeline with one mistake in it that looks reasonable and is in use elsewhere. It is made
in a copy of the checkout, where the tests that are named for it must fail; without it they must pass.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRACT = "tests/integration/glue_jobs/extract"
FAULTS = "tests/faults"

PASSED, FAILED = 0, 1
"""What pytest says with its exit code; anything else is not a verdict."""


@dataclass(frozen=True)
class Edit:
    """One place that a mistake changes: text that the file holds once, and what stands there instead."""

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file with the mistake.

        Raises:
            ValueError: The text is not there once: the code has moved on and the mutant must follow.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path} holds this {text.count(self.old)} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A mistake, and the tests that notice it.

    Attributes:
        name: The mistake in words.
        edits: Where it stands.
        tests: Which tests must fail, as pytest names them.
    """

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "captures what last_updated says is new",
        (
            Edit(
                "glue_jobs/sources/capture_query.py",
                '        new = self.is_new("xmin")',
                "        since = f\"to_timestamp({self.base or 0:d} / 1000.0) AT TIME ZONE 'UTC'\"\n"
                '        new = "true" if self.base is None else f"last_updated >= {since}"',
            ),
            Edit(
                "glue_jobs/sources/capture_run.py",
                "        xmin_horizon=snapshot.xmin,",
                "        xmin_horizon=int((snapshot.captured_at -"
                " __import__('datetime').datetime(1970, 1, 1))"
                ".total_seconds() * 1000),",
            ),
            Edit(
                "glue_jobs/lake/source_state.py",
                "    in_reach = state.xmin_horizon <= snapshot.xmax and state.snapshot_xmax <= snapshot.xmax",
                "    in_reach = state.snapshot_xmax <= snapshot.xmax",
            ),
        ),
        (f"{EXTRACT}/test_extract_cdc_changes.py", f"{EXTRACT}/test_extract_cdc_lives.py"),
    ),
    Mutant(
        "takes the newest transaction id as its next base",
        (
            Edit(
                "glue_jobs/sources/capture_run.py",
                "        xmin_horizon=snapshot.xmin,",
                "        xmin_horizon=snapshot.xmax,",
            ),
        ),
        (f"{EXTRACT}/test_extract_cdc_changes.py", f"{EXTRACT}/test_extract_cdc_lives.py"),
    ),
    Mutant(
        "never looks for deletions",
        (
            Edit(
                "glue_jobs/sources/capture.py",
                "        return self._total == self._keys.known(once=True)",
                "        return True",
            ),
        ),
        (f"{EXTRACT}/test_extract_cdc_changes.py",),
    ),
    Mutant(
        "registers a batch before it is committed",
        (
            Edit(
                "glue_jobs/sources/capture_run.py",
                "        try:\n            commits.publish(commit)",
                "        publish.publish(lake, catalogue, commit)\n"
                "        try:\n            commits.publish(commit)",
            ),
        ),
        (f"{FAULTS}/test_fault_scenarios.py", "-k", "a_denied_access and capture"),
    ),
    Mutant(
        "overwrites the commit of another run",
        (Edit("glue_jobs/lake/conditional.py", ', IfNoneMatch="*"', ""),),
        (f"{EXTRACT}/test_extract_cdc_faults.py",),
    ),
    Mutant(
        "moves the warehouse's offset before the data is in",
        (
            Edit(
                "glue_jobs/warehouse/load.py",
                "        loaded = _load_tables(connection, lake, waiting, catalogue, schema_name)\n"
                "        done = _describe(connection, tables, lake, positions, waiting, loaded,"
                " time.monotonic() - began)\n"
                "        _record(connection, tables, done, positions, waiting, lake.identity)\n",
                "        done = _describe(connection, tables, lake, positions, waiting, {}, 0.0)\n"
                "        _record(connection, tables, done, positions, waiting, lake.identity)\n"
                "        _driver(connection).commit()\n"
                "        loaded = _load_tables(connection, lake, waiting, catalogue, schema_name)\n",
            ),
        ),
        (f"{FAULTS}/test_kill.py", "-k", "killed_at_any_step and load"),
    ),
    Mutant(
        "orders versions by last_updated",
        (
            Edit(
                "glue_jobs/star/merge.py",
                "    WINDOW versions AS (PARTITION BY {key} ORDER BY {BATCH} ASC NULLS FIRST)",
                "    WINDOW versions AS (PARTITION BY {key} ORDER BY {', '.join("
                "[name for name in spec.content if name.startswith('last_updated')] + [BATCH])})",
            ),
        ),
        ("tests/integration/glue_jobs/test_cases.py", "-k", "run_by_run and star"),
    ),
    Mutant(
        "writes every captured row as a new version",
        (
            Edit(
                "glue_jobs/star/merge.py",
                "           NOT {IS_UNKNOWN} AND _differs AS {IS_NEW},",
                "           NOT {IS_UNKNOWN} AS {IS_NEW},",
            ),
        ),
        ("tests/integration/glue_jobs/test_cases.py", "-k", "run_by_run and star"),
    ),
    Mutant(
        "swallows the error of a load",
        (
            Edit(
                "glue_jobs/warehouse/load_run.py",
                "lambda dsn: load(lake, dsn, catalogue, schema, allowed))",
                "lambda dsn: _swallowed(lake, dsn, catalogue, schema, allowed))",
            ),
            Edit(
                "glue_jobs/warehouse/load_run.py",
                "import load\n",
                "import Outcome, load\n",
            ),
            Edit(
                "glue_jobs/warehouse/load_run.py",
                "def load_what_waits(",
                "def _swallowed(lake, dsn, catalogue, schema, allowed):\n"
                "    try:\n"
                "        return load(lake, dsn, catalogue, schema, allowed)\n"
                "    except Exception as error:\n"
                '        log.error("load.failed", message=str(error))\n'
                "        return Outcome(False, None)\n\n\n"
                "def load_what_waits(",
            ),
        ),
        (
            f"{FAULTS}/test_fault_scenarios.py",
            "-k",
            "a_warehouse_that_goes_away_during_a_load",
        ),
    ),
    Mutant(
        "reads an object without comparing its checksum",
        (
            Edit(
                "glue_jobs/lake/objects.py",
                "    if (checksum, size) != (data.sha256, data.bytes):",
                "    if size != data.bytes:",
            ),
        ),
        ("tests/integration/glue_jobs/lake/test_objects.py",),
    ),
    Mutant(
        "calls payments as new as the newest look, though a batch waits",
        (
            Edit(
                "glue_jobs/lake/freshness.py",
                "if look.last_batch <= last_batch and look.paused",
                "if look.paused",
            ),
        ),
        ("tests/integration/glue_jobs/lake/test_freshness.py",),
    ),
    Mutant(
        "calls payments as new as a look that could not read them",
        (
            Edit(
                "glue_jobs/lake/freshness.py",
                "if look.last_batch <= last_batch and look.paused.isdisjoint(tables)",
                "if look.last_batch <= last_batch",
            ),
        ),
        ("tests/integration/glue_jobs/lake/test_freshness.py",),
    ),
    Mutant(
        "hides payments that were due and are not paid",
        (
            Edit(
                "payments_api/schedule.py",
                "(f.payment_date < %(today)s OR (f.payment_date = %(today)s AND f.paid))",
                "(f.payment_date <= %(today)s AND f.paid)",
            ),
        ),
        ("tests/integration/payments_api/test_payments.py", "-k", "edges"),
    ),
    Mutant(
        "takes the day of UTC for that of London",
        (Edit("payments_api/schedule.py", "now.astimezone(_LONDON).date()", "now.date()"),),
        ("tests/integration/payments_api/test_payments.py", "-k", "edges"),
    ),
)


def plant(mutant: Mutant, checkout: Path) -> None:
    """Make the mistake in a checkout.

    Raises:
        ValueError: The code has moved on.
    """
    for edit in mutant.edits:
        path = checkout / edit.path
        path.write_text(edit.applied(path.read_text(encoding="utf-8")), encoding="utf-8")


def copy_checkout(target: Path) -> None:
    """Copy what git knows and does not ignore, as it is now; servers fetched before are shared."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())
    if (ROOT / ".postgres").is_dir():
        (target / ".postgres").symlink_to(ROOT / ".postgres")


def run_tests(tests: Sequence[str], checkout: Path) -> tuple[int, str]:
    """Run tests on a checkout; pytest's exit code, and its last words."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={checkout}/.pt",
            *tests,
        ],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]


def tried(mutant: Mutant | None, tests: Sequence[str]) -> tuple[int, str]:
    """The verdict of some tests on a copy with a mistake, or with none."""
    # Everybody may pass: the tests' PostgreSQL runs as a user of its own.
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        checkout = Path(folder)
        checkout.chmod(0o755)
        copy_checkout(checkout)
        if mutant is not None:
            plant(mutant, checkout)
        return run_tests(tests, checkout)


def report(lines: Mapping[str, str], survivors: Sequence[str]) -> str:
    """The table, and what it comes to."""
    width = max(map(len, lines))
    table = [f"{name:{width}}  {line}" for name, line in lines.items()]
    end = f"mutants: {', '.join(survivors)}" if survivors else f"mutants: all {len(lines)} were noticed"
    return "\n".join([*table, end])


def main(argv: Sequence[str]) -> int:
    """Try every mutant; 1 if the tests let one pass, or fail without it."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose names hold one of these")
    given = parser.parse_args(argv)
    chosen = [m for m in MUTANTS if not given.words or any(word in m.name for word in given.words)]
    if not chosen:
        print("mutants: none is named so; there are:", *(m.name for m in MUTANTS), sep="\n  ")
        return 2
    lines, survivors, sound = {}, [], {}
    for mutant in chosen:
        began = time.monotonic()
        if mutant.tests not in sound:
            sound[mutant.tests] = tried(None, mutant.tests)
        code, words = sound[mutant.tests]
        if code != PASSED:
            print(f"mutants: the tests fail without a mistake too: {words}")
            return 1
        code, words = tried(mutant, mutant.tests)
        if code != FAILED:
            survivors.append(f"not noticed: {mutant.name} ({words})")
        lines[mutant.name] = (
            f"{'noticed' if code == FAILED else 'NOT NOTICED'}, {time.monotonic() - began:.0f} s"
        )
        print(f"mutants: {mutant.name}: {lines[mutant.name]}", flush=True)
    print(report(lines, survivors))
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
