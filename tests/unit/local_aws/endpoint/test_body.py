"""Request bodies: decoded, written and checked as S3 checks them."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.endpoint.body import base64_digest, receive
from local_aws.endpoint.s3_errors import S3Error

CONTENT = b"the content\r\nof an object"


def crc32(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def aws_chunked(chunks: list[bytes], trailers: str = "", signature: str = "") -> bytes:
    sized = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), signature.encode(), chunk) for chunk in chunks)
    return sized + b"0%s\r\n%s\r\n" % (signature.encode(), trailers.encode())


def chunked_headers(content: bytes) -> dict[str, str]:
    return {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(content)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }


@given(chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=5), signed=st.booleans())
def test_chunks_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], signed: bool
) -> None:
    content = b"".join(chunks)
    signature = ";chunk-signature=" + "0" * 64 if signed else ""
    body = aws_chunked(chunks, f"x-amz-checksum-crc32:{crc32(content)}\r\n", signature)
    path = tmp_path_factory.mktemp("body") / "staged"
    received = receive(io.BytesIO(body), chunked_headers(content), path)
    assert path.read_bytes() == content
    assert received.size == len(content)
    assert received.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert received.checksums == {"x-amz-checksum-crc32": crc32(content)}


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("x-amz-checksum-crc32", crc32(CONTENT)),
        ("x-amz-checksum-sha256", sha256(CONTENT)),
        (
            "x-amz-checksum-sha1",
            base64.b64encode(hashlib.sha1(CONTENT, usedforsecurity=False).digest()).decode(),
        ),
        ("content-md5", base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()),
    ],
)
def test_a_checksum_must_be_that_of_the_bytes(tmp_path: Path, name: str, right: str) -> None:
    headers = {"content-length": str(len(CONTENT)), name: right}
    receive(io.BytesIO(CONTENT), headers, tmp_path / "staged")
    with pytest.raises(S3Error, match="did not match") as caught:
        receive(io.BytesIO(CONTENT.upper()), headers, tmp_path / "staged")
    assert caught.value.code == "BadDigest"


def test_a_trailing_checksum_must_be_that_of_the_bytes(tmp_path: Path) -> None:
    body = aws_chunked([CONTENT], f"x-amz-checksum-crc32:{crc32(b'other')}\r\n")
    with pytest.raises(S3Error, match="did not match"):
        receive(io.BytesIO(body), chunked_headers(CONTENT), tmp_path / "staged")


def test_a_checksum_that_needs_a_library_of_its_own_is_kept_as_it_came(tmp_path: Path) -> None:
    headers = {"content-length": str(len(CONTENT)), "x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}
    received = receive(io.BytesIO(CONTENT), headers, tmp_path / "staged")
    assert received.checksums == {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nab",  # ends in the middle of a chunk
        b"2\r\nab\r\n0\r\n\r\n",  # shorter than announced
        b"zz\r\n",  # no size
        b"",
    ],
)
def test_a_body_that_ends_early_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        receive(io.BytesIO(body), chunked_headers(b"abcde"), tmp_path / "staged")
    assert caught.value.code == "IncompleteBody"


def test_a_plain_body_that_is_shorter_than_announced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(S3Error, match="announced were 9"):
        receive(io.BytesIO(b"abc"), {"content-length": "9"}, tmp_path / "staged")


def test_a_body_of_unannounced_length_is_taken_as_it_comes(tmp_path: Path) -> None:
    received = receive(io.BytesIO(CONTENT), {"transfer-encoding": "chunked"}, tmp_path / "staged")
    assert received.size == len(CONTENT)


def test_the_checksum_of_checksums_is_over_the_decoded_parts() -> None:
    parts = [b"one", b"two"]
    expected = sha256(b"".join(hashlib.sha256(part).digest() for part in parts))
    assert base64_digest("sha256", map(sha256, parts)) == expected
    assert base64_digest("crc64nvme", ["AAAA"]) is None
    assert base64_digest("sha256", ["not base64!"]) is None
