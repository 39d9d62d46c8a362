"""What the tables of feeds should hold: the landed answers, read again, by other means than the feeds have.

Each answer is read by DuckDB; what became of a rate from answer to answer is worked out by SQL. An answer
that commits name and that is gone, or that is not what its name says, keeps the table from being compared.
One that no commit names counts like the others: what it holds and the lake lacks is a difference.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from catalog.model import Contract
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.reconciliation.canonical import literal
from glue_jobs.reconciliation.lake_rows import Lake
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import list_objects

_RATES = """
CREATE OR REPLACE TEMP TABLE landed_rates (
    place INTEGER, batch BIGINT, provider VARCHAR, sha256 VARCHAR, base VARCHAR, currency VARCHAR, day DATE,
    units DECIMAL(18, 9), digits INTEGER)
"""

_READ: Mapping[str, str] = {
    "ecb": """
SELECT 1, 'EUR', CURRENCY, CAST(TIME_PERIOD AS DATE), CAST(OBS_VALUE AS DECIMAL(18, 9))
FROM read_csv({path}, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
              strict_mode = false)
WHERE coalesce(OBS_VALUE, '') NOT IN ('', 'NaN')""",
    # By pattern, since DuckDB's JSON takes numbers for doubles.
    "freeforexapi": r"""
SELECT 2, 'USD', regexp_extract(stated, '"USD([A-Z]+)"', 1),
       CAST(make_timestamp(
           1000000 * CAST(regexp_extract(stated, '"timestamp"\s*:\s*(\d+)', 1) AS BIGINT)) AS DATE),
       CAST(regexp_extract(stated, '"rate"\s*:\s*([0-9.eE+-]+)', 1) AS DECIMAL(18, 9))
FROM (
    SELECT unnest(regexp_extract_all(content, '"USD[A-Z]+"\s*:\s*\{{[^{{}}]*\}}')) AS stated
    FROM read_text({path})
)""",
}
"""By provider, a query for number, base, currency, day and units of an answer in a file."""

# A version is what an answer changes. The newest counts; it comes again where one of the five days before has
# a newer one. It is judged by the day before, or by the middle of the five where that one is far from it.
_NEWEST = """
CREATE TABLE {into} AS
WITH changed AS (
    SELECT *, lag(units) OVER (PARTITION BY provider, currency, day ORDER BY place) AS before
    FROM landed_rates
), newest AS (
    SELECT * FROM changed WHERE before IS DISTINCT FROM units
    QUALIFY row_number() OVER (PARTITION BY provider, currency, day ORDER BY place DESC) = 1
), with_five_before AS (
    SELECT *, lag(units) OVER publications AS last,
           list_sort(list(units) OVER (publications ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING)) AS five,
           max({{'place': place, 'sha256': sha256, 'batch': batch}})
               OVER (publications ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS brought
    FROM newest
    WINDOW publications AS (PARTITION BY provider, currency ORDER BY day)
), with_previous AS (
    SELECT *, CASE WHEN len(five) > 2 AND (last * 4 > middle * 5 OR last * 4 < middle * 3)
                   THEN middle ELSE last END AS previous
    FROM (SELECT *, five[(len(five) + 1) // 2] AS middle FROM with_five_before)
)
SELECT CAST(strftime(day, '%Y%m%d') || digits
            || lpad(CAST((ascii(currency) - 65) * 676 + (ascii(currency[2]) - 65) * 26
                         + ascii(currency[3]) - 65 AS VARCHAR), 5, '0') AS VARCHAR) AS rate_id,
       CAST(day AS VARCHAR) AS rate_date, currency AS currency_code, provider, base AS base_currency,
       CAST(units AS VARCHAR) AS units_per_base, CAST(previous AS VARCHAR) AS previous_units_per_base,
       brought.sha256 AS source_sha256, brought.batch AS _row_version
FROM with_previous
"""


@dataclass(frozen=True)
class _Answer:
    """A landed answer: whose it is, its name, and the batch that it was read in; 0 where in none."""

    provider: str
    name: str
    batch: int


def load_landed(
    workspace: duckdb.DuckDBPyConnection, lake: Lake, name: str, contract: Contract, into: str
) -> None:
    """Make the table of what a feed's table should hold now, every value as text, and ``_row_version``.

    A row's version is the batch that its answer was read in.

    Args:
        workspace: DuckDB.
        lake: The lake's commits.
        name: The feed's name.
        contract: Its table.
        into: The new table's name, as SQL.

    Raises:
        UserError: An answer is gone, was altered, or cannot be read.
    """
    workspace.execute(_RATES)
    for place, answer in enumerate(_answers(lake, name)):
        key = f"landing/{name}/{answer.provider}/{answer.name}"
        body = _read(lake, key, answer)
        if body.strip():
            _load(workspace, key, body, place, answer)
    workspace.execute(f"DROP TABLE IF EXISTS {into}")
    workspace.execute(_NEWEST.format(into=into))
    expected = {column.name for column in contract.columns} | {"_row_version"}
    found = {row[0] for row in workspace.execute(f"DESCRIBE {into}").fetchall()}
    if found != expected:
        raise UserError(
            f"The table {contract.table} of the feed {name} has other columns than its answers give.",
            f"See {', '.join(sorted(found ^ expected))}.",
        )


def _answers(lake: Lake, name: str) -> list[_Answer]:
    """The answers in the order in which they were read, those that no commit names last."""
    store = KeyStore(lake.clients.s3, lake.clients.ingestion)
    state = SourceState.of(lake.last_capture).feeds.get(name, FeedState())
    rows = store.table(state.readings).to_pylist() if state.readings is not None else []
    read = [_Answer(row["provider"], row["name"], row["batch"]) for row in rows]
    known = {(answer.provider, answer.name) for answer in read}
    prefix = f"landing/{name}/"
    unread = []
    for entry in list_objects(lake.clients.s3, lake.clients.ingestion, prefix):
        provider, _, rest = entry["Key"][len(prefix) :].partition("/")
        if "/" not in rest and (provider, rest) not in known:
            unread.append((entry["LastModified"], provider, rest))
    return [*read, *(_Answer(provider, rest, 0) for _, provider, rest in sorted(unread))]


def _read(lake: Lake, key: str, answer: _Answer) -> bytes:
    s3, bucket = lake.clients.s3, lake.clients.ingestion
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey as error:
        raise UserError(
            f"s3://{bucket}/{key} is missing, though a commit names it.",
            "Restore it from the bucket's versions.",
        ) from error
    if hashlib.sha256(body).hexdigest() != answer.name:
        raise UserError(
            f"s3://{bucket}/{key} is not what was received.", "Restore it from the bucket's versions."
        )
    return body


def _load(workspace: duckdb.DuckDBPyConnection, key: str, body: bytes, place: int, answer: _Answer) -> None:
    query = _READ.get(answer.provider)
    if query is None:
        raise UserError(
            f"{key} is of the provider {answer.provider}, whose answers are not compared.",
            f"Compared are those of {', '.join(_READ)}.",
        )
    with tempfile.TemporaryDirectory(prefix="landed-") as folder:
        path = Path(folder, "body")
        path.write_bytes(body)
        try:
            workspace.execute(
                "INSERT INTO landed_rates"  # noqa: S608 - quoted
                f" SELECT {place}, {answer.batch}, {literal(answer.provider)}, {literal(answer.name)},"
                " base, currency, day, units, digits"
                f" FROM ({query.format(path=literal(str(path)))}) AS read(digits, base, currency, day, units)"
            )
        except duckdb.Error as error:
            raise UserError(
                f"{key} cannot be read again ({type(error).__name__}).",
                "Look at it: it is an answer that was taken, or somebody put it there.",
            ) from error
