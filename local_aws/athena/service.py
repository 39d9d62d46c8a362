"""The Athena API: starts queries, runs them in worker threads, tells how they stand, pages their results."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.athena.catalog_reader import GlueCatalog
from local_aws.athena.commands import kind_of
from local_aws.athena.jobs import Limits
from local_aws.athena.metadata import Metadata
from local_aws.athena.paging import LARGEST, bounds, page
from local_aws.athena.parameters import bind
from local_aws.athena.processes import Processes, Watch
from local_aws.athena.query_errors import AthenaError, QueryError
from local_aws.athena.query_results import Columns, Result, metadata, save_listing
from local_aws.athena.saved import SavedStatements
from local_aws.athena.scan import PathOf, Storage, split_uri
from local_aws.athena.statements import Outcome, Sandbox, Session, execute
from local_aws.athena.syntax import Node, parse
from local_aws.athena.work_groups import WorkGroups

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

_WORKERS = 4
"""Queries that run at the same time; more wait as QUEUED."""

_LOG = logging.getLogger(__name__)
_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


@dataclass
class Execution:
    """One query from start to end; times are seconds since the epoch.

    Of ``EXECUTE`` the ``sql`` is what was sent, ``text`` and ``statement`` are what had been prepared.
    """

    id: str
    sql: str
    text: str
    statement: Node
    database: str | None
    catalog: str | None
    work_group: str
    output: str
    enforced: bool
    parameters: list[str]
    scan_limit: int | None
    submitted: float
    refusal: QueryError | None = None
    state: str = "QUEUED"
    reason: str = ""
    error_name: str = ""
    started: float = 0.0
    completed: float = 0.0
    location: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    result: Result | None = None
    watch: Watch = field(default_factory=Watch)
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class AthenaService:
    """Answers Athena's API; what concerns work groups and their tags is left to moto.

    Args:
        glue: Glue client of the stack.
        s3: S3 client of the stack.
        athena: Athena client of the stack, for what this service leaves to moto: work groups.
        spool: A directory of this service's own: result pages and what DuckDB swaps out.
        path_of: From bucket and key to the local file that holds the object.
        limits: How much one query may take.
        sandbox: Where analysts may write; everywhere where none is stated.
        sandboxes: By work group, where analysts write who ask in it, in place of that.
    """

    def __init__(
        self,
        glue: GlueClient,
        s3: S3Client,
        athena: AthenaClient,
        spool: Path,
        path_of: PathOf,
        *,
        limits: Limits | None = None,
        sandbox: Sandbox | None = None,
        sandboxes: Mapping[str, Sandbox] | None = None,
    ) -> None:
        spool.mkdir(parents=True, exist_ok=True)
        for left in spool.iterdir():  # pages of executions that nobody can ask for after a restart
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()
        self._catalogue = GlueCatalog(glue)
        self._s3 = s3
        self._spool = spool
        self._storage = Storage(s3, path_of)
        self._processes = Processes(limits or Limits())
        self._sandbox = sandbox
        self._sandboxes = sandboxes or {}
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="athena")
        self._work_groups = WorkGroups(athena)
        self._saved = SavedStatements(self._work_groups.configuration)
        self._actions = {
            **Metadata(self._catalogue).actions,
            **self._saved.actions,
            **self._work_groups.actions,
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._batch_get,
            "GetQueryResults": self._results,
            "ListQueryExecutions": self._list,
            "StopQueryExecution": self._stop,
            "GetQueryRuntimeStatistics": self._statistics,
        }

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Answer one request.

        Args:
            action: The operation, for example ``StartQueryExecution``.
            payload: Its parameters.

        Returns:
            The answer, or None where moto is to answer.

        Raises:
            AthenaError: The request is refused.
        """
        answer = self._actions.get(action)
        return answer(payload) if answer else None

    def work_group_of(self, payload: Mapping[str, Any]) -> str | None:
        """The work group of what a request names by its id; None where nothing of the kind is there."""
        identities = payload.get("QueryExecutionIds") or [payload.get("QueryExecutionId")]
        execution = self._executions.get(str(identities[0]))
        return execution.work_group if execution else self._saved.work_group_of(payload)

    def close(self) -> None:
        """Stop what runs and wait for it."""
        for execution in list(self._executions.values()):
            self._cancel(execution)
        self._workers.shutdown(cancel_futures=True)
        self._processes.close()

    # --- starting ------------------------------------------------------------------------------------------

    def _start(self, payload: dict[str, Any]) -> dict[str, Any]:
        sql = payload.get("QueryString") or ""
        if not sql.strip():
            raise AthenaError("InvalidRequestException", "QueryString must not be empty")
        name = payload.get("WorkGroup") or "primary"
        execution = self._new(sql, name, payload)
        token = payload.get("ClientRequestToken")
        with self._lock:
            known = self._known(name, token, payload)
            if known:
                return {"QueryExecutionId": known}
            self._executions[execution.id] = execution
            if token:
                self._tokens[name, token] = (execution.id, _fingerprint(payload))
        # What it reads and writes it does with the rights of who asked.
        self._workers.submit(copy_context().run, self._run, execution)
        return {"QueryExecutionId": execution.id}

    def _known(self, name: str, token: str | None, payload: dict[str, Any]) -> str | None:
        identity, fingerprint = self._tokens.get((name, token or ""), ("", ""))
        if identity and fingerprint != _fingerprint(payload):
            raise AthenaError(
                "InvalidRequestException",
                "Idempotent parameters do not match: the token was used for another query",
            )
        return identity or None

    def _new(self, sql: str, name: str, payload: dict[str, Any]) -> Execution:
        group = self._work_groups.configuration(name)
        refusal: QueryError | None = None
        text, parameters = sql, list(payload.get("ExecutionParameters") or [])
        try:
            statement = parse(text)
            if statement.kind == "Execute":
                text, parameters = self._saved.prepared(name, statement.name), statement.values or parameters
                statement = parse(text)
            if parameters or any(node.kind == "Parameter" for node in statement.walk()):
                bind(statement, parameters)
        except QueryError as error:  # it fails when it runs, as Athena has it
            statement, refusal = Node("Refused", 0, word=sql.split(maxsplit=1)[0]), error
        context = payload.get("QueryExecutionContext") or {}
        database = (context.get("Database") or "").strip('`"') or None
        return Execution(
            id=str(uuid.uuid4()),
            sql=sql,
            text=text,
            statement=statement,
            refusal=refusal,
            database=database,
            catalog=context.get("Catalog"),
            work_group=name,
            output=_output(payload, group),
            enforced=_enforces(group),
            parameters=parameters,
            scan_limit=group.get("BytesScannedCutoffPerQuery"),
            submitted=time.time(),
        )

    # --- running -------------------------------------------------------------------------------------------

    def _run(self, execution: Execution) -> None:
        with execution.lock:
            if execution.cancelled:
                return
            execution.state, execution.started = "RUNNING", time.time()
        error: Exception | None = None
        try:
            self._work(execution)
        except Exception as failure:  # noqa: BLE001  # whatever it is, the query has failed and says so
            error = failure
            if not isinstance(failure, QueryError | AthenaError | ClientError | BotoCoreError):
                _LOG.exception("The statement %s failed as nobody foresaw", execution.id)
        finally:
            shutil.rmtree(self._spool / f"{execution.id}.work", ignore_errors=True)
        with execution.lock:
            self._finish(execution, error)

    def _work(self, execution: Execution) -> None:
        if execution.refusal:
            raise execution.refusal
        session = Session(
            catalogue=self._catalogue,
            processes=self._processes,
            watch=execution.watch,
            storage=self._storage,
            s3=self._s3,
            database=execution.database,
            output=execution.output,
            enforced=execution.enforced,
            id=execution.id,
            spool=self._spool,
            scan_limit=execution.scan_limit,
            saved=self._saved,
            work_group=execution.work_group,
            sandbox=self._sandboxes.get(execution.work_group, self._sandbox),
        )
        execution.outcome = outcome = execute(execution.text, execution.statement, session)
        stem = self._spool / execution.id
        if outcome.listing is not None:
            rows, columns, ending = save_listing(outcome.listing, stem), outcome.listing.columns, "txt"
        elif outcome.columns is not None:
            rows, columns, ending = outcome.rows, outcome.columns, "csv"
        else:
            execution.location = outcome.location or f"{execution.output}{execution.id}.txt"
            return
        self._publish(execution, columns, rows, ending)

    def _publish(self, execution: Execution, columns: Columns, rows: int, ending: str) -> None:
        """Leave a result where the work group says."""
        pages = self._spool / f"{execution.id}.arrow"
        execution.result = Result(columns, pages, rows, header=ending == "csv")
        file = self._spool / f"{execution.id}.{ending}"
        execution.location = f"{execution.output}{file.name}"
        bucket, prefix = split_uri(execution.output)
        with file.open("rb") as body:
            self._s3.put_object(Bucket=bucket, Key=f"{prefix}{file.name}", Body=body)
        self._s3.put_object(Bucket=bucket, Key=f"{prefix}{file.name}.metadata", Body=metadata(columns))
        file.unlink()

    def _finish(self, execution: Execution, error: Exception | None) -> None:
        execution.completed = time.time()
        if execution.cancelled or (isinstance(error, QueryError) and error.cancelled):
            execution.state = "CANCELLED"
            execution.reason = (
                str(error) if isinstance(error, QueryError) and error.cancelled else "Query cancelled"
            )
        elif error is None:
            execution.state = "SUCCEEDED"
        else:
            told = _told(error)
            execution.state, execution.reason, execution.error_name = "FAILED", str(told), told.name

    def _cancel(self, execution: Execution) -> None:
        with execution.lock:
            if execution.state in _FINAL or execution.cancelled:
                return
            execution.cancelled = True
            if execution.state == "QUEUED":
                self._finish(execution, None)
                return
        execution.watch.cancel()

    # --- answering -----------------------------------------------------------------------------------------

    def _find(self, payload: dict[str, Any]) -> Execution:
        identity = payload.get("QueryExecutionId")
        execution = self._executions.get(str(identity))
        if execution is None:
            raise AthenaError("InvalidRequestException", f"QueryExecution {identity} was not found")
        return execution

    def _get(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": _described(self._find(payload))}

    def _batch_get(self, payload: dict[str, Any]) -> dict[str, Any]:
        wanted = payload.get("QueryExecutionIds") or []
        return {
            "QueryExecutions": [_described(self._executions[i]) for i in wanted if i in self._executions],
            "UnprocessedQueryExecutionIds": [
                {
                    "QueryExecutionId": i,
                    "ErrorCode": "INVALID_QUERY_EXECUTION_ID",
                    "ErrorMessage": "was not found",
                }
                for i in wanted
                if i not in self._executions
            ],
        }

    def _results(self, payload: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(payload)
        if execution.state != "SUCCEEDED":
            short = execution.state if execution.state in _FINAL else "not yet finished"
            raise AthenaError(
                "InvalidRequestException",
                f"Query has {short.lower() if short in _FINAL else short}. Current state: {execution.state}",
            )
        count = execution.outcome.update_count
        if execution.result is None:
            empty = {"Rows": [], "ResultSetMetadata": {"ColumnInfo": []}}
            return {"ResultSet": empty, **({} if count is None else {"UpdateCount": count})}
        start, size = bounds(payload, LARGEST)
        answer: dict[str, Any] = {"UpdateCount": 0, "ResultSet": execution.result.page(start, size)}
        if start + size < execution.result.lines:
            answer["NextToken"] = str(start + size)
        return answer

    def _list(self, payload: dict[str, Any]) -> dict[str, Any]:
        name = payload.get("WorkGroup") or "primary"
        found = [item for item in self._executions.values() if item.work_group == name]
        newest = [item.id for item in sorted(found, key=lambda item: -item.submitted)]
        return page(payload, "QueryExecutionIds", newest)

    def _stop(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._cancel(self._find(payload))
        return {}

    def _statistics(self, payload: dict[str, Any]) -> dict[str, Any]:
        execution = self._find(payload)
        rows = {"InputRows": execution.watch.rows_scanned, "InputBytes": execution.watch.bytes_scanned}
        if execution.result:
            rows |= {"OutputRows": execution.result.rows}
        return {"QueryRuntimeStatistics": {"Timeline": _timeline(execution), "Rows": rows}}


def _enforces(group: dict[str, Any]) -> bool:
    return bool(
        group.get("EnforceWorkGroupConfiguration")
        and (group.get("ResultConfiguration") or {}).get("OutputLocation")
    )


def _output(payload: dict[str, Any], group: dict[str, Any]) -> str:
    asked = (payload.get("ResultConfiguration") or {}).get("OutputLocation")
    usual = (group.get("ResultConfiguration") or {}).get("OutputLocation")
    chosen = usual if _enforces(group) else asked or usual
    if not chosen:
        raise AthenaError(
            "InvalidRequestException",
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input.",
        )
    if not chosen.startswith("s3://"):
        raise AthenaError("InvalidRequestException", f"OutputLocation is not a valid S3 path: {chosen}")
    return str(chosen).rstrip("/") + "/"


def _fingerprint(payload: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _told(error: Exception) -> QueryError:
    if isinstance(error, QueryError):
        return error
    if isinstance(error, AthenaError):
        return QueryError("SYNTAX_ERROR", error.message)
    if isinstance(error, ClientError):
        return QueryError("PERMISSION_OR_STORAGE_ERROR", error.response["Error"]["Message"])
    return QueryError("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}")


def _timeline(execution: Execution) -> dict[str, int]:
    end = execution.completed or time.time()
    started = execution.started or end
    return {
        "QueryQueueTimeInMillis": _millis(started - execution.submitted),
        "EngineExecutionTimeInMillis": _millis(end - started),
        "QueryPlanningTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
        "TotalExecutionTimeInMillis": _millis(end - execution.submitted),
    }


def _millis(seconds: float) -> int:
    return max(round(seconds * 1000), 0)


def _described(execution: Execution) -> dict[str, Any]:
    statement_type, substatement = kind_of(execution.statement)
    status: dict[str, Any] = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.completed:
        status["CompletionDateTime"] = execution.completed
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.state == "FAILED":
        internal = execution.error_name.startswith(("GENERIC_INTERNAL", "PERMISSION"))
        status["AthenaError"] = {
            "ErrorCategory": 1 if internal else 2,
            "ErrorType": 401 if internal else 1006,
            "Retryable": False,
            "ErrorMessage": execution.reason,
        }
    statistics: dict[str, Any] = {
        "DataScannedInBytes": execution.watch.bytes_scanned,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
        **_timeline(execution),
    }
    if execution.outcome.manifest:
        statistics["DataManifestLocation"] = execution.outcome.manifest
    context = {"Database": execution.database, "Catalog": execution.catalog}
    described: dict[str, Any] = {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "StatementType": statement_type,
        "SubstatementType": substatement,
        "ResultConfiguration": {
            "OutputLocation": execution.location or f"{execution.output}{execution.id}.csv"
        },
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": {key: value for key, value in context.items() if value},
        "Status": status,
        "Statistics": statistics,
        "WorkGroup": execution.work_group,
        "EngineVersion": _ENGINE,
    }
    if execution.parameters:
        described["ExecutionParameters"] = execution.parameters
    return described
