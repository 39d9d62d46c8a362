"""What commands say about runs: what was done, who has to look, and what goes on after Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from click.testing import CliRunner

from lakehouse.cli import main
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.marquez import refusals
from tests.openlineage import faults
from totesys import database

Command = list[str]


class Prompt:
    """The command line of one stack.

    Attributes:
        state: Its directory.
        owner: The DSN of the owner of its source.
        loader: The DSN of the owner of its warehouse's tables.
    """

    def __init__(self, state: Path, owner: str, loader: str) -> None:
        self.state = state
        self.owner = owner
        self.loader = loader

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "lakehouse.cli", *words],
            env={**os.environ, "LAKEHOUSE_STATE": str(self.state), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command, given in this process."""
        done = CliRunner().invoke(main, list(words), env={"LAKEHOUSE_STATE": str(self.state)})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done.exit_code, done.stdout, done.stderr

    def change(self, statement: str) -> None:
        """Change the source."""
        with psycopg.connect(self.owner) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def prompt() -> Iterator[Prompt]:
    """A stack over a totesys with one good currency and one that breaks a rule."""
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-") as home,
        EmbeddedPostgres(Path(home) / "pg", durable=False) as server,
    ):
        for role in ("owner", "reader", "loader"):
            server.ensure_role(role)
        server.ensure_database("totesys", "owner")
        server.ensure_database("warehouse", "loader")
        database.create(server.dsn("owner", "totesys"))
        database.grant_reader(server.dsn("owner", "totesys"), "reader")
        loader = server.dsn("loader", "warehouse")
        made = Prompt(Path(home) / "state", server.dsn("owner", "totesys"), loader)
        code, _, err = made(
            "up",
            "--source",
            server.dsn("reader", "totesys"),
            "--warehouse",
            loader,
        )
        assert code == 0, err
        assert "Next: lakehouse run" in err
        yield made
        made("down")


def test_before_the_first_run_there_is_nothing_to_compare(prompt: Prompt) -> None:
    nothing = "lakehouse: Nothing was captured yet. Capture it with: lakehouse run"
    code, out, err = prompt("reconcile")
    assert (code, out, err.strip()) == (1, "", nothing)
    # Who names the stack's directory is told a command that names it.
    assert prompt("reconcile", "--state", str(prompt.state))[2].strip() == f"{nothing} --state {prompt.state}"


def test_a_run_says_what_it_did_and_status_who_has_to_look(prompt: Prompt) -> None:
    prompt.change("INSERT INTO currency (currency_code, last_updated) VALUES ('GBP', now()), ('gbp', now())")
    code, out, err = prompt("run")
    assert code == 0, err
    assert out.startswith(
        "2 rows captured · 1 accepted, 1 rejected (lakehouse dead-letters) · 1 new version · 1 row loaded · "
    )
    assert "Next: lakehouse questions" in err
    code, out, err = prompt("status", "--check")
    assert code == 1
    assert "1 unresolved dead letter: lakehouse dead-letters" in err
    assert "off: lakehouse run, or up --schedule" in out
    told = json.loads(prompt("status", "--json")[1])
    assert told["needs_a_person"] == ["1 unresolved dead letter: lakehouse dead-letters"]
    assert told["is_scheduled"] is False

    alerts = {one["alarm"]: one for one in json.loads(prompt("alerts", "--json")[1])}
    assert set(alerts) == {"dead-letters", "rows-rejected-currency"}
    told = alerts["rows-rejected-currency"]
    assert (told["state"], told["to"]) == ("ALARM", ["operations", "finance@terrifictotes.example"])
    assert "ALARM  rows-rejected-currency" in prompt("alerts")[1]
    assert "no schedule starts runs here" in prompt("alerts")[2]

    prompt.change("UPDATE currency SET currency_code = 'USD' WHERE currency_code = 'gbp'")
    alone = json.loads(prompt("run", "--stage", "capture", "--json", "--quiet")[1])
    assert (alone["captured"], alone["accepted"], alone["loaded"]) == ({"currency": 1}, 0, 0)
    assert json.loads(prompt("runs", "--json")[1])[0]["job"] == "extract_cdc"
    done = json.loads(prompt("run", "--json", "--quiet")[1])
    assert (done["accepted"], done["rejected"], done["loaded"], done["engine"]) == (1, 0, 1, "embedded")
    assert prompt("status", "--check", "-q")[::2] == (0, "")
    code, out, err = prompt("run")
    assert out.startswith("nothing had changed · ")
    assert "Next" not in err


@pytest.mark.slow
def test_a_record_s_history_says_what_changed_and_what_was_rejected(prompt: Prompt) -> None:
    for change in (
        "INSERT INTO currency VALUES (7, 'sek', now(), now()), (8, 'NOK', now(), now())",
        "UPDATE currency SET currency_code = 'SEK' WHERE currency_id = 7",
        "UPDATE currency SET currency_code = 'kr' WHERE currency_id = 7",
    ):
        prompt.change(change)
        prompt("run")
    told = json.loads(prompt("record", "dim_currency", "7", "--json")[1])
    assert [one["operation"] for one in told["versions"]] == ["insert", "update", "update"]
    assert told["versions"][1]["changes"] == [{"column": "currency_code", "before": "sek", "after": "SEK"}]
    batches = [one["batch"] for one in told["versions"]]
    assert [one["batch"] for one in told["rejected"]] == [batches[2]]
    text = prompt("record", "currency", "7")[1]
    assert "currency 7: 3 versions, current" in text
    assert "    currency_code: SEK → kr" in text
    assert f"  rejected: batch {batches[2]} " in text
    assert "  referred to: by no record" in text

    before, first, _, last = map(str, (batches[0] - 1, *batches))
    assert "currency_code: sek → kr" in prompt("diff", "currency", "--from", first, "--to", last)[1]
    came = json.loads(prompt("diff", "currency", "--from", before, "--to", first, "--json")[1])
    assert [(one["key"], one["operation"]) for one in came] == [("7", "insert"), ("8", "insert")]
    some = prompt("diff", "currency", "--from", before, "--to", first, "--limit", "1")
    assert "looked at 1 of 2 records that came again; --limit looks at more" in some[2]
    assert len(some[1].splitlines()) == 1
    code, _, err = prompt("diff", "currency", "--from", "2", "--to", "99")
    assert code == 2
    assert f"the last captured batch is {last}" in err
    then = told["versions"][1]["captured_at"]
    query = "SELECT max_by(currency_code, batch) AS code FROM currency WHERE currency_id = 7"
    for point, known in ((first, "sek"), (last, "kr"), (then, "SEK")):
        answer = prompt("sql", query, "--as-of", point, "--database", "totesys_raw", "--format", "csv")
        assert answer[1].split() == ["code", known]
    assert (
        "dim_currency keeps no versions" in prompt("sql", "SELECT * FROM dim_currency", "--as-of", first)[2]
    )
    unknown = prompt("sql", "SELECT 1", "--as-of", "99")[2]
    assert f"There is no batch 99; the last captured one is {last}" in unknown
    assert "is neither a batch nor a time" in prompt("sql", "SELECT 1", "--as-of", "then")[2]
    assert "Nothing had been captured at" in prompt("sql", "SELECT 1", "--as-of", "2020-01-01")[2]
    code, _, err = prompt("sql", query, "--as-of", "2999-01-01", "--database", "totesys_raw")
    assert code == 2
    assert "--as-of 2999-01-01 00:00:00 is yet to come" in err

    prompt.change("DELETE FROM currency WHERE currency_id IN (7, 8)")
    prompt("run")
    assert "currency 7: 4 versions, deleted" in prompt("record", "currency", "7")[1]
    gone = json.loads(prompt("diff", "currency", "--from", last, "--json")[1])
    assert [one["operation"] for one in gone] == ["delete", "delete"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("record", "currency", "x"), "x is no key of currency. currency_id is a whole number."),
        (("record", "currency", "999"), "No currency 999 was ever captured."),
        (("record", "nosuch", "1"), "There is no table nosuch."),
        (("profile", "nosuch"), "There is no table nosuch."),
        (("runs", "--job", "nosuch"), "There is no job nosuch. There are build_dimensions, "),
    ],
)
def test_what_nobody_knows_is_named(prompt: Prompt, words: tuple[str, ...], message: str) -> None:
    code, out, err = prompt(*words)
    assert (code, out) == (1, "")
    assert message in err


@pytest.mark.slow
def test_every_commit_of_the_stack_is_an_event_that_openlineage_knows(prompt: Prompt, tmp_path: Path) -> None:
    for code in ("DKK", "CHF"):
        prompt.change(f"INSERT INTO currency (currency_code, last_updated) VALUES ('{code}', now())")
        prompt("run")
    status, out, err = prompt("lineage", "--write", str(tmp_path / "all"))
    assert (status, "columns are untraced" in out) == (0, True)
    files = {
        path.relative_to(tmp_path / "all").as_posix(): path for path in (tmp_path / "all").rglob("*.*json")
    }
    stages = {name.split("/")[1] for name in files if "/" in name}
    assert stages == {"capture", "validate", "dimensions", "facts", "load", "redact"}
    lines = [line for path in files.values() for line in path.read_bytes().splitlines()]
    # DataZone takes no longer one.
    assert max(map(len, lines)) < 300_000
    events = [json.loads(line) for line in lines]
    assert f"{len(events):,} events" in err
    assert [fault for event in events for fault in faults(event)] == []
    assert [why for event in events for why in refusals(event)] == []

    assert prompt("lineage", "--quiet", "--write", str(tmp_path / "again"))[0] == 0
    for name, path in files.items():
        assert (tmp_path / "again" / name).read_bytes() == path.read_bytes()

    assert prompt("lineage", "--since", "2", "--write", str(tmp_path / "new"))[0] == 0
    assert not (tmp_path / "new" / "events" / "capture" / "0000000001.json").exists()
    assert (tmp_path / "new" / "events" / "capture" / "0000000002.json").exists()


@pytest.mark.slow
def test_one_column_is_shown_with_its_ways(prompt: Prompt) -> None:
    code, out, _ = prompt("lineage", "--column", "totesys_star.fact_sales_order_gbp.amount_gbp")
    assert code == 0
    assert "source.sales_order.unit_price (direct, identity)" in out
    assert "question revenue_by_month_reported: revenue" in out
    told = json.loads(prompt("lineage", "--json", "--column", "card sales/totes.units")[1])
    assert told["comes_from"] == [{"column": "query sales.units", "type": "DIRECT", "subtype": "AGGREGATION"}]
    figures = json.loads(prompt("lineage", "--json")[1])
    assert figures["columns"] > 2000
    assert len(figures["untraced"]) == sum("exchange_rate" in n for n in figures["untraced"]) + 41
    code, _, err = prompt("lineage", "--column", "totesys_star.dim_staff.unit_price")
    assert (code, "There is no column totesys_star.dim_staff.unit_price. There is " in err) == (1, True)
    assert prompt("lineage", "--since", "1")[0] == 2


def test_a_profile_counts_the_values_of_every_column(prompt: Prompt) -> None:
    profile = json.loads(prompt("profile", "dim_currency", "--json")[1])
    code = next(column for column in profile["columns"] if column["name"] == "currency_code")
    least = prompt("sql", "SELECT min(currency_code) AS least FROM dim_currency", "--format", "csv")[1]
    assert (code["rows"], code["nulls"], code["least"]) == (profile["rows"], 0, least.split()[-1])
    assert ["GBP", 1] in code["common"]
    assert "currency_code  " in prompt("profile", "dim_currency")[1]


def test_ctrl_c_ends_the_command_in_one_line_and_the_run_goes_on(prompt: Prompt) -> None:
    process = _interrupted(prompt)
    out, err = process.communicate()
    assert (process.returncode, out) == (128 + signal.SIGINT, "")
    goes_on = "the run goes on: lakehouse status shows it, lakehouse cancel stops it"
    assert err.strip() == f"lakehouse: interrupted; {goes_on}, and so does Ctrl-C once more, now"
    # Its log ends when the run does.
    assert prompt("logs", "extract_cdc", "--follow", "--quiet")[0] == 0
    newest = json.loads(prompt("runs", "--job", "extract_cdc", "--limit", "1", "--json")[1])
    assert [run["state"] for run in newest] == ["SUCCEEDED"]


@pytest.mark.slow
def test_a_second_ctrl_c_cancels_the_run_and_the_next_one_does_its_work(prompt: Prompt) -> None:
    prompt.change("INSERT INTO currency (currency_code, last_updated) VALUES ('EUR', now())")
    process = _interrupted(prompt)
    assert process.stderr is not None
    assert process.stderr.readline() == "\n"
    assert "once more, now" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert "cancelled: extract_cdc" in process.communicate()[1]
    assert process.returncode == 128 + signal.SIGINT
    assert json.loads(prompt("runs", "--limit", "1", "--json")[1])[0]["state"] == "STOPPED"
    assert "nothing runs" in prompt("cancel")[2]
    assert prompt("run")[1].startswith("1 row captured · 1 accepted, 0 rejected · ")


def test_a_reader_that_has_seen_enough_gets_no_complaint(prompt: Prompt) -> None:
    process = prompt.start("sql", "--format", "csv", "SELECT * FROM unnest(sequence(1, 9000)) AS t(n)")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "n\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 128 + signal.SIGPIPE
    process.stderr.close()


def test_a_table_is_limited_with_a_note_and_programs_get_every_row(prompt: Prompt) -> None:
    query = "SELECT * FROM unnest(sequence(1, 1001)) AS t(n)"
    _, out, err = prompt("sql", query)
    assert "1,000 rows, " in out
    assert "There are more than these 1,000 rows; --limit 0 prints all." in err
    assert "1,001 rows, " in prompt("sql", query, "--limit", "0")[1]
    assert len(prompt("sql", query, "--format", "csv")[1].splitlines()) == 1_002
    assert len(json.loads(prompt("sql", query, "--format", "json", "--limit", "2")[1])) == 2
    target = prompt.state.parent / "answer.parquet"
    assert "1,001 rows in " in prompt("sql", query, "--output", str(target))[2]
    assert target.stat().st_size > 0
    code, _, err = prompt("sql", query, "--output", str(target.parent / "none" / "answer.csv"))
    assert (code, err) == (
        1,
        f"lakehouse: There is no directory {target.parent / 'none'}. Make it, or name another file.\n",
    )
    code, out, err = prompt("sql", " ")
    assert (code, out) == (2, "")
    assert "The query is empty." in err
    code, out, err = prompt("sql", query, "--output", "answer.txt")
    assert (code, out) == (1, "")
    assert "answer.txt has no known kind" in err


def test_nothing_to_release_is_no_error_and_an_unknown_table_is(prompt: Prompt) -> None:
    assert prompt("release")[0] == 0
    assert prompt("release", "--rejected")[0] == 0
    assert prompt("release", "--table", "payment")[::2] == (
        0,
        "no deletion of payment waits for a person; there is nothing to release\n",
    )
    code, _, err = prompt("release", "--table", "nosuch")
    assert code == 1
    assert "There is no source table nosuch. There are address, " in err


def test_a_table_is_compared_between_two_times(prompt: Prompt) -> None:
    long_ago, by_now = ("--from", "2020-01-01"), ("--to", "2099-01-01")
    everything = prompt("diff", "currency", "--from", "0", "--json")[1]
    assert json.loads(everything)
    assert prompt("diff", "currency", *long_ago, *by_now, "--json")[1] == everything
    # Nothing came between two times before the first capture, and none after the last.
    assert json.loads(prompt("diff", "currency", *long_ago, "--to", "2020-02-01 09:30", "--json")[1]) == []
    assert json.loads(prompt("diff", "currency", "--from", "2098-01-01", *by_now, "--json")[1]) == []
    code, out, err = prompt("diff", "currency", *long_ago, "--to", "yesterday")
    assert (code, out) == (2, "")
    assert "--to yesterday is neither a batch nor a time." in err
    assert prompt("diff", "currency", "--from", "2098-01-01", "--to", "1")[0] == 2


def test_what_is_decided_and_listed_is_there_for_programs_too(prompt: Prompt) -> None:
    assert json.loads(prompt("release", "--json")[1]) == []
    assert json.loads(prompt("release", "--rejected", "--json")[1]) == {"approved": 0}
    assert json.loads(prompt("retry", "--json")[1]) == []
    assert json.loads(prompt("cancel", "--json")[1]) == {"cancelled": []}
    assert isinstance(json.loads(prompt("maintain", "--json")[1]), list)


def test_a_file_that_no_feed_could_read_again_is_named_and_starts_no_run(prompt: Prompt) -> None:
    before = prompt("runs", "--json", "--limit", "0")[1]
    code, out, err = prompt("files", "--retry", "nobody.json")
    assert (code, out) == (1, "")
    assert "There is no file nobody.json of which nothing could be taken" in err
    assert prompt("runs", "--json", "--limit", "0")[1] == before
    assert prompt("maintain", "--remove", "--json")[0] == 2
    variables = json.loads(prompt("env", "--json")[1])
    assert variables["AWS_ENDPOINT_URL"] in prompt("env")[1]


@pytest.mark.slow
def test_what_was_run_is_there_for_programs_too(prompt: Prompt) -> None:
    assert prompt("run")[0] == 0
    prompt.change("INSERT INTO currency (currency_code, last_updated) VALUES ('JPY', now())")
    assert json.loads(prompt("capture", "--json")[1]) == {"captured": {"currency": 1}}
    code, out, err = prompt("capture")
    assert (code, out) == (0, "nothing had changed\n")
    assert "The next run" not in err
    assert json.loads(prompt("replay", "--json")[1]) == {"resolved": 0, "unresolved": 0}
    rebuilt = json.loads(prompt("rebuild", "--json")[1])
    assert {table["result"] for table in rebuilt["tables"].values()} == {"equal"}


def test_questions_are_there_for_programs_too(prompt: Prompt) -> None:
    questions = json.loads(prompt("questions", "--json")[1])
    assert {"name", "description", "sql"} == set(questions[0])
    listed = prompt("questions")[1]
    assert all(one["name"] in listed for one in questions)


@pytest.mark.slow
def test_payments_are_served_until_ctrl_c(prompt: Prompt) -> None:
    code, out, err = prompt("payments")
    assert (code, out) == (1, "")
    assert "--grants NAME prints how" in err
    granted = prompt("payments", "--grants", "reader of payments")[1]
    assert 'ON "public".fact_payment_current TO "reader of payments";' in granted
    code, _, err = prompt("payments", "--reader", prompt.loader, "--issuer", "https://login.example")
    assert code == 1
    assert "Give both, --issuer URL and --audience NAME." in err

    prompt.change("INSERT INTO currency VALUES (99, 'PLN', now(), now())")
    prompt("run")
    process = prompt.start("payments", "--reader", prompt.loader, "--port", "0")
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert _get(f"{address}ready")["status"] == "ready"
    assert _get(f"{address}v1/payments")["payments"] == []
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err

    process = prompt.start("payments", "--reader", prompt.loader, "--port", "0", "--signed")
    assert process.stdout is not None
    address, curl = process.stdout.readline().strip(), shlex.split(process.stdout.readline())
    assert _get(f"{address}v1/payments") == {"message": "Forbidden"}
    signed = AWSRequest("GET", f"{address}ready")
    keys = Credentials(*curl[curl.index("--user") + 1].split(":"))
    SigV4Auth(keys, "execute-api", "eu-west-2").add_auth(signed)
    assert _get(f"{address}ready", dict(signed.headers.items()))["status"] == "ready"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == ""


def _get(address: str, headers: Mapping[str, str] | None = None) -> Any:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", parts.path, headers=headers or {})
        return json.load(connection.getresponse())
    finally:
        connection.close()


def _interrupted(prompt: Prompt) -> subprocess.Popen[str]:
    """A run that was interrupted once its first job had begun, its output read up to there."""
    process = prompt.start("run")
    assert process.stderr is not None
    while "extract_cdc is running" not in (line := process.stderr.readline()):
        assert line, "it ended before its first job began"
    process.send_signal(signal.SIGINT)
    return process


@pytest.mark.parametrize("command", ["questions", "schedules", "status"])
def test_no_line_is_wider_than_a_narrow_terminal(prompt: Prompt, command: str) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 1_000, 44, 0, 0))
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "wb") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.cli", command, "--quiet"],
            env={
                **{k: v for k, v in os.environ.items() if k != "COLUMNS"},
                "LAKEHOUSE_STATE": str(prompt.state),
            },
            stdout=terminal,
        )
        terminal.close()
        shown = b""
        # A terminal whose last program has ended cannot be read.
        with suppress(OSError):
            while read := screen.read(65_536):
                shown += read
        assert process.wait(60) == 0
    lines = shown.decode().splitlines()
    assert lines
    assert [line for line in lines if len(line) > 44] == []


def test_a_proxy_is_not_asked_for_the_stack(prompt: Prompt) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", "schedules", "--json", "--quiet"],
        # The port of "discard": nobody listens.
        env={**os.environ, "LAKEHOUSE_STATE": str(prompt.state), "HTTP_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dry_run_prints_its_answer_and_no_job_s_log(prompt: Prompt) -> None:
    code, out, err = prompt("validate", "--dry-run", "--since", "2024-01-01", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)) >= {"batches", "now", "then"}


def _in_latin_1(prompt: Prompt, *words: str) -> tuple[int, bytes, bytes]:
    """Exit code and output of a command whose surroundings know 191 characters."""
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", *words],
        env={**os.environ, "LAKEHOUSE_STATE": str(prompt.state), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_characters_that_a_terminal_lacks_are_replaced_and_data_keep_them(prompt: Prompt) -> None:
    query = "SELECT U&'\\20AC \\00E9' AS price"
    code, out, err = _in_latin_1(prompt, "sql", query)
    assert (code, err) == (0, b"")
    assert "? é" in out.decode("latin-1")
    for kind, expected in (("csv", "price\n€ é\n"), ("json", '[{"price": "€ é"}]\n')):
        code, out, err = _in_latin_1(prompt, "sql", "--format", kind, query)
        assert (code, out.decode(), err) == (0, expected, b"")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8:surrogateescape"])
def test_a_query_that_is_no_text_is_refused(prompt: Prompt, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", "sql", "-"],
        env={**os.environ, "LAKEHOUSE_STATE": str(prompt.state), "PYTHONIOENCODING": encoding},
        input=b"SELECT '\xff'",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(b"The query is no text: some of it is not utf-8.\n")


HEAVY = ("pandas", "pyarrow", "duckdb", "pyspark", "great_expectations", "sqlalchemy", "moto")
OF_THE_STACK = ("boto3", "botocore", "numpy", "psycopg", "pydantic", "rich", "sqlglot", "structlog", "yaml")
NAMES_ALONE = tuple(library for library in OF_THE_STACK if library != "yaml")


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (("status",), (*HEAVY, *OF_THE_STACK)),
        (("status", "--json"), (*HEAVY, *OF_THE_STACK)),
        (("questions",), (*HEAVY, *OF_THE_STACK)),
        (("runs",), (*HEAVY, *OF_THE_STACK)),
        (("--help",), (*HEAVY, *OF_THE_STACK)),
        (("run", "--help"), (*HEAVY, *OF_THE_STACK)),
        (("sql", "--help"), (*HEAVY, *NAMES_ALONE)),
        (("record", "--help"), (*HEAVY, *NAMES_ALONE)),
        (("questions", "--help"), (*HEAVY, *NAMES_ALONE)),
    ],
)
def test_what_answers_at_once_waits_for_no_heavy_library(
    prompt: Prompt, words: tuple[str, ...], spared: tuple[str, ...]
) -> None:
    watched = (
        "import sys; from lakehouse.cli import main; main(sys.argv[1:], standalone_mode=False);"
        f" print(sorted(set(sys.modules) & set({spared!r})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, *words],
        env={**os.environ, "LAKEHOUSE_STATE": str(prompt.state)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"
