"""Takes the README's pictures of the two sites: a made-up week of verdicts, built and served as always.

The rules, the job, the pages and the server are the project's own; the counts are drawn by chance.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response

from catalog.catalogue import load_catalogue
from expectations.rules import load_suites
from expectations.validation_report import validation_result
from glue_jobs.documentation import catalogue_site
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page
from glue_jobs.documentation.validation_site import build
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, DataObject, Partition, TableCommit
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.partitions import register_live, register_new
from glue_jobs.lake.validation_state import STAGE, ValidationResult, ValidationState, result_key
from glue_jobs.runtime.aws import S3Client
from lakehouse.console.documents import Documents
from lakehouse.local_deployment import deploy_tables
from lakehouse.loopback import LoopbackServer
from local_aws.endpoint.app import create_endpoint
from tools.browser import chromium, serving

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

PICTURES = {
    "validation-site.png": ("validation/", "1160,1480"),
    "catalogue-site.png": ("catalogue/star/dim_staff.html", "1240,1360"),
}
"""By file, the page that is shown and the size of the window."""

LARGEST = 250_000
"""Bytes that a picture may have."""

BUCKETS = ("ingestion", "processed", "documentation")

_FIRST_DAY = datetime(2026, 11, 16, 6)  # noqa: DTZ001 - the lake's times have no zone
_STEADY = ("payment", "purchase_order", "sales_order", "transaction")
_SELDOM = ("address", "counterparty", "design", "staff")
_ROWS = {"payment": 420, "purchase_order": 130, "sales_order": 210, "transaction": 340}
_BROKEN_AT_TIMES = {
    ("payment", "amount_is_units_times_price"): 9,
    ("payment", "due_date_is_not_before_creation"): 2,
    ("sales_order", "delivery_date_is_a_date"): 3,
    ("sales_order", "unit_price_in_range"): 1,
    ("transaction", "sale_has_its_order"): 2,
    ("counterparty", "legal_address_id_is_known"): 1,
    ("staff", "email_address_has_shape"): 2,
    ("design", "file_name_has_shape"): 4,
}


def commit_week(s3: S3Client, bucket: str, *, days: int = 7, batches: int = 12) -> list[Commit]:
    """Commit the verdicts of some days, with their validation results, as ``validate_raw`` does.

    Those that are there already stay; the same days are always the same verdicts.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        days: How many days.
        batches: Batches of each day.
    """
    chance = random.Random(20)  # noqa: S311 - a made-up week
    log = CommitLog(s3, bucket, STAGE)
    made: list[Commit] = []
    opened: dict[str, int] = {}
    for batch in range(1, days * batches + 1):
        day, hour = divmod(batch - 1, batches)
        at = _FIRST_DAY + timedelta(days=day, hours=hour)
        tables = [*_STEADY, *(table for table in _SELDOM if chance.random() < 0.3)]
        found = {table: _verdict(table, chance, weekend=at.weekday() >= 5) for table in tables}
        for table, verdict in found.items():
            # Of what was rejected some is corrected in the source, and comes again.
            if verdict.rejected:
                opened[table] = opened.get(table, 0) // 2 + verdict.rejected
        commit = _commit(batch, at, found, opened)
        if not log.exists(batch):
            log.publish(commit)
        for table, verdict in found.items():
            _put_result(s3, bucket, commit, table, verdict)
        made.append(commit)
    return made


def _verdict(table: str, chance: random.Random, *, weekend: bool) -> ValidationResult:
    usual = _ROWS.get(table, 6)
    read = max(1, int(chance.gauss(usual, usual / 4) * (0.35 if weekend else 1)))
    broken = {
        rule: min(read, chance.randint(1, most))
        for (of, rule), most in _BROKEN_AT_TIMES.items()
        if of == table and chance.random() < 0.045
    }
    severities = {rule.name: rule.severity for rule in load_suites()[table].rules}
    rejected = max((rows for rule, rows in broken.items() if severities[rule] == "reject"), default=0)
    warned = max((rows for rule, rows in broken.items() if severities[rule] == "warn"), default=0)
    return ValidationResult(read=read, rejected=rejected, warned=min(warned, read - rejected), broken=broken)


def _commit(batch: int, at: datetime, found: dict[str, ValidationResult], opened: dict[str, int]) -> Commit:
    values = {"captured_date": at.date().isoformat(), "batch": str(batch)}
    tables = {
        table: TableCommit(
            {
                "read": verdict.read,
                "accepted": verdict.read - verdict.rejected,
                "rejected": verdict.rejected,
                "warned": verdict.warned,
            },
            (Partition(values, f"raw/{table}/", ()),),
        )
        for table, verdict in found.items()
    }
    results = {table: {batch: verdict} for table, verdict in found.items()}
    unresolved = {table: (DataObject(f"unresolved/{table}", rows, 0, ""),) for table, rows in opened.items()}
    state = ValidationState(results, unresolved).state
    return Commit("validate", batch, layout.new_attempt(), layout.iso(at), batch, batch, tables, state)


def _put_result(s3: S3Client, bucket: str, commit: Commit, table: str, verdict: ValidationResult) -> None:
    meta = {
        "table": table,
        "batch": commit.sequence,
        "sequence": commit.sequence,
        "judged_at": commit.committed_at,
        "read": verdict.read,
        "rejected": verdict.rejected,
        "warned": verdict.warned,
        "deletions": verdict.deletions,
    }
    document = validation_result(load_suites()[table], verdict.read, verdict.broken, verdict.empty, meta)
    body = json.dumps(document, sort_keys=True).encode()
    put_new(s3, bucket, result_key(table, commit.sequence), body)


def show_lake(lake: LakeClients, week: Sequence[Commit]) -> None:
    """Show the captures of some verdicts in the catalogue, and a star that was built of them and loaded.

    Args:
        lake: Its clients.
        week: What :func:`commit_week` made.
    """
    catalogue = load_catalogue()
    deploy_tables(lake.glue, catalogue, lake.buckets)
    captured: dict[str, list[Partition]] = {}
    for commit in week:
        lake.log("capture").publish(replace(commit, stage="capture", state={}))
        for table, found in commit.tables.items():
            captured.setdefault(table, []).extend(found.partitions)
    for table, partitions in captured.items():
        register_new(lake, catalogue.raw[table], partitions)
    months = [f"created_month={year}-{month:02}" for year in (2025, 2026) for month in range(1, 12)]
    label = layout.version_label(1, layout.new_attempt())
    star = {
        name: TableCommit(versions=dict.fromkeys(months if contract.partition else [""], label))
        for name, contract in catalogue.star.items()
        if contract.kind != "dead_letters"
    }
    for stage in ("dimensions", "facts", "load"):
        built = replace(week[-1], stage=stage, sequence=1, tables=star, state={})
        lake.log(stage).publish(built)
    for name, shown in star.items():
        register_live(lake, catalogue.star[name], shown)


@contextmanager
def served(s3: S3Client, bucket: str) -> Iterator[str]:
    """Serve a documentation bucket for a while, as CloudFront would; gives its address."""
    documents, app = Documents(s3, bucket), Flask("pages")

    @app.get("/")
    @app.get("/<path:path>")
    def page(path: str = "") -> Response:
        found = documents.find(path)
        return (
            Response(status=HTTPStatus.NOT_FOUND)
            if found is None
            else Response(found.body, content_type=found.content_type)
        )

    with LoopbackServer(app, 0) as server, serving(server):
        yield server.url


def main() -> int:
    """Take the pictures; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder, create_endpoint(Path(folder) / "aws") as endpoint:
        s3 = endpoint.client("s3")
        for name in BUCKETS:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": endpoint.region})
        week = commit_week(s3, "ingestion")
        lake = LakeClients(s3, endpoint.client("glue"), "ingestion", "processed")
        show_lake(lake, week)
        bucket = Bucket(s3, "documentation")
        print(build(lake, bucket, load_catalogue()), "pages")
        print(catalogue_site.build(lake, bucket, load_catalogue()), "files")
        publish_front_page(bucket)
        with served(s3, bucket.name) as url:
            IMAGES.mkdir(exist_ok=True)
            for name, (page, size) in PICTURES.items():
                shot = f"--screenshot={IMAGES / name}"
                chromium(Path(folder) / "profile", f"--window-size={size}", shot, f"{url}{page}")
    taken = {name: (IMAGES / name).stat().st_size for name in PICTURES}
    for name, size_taken in taken.items():
        print(f"{IMAGES / name}: {size_taken:,} bytes")
    return 0 if max(taken.values()) <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
