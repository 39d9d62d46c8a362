"""What sessions with PostgreSQL speak, whatever a role, a database or a server was set to.

``ALTER ROLE … SET`` and ``ALTER DATABASE … SET`` change how a session answers: in which encoding, how names
and times are written, how long it may last. A job states what matters by ``SET LOCAL`` in the same message as
``BEGIN``, so that nothing is read before it holds, no time runs out between the two, and a pooler that gives
a connection to each transaction is served too. Startup options would reach further; poolers refuse them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CLIENT_ENCODING = "UTF8"
"""The encoding of every session, on either side of the pipeline."""

READ_ONLY_SNAPSHOT = "ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE"
"""The transaction mode of who reads a database at one moment."""

READ_WRITE = "ISOLATION LEVEL READ COMMITTED, READ WRITE, NOT DEFERRABLE"
"""The transaction mode of who writes, and waits for others by locks of its own."""

_NONE: Mapping[str, str] = MappingProxyType({})

_SETTINGS: tuple[tuple[str, str, int], ...] = (
    # Text comes as it was written; names compare as bytes.
    ("client_encoding", CLIENT_ENCODING, 0),
    # Nothing but PostgreSQL's own functions is found without a schema.
    ("search_path", "pg_catalog", 0),
    # Rows that a policy hides must not read as deletes: with this, hiding is an error.
    ("row_security", "off", 0),
    # An error that is expected must not end the session.
    ("exit_on_error", "off", 0),
    # The one who holds the snapshot waits while others read.
    ("idle_in_transaction_session_timeout", "0", 0),
    ("transaction_timeout", "0", 170_000),
    ("statement_timeout", "2h", 0),
    # One spelling of names, times, bytes, numbers and money wherever the server makes text.
    ("quote_all_identifiers", "off", 0),
    ("datestyle", "ISO, YMD", 0),
    ("intervalstyle", "postgres", 0),
    ("timezone", "UTC", 0),
    ("bytea_output", "hex", 0),
    ("xmlbinary", "base64", 0),
    ("extra_float_digits", "1", 0),
    ("lc_monetary", "C", 0),
    ("lc_numeric", "C", 0),
    # One reading of what is sent.
    ("standard_conforming_strings", "on", 0),
    ("transform_null_equals", "off", 0),
    ("array_nulls", "on", 0),
    # Notices are of no use to a driver, which prints them.
    ("client_min_messages", "error", 0),
    # Rows in the order in which they lie, from the first block on.
    ("synchronize_seqscans", "off", 0),
)


def begin(version: int, mode: str = READ_ONLY_SNAPSHOT, more: Mapping[str, str] = _NONE) -> str:
    """One message that begins a transaction and says how it speaks.

    Args:
        version: The server's version number, as ``server_version_num`` has it: it is sent what it knows.
        mode: The transaction's mode.
        more: Settings of this session besides, or in place of the shared ones; names and values are our own.
    """
    shared = {name: value for name, value, since in _SETTINGS if version >= since}
    stated = [f"SET LOCAL {name} = '{value}'" for name, value in {**shared, **more}.items()]
    return "; ".join([f"BEGIN {mode}", *stated])
