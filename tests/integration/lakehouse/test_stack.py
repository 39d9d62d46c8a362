"""A stack starts, runs what is deployed, survives being killed, and leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from catalog.catalogue import load_catalogue
from lakehouse.cli import main
from lakehouse.drive import JobEvent, JobFailed, run_job, run_until_idle
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.stack import find_running
from lakehouse.stack_state import Paths
from tests.owner import owner_of
from totesys import database

SPARK_JOB = """
import sys, boto3
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("toy").getOrCreate()
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
rows = spark.range(5).toArrow()
spark.stop()
boto3.client("s3").put_object(
    Bucket=arguments["--ingestion_bucket"], Key=f"ops/toy/{rows.num_rows}.rows", Body=b"", IfNoneMatch="*"
)
"""
SHELL_JOB = """
import sys, boto3
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
found = boto3.client("s3").list_objects_v2(Bucket=arguments["--ingestion_bucket"], Prefix="ops/toy/")
print([entry["Key"] for entry in found["Contents"]])
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lakehouse.cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def lakehouse(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What a command says that is given in this process."""
    words = list(map(str, arguments))
    done = CliRunner().invoke(main, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def processes_of(directory: Path) -> list[str]:
    """Every process that has to do with a stack's directory, in its command line or as its place."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(directory) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(words)
    return found


@pytest.fixture(scope="module")
def servers() -> Iterator[EmbeddedPostgres]:
    """A server with an empty totesys that a reader may read, and databases for warehouses."""
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-") as directory,
        EmbeddedPostgres(Path(directory), durable=False) as server,
    ):
        for role in ("owner", "reader", "loader"):
            server.ensure_role(role)
        server.ensure_database("totesys", "owner")
        server.ensure_database("warehouse", "loader")
        database.create(server.dsn("owner", "totesys"))
        database.grant_reader(server.dsn("owner", "totesys"), "reader")
        yield server


@pytest.fixture
def existing(servers: EmbeddedPostgres) -> tuple[str, ...]:
    return databases(servers)


def databases(servers: EmbeddedPostgres) -> tuple[str, ...]:
    """The options that use the existing server for both databases."""
    return (
        "--source",
        servers.dsn("reader", "totesys"),
        "--warehouse",
        servers.dsn("loader", "warehouse"),
    )


@pytest.fixture
def home(home: Path) -> Iterator[Path]:
    """As everywhere, and whatever a failed test left running in it is stopped."""
    yield home
    for state in home.iterdir():
        lakehouse("down", "--state", state)


@pytest.fixture
def csv_files(tmp_path: Path) -> Path:
    """A totesys with three currencies and nothing else."""
    for name, contract in load_catalogue().raw.items():
        lines = [",".join(column.name for column in contract.columns)]
        if name == "currency":
            lines += [
                f"{n},{code},2022-11-03 14:20:49.962,2022-11-03 14:20:49.962"
                for n, code in enumerate(("GBP", "USD", "EUR"), 1)
            ]
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt") as file:
            file.write("\n".join(lines) + "\n")
    return tmp_path


def test_up_is_said_once_and_down_leaves_nothing(home: Path, existing: tuple[str, ...]) -> None:
    state = home / "s"
    up = lakehouse("up", *existing, "--state", state)
    assert up.returncode == 0, up.stderr
    endpoint = up.stdout.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", endpoint)
    assert "the stack is up" in up.stderr
    again = lakehouse("up", "--state", state)
    assert (again.returncode, again.stdout.strip()) == (0, endpoint)
    assert "was up already" in again.stderr
    other = lakehouse("up", "--source", "postgresql:///other", "--state", state)
    assert other.returncode == 1
    assert "was made with another --source" in other.stderr
    scheduled = lakehouse("up", "--schedule", "--state", state)
    assert scheduled.returncode == 1
    assert "without firing schedules" in scheduled.stderr
    assert not (state / "pg").exists()
    assert oct(state.stat().st_mode & 0o077) == "0o0"

    exports = lakehouse("env", "--state", state).stdout
    variables = dict(re.findall(r"^export (\w+)=(.*)$", exports, re.MULTILINE))
    assert variables["AWS_ENDPOINT_URL"] == endpoint
    assert variables["AWS_DEFAULT_REGION"] == "eu-west-2"
    assert "TOTESYS_SOURCE_OWNER_DSN" not in variables

    down = lakehouse("down", "--state", state)
    assert down.returncode == 0
    assert "the stack is down" in down.stderr
    assert processes_of(state) == []
    assert "no stack was running" in lakehouse("down", "--state", state).stderr
    gone = lakehouse("sql", "SELECT 1", "--state", state)
    assert gone.returncode == 1
    assert "lakehouse up" in gone.stderr


def test_a_killed_stack_starts_again_with_its_data_and_addresses(home: Path, csv_files: Path) -> None:
    state = home / "s"
    up = lakehouse("up", "--data", csv_files, "--state", state)
    assert up.returncode == 0, up.stderr
    assert "totesys holds 3 rows in 11 tables" in up.stderr
    first = find_running(state)
    owner_of(state).client("s3").put_object(Bucket=first.buckets["ingestion"], Key="kept", Body=b"1")
    os.kill(first.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first.pid)] if psutil.pid_exists(first.pid) else [], timeout=30)
    assert lakehouse("env", "--state", state).returncode == 1

    again = lakehouse("up", "--state", state)
    assert again.returncode == 0, again.stderr
    assert "was up already" not in again.stderr
    second = find_running(state)
    assert second.pid != first.pid
    assert (second.endpoint, second.source) == (first.endpoint, first.source)
    assert (
        second.client("s3").get_object(Bucket=second.buckets["ingestion"], Key="kept")["Body"].read() == b"1"
    )
    with psycopg.connect(second.source) as connection:
        assert connection.execute("SELECT count(*) FROM currency").fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM currency")

    # Everything killed, PostgreSQL included: down still finds what is left, up starts it all again.
    os.kill(second.pid, signal.SIGKILL)
    assert lakehouse("down", "--state", state).returncode == 0
    assert processes_of(state) == []
    assert lakehouse("up", "--state", state).returncode == 0
    refused = lakehouse("up", "--scale", "2", "--state", state)
    assert "was made with another --scale" in refused.stderr
    assert lakehouse("down", "--state", state).returncode == 0
    assert processes_of(state) == []


def test_a_folder_that_lacks_a_file_is_refused_before_anything_is_started(
    home: Path, csv_files: Path
) -> None:
    (csv_files / "currency.csv.gz").unlink()
    (csv_files / "staff.csv.gz").unlink()
    refused = lakehouse("up", "--data", csv_files, "--state", home / "s")
    assert refused.returncode == 1
    assert "lacks currency.csv.gz, staff.csv.gz" in refused.stderr
    assert [path.name for path in (home / "s").iterdir()] == ["command.lock"]


@pytest.mark.slow
def test_a_filling_that_failed_is_told_and_may_be_chosen_anew(home: Path, csv_files: Path) -> None:
    state = home / "s"
    with gzip.open(csv_files / "currency.csv.gz", "wt") as file:
        file.write("currency_id,code,created_at,last_updated\n")
    failed = lakehouse("up", "--data", csv_files, "--state", state)
    assert failed.returncode == 1
    assert "currency.csv.gz, line 1: the header lacks currency_code" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert processes_of(state) == []
    stopped = lakehouse("run", "--state", state)
    assert stopped.returncode == 1
    assert "No stack is running" in stopped.stderr
    with gzip.open(csv_files / "currency.csv.gz", "wt") as file:
        file.write("currency_id,currency_code,created_at,last_updated\n")
    mended = lakehouse("up", "--data", csv_files, "--state", state)
    assert mended.returncode == 0, mended.stderr
    # What was asked in vain binds nobody, and what came about does.
    assert "was made with another --data" in lakehouse("up", "--data", home, "--state", state).stderr


@pytest.mark.slow
def test_a_database_s_password_can_come_by_the_environment_and_shows_in_no_process_list(
    home: Path, servers: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = home / "s"
    source, warehouse = servers.dsn("reader", "totesys"), servers.dsn("loader", "warehouse")
    monkeypatch.setenv("LAKEHOUSE_SOURCE", source)
    monkeypatch.setenv("LAKEHOUSE_WAREHOUSE", warehouse)
    up = lakehouse("up", "--state", state)
    assert up.returncode == 0, up.stderr
    running = find_running(state)
    assert (running.source, running.warehouse) == (source, warehouse)
    assert processes_of(state)
    assert not [words for words in processes_of(state) if "postgresql://" in words]
    assert not [path for path in (state / "stack.json", state / "keys.json") if path.stat().st_mode & 0o077]


@pytest.mark.slow
def test_a_password_that_was_rotated_is_taken_once_it_works(
    home: Path, servers: EmbeddedPostgres, existing: tuple[str, ...]
) -> None:
    state = home / "s"
    assert lakehouse("up", *existing, "--state", state).returncode == 0
    endpoint = find_running(state).endpoint
    old = servers.dsn("reader", "totesys")
    new = re.sub(r"://reader:[^@]*@", "://reader:rotated@", old)
    refused = lakehouse("up", "--source", new, "--state", state)
    assert refused.returncode == 1
    assert "password authentication failed" in refused.stderr
    assert find_running(state).source == old

    with servers.connect() as connection:
        connection.execute("ALTER ROLE reader PASSWORD 'rotated'")
    taken = lakehouse("up", "--source", new, "--state", state)
    assert taken.returncode == 0, taken.stderr
    running = find_running(state)
    assert (running.source, running.endpoint) == (new, endpoint)
    secret = owner_of(state).client("secretsmanager").get_secret_value(SecretId="totesys/source")
    assert json.loads(secret["SecretString"]) == {"dsn": new}
    assert lakehouse("run", "--stage", "capture", "--state", state).returncode == 0
    with servers.connect() as connection:
        password = re.search(r"://reader:([^@]*)@", old)
        assert password is not None
        connection.execute(f"ALTER ROLE reader PASSWORD '{password[1]}'".encode())


@pytest.mark.slow
def test_what_is_dropped_from_the_catalog_is_told_and_made_again_by_the_next_run(
    home: Path, csv_files: Path
) -> None:
    state = home / "s"
    assert lakehouse("up", "--data", csv_files, "--state", state).returncode == 0
    assert lakehouse("run", "--state", state).returncode == 0
    refused = lakehouse("sql", "DROP TABLE dim_currency", "--state", state)
    assert "Access Denied" in refused.stderr
    glue = owner_of(state).client("glue")
    for name in ("dim_currency", "fact_payment", "fact_payment_current"):
        glue.delete_table(DatabaseName="totesys_star", Name=name)
    told = [f"totesys_star.{name} is missing in the catalog" for name in ("dim_currency", "fact_payment")]

    assert all(words in lakehouse("status", "--state", state).stdout for words in told)
    compared = lakehouse("reconcile", "--state", state)
    assert compared.returncode == 1
    assert all(words in compared.stdout for words in told)
    assert lakehouse("run", "--state", state).returncode == 0

    assert "missing in the catalog" not in lakehouse("status", "--state", state).stdout
    again = lakehouse("reconcile", "--state", state)
    assert again.returncode == 0, again.stdout
    rows = lakehouse("sql", "SELECT count(*) AS n FROM dim_currency", "--format", "json", "--state", state)
    assert json.loads(rows.stdout) == [{"n": 3}]
    assert lakehouse("down", "--state", state).returncode == 0


def test_a_directory_that_spark_could_not_use_is_refused(home: Path, existing: tuple[str, ...]) -> None:
    refused = lakehouse("up", *existing, "--state", home / "one,two")
    assert refused.returncode == 1
    assert "has a comma in its name" in refused.stderr
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_two_stacks_side_by_side_know_nothing_of_each_other(home: Path, existing: tuple[str, ...]) -> None:
    one, two = home / "one", home / "two"
    both = [start("up", *existing, "--state", state) for state in (one, two)]
    assert [end(process).returncode for process in both] == [0, 0]
    first, second = find_running(one), find_running(two)
    assert first.endpoint != second.endpoint
    owner_of(one).client("s3").put_object(Bucket=first.buckets["ingestion"], Key="mine", Body=b"1")
    assert "Contents" not in second.client("s3").list_objects_v2(Bucket=second.buckets["ingestion"])
    assert lakehouse("down", "--state", one).returncode == 0
    assert processes_of(one) == []
    assert find_running(two).client("glue").get_job(JobName="extract_cdc")["Job"]["Name"] == "extract_cdc"


@pytest.mark.slow
def test_two_ups_at_once_make_one_stack(home: Path, existing: tuple[str, ...]) -> None:
    state = home / "s"
    both = [end(process) for process in [start("up", *existing, "--state", state) for _ in range(2)]]
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    assert both[0].stdout == both[1].stdout
    assert len([words for words in processes_of(state) if "lakehouse.daemon" in words]) == 1


@pytest.mark.slow
def test_deployed_jobs_run_on_it_and_share_the_lake(home: Path, existing: tuple[str, ...]) -> None:
    state = home / "s"
    assert lakehouse("up", *existing, "--state", state).returncode == 0
    running = find_running(state)
    events: list[JobEvent] = []
    s3, glue = owner_of(state).client("s3"), running.client("glue")
    artefacts = running.buckets["artefacts"]
    for job, script in (("validate_raw", SPARK_JOB), ("load_warehouse", SHELL_JOB)):
        s3.put_object(Bucket=artefacts, Key=f"glue_jobs/{job}.py", Body=script.encode())
    for job in ("validate_raw", "load_warehouse"):
        run_job(running.client("glue"), job, Paths.of(state).runs, events.append)
    assert [(event.job, event.state) for event in events] == [
        ("validate_raw", "RUNNING"),
        ("validate_raw", "SUCCEEDED"),
        ("load_warehouse", "RUNNING"),
        ("load_warehouse", "SUCCEEDED"),
    ]
    run = glue.get_job_runs(JobName="load_warehouse")["JobRuns"][0]
    assert "ops/toy/5.rows" in (state / "runs" / f"{run['Id']}.log").read_text()

    # The second time the Spark job finds its output there, which it refuses: error and log reach the person.
    failed = lakehouse("run", "--stage", "validate", "--engine", "spark", "--state", state)
    assert failed.returncode == 1
    assert "The job validate_raw ended FAILED" in failed.stderr
    log = re.search(r"Its log: (\S+)", failed.stderr)
    assert log is not None
    assert "PreconditionFailed" in Path(log.group(1)).read_text()
    with pytest.raises(JobFailed):
        run_job(running.client("glue"), "validate_raw", Paths.of(state).runs, events.append)
    assert lakehouse("down", "--state", state).returncode == 0
    assert processes_of(state) == []


@pytest.fixture(scope="module")
def state(servers: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a stack that the tests below share, in their order; its name is an odd one."""
    state = tmp_path_factory.mktemp("any") / "a space; an ä; a 'quote'; two \"\"; [one] {of} * %20 # ?"
    up = lakehouse("up", *databases(servers), "--state", state)
    assert up.returncode == 0, up.stderr
    yield state
    lakehouse("down", "--state", state)
    assert processes_of(state) == []


def test_status_of_a_new_stack_shows_that_nothing_was_done(state: Path) -> None:
    shown = lakehouse("status", "--json", "--state", state)
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert [stage["stage"] for stage in found["stages"]] == [
        "capture",
        "validate",
        "dimensions",
        "facts",
        "load",
    ]
    assert {stage["last_batch"] for stage in found["stages"]} == {0}
    assert found["freshness_seconds"] is None
    assert found["open_dead_letters"] == 0
    assert (found["held"], found["unstated_columns"]) == ([], {})
    text = lakehouse("status", "--state", state).stdout
    assert re.search(r"^capture +0 +0  -$", text, re.MULTILINE)

    wrong = lakehouse("sql", "SELECT nothing FROM nowhere", "--state", state)
    assert wrong.returncode == 1
    assert "nowhere" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    rows = lakehouse("sql", "SELECT 1 AS a", "--format", "json", "--state", state)
    assert json.loads(rows.stdout) == [{"a": 1}]


def test_a_directory_of_any_name_holds_all_of_it(state: Path) -> None:
    assert lakehouse("run", "--stage", "capture", "--state", state).returncode == 0
    shown = lakehouse(
        "sql", "SELECT count(*) AS n FROM totesys_ops.heartbeats", "--format", "json", "--state", state
    )
    assert json.loads(shown.stdout) == [{"n": 1}], shown.stderr
    assert [path.name for path in state.parent.iterdir()] == [state.name]


def test_a_failing_ingest_ends_run_with_the_jobs_error(state: Path) -> None:
    running = find_running(state)
    owner_of(state).client("s3").put_object(
        Bucket=running.buckets["artefacts"],
        Key="glue_jobs/extract_cdc.py",
        Body=b"raise ValueError('no way')",
    )
    failed = lakehouse("run", "--state", state)
    assert failed.returncode == 1
    assert "The job extract_cdc ended FAILED: ValueError: no way." in failed.stderr
    assert re.search(r"extract_cdc +FAILED", failed.stderr)
    with pytest.raises(JobFailed, match="no way"):
        run_until_idle(running.lake(), Paths.of(state).runs, lambda _event: None)


def test_a_stack_ends_when_its_directory_is_taken_away(state: Path) -> None:
    daemon = psutil.Process(find_running(state).pid)
    (state / "stack.json").unlink()
    psutil.wait_procs([daemon], timeout=60)
    assert not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE
