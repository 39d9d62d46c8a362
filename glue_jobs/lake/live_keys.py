"""What the lake holds as live: the keys of each table, beside the commits.

Keys that are whole numbers are a compressed bitmap: two million of a serial column are a few hundred bytes.
Keys that are texts (:mod:`catalog.keys`) are parquet objects, the first with all of them, later ones with
what came and went since. How many are live stands in the commit.

Every visible row was captured before or is new now, so the source's keys are among the live and the captured
ones, and equal *numbers* prove that none is missing. Only when they differ do the source's keys travel.
"""

from __future__ import annotations

import array
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from glue_jobs.lake import objects
from glue_jobs.lake.commits import DataObject
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime.aws import S3Client

if TYPE_CHECKING:
    import pyarrow as pa

SEEN_LIMIT = 100_000
"""How many versions that may be read again are remembered for one table."""

SPANS = 32
"""Into how many spans the keys of a capture are told at most."""

SPANNED_KEYS = 1_000_000
"""How many keys are told in spans at most; more of them are anywhere."""

PREFIX = "_commits/capture-state/"

KEY, LIVE = "key", "is_live"
"""Columns of the objects of keys that are texts."""


def _parquet() -> Any:
    """Arrow's parquet: whoever only asks where keys are kept need not wait for it."""
    import pyarrow.parquet as pq

    return pq


def integers(column: pa.Array) -> npt.NDArray[np.int64]:
    """The values of a key column, nulls left out."""
    values: npt.NDArray[np.int64] = column.drop_null().cast("int64").to_numpy(zero_copy_only=False)
    return values


def keys_of(values: npt.NDArray[np.int64]) -> BitMap64:
    """Keys as a bitmap; negative ones stand above all others, as two's complement has them."""
    # The constructor's fast path asks for this very type.
    return BitMap64(array.array("Q", values.tobytes()))


def values_of(keys: BitMap64) -> npt.NDArray[np.int64]:
    """The keys in a bitmap: the inverse of :func:`keys_of`."""
    return np.asarray(keys.to_array(), dtype=np.uint64).view(np.int64)


def spans_of(keys: BitMap64, at_most: int = SPANS) -> tuple[tuple[int, int], ...]:
    """A few spans, both ends included, that hold all keys of a bitmap: it is cut where the gaps are widest.

    Args:
        keys: The keys.
        at_most: How many spans.

    Returns:
        The spans in order; none for more keys than are worth it.
    """
    if not 0 < len(keys) <= SPANNED_KEYS:
        return ()
    values = np.sort(values_of(keys))
    gaps = np.diff(values.view(np.uint64))
    widest = np.sort(np.argsort(gaps, kind="stable")[::-1][: at_most - 1])
    cuts = widest[gaps[widest] > 1]
    lows, highs = values[np.r_[0, cuts + 1]], values[np.r_[cuts, len(values) - 1]]
    return tuple(zip(lows.tolist(), highs.tolist()))


def contains(values: npt.NDArray[np.int64], keys: BitMap64) -> npt.NDArray[np.bool_]:
    """Which of these values a bitmap holds."""
    if not len(keys):
        return np.zeros(len(values), dtype=bool)
    return np.isin(values, values_of(keys_of(values) & keys))


@dataclass(frozen=True)
class Versions:
    """Versions that were published and may be read again: pairs of key and version id, sorted.

    While a transaction stays open, everything written since it began is read again by each capture. Knowing
    what was published already keeps an unchanged source from giving new batches.
    """

    keys: npt.NDArray[Any]
    ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Versions)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.ids, other.ids)
        )

    __hash__ = None  # type: ignore[assignment]

    def contains(self, keys: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of these pairs are known."""
        if not len(self):
            return np.zeros(len(keys), dtype=bool)
        if keys.dtype == object:
            known = set(zip(self.keys.tolist(), self.ids.tolist()))
            return np.fromiter(
                (pair in known for pair in zip(keys, ids.tolist())), dtype=bool, count=len(keys)
            )
        return np.isin(_pairs(keys, ids), _pairs(self.keys, self.ids))


NO_VERSIONS = Versions(np.empty(0, np.int64), np.empty(0, np.int64))


def versions_of(keys: npt.NDArray[Any], ids: npt.NDArray[np.int64]) -> Versions:
    """Sorted, each pair once."""
    if keys.dtype == object:
        listed = sorted(set(zip(keys.tolist(), ids.tolist())))
        return Versions(
            np.array([key for key, _ in listed], dtype=object), np.array([of for _, of in listed], np.int64)
        )
    pairs = np.unique(_pairs(keys, ids))
    return Versions(pairs["key"].copy(), pairs["id"].copy())


def _pairs(keys: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    pairs = np.empty(len(keys), dtype=[("key", np.int64), ("id", np.int64)])
    pairs["key"], pairs["id"] = keys, ids
    return pairs


class KeyStore:
    """Reads and writes these objects; a written object is never touched again.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def live(self, kept: Optional[StateObject]) -> BitMap64:
        """The live keys that an object keeps; none without one.

        Raises:
            ChecksumMismatch: The object is not what the commit says.
        """
        return BitMap64() if kept is None else BitMap64.deserialize(self._get(kept))

    def seen(self, kept: Optional[StateObject]) -> Versions:
        """The versions that an object keeps; none without one.

        Raises:
            ChecksumMismatch: The object is not what the commit says.
        """
        if kept is None:
            return NO_VERSIONS
        table = self.table(kept)
        return Versions(table["key"].to_numpy(), table["id"].to_numpy())

    def leaves(self, kept: Optional[StateObject]) -> dict[int, int]:
        """The relations that an object keeps, each with its number of rows; none without one.

        Raises:
            ChecksumMismatch: The object is not what the commit says.
        """
        if kept is None:
            return {}
        table = self.table(kept)
        return dict(zip(table["leaf"].to_pylist(), table["rows"].to_pylist()))

    def keep_live(self, table: str, label: str, keys: BitMap64) -> StateObject:
        """Write the live keys of a table, or other numbers of it, for a commit that is about to be made."""
        return self._put(f"{PREFIX}{table}/{label}.roaring", keys.serialize(), len(keys))

    def download(self, kept: StateObject, folder: Path) -> list[Path]:
        """Read the objects of keys that are texts into a folder, the oldest first.

        Raises:
            ChecksumMismatch: One is not what the commit says.
        """
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{place:06d}.parquet" for place in range(len(kept.parts))]
        for data, path in zip(kept.parts, paths):
            objects.download(self._s3, self._bucket, data, path)
        return paths

    def keep_texts(
        self, table: str, label: str, path: Path, rows: int, count: int, before: tuple[DataObject, ...] = ()
    ) -> StateObject:
        """Write which keys came and went, for a commit that is about to be made.

        Args:
            table: The table.
            label: Names the object.
            path: The file.
            rows: Its rows.
            count: How many keys are live after it.
            before: The objects that it stands upon; without any it states every key.
        """
        key = f"{PREFIX}{table}/{label}.keys.parquet"
        data = objects.upload(self._s3, self._bucket, key, path, rows)
        return StateObject(key, data.sha256, count, (*before, data))

    def keep_no_texts(self, table: str, label: str) -> StateObject:
        """Write that no key of a table is live, where its keys are texts."""
        import pyarrow as pa

        columns = {KEY: pa.array([], pa.string()), LIVE: pa.array([], pa.bool_())}
        sink = io.BytesIO()
        _parquet().write_table(pa.table(columns), sink)
        key, body = f"{PREFIX}{table}/{label}.keys.parquet", sink.getvalue()
        kept = self._put(key, body, 0)
        return StateObject(key, kept.sha256, 0, (DataObject(key, 0, len(body), kept.sha256),))

    def keep_seen(self, table: str, label: str, versions: Versions) -> Optional[StateObject]:
        """Write the versions that may be read again; nothing where there are none."""
        if not len(versions):
            return None
        return self._put_columns(
            f"{PREFIX}{table}/{label}.seen.parquet", {"key": versions.keys, "id": versions.ids}
        )

    def keep_leaves(self, table: str, label: str, leaves: Mapping[int, int]) -> Optional[StateObject]:
        """Write the relations that hold a table's rows, each with how many; nothing where there are none."""
        if not leaves:
            return None
        columns = {"leaf": list(leaves), "rows": list(leaves.values())}
        return self._put_columns(f"{PREFIX}{table}/{label}.leaves.parquet", columns)

    def keep_table(self, name: str, label: str, table: pa.Table) -> StateObject:
        """Write a table that is part of a state.

        Args:
            name: What it is part of, such as ``feeds/<feed>``.
            label: Begins with the batch and the attempt; names what is written.
            table: The table.
        """
        return self._put_table(f"{PREFIX}{name}/{label}.parquet", table)

    def table(self, kept: StateObject) -> pa.Table:
        """The table that an object keeps.

        Raises:
            ChecksumMismatch: The object is not what the commit says.
        """
        return _parquet().read_table(io.BytesIO(self._get(kept)))

    def _put_columns(self, key: str, columns: Mapping[str, Any]) -> StateObject:
        import pyarrow as pa

        return self._put_table(key, pa.table(dict(columns)))

    def _put_table(self, key: str, table: pa.Table) -> StateObject:
        sink = io.BytesIO()
        _parquet().write_table(table, sink)
        return self._put(key, sink.getvalue(), table.num_rows)

    def _get(self, kept: StateObject) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=kept.key)["Body"].read()
        if hashlib.sha256(body).hexdigest() != kept.sha256:
            raise ChecksumMismatch(f"s3://{self._bucket}/{kept.key} is not what the capture's commit says")
        return body

    def _put(self, key: str, body: bytes, count: int) -> StateObject:
        # The key holds the attempt's own name: what is there already is what this attempt put.
        put_new(self._s3, self._bucket, key, body)
        return StateObject(key, hashlib.sha256(body).hexdigest(), count)
