"""The types of AWS clients, as boto3's stubs name them; where jobs run there are no stubs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
else:
    AthenaClient = GlueClient = IAMClient = S3Client = SecretsManagerClient = Any

__all__ = ["AthenaClient", "GlueClient", "IAMClient", "S3Client", "SecretsManagerClient"]
