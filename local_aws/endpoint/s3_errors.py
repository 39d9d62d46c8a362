"""Errors of the S3 API, as its callers see them."""

from __future__ import annotations


class S3Error(Exception):
    """An S3 request that cannot be done.

    Args:
        status: The HTTP status.
        code: S3's name of the error.
        message: What is wrong, for a person.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def no_such_key(key: str) -> S3Error:
    """Make the error for an object that is not there."""
    return S3Error(404, "NoSuchKey", f"The specified key does not exist: {key}")


def no_such_version(key: str) -> S3Error:
    """Make the error for a version of an object that is not there."""
    return S3Error(404, "NoSuchVersion", f"The specified version does not exist: {key}")


def is_a_delete_marker(key: str) -> S3Error:
    """Make the error for reading a version that only says that the object was removed."""
    return S3Error(405, "MethodNotAllowed", f"The specified version is a delete marker: {key}")


def no_such_bucket(bucket: str) -> S3Error:
    """Make the error for a bucket that is not there."""
    return S3Error(404, "NoSuchBucket", f"The specified bucket does not exist: {bucket}")


def precondition_failed(header: str) -> S3Error:
    """Make the error for a condition that does not hold.

    Args:
        header: The request header that states the condition.
    """
    return S3Error(412, "PreconditionFailed", f"At least one of the pre-conditions did not hold: {header}")


def key_conflict(key: str) -> S3Error:
    """Make the error for a key that cannot stand beside the objects that are there."""
    return S3Error(
        400,
        "InvalidRequest",
        f"On a laptop objects are files, and a file cannot also be a directory: {key!r} cannot be stored, "
        "because an object stands at one of its parents, or other objects stand under it",
    )


def access_denied(why: str) -> S3Error:
    """Make the error for what the caller may not do."""
    return S3Error(403, "AccessDenied", why)
