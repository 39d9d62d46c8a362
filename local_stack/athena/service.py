"""The Athena API: starts queries, runs them in worker threads, tells how they stand, pages their results."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import ClientError
from sqlglot import exp

from local_stack.athena.catalogue import Catalogue
from local_stack.athena.errors import AthenaError, QueryError
from local_stack.athena.execute import Connection, Engine, explain
from local_stack.athena.metadata import Metadata
from local_stack.athena.paging import LARGEST, bounds, page
from local_stack.athena.results import Result, metadata, save
from local_stack.athena.saved import SavedStatements
from local_stack.athena.scan import PathOf, ScanLog, Storage, split_uri
from local_stack.athena.statements import Outcome, Session, execute, kind_of, read_execute
from local_stack.athena.translate import bind_parameters, parse
from local_stack.athena.work_groups import WorkGroups

_WORKERS = 4
"""Queries that run at the same time; more wait as QUEUED."""

_INTERRUPT_EVERY = 0.05
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
    statement: exp.Expr
    database: str | None
    catalog: str | None
    work_group: str
    output: str
    parameters: list[str]
    log: ScanLog
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
    connection: Connection | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Event = field(default_factory=threading.Event)


class AthenaService:
    """Answers Athena's API; what concerns work groups and their tags is left to moto.

    Args:
        glue: Glue client of the stack.
        s3: S3 client of the stack.
        athena: Athena client of the stack, for what this service leaves to moto: work groups.
        spool: A directory of this service's own: result pages and what DuckDB swaps out.
        path_of: From bucket and key to the local file that holds the object.
    """

    def __init__(self, glue: Any, s3: Any, athena: Any, spool: Path, path_of: PathOf) -> None:
        spool.mkdir(parents=True, exist_ok=True)
        for left in spool.glob("*.arrow"):
            left.unlink()  # pages of executions that nobody can ask for after a restart
        self._catalogue = Catalogue(glue)
        self._s3 = s3
        self._spool = spool
        self._storage = Storage(s3, path_of)
        self._engine = Engine(spool / "swap")
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

    def close(self) -> None:
        """Stop what runs and wait for it."""
        for execution in list(self._executions.values()):
            self._cancel(execution)
        self._workers.shutdown(cancel_futures=True)
        self._engine.close()

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
        self._workers.submit(self._run, execution)
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
        execute_ = read_execute(sql)
        if execute_:
            text = self._saved.prepared(name, execute_.name)
            parameters = execute_.values or parameters
        try:
            statement = parse(text)
        except QueryError as error:  # it fails when it runs, as Athena has it
            statement, refusal = exp.Command(this=sql.split(maxsplit=1)[0]), error
        if parameters or statement.find(exp.Placeholder):
            bind_parameters(statement.copy(), parameters)
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
            parameters=parameters,
            log=ScanLog(group.get("BytesScannedCutoffPerQuery")),
            submitted=time.time(),
        )

    # --- running -------------------------------------------------------------------------------------------

    def _run(self, execution: Execution) -> None:
        with execution.lock:
            if execution.cancelled:
                return
            execution.connection = self._engine.connect()
            execution.state, execution.started = "RUNNING", time.time()
        error: Exception | None = None
        try:
            self._work(execution)
        except Exception as failure:  # noqa: BLE001  # whatever it is, the query has failed and says so
            # What a scan refused comes back wrapped by DuckDB: the refusal itself says more.
            error = execution.log.error or failure
        with execution.lock:
            self._finish(execution, error)
            execution.connection.close()
            execution.connection = None
        execution.done.set()

    def _work(self, execution: Execution) -> None:
        assert execution.connection is not None  # noqa: S101  # set just before
        if execution.refusal:
            raise execution.refusal
        session = Session(
            catalogue=self._catalogue,
            connection=execution.connection,
            storage=self._storage,
            s3=self._s3,
            database=execution.database,
            output=execution.output,
            id=execution.id,
            log=execution.log,
            parameters=execution.parameters,
            saved=self._saved,
            work_group=execution.work_group,
        )
        execution.outcome = outcome = execute(execution.text, execution.statement, session)
        if outcome.rows is None:
            execution.location = outcome.location or f"{execution.output}{execution.id}.txt"
            return
        execution.result, file = save(outcome.rows, self._spool, execution.id, header=outcome.header)
        outcome.rows = None
        execution.location = f"{execution.output}{file.name}"
        bucket, prefix = split_uri(execution.output)
        self._s3.upload_file(str(file), bucket, f"{prefix}{file.name}")
        self._s3.put_object(
            Bucket=bucket, Key=f"{prefix}{file.name}.metadata", Body=metadata(execution.result.schema)
        )
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
            if execution.connection is None:
                self._finish(execution, None)
                return
        # An interrupt between two steps of a query goes unheard, so it is repeated until one is heard.
        threading.Thread(target=_interrupt, args=(execution,), daemon=True).start()

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
        rows = {"InputRows": execution.log.rows, "InputBytes": execution.log.bytes}
        if execution.result:
            rows |= {"OutputRows": execution.result.rows}
        return {"QueryRuntimeStatistics": {"Timeline": _timeline(execution), "Rows": rows}}


def _interrupt(execution: Execution) -> None:
    while not execution.done.wait(_INTERRUPT_EVERY):
        with execution.lock:
            if execution.connection:
                execution.connection.interrupt()


def _output(payload: dict[str, Any], group: dict[str, Any]) -> str:
    asked = (payload.get("ResultConfiguration") or {}).get("OutputLocation")
    usual = (group.get("ResultConfiguration") or {}).get("OutputLocation")
    enforced = group.get("EnforceWorkGroupConfiguration", False) and usual
    chosen = usual if enforced else asked or usual
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
    if isinstance(error, duckdb.Error):
        return explain(error)
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
        "DataScannedInBytes": execution.log.bytes,
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
