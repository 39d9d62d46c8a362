"""What a work group keeps: named queries and prepared statements, for as long as the stack runs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.athena.paging import page
from local_aws.athena.query_errors import AthenaError

_NAMED = ("Name", "Description", "Database", "QueryString", "WorkGroup")
_Answer = Callable[[dict[str, Any]], dict[str, Any]]


class SavedStatements:
    """Answers the actions of Athena's API about named queries and prepared statements.

    Args:
        require_work_group: Raises where there is no work group of a name.
    """

    def __init__(self, require_work_group: Callable[[str], object]) -> None:
        self._require = require_work_group
        self._named: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, str] = {}
        self._prepared: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.actions: dict[str, _Answer] = {
            "CreateNamedQuery": self._create_named,
            "GetNamedQuery": lambda payload: {"NamedQuery": self._find_named(payload)},
            "BatchGetNamedQuery": self._batch_get_named,
            "ListNamedQueries": self._list_named,
            "UpdateNamedQuery": self._update_named,
            "DeleteNamedQuery": self._delete_named,
            "CreatePreparedStatement": self._create_prepared,
            "GetPreparedStatement": lambda payload: {"PreparedStatement": self._find_prepared(payload)},
            "BatchGetPreparedStatement": self._batch_get_prepared,
            "ListPreparedStatements": self._list_prepared,
            "UpdatePreparedStatement": self._update_prepared,
            "DeletePreparedStatement": self._delete_prepared,
        }

    def work_group_of(self, payload: Mapping[str, Any]) -> str | None:
        """The work group of the named query that a request names by its id; None where there is none."""
        identities = payload.get("NamedQueryIds") or [payload.get("NamedQueryId")]
        found = self._named.get(str(identities[0]))
        return None if found is None else str(found["WorkGroup"])

    # --- named queries -------------------------------------------------------------------------------------

    def _create_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        query = {"WorkGroup": "primary", **{key: payload[key] for key in _NAMED if payload.get(key)}}
        self._require(query["WorkGroup"])
        token = payload.get("ClientRequestToken") or str(uuid.uuid4())
        with self._lock:
            identity = self._tokens.setdefault(token, str(uuid.uuid4()))
            known = self._named.setdefault(identity, {**query, "NamedQueryId": identity})
        if known != {**query, "NamedQueryId": identity}:
            raise AthenaError("InvalidRequestException", "Idempotent parameters do not match")
        return {"NamedQueryId": identity}

    def _find_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = self._named.get(str(payload.get("NamedQueryId")))
        if found is None:
            raise AthenaError(
                "InvalidRequestException", f"NamedQuery {payload.get('NamedQueryId')} was not found"
            )
        return found

    def _batch_get_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        wanted = payload.get("NamedQueryIds") or []
        return {
            "NamedQueries": [self._named[i] for i in wanted if i in self._named],
            "UnprocessedNamedQueryIds": [
                {"NamedQueryId": i, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "was not found"}
                for i in wanted
                if i not in self._named
            ],
        }

    def _list_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        name = payload.get("WorkGroup") or "primary"
        self._require(name)
        found = [identity for identity, query in self._named.items() if query["WorkGroup"] == name]
        return page(payload, "NamedQueryIds", found)

    def _update_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        changed: dict[str, Any] = {
            key: payload[key] for key in ("Name", "Description", "QueryString") if key in payload
        }
        with self._lock:
            self._named[payload["NamedQueryId"]] = self._find_named(payload) | changed
        return {}

    def _delete_named(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._find_named(payload)
            del self._named[payload["NamedQueryId"]]
        return {}

    # --- prepared statements -------------------------------------------------------------------------------

    def prepare(self, work_group: str, name: str, text: str, *, replace: bool = False) -> None:
        """Keep a statement under a name.

        Raises:
            AthenaError: There is one of that name already, and it may not be replaced.
        """
        with self._lock:
            if not replace and (work_group, name) in self._prepared:
                raise AthenaError(
                    "InvalidRequestException",
                    f"PreparedStatement {name} already exists in WorkGroup {work_group}.",
                )
            self._prepared[work_group, name] = {
                "StatementName": name,
                "QueryStatement": text,
                "WorkGroupName": work_group,
                "LastModifiedTime": time.time(),
            }

    def prepared(self, work_group: str, name: str) -> str:
        """The text of a prepared statement.

        Raises:
            AthenaError: There is none of that name.
        """
        return str(self._find_prepared({"WorkGroup": work_group, "StatementName": name})["QueryStatement"])

    def deallocate(self, work_group: str, name: str) -> None:
        """Forget a prepared statement.

        Raises:
            AthenaError: There is none of that name.
        """
        with self._lock:
            self._find_prepared({"WorkGroup": work_group, "StatementName": name})
            del self._prepared[work_group, name]

    def _find_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        name, group = payload["StatementName"], payload["WorkGroup"]
        found = self._prepared.get((group, name))
        if found is None:
            raise AthenaError(
                "ResourceNotFoundException", f"PreparedStatement {name} was not found in WorkGroup {group}."
            )
        return found

    def _create_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._require(payload["WorkGroup"])
        self.prepare(payload["WorkGroup"], payload["StatementName"], payload["QueryStatement"])
        self._describe(payload)
        return {}

    def _update_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._find_prepared(payload)
        group, name, text = (payload[key] for key in ("WorkGroup", "StatementName", "QueryStatement"))
        self.prepare(group, name, text, replace=True)
        self._describe(payload)
        return {}

    def _describe(self, payload: dict[str, Any]) -> None:
        if payload.get("Description"):
            self._find_prepared(payload)["Description"] = payload["Description"]

    def _batch_get_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        names, group = payload.get("PreparedStatementNames") or [], payload["WorkGroup"]
        return {
            "PreparedStatements": [self._prepared[group, n] for n in names if (group, n) in self._prepared],
            "UnprocessedPreparedStatementNames": [
                {"StatementName": n, "ErrorCode": "STATEMENT_NOT_FOUND", "ErrorMessage": "was not found"}
                for n in names
                if (group, n) not in self._prepared
            ],
        }

    def _list_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._require(payload["WorkGroup"])
        found = [
            {"StatementName": name, "LastModifiedTime": kept["LastModifiedTime"]}
            for (group, name), kept in sorted(self._prepared.items())
            if group == payload["WorkGroup"]
        ]
        return page(payload, "PreparedStatements", found)

    def _delete_prepared(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.deallocate(payload["WorkGroup"], payload["StatementName"])
        return {}
