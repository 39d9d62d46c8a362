"""URLs, bytes, their encodings and their digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, unquote, unquote_plus

from local_aws.athena.java_uri import Uri, read_uri
from local_aws.athena.query_errors import Failed


def url_encode(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


def url_decode(text: str) -> str:
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise Failed(f"Illegal hex characters in escape (%) pattern: {text}")
    return unquote_plus(text)


def _url(part: Callable[[Uri], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        found = read_uri(text)
        return None if found is None else part(found)

    return read


url_protocol = _url(lambda url: url.scheme or "")
url_host = _url(lambda url: url.host or "")
url_port = _url(lambda url: url.port)
url_path = _url(lambda url: url.path or "")
url_query = _url(lambda url: unquote(url.query or ""))
url_fragment = _url(lambda url: url.fragment or "")
_raw_query = _url(lambda url: url.query)


def url_parameter(text: str, name: str) -> str | None:
    query = _raw_query(text)
    for part in query.split("&") if query is not None else []:
        key, _, value = part.partition("=")
        if key == name:
            return url_decode(value)
    return None


def crc32(value: bytes) -> int:
    return zlib.crc32(value)


def _decoded(function: Callable[[Any], bytes], value: object) -> bytes:
    try:
        return function(value)
    except (ValueError, binascii.Error) as error:
        raise Failed(str(error)) from None


def from_base64(text: str) -> bytes:
    return _decoded(lambda v: base64.b64decode(v + "=" * (-len(v) % 4), validate=True), text)


def from_base64url(text: str) -> bytes:
    return _decoded(lambda v: base64.b64decode(v + "=" * (-len(v) % 4), altchars=b"-_", validate=True), text)


def from_base32(text: str) -> bytes:
    return _decoded(lambda v: base64.b32decode(v + "=" * (-len(v) % 8)), text)


def to_base32(value: bytes) -> str:
    return base64.b32encode(value).decode()


def to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def to_base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def from_hex(text: str) -> bytes:
    if re.search(r"\s", text):
        raise Failed("invalid hex character")
    return _decoded(bytes.fromhex, text)


def _unpacked(form: str, value: bytes) -> Any:
    if len(value) != struct.calcsize(form):
        raise Failed(f"expected {struct.calcsize(form)}-byte input, but got instead: {len(value)}")
    return struct.unpack(form, value)[0]


def from_big_endian_32(value: bytes) -> int:
    return int(_unpacked(">i", value))


def from_big_endian_64(value: bytes) -> int:
    return int(_unpacked(">q", value))


def from_ieee754_32(value: bytes) -> float:
    return float(_unpacked(">f", value))


def from_ieee754_64(value: bytes) -> float:
    return float(_unpacked(">d", value))


def to_big_endian_32(value: int) -> bytes:
    return struct.pack(">i", value)


def to_big_endian_64(value: int) -> bytes:
    return struct.pack(">q", value)


def to_ieee754_32(value: float) -> bytes:
    return struct.pack(">f", value)


def to_ieee754_64(value: float) -> bytes:
    return struct.pack(">d", value)


def md5(value: bytes) -> bytes:
    return hashlib.md5(value, usedforsecurity=False).digest()


def sha1(value: bytes) -> bytes:
    return hashlib.sha1(value, usedforsecurity=False).digest()


def sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def sha512(value: bytes) -> bytes:
    return hashlib.sha512(value).digest()


def hmac_md5(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "md5").digest()


def hmac_sha1(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha1").digest()


def hmac_sha256(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha256").digest()


def hmac_sha512(value: bytes, key: bytes) -> bytes:
    return hmac.new(key, value, "sha512").digest()


_P = (
    11400714785074694791,
    14029467366897019727,
    1609587929392839161,
    9650029242287828579,
    2870177450012600261,
)
MASK = 2**64 - 1


def rotated(value: int, places: int) -> int:
    return ((value << places) | (value >> (64 - places))) & MASK


def _lane(start: int, block: int) -> int:
    return rotated((start + block * _P[1]) & MASK, 31) * _P[0] & MASK


def xxhash64(value: bytes) -> bytes:
    size, at = len(value), 0
    if size >= 32:
        lanes = [(_P[0] + _P[1]) & MASK, _P[1], 0, -_P[0] & MASK]
        while at + 32 <= size:
            lanes = [_lane(v, b) for v, b in zip(lanes, struct.unpack_from("<4Q", value, at), strict=True)]
            at += 32
        total = sum(rotated(v, p) for v, p in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for lane in lanes:
            total = ((total ^ _lane(0, lane)) * _P[0] + _P[3]) & MASK
    else:
        total = _P[4]
    total = (total + size) & MASK
    while at + 8 <= size:
        total = (rotated(total ^ _lane(0, struct.unpack_from("<Q", value, at)[0]), 27) * _P[0] + _P[3]) & MASK
        at += 8
    if at + 4 <= size:
        block = struct.unpack_from("<I", value, at)[0]
        total = (rotated(total ^ (block * _P[0] & MASK), 23) * _P[1] + _P[2]) & MASK
        at += 4
    for octet in value[at:]:
        total = rotated(total ^ (octet * _P[4] & MASK), 11) * _P[0] & MASK
    for shift, factor in ((33, _P[1]), (29, _P[2])):
        total = ((total ^ (total >> shift)) * factor) & MASK
    return struct.pack(">Q", total ^ (total >> 32))
