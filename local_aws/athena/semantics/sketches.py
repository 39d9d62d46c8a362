"""Sketches of sets: here the hashes of all values, of which Trino keeps what it needs to estimate."""

from __future__ import annotations

import struct
from typing import Any

from local_aws.athena.kinds import INTEGERS, Type
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.binary import MASK, rotated

_C = (0x87C37B91114253D5, 0x4CF5AD432745937F)
_MOST = 8192
"""How many hashes a digest of Trino holds; of more it estimates."""


def murmur3(octets: bytes) -> bytes:
    return struct.pack("<QQ", *_murmur3(octets))


def _murmur3(octets: bytes) -> tuple[int, int]:
    """MurmurHash3 of 128 bits, for 64-bit machines, without a seed."""
    one = two = 0
    whole = len(octets) - len(octets) % 16
    for place in range(0, whole, 16):
        low, high = struct.unpack_from("<QQ", octets, place)
        one = (rotated(one ^ _lane(low, 0), 27) + two) * 5 + 0x52DCE729 & MASK
        two = (rotated(two ^ _lane(high, 1), 31) + one) * 5 + 0x38495AB5 & MASK
    low, high = struct.unpack("<QQ", octets[whole:].ljust(16, b"\0"))
    one, two = one ^ _lane(low, 0) ^ len(octets), two ^ _lane(high, 1) ^ len(octets)
    one = (one + two) & MASK
    two = (two + one) & MASK
    one, two = _mixed(one), _mixed(two)
    one = (one + two) & MASK
    return one, (two + one) & MASK


def _lane(block: int, which: int) -> int:
    first, second = _C if which == 0 else (_C[1], _C[0])
    return rotated(block * first & MASK, 31 if which == 0 else 33) * second & MASK


def _mixed(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ (value >> 33)) * factor & MASK
    return value ^ (value >> 33)


def hash_of(value: Any, *, types: list[Type]) -> int:
    """The signed 64 bits that stand for a value in a sketch."""
    if types[0].base == "double":
        octets = struct.pack("<d", value)
    elif types[0].base in INTEGERS:
        octets = struct.pack("<q", value)
    else:
        octets = value.encode()
    found = _murmur3(octets)[0]
    return found - 2**64 if found >> 63 else found


def sketch(hashes: list[int | None]) -> list[int] | None:
    return sorted({one for one in hashes if one is not None}) or None


def merged(sketches: list[list[int] | None]) -> list[int] | None:
    there = [one for one in sketches if one is not None]
    return sorted({item for one in there for item in one}) if there else None


def _require_exact(*sketches: list[int]) -> None:
    if any(len(one) >= _MOST for one in sketches):
        raise Failed(f"A digest of {_MOST} values or more is not supported here", "NOT_SUPPORTED")


def digest_cardinality(one: list[int]) -> int:
    _require_exact(one)
    return len(one)


def intersection_cardinality(left: list[int], right: list[int]) -> int:
    _require_exact(left, right)
    return len(set(left) & set(right))


def jaccard_index(left: list[int], right: list[int]) -> float:
    """The share of common hashes among the smallest of both, as many as the smaller digest has."""
    _require_exact(left, right)
    count, both = min(len(left), len(right)), set(left) & set(right)
    return sum(item in both for item in sorted({*left, *right})[:count]) / count
