"""What a capture knows of the keys of one table: which were live, which it has read, which are gone.

Keys that are whole numbers are bitmaps in memory, which hold any number of them. Keys that are texts lie in
files; DuckDB compares them, within the memory that it is given, and only where there is something to compare:
a capture that reads nothing new of a table, and finds as many rows as keys, reads none of them.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap64

from catalog.keys import is_number
from catalog.model import Contract
from glue_jobs.lake import live_keys
from glue_jobs.lake.key_text import key_columns, key_texts
from glue_jobs.lake.live_keys import KEY, LIVE, NO_VERSIONS, KeyStore, Versions
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime.errors import TablePaused

if TYPE_CHECKING:
    import duckdb

MEMORY = "192MB"
"""What DuckDB may hold before it moves to its temporary directory."""

SMALL_CHANGE = 10_000
"""Up to so many keys that came or went are written beside those that were there, however few these are."""

CHANGED_SHARE = 4
"""More than one in so many keys that came or went since all were written: all are written again."""

PARTS = 64
"""After so many objects all keys are written again."""

BATCH_ROWS = 100_000
"""Keys of a deletion that are written at once."""

_SCHEMA = pa.schema([pa.field(KEY, pa.string()), pa.field(LIVE, pa.bool_())])

Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ResumedKeys:
    """Missing keys that a person let go.

    Attributes:
        place: Where they are kept, for messages.
        sha256: Their checksum.
        read: Reads what is kept.
    """

    place: str
    sha256: str
    read: Callable[[], bytes]


class MissingKeys(Protocol):
    """Keys that were live, or came since, and that the source lacks."""

    def __len__(self) -> int: ...

    def checksum(self) -> str:
        """A checksum of them, whatever file they lie in."""

    def body(self) -> bytes:
        """What is kept of them, for :meth:`without`."""

    def without(self, resumed: Sequence[ResumedKeys]) -> int:
        """How many of them nobody let go.

        Raises:
            ChecksumMismatch: What is kept is not what was missing.
        """

    def columns(self) -> Iterator[dict[str, pa.Array]]:
        """The key's columns, some keys at a time."""


@dataclass(frozen=True)
class Seen:
    """What is known of the keys of a batch of rows, row by row.

    Attributes:
        has_key: Whether the row has a key.
        known: Whether its key was live.
        again: Whether this very version was published before.
    """

    has_key: Mask
    known: Mask
    again: Mask


class KeyLedger(Protocol):
    """The keys of one table; fed by several threads."""

    def look_up(self, key: Sequence[pa.Array], ids: Ids, horizon: int) -> Seen:
        """Take note of the keys of a batch of rows, and say what is known of them.

        Args:
            key: The columns of the key.
            ids: The versions' ids.
            horizon: From this id on a version may be read again by the next capture.
        """

    def known(self, *, once: bool) -> int:
        """How many keys are live or were read.

        Args:
            once: Whether no key was read twice.
        """

    def begin_source(self) -> None:
        """From here on all keys of the source are told; it may hold none."""

    def add_source(self, key: Sequence[pa.Array]) -> None:
        """Take note of some of them."""

    def has_unknown(self, *, once: bool) -> bool:
        """Whether the source holds a key that is neither live nor was read.

        Args:
            once: Whether the source holds no key twice.
        """

    def gone(self) -> MissingKeys:
        """The keys that are live or were read, and that the source lacks; none where these were not read."""

    def spans(self) -> tuple[tuple[int, int], ...]:
        """Spans that hold every key that was read or is gone; none where nothing is known of them."""

    def forget_versions(self) -> None:
        """Take no version for one that was published before."""

    def seen_next(self) -> Optional[Versions]:
        """The versions that the next capture may read again; nothing where they are too many."""

    def live(self, label: str, *, once: bool) -> tuple[Union[BitMap64, StateObject, None], bool]:
        """What is live now, and whether that is different from before.

        Nothing is kept in files where no key ever was live.

        Args:
            label: Names what is written.
            once: Whether no key was read twice.
        """


def open_ledger(
    contract: Contract,
    store: KeyStore,
    kept: Optional[StateObject],
    versions: Optional[StateObject],
    folder: Path,
) -> KeyLedger:
    """The keys of a table as the last capture left them.

    Args:
        contract: The table.
        store: Where they are kept.
        kept: The live keys.
        versions: The versions that may be read again.
        folder: Where files may be made.

    Raises:
        TablePaused: They are keys of another kind.
    """
    if kept is not None and bool(kept.parts) == is_number(contract):
        raise TablePaused(
            f"The key of {contract.table} is of another kind than before: whole numbers, or anything else.",
            "Which rows are gone cannot be told. Capture it under another name, or keep the key as it was.",
        )
    if is_number(contract):
        return NumberLedger(contract, store.live(kept), store.seen(versions))
    return TextLedger(contract, store, kept, store.seen(versions), folder)


class _Again:
    """The versions that the next capture may read again, gathered from several threads."""

    def __init__(self) -> None:
        self._pairs: list[tuple[npt.NDArray[Any], Ids]] = []

    def add(self, keys: npt.NDArray[Any], ids: Ids) -> None:
        if len(keys):
            self._pairs.append((keys, ids))

    def versions(self) -> Optional[Versions]:
        count = sum(len(keys) for keys, _ in self._pairs)
        if not count:
            return NO_VERSIONS
        if count > live_keys.SEEN_LIMIT:
            return None
        return live_keys.versions_of(*(np.concatenate(column) for column in zip(*self._pairs)))


# ---------------------------------------------------------------------- whole numbers


@dataclass(frozen=True)
class MissingNumbers:
    """Missing keys that are whole numbers."""

    contract: Contract
    keys: BitMap64

    def __len__(self) -> int:
        return len(self.keys)

    def checksum(self) -> str:
        """See :class:`MissingKeys`."""
        return hashlib.sha256(live_keys.values_of(self.keys).tobytes()).hexdigest()

    def body(self) -> bytes:
        """See :class:`MissingKeys`."""
        return bytes(self.keys.serialize())

    def without(self, resumed: Sequence[ResumedKeys]) -> int:
        """See :class:`MissingKeys`."""
        left = self.keys
        for one in resumed:
            kept = MissingNumbers(self.contract, BitMap64.deserialize(one.read()))
            if kept.checksum() != one.sha256:
                raise ChecksumMismatch(f"{one.place} is not what was missing")
            left = left - kept.keys
        return len(left)

    def columns(self) -> Iterator[dict[str, pa.Array]]:
        """See :class:`MissingKeys`."""
        values = live_keys.values_of(self.keys)
        for start in range(0, len(values), BATCH_ROWS):
            yield {self.contract.key[0]: pa.array(values[start : start + BATCH_ROWS])}


class NumberLedger:
    """Keys that are whole numbers, as bitmaps.

    Args:
        contract: The table.
        live: The keys that were live.
        seen: Versions that were published and may be read again.
    """

    def __init__(self, contract: Contract, live: BitMap64, seen: Versions) -> None:
        self._contract = contract
        self._live = live
        self._seen = seen
        self._captured = BitMap64()
        self._source: Optional[BitMap64] = None
        self._again = _Again()
        self._lock = threading.Lock()

    def look_up(self, key: Sequence[pa.Array], ids: Ids, horizon: int) -> Seen:
        """See :class:`KeyLedger`."""
        column = key[0].cast(pa.int64())
        keys = column.fill_null(0).to_numpy()
        has_key: Mask = column.is_valid().to_numpy(zero_copy_only=False)
        known = live_keys.contains(keys, self._live) & has_key
        again = self._seen.contains(keys, ids) & has_key
        may_return = has_key & (ids >= horizon)
        captured = live_keys.keys_of(keys[has_key])
        with self._lock:
            self._captured |= captured
            if may_return.any():
                self._again.add(keys[may_return], ids[may_return])
        return Seen(has_key, known, again)

    def known(self, *, once: bool) -> int:  # noqa: ARG002 - a bitmap holds each once
        """See :class:`KeyLedger`."""
        return len(self._known)

    def begin_source(self) -> None:
        """See :class:`KeyLedger`."""
        self._source = BitMap64()

    def add_source(self, key: Sequence[pa.Array]) -> None:
        """See :class:`KeyLedger`."""
        self._source = (self._source or BitMap64()) | live_keys.keys_of(live_keys.integers(key[0]))

    def has_unknown(self, *, once: bool) -> bool:  # noqa: ARG002 - a bitmap holds each once
        """See :class:`KeyLedger`."""
        return self._source is not None and bool(len(self._source - self._known))

    def gone(self) -> MissingNumbers:
        """See :class:`KeyLedger`."""
        gone = BitMap64() if self._source is None else self._known - self._source
        return MissingNumbers(self._contract, gone)

    def spans(self) -> tuple[tuple[int, int], ...]:
        """See :class:`KeyLedger`."""
        return live_keys.spans_of(self._captured | self.gone().keys)

    def forget_versions(self) -> None:
        """See :class:`KeyLedger`."""
        self._seen = NO_VERSIONS

    def seen_next(self) -> Optional[Versions]:
        """See :class:`KeyLedger`."""
        return self._again.versions()

    def live(self, label: str, *, once: bool) -> tuple[BitMap64, bool]:  # noqa: ARG002
        """See :class:`KeyLedger`."""
        live = self._known - self.gone().keys
        return live, live != self._live

    @property
    def _known(self) -> BitMap64:
        return self._live | self._captured


# ---------------------------------------------------------------------- texts


class TextLedger:
    """Keys that are texts, as files.

    Args:
        contract: The table.
        store: Where live keys are kept.
        kept: The keys that were live.
        seen: Versions that were published and may be read again.
        folder: Where files may be made.
    """

    def __init__(
        self, contract: Contract, store: KeyStore, kept: Optional[StateObject], seen: Versions, folder: Path
    ) -> None:
        self._contract = contract
        self._store = store
        self._kept = kept
        self._seen = seen
        self._parent = folder
        self._folder: Optional[Path] = None
        self._database: Optional[duckdb.DuckDBPyConnection] = None
        self._again = _Again()
        self._lock = threading.Lock()
        self._files: dict[str, _KeyFile] = {}
        self._gone: Optional[MissingTexts] = None

    def look_up(self, key: Sequence[pa.Array], ids: Ids, horizon: int) -> Seen:
        """See :class:`KeyLedger`."""
        texts = key_texts(key)
        has_key: Mask = texts.is_valid().to_numpy(zero_copy_only=False)
        may_return = has_key & (ids >= horizon)
        again = self._published(texts, ids) & has_key
        with self._lock:
            known = self._among_live(texts) & has_key
            self._file("new").add(texts.filter(pa.array(has_key & ~known)), is_live=True)
            if may_return.any():
                self._again.add(_objects(texts.filter(pa.array(may_return))), ids[may_return])
        return Seen(has_key, known, again)

    def known(self, *, once: bool) -> int:
        """See :class:`KeyLedger`."""
        new = self._file("new").rows
        if new and not once:
            new = int(self._one(f"SELECT count(DISTINCT {KEY}) FROM {self._relation('new')}"))
        return self._live_count + new

    def begin_source(self) -> None:
        """See :class:`KeyLedger`."""
        self._file("source").is_whole = True

    def add_source(self, key: Sequence[pa.Array]) -> None:
        """See :class:`KeyLedger`."""
        texts = key_texts(key).drop_null()
        with self._lock:
            self._file("source").add(texts, is_live=True)

    def has_unknown(self, *, once: bool) -> bool:
        """See :class:`KeyLedger`."""
        if not self._file("source").is_whole:
            return False
        if once:
            # Those of the known keys that are not gone are the source's own, and there are no others.
            return self._file("source").rows > self.known(once=True) - len(self.gone())
        unknown = (
            f"SELECT 1 FROM ({self._relation('source')}) AS found ANTI JOIN ({self._known}) USING ({KEY})"
        )
        return bool(self._one(f"SELECT count(*) FROM ({unknown} LIMIT 1)"))

    def gone(self) -> MissingTexts:
        """See :class:`KeyLedger`."""
        if self._gone is None:
            path = self._path("gone")
            rows = 0
            if self._file("source").is_whole:
                source = f"({self._relation('source')}) AS found"
                query = (
                    f"SELECT DISTINCT {KEY} FROM ({self._known}) AS known ANTI JOIN {source} USING ({KEY})"
                )
                # A checksum tells whether the same are gone as before.
                rows = self._write(path, f"SELECT {KEY}, false AS {LIVE} FROM ({query})", in_order=True)
            self._gone = MissingTexts(self._contract, path, rows, self._path("resumed"))
        return self._gone

    def spans(self) -> tuple[tuple[int, int], ...]:
        """See :class:`KeyLedger`: the objects state the range of their keys."""
        return ()

    def forget_versions(self) -> None:
        """See :class:`KeyLedger`."""
        self._seen = NO_VERSIONS

    def seen_next(self) -> Optional[Versions]:
        """See :class:`KeyLedger`."""
        return self._again.versions()

    def live(self, label: str, *, once: bool) -> tuple[Optional[StateObject], bool]:
        """See :class:`KeyLedger`."""
        gone, new = self.gone(), self._file("new").rows
        if not len(gone) and not new:
            return self._kept, False
        table = self._contract.table
        new_keys = f"SELECT {'' if once else 'DISTINCT'} {KEY} FROM ({self._relation('new')}) AS new"
        new_keys += f" ANTI JOIN (SELECT {KEY} FROM {_read(gone.path)}) USING ({KEY})" if len(gone) else ""
        changed = new + len(gone) + sum(data.rows for data in (self._kept.parts[1:] if self._kept else ()))
        parts = self._kept.parts if self._kept is not None else ()
        path, kept = self._path("live"), self._store.keep_texts
        whole = len(parts) >= PARTS or changed > max(SMALL_CHANGE, self._live_count // CHANGED_SHARE)
        if once and not len(gone) and (not parts or not whole):
            # What was read is what came.
            return kept(table, label, self._file("new").path, new, self._live_count + new, parts), True
        if not parts or whole:
            left = f"({self._live}) AS live" + (
                f" ANTI JOIN {_read(gone.path)} USING ({KEY})" if len(gone) else ""
            )
            rows = self._write(
                path,
                f"SELECT {KEY}, true AS {LIVE} FROM (SELECT {KEY} FROM {left} UNION ALL {new_keys})",
            )
            return kept(table, label, path, rows, rows), True
        query = f"SELECT {KEY}, true AS {LIVE} FROM ({new_keys})"
        query += f" UNION ALL SELECT {KEY}, {LIVE} FROM {_read(gone.path)}" if len(gone) else ""
        rows = self._write(path, query)
        count = self._live_count + (rows - len(gone)) - len(gone)
        return kept(table, label, path, rows, count, parts), True

    # ------------------------------------------------------------------ parts

    @property
    def _live_count(self) -> int:
        return 0 if self._kept is None else self._kept.count

    def _published(self, texts: pa.Array, ids: Ids) -> Mask:
        """Which of these versions were published before; few rows share a transaction with one."""
        found = np.isin(ids, self._seen.ids)
        if found.any():
            found[found] = self._seen.contains(_objects(texts.filter(pa.array(found))), ids[found])
        return found

    def _among_live(self, texts: pa.Array) -> Mask:
        """Which of these keys are live."""
        found = np.zeros(len(texts), dtype=bool)
        if not self._live_count:
            return found
        asked = pa.table({"place": np.arange(len(texts)), KEY: texts})
        database = self._open()
        database.register("asked", asked)
        places = database.execute(
            f"SELECT place FROM asked JOIN ("
            f"SELECT {KEY} FROM {self._stored} WHERE {KEY} IN (SELECT {KEY} FROM asked)"
            f" GROUP BY {KEY} HAVING arg_max({LIVE}, part)) USING ({KEY})"
        ).fetchnumpy()["place"]
        database.unregister("asked")
        found[np.asarray(places, dtype=np.int64)] = True
        return found

    @property
    def _known(self) -> str:
        """A query of the keys that are live or were read."""
        return f"{self._live} UNION ALL {self._relation('new')}"

    @property
    def _live(self) -> str:
        """A query of the keys that were live: those that stood first, and what came and went since."""
        if not self._live_count:
            return f"SELECT NULL::VARCHAR AS {KEY} WHERE false"
        first, later = self._paths[0], self._paths[1:]
        if not later:
            return f"SELECT {KEY} FROM {_read(first)}"
        since = (
            f"SELECT {KEY}, arg_max({LIVE}, part) AS {LIVE} FROM {_numbered(self._paths, 1)} GROUP BY {KEY}"
        )
        return (
            f"SELECT {KEY} FROM {_read(first)} ANTI JOIN ({since}) USING ({KEY})"
            f" UNION ALL SELECT {KEY} FROM ({since}) WHERE {LIVE}"
        )

    @property
    def _stored(self) -> str:
        return _numbered(self._paths, 0)

    @property
    def _paths(self) -> list[Path]:
        if "live" not in self._files:
            assert self._kept is not None  # noqa: S101 - for mypy
            paths = self._store.download(self._kept, self._place / "live")
            self._files["live"] = _KeyFile(self._place / "live", paths)
        return self._files["live"].paths

    def _relation(self, name: str) -> str:
        """A query of the keys in a file."""
        file = self._file(name)
        file.close()
        if not file.rows:
            return f"SELECT NULL::VARCHAR AS {KEY} WHERE false"
        return f"SELECT {KEY} FROM {_read(file.path)}"

    def _file(self, name: str) -> _KeyFile:
        if name not in self._files:
            # The source's keys stay on this disk, and are read once.
            compression = "none" if name == "source" else "zstd"
            self._files[name] = _KeyFile(self._path(name), compression=compression)
        return self._files[name]

    def _path(self, name: str) -> Path:
        return self._place / f"{name}.parquet"

    @property
    def _place(self) -> Path:
        if self._folder is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix="keys-", dir=self._parent))
        return self._folder

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._database is None:
            self._database = open_database(self._place)
        return self._database

    def _one(self, query: str) -> Any:
        row = self._open().execute(query).fetchone()
        return row[0] if row else None

    def _write(self, path: Path, query: str, *, in_order: bool = False) -> int:
        return write_keys(self._open(), path, query, in_order=in_order)


class _KeyFile:
    """A file of keys that grows."""

    def __init__(self, path: Path, paths: Sequence[Path] = (), compression: str = "zstd") -> None:
        self.path = path
        self._compression = compression
        self.paths = list(paths)
        self.rows = 0
        self.is_whole = False
        self._writer: Optional[pq.ParquetWriter] = None

    def add(self, keys: pa.Array, *, is_live: bool) -> None:
        """Append keys."""
        if not len(keys):
            return
        if self._writer is None:
            self._writer = _writer(self.path, self._compression)
        self._writer.write_batch(
            pa.RecordBatch.from_arrays([keys, pa.repeat(is_live, len(keys))], schema=_SCHEMA)
        )
        self.rows += len(keys)

    def close(self) -> None:
        """Finish the file: it can be read from then on."""
        if self._writer is not None and self._writer.is_open:
            self._writer.close()


@dataclass(frozen=True)
class MissingTexts:
    """Missing keys that are texts, in a file.

    Attributes:
        contract: The table.
        path: The file; not there where nothing is missing.
        rows: How many they are.
        scratch: Where what a person let go may lie.
    """

    contract: Contract
    path: Path
    rows: int
    scratch: Path

    def __len__(self) -> int:
        return self.rows

    def checksum(self) -> str:
        """See :class:`MissingKeys`."""
        return _checksum(self.path)

    def body(self) -> bytes:
        """See :class:`MissingKeys`."""
        return self.path.read_bytes()

    def without(self, resumed: Sequence[ResumedKeys]) -> int:
        """See :class:`MissingKeys`."""
        paths = []
        for place, one in enumerate(resumed):
            path = self.scratch.with_name(f"{place}-{self.scratch.name}")
            path.write_bytes(one.read())
            if _checksum(path) != one.sha256:
                raise ChecksumMismatch(f"{one.place} is not what was missing")
            paths.append(path)
        if not paths:
            return self.rows
        let_go = " UNION ALL ".join(f"SELECT {KEY} FROM {_read(path)}" for path in paths)
        query = f"SELECT count(*) FROM {_read(self.path)} ANTI JOIN ({let_go}) USING ({KEY})"
        row = open_database(self.path.parent).execute(query).fetchone()
        return int(row[0]) if row else 0

    def columns(self) -> Iterator[dict[str, pa.Array]]:
        """See :class:`MissingKeys`."""
        if self.rows:
            for batch in pq.ParquetFile(self.path).iter_batches(BATCH_ROWS, columns=[KEY]):
                yield key_columns(self.contract, batch.column(0))


def open_database(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB within bounds, for keys in files."""
    import duckdb

    return duckdb.connect(
        config={"memory_limit": MEMORY, "threads": 2, "temp_directory": str(folder / "spill")}
    )


def write_keys(database: duckdb.DuckDBPyConnection, path: Path, query: str, *, in_order: bool = False) -> int:
    """Write what a query finds; returns how many rows these are."""
    rows = 0
    with _writer(path) as writer:
        ordered = f"SELECT {KEY}, {LIVE} FROM ({query}) AS found{' ORDER BY ' + KEY if in_order else ''}"
        for batch in database.execute(ordered).fetch_record_batch(BATCH_ROWS):
            writer.write_batch(batch.cast(_SCHEMA))
            rows += batch.num_rows
    return rows


def _writer(path: Path, compression: str = "zstd") -> pq.ParquetWriter:
    # Keys do not repeat.
    return pq.ParquetWriter(path, _SCHEMA, compression=compression, use_dictionary=False)


def _read(path: Path) -> str:
    return "read_parquet('{}')".format(str(path).replace("'", "''"))


def _numbered(paths: Sequence[Path], first: int) -> str:
    """A relation of what came and went, with the place of its file."""
    every = " UNION ALL ".join(
        f"SELECT {KEY}, {LIVE}, {place} AS part FROM {_read(path)}"
        for place, path in enumerate(paths)
        if place >= first
    )
    return f"({every})"


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=[KEY]):
        for key in batch.column(0).to_pylist():
            digest.update(f"{len(key)}:{key}".encode())
    return digest.hexdigest()


def _objects(texts: pa.Array) -> npt.NDArray[Any]:
    return np.array(texts.to_pylist(), dtype=object)
