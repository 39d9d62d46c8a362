"""Work groups: moto keeps them and their tags; changing one and refusing an unknown name is done here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.athena.query_errors import AthenaError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

_SETTINGS = (
    "BytesScannedCutoffPerQuery",
    "EnforceWorkGroupConfiguration",
    "PublishCloudWatchMetricsEnabled",
    "RequesterPaysEnabled",
)


class WorkGroups:
    """Finds work groups and changes them.

    Args:
        athena: Athena client of the stack, whose calls about work groups moto answers.
    """

    def __init__(self, athena: AthenaClient) -> None:
        self._athena = athena
        self._lock = threading.Lock()
        self.actions: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "GetWorkGroup": self._get,
            "UpdateWorkGroup": self._update,
        }

    def configuration(self, name: str) -> dict[str, Any]:
        """A work group's configuration.

        Raises:
            AthenaError: There is no such work group.
        """
        with self._lock:
            return dict(self._find(name).get("Configuration") or {})

    def _find(self, name: str) -> dict[str, Any]:
        try:
            return dict(self._athena.get_work_group(WorkGroup=name)["WorkGroup"])
        except (ClientError, BotoCoreError) as error:
            raise _not_found(name) from error

    def _get(self, payload: dict[str, Any]) -> None:
        """Refuse an unknown name, which moto answers with nothing; what a group is, it says itself."""
        name = payload["WorkGroup"]
        if name not in {group["Name"] for group in self._athena.list_work_groups()["WorkGroups"]}:
            raise _not_found(name)

    def _update(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload.get("State") == "DISABLED":
            raise AthenaError("InvalidRequestException", "This stack cannot disable a work group; delete it.")
        with self._lock:
            group = self._find(payload["WorkGroup"])
            configuration = changed(group["Configuration"], payload.get("ConfigurationUpdates") or {})
            # Deleting leaves a group's tags where they are.
            self._athena.delete_work_group(WorkGroup=group["Name"])
            self._athena.create_work_group(
                Name=group["Name"],
                Description=payload.get("Description", group.get("Description", "")),
                Configuration=configuration,
            )
        return {}


def _not_found(name: str) -> AthenaError:
    return AthenaError("InvalidRequestException", f"WorkGroup {name} is not found.")


def changed(configuration: Mapping[str, Any], updates: Mapping[str, Any]) -> Any:
    """A configuration after UpdateWorkGroup's ``ConfigurationUpdates``."""
    result = {**configuration, **{key: updates[key] for key in _SETTINGS if key in updates}}
    if updates.get("RemoveBytesScannedCutoffPerQuery"):
        result.pop("BytesScannedCutoffPerQuery", None)
    results = dict(result.get("ResultConfiguration") or {})
    wanted = updates.get("ResultConfigurationUpdates") or {}
    if wanted.get("OutputLocation"):
        results["OutputLocation"] = wanted["OutputLocation"]
    if wanted.get("RemoveOutputLocation"):
        results.pop("OutputLocation", None)
    return {**result, "ResultConfiguration": results}
