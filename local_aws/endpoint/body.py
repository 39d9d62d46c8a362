"""Request bodies on their way to a file: never held in memory, checked as S3 checks them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from local_aws.endpoint.s3_errors import S3Error

CHECKSUM_HEADER = re.compile(r"x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)")
_CHUNK = 1 << 20
_LONGEST_LINE = 8192


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    """zlib's CRC-32 with the face of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """Return the checksum, four bytes, highest first."""
        return self._value.to_bytes(4, "big")


@dataclass(frozen=True)
class Received:
    """Bytes that were written to a file.

    Attributes:
        path: The file.
        size: Bytes.
        md5: Their MD5 in hexadecimal.
        checksums: The checksums that the sender claimed, by header, in base64. Those of CRC-32, SHA-1 and
            SHA-256 were compared with the bytes.
    """

    path: Path
    size: int
    md5: str
    checksums: Mapping[str, str]


def new_digest(algorithm: str) -> _Digest | None:
    """Return what computes a checksum, None for those (CRC-32C, CRC-64/NVME) that need an own library.

    Args:
        algorithm: As in S3's headers, in lower case.
    """
    if algorithm == "crc32":
        return _Crc32()
    if algorithm in {"sha1", "sha256"}:
        return hashlib.new(algorithm, usedforsecurity=False)
    return None


def receive(stream: BinaryIO, headers: Mapping[str, str], path: Path) -> Received:
    """Write a request's body to a file.

    Args:
        stream: The body as it comes from the wire, ending where the request ends.
        headers: The request's headers, names in lower case.
        path: Where to write.

    Returns:
        What was received.

    Raises:
        S3Error: If the body ends early or is not what its checksums say.
    """
    claimed = {name: value for name, value in headers.items() if CHECKSUM_HEADER.fullmatch(name)}
    expected_size = int(headers.get("x-amz-decoded-content-length") or headers.get("content-length") or 0)
    chunks: Iterable[bytes] = _read(stream)
    trailers: dict[str, str] = {}
    if headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        chunks = _decode_aws_chunks(stream, trailers)
    announced = [name for name in headers.get("x-amz-trailer", "").lower().split(",") if name]
    digests = {name: new_digest(name.removeprefix("x-amz-checksum-")) for name in {*claimed, *announced}}
    md5 = hashlib.md5(usedforsecurity=False)
    size = write_chunks(chunks, path, [md5, *filter(None, digests.values())])
    chunked = "chunked" in headers.get("transfer-encoding", "")
    if size != expected_size and not (chunked and "x-amz-decoded-content-length" not in headers):
        raise S3Error(
            400, "IncompleteBody", f"The request's body has {size} bytes, announced were {expected_size}"
        )
    claimed.update({name: value for name, value in trailers.items() if CHECKSUM_HEADER.fullmatch(name)})
    computed = {
        name: encode_digest(digest.digest()) for name, digest in digests.items() if digest is not None
    }
    _compare(claimed, computed)
    _compare({"content-md5": headers.get("content-md5", "")}, {"content-md5": encode_digest(md5.digest())})
    return Received(path, size, md5.hexdigest(), claimed)


def write_chunks(chunks: Iterable[bytes], path: Path, digests: Iterable[_Digest]) -> int:
    """Write bytes to a file and feed them to digests.

    Args:
        chunks: The bytes, in order.
        path: The file.
        digests: What takes the bytes in as well.

    Returns:
        How many bytes there were.
    """
    size = 0
    takers = tuple(digests)
    with path.open("wb", buffering=0) as file:
        for chunk in chunks:
            file.write(chunk)
            size += len(chunk)
            for taker in takers:
                taker.update(chunk)
    return size


def _compare(claimed: Mapping[str, str], computed: Mapping[str, str]) -> None:
    for name, value in claimed.items():
        if value and name in computed and value != computed[name]:
            raise S3Error(
                400,
                "BadDigest",
                f"The {name} you specified ({value}) did not match what was received ({computed[name]})",
            )


def encode_digest(digest: bytes) -> str:
    """Return a digest in base64, as S3's headers hold it."""
    return base64.b64encode(digest).decode()


def _read(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _decode_aws_chunks(stream: BinaryIO, trailers: dict[str, str]) -> Iterator[bytes]:
    """Undo the `aws-chunked` encoding: hexadecimal size[;signature], bytes, ..., zero, trailers."""
    while (size := _chunk_size(stream)) > 0:
        while size > 0:
            chunk = stream.read(min(size, _CHUNK))
            if not chunk:
                raise S3Error(400, "IncompleteBody", "The request's body ends in the middle of a chunk")
            size -= len(chunk)
            yield chunk
        stream.readline(_LONGEST_LINE)
    while line := stream.readline(_LONGEST_LINE).strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()


def _chunk_size(stream: BinaryIO) -> int:
    line = stream.readline(_LONGEST_LINE).partition(b";")[0].strip()
    try:
        return int(line, 16)
    except ValueError as error:
        raise S3Error(
            400, "IncompleteBody", "The request's body is not aws-chunked as its headers say"
        ) from error


def base64_digest(algorithm: str, parts: Iterable[str]) -> str | None:
    """Return the checksum of checksums that S3 gives an object of several parts.

    Args:
        algorithm: As in S3's headers, in lower case.
        parts: The parts' own checksums, in base64.

    Returns:
        The checksum in base64, None where it cannot be computed.
    """
    digest = new_digest(algorithm)
    if digest is None:
        return None
    try:
        for part in parts:
            digest.update(base64.b64decode(part, validate=True))
    except binascii.Error:
        return None
    return encode_digest(digest.digest())
