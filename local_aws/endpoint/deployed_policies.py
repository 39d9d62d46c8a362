"""The policies that are deployed in the endpoint, of roles and of what they come to, as moto keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_aws.rights.actions import AccountContext
from local_aws.rights.policy import Policy, read_policy

_OWN_KEYS = "alias/aws/"


class DeployedPolicies:
    """Looks up what is deployed, without a request.

    Args:
        place: The account and region that the endpoint plays.
    """

    def __init__(self, place: AccountContext) -> None:
        self._place = place

    def of_role(self, name: str) -> list[Policy]:
        """The policies of a role; none where there is no such role."""
        role = self._role(name)
        if role is None:
            return []
        attached = [
            version.document
            for policy in role.managed_policies.values()
            for version in policy.versions
            if version.version_id == policy.default_version_id
        ]
        texts = [*role.policies.values(), *attached]
        return [read_policy(_plain(text), "identity") for text in texts]

    def trust_of_role(self, name: str) -> Policy | None:
        """Whom a role trusts; None where there is no such role."""
        role = self._role(name)
        return None if role is None else read_policy(_plain(role.assume_role_policy_document), "trust")

    def _role(self, name: str) -> Any:
        roles = iam_backends[self._place.account][self._place.partition].roles
        return next((role for role in roles.values() if role.name == name), None)

    def of_bucket(self, name: str) -> Policy | None:
        """The policy of a bucket."""
        bucket = self._bucket(name)
        stated = None if bucket is None else bucket.policy
        return read_policy(_plain(stated), "resource") if stated else None

    def key_of_bucket(self, name: str) -> str | None:
        """The ARN of the customer's key that encrypts a bucket; None where S3's own does."""
        bucket = self._bucket(name)
        if bucket is None or not bucket.encryption:
            return None
        rules = bucket.encryption.get("Rule")
        for rule in rules if isinstance(rules, Sequence) else [rules]:
            by = (rule or {}).get("ApplyServerSideEncryptionByDefault") or {}
            if by.get("SSEAlgorithm") == "aws:kms":
                return self._customer_key(by.get("KMSMasterKeyID"))
        return None

    def _bucket(self, name: str) -> Any:
        return s3_backends[self._place.account][self._place.partition].buckets.get(name)

    def secret(self, name_or_arn: str) -> tuple[str, Policy | None, str | None]:
        """The ARN of a secret, its policy, and the ARN of the customer's key that encrypts it.

        Of one that is not there the ARN is what AWS would look for.
        """
        secrets = secretsmanager_backends[self._place.account][self._place.region].secrets
        found: Any = secrets.get(name_or_arn)
        if found is None:
            stated = name_or_arn.startswith("arn:")
            return (
                name_or_arn if stated else self._place.arn("secretsmanager", f"secret:{name_or_arn}"),
                None,
                None,
            )
        policy = getattr(found, "policy", None)
        read = read_policy(_plain(policy), "resource") if policy else None
        return found.arn, read, self._customer_key(found.kms_key_id)

    def topic(self, arn: str) -> tuple[Policy | None, str | None]:
        """The policy of a topic, and the ARN of the customer's key that encrypts it.

        Raises:
            KeyError: There is no such topic.
        """
        found = sns_backends[self._place.account][self._place.region].topics[arn]
        return read_policy(_plain(found.policy), "resource"), self._customer_key(found.kms_master_key_id)

    def queue(self, arn: str) -> tuple[Policy | None, str | None]:
        """The policy of a queue, and the ARN of the customer's key that encrypts it.

        Raises:
            KeyError: There is no such queue.
        """
        found: Any = sqs_backends[self._place.account][self._place.region].queues[arn.rpartition(":")[2]]
        policy = read_policy(_plain(found.policy), "resource") if found.policy else None
        return policy, self._customer_key(found.kms_master_key_id)

    def of_logs(self) -> list[Policy]:
        """The policies by which log groups let services write."""
        stated = logs_backends[self._place.account][self._place.region].resource_policies.values()
        return [read_policy(_plain(one.policy_document), "resource") for one in stated]

    def of_key(self, arn: str) -> Policy | None:
        """The policy of a key; None where there is no such key."""
        key = self._keys().keys.get(arn.rpartition("/")[2])
        return None if key is None else read_policy(_plain(key.policy), "resource")

    def _customer_key(self, named: str | None) -> str | None:
        if not named or named.startswith(_OWN_KEYS):
            return None
        identity = self._keys().any_id_to_key_id(named)
        key = self._keys().keys.get(identity)
        return None if key is None else str(key.arn)

    def _keys(self) -> Any:
        return kms_backends[self._place.account][self._place.region]


def _plain(text: Any) -> str:
    """A policy's text; some of them are kept as they came, percent-encoded or as bytes."""
    plain = text.decode() if isinstance(text, bytes) else str(text)
    return unquote(plain) if plain.startswith("%") else plain
