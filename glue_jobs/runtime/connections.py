"""Connections to PostgreSQL: verified TLS unless the server is this machine, errors a person can act on."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from glue_jobs.runtime.errors import UserError

ENCODING = "UTF8"
"""What every session speaks, whatever the database's encoding or the role's settings are."""

AUTHORITIES = Path(__file__).with_name("authorities.pem")
"""The authorities that are believed where the DSN names none: public ones, and those of Amazon RDS.

The OpenSSL in the drivers' wheels looks for the system's where it was built, which is nowhere here."""

_VERIFIED = "verify-full"
_CHECKED = ("verify-ca", _VERIFIED)
_MODES = ("disable", "allow", "prefer", "require", *_CHECKED)
_CONNECT_SECONDS = "15"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


class DatabaseError(UserError):
    """PostgreSQL refused or failed; the message holds no password and no row."""


class DatabaseRefused(DatabaseError):  # noqa: N818 - named for what was done
    """What a DSN says is refused, or cannot be read: nothing but another one helps."""


def secured_dsn(dsn: str, database: str = "database") -> str:
    """The connection string with TLS verified, certificate and host name, unless the server is this machine.

    Args:
        dsn: A libpq URI or ``keyword=value`` string.
        database: What to call the database in an error.

    Returns:
        A ``keyword=value`` string for any libpq client. Remote hosts get ``sslmode=verify-full``. Loopback
        addresses and sockets keep what the DSN says. Where a certificate is checked and the DSN names no
        authority, those of :data:`AUTHORITIES` are believed. The session's encoding is UTF-8 whatever it
        says.

    Raises:
        DatabaseError: The DSN cannot be read, or asks for less than verified TLS on a remote host.
    """
    options = _options(dsn, database)
    options.setdefault("connect_timeout", _CONNECT_SECONDS)
    options["client_encoding"] = ENCODING
    if not _is_local(options):
        asked = options.get("sslmode", _VERIFIED)
        if asked != _VERIFIED:
            named = f"sslmode={asked}" if asked in _MODES else "another sslmode"
            raise DatabaseRefused(
                f"The DSN of the {database} asks for {named} on a host that is not this machine.",
                f"Use sslmode={_VERIFIED}, with sslrootcert where its certificate is not publicly signed.",
            )
        options["sslmode"] = _VERIFIED
    if (
        options.get("sslmode") or os.environ.get("PGSSLMODE")
    ) in _CHECKED and "PGSSLROOTCERT" not in os.environ:
        options.setdefault("sslrootcert", str(AUTHORITIES))
    return make_conninfo("", **options)


def spelled(name: str) -> str:
    """An identifier as a person writes it in SQL: in quotes where it would be read as another without."""
    return name if _PLAIN.fullmatch(name) else '"{}"'.format(name.replace('"', '""'))


def unquoted(conninfo: str) -> str:
    """A conninfo whose sessions write names without quotes from their first moment.

    The driver looks up types by name when it connects, before anything can be set. Where a role or a database
    is set to quote all names, only a startup option is early enough; it is sent in that case alone, since
    poolers refuse such options.
    """
    given = conninfo_to_dict(conninfo).get("options") or ""
    return make_conninfo(conninfo, options=f"{given} -c quote_all_identifiers=off".strip())


def location_of(dsn: str) -> tuple[Optional[str], ...]:
    """Which database a connection string leads to: host, address, port, service and database.

    Args:
        dsn: A libpq URI or ``keyword=value`` string.

    Raises:
        DatabaseError: The DSN cannot be read.
    """
    options = _options(dsn, "database")
    # libpq takes the role's name for the database where none is named.
    options.setdefault("dbname", options.get("user", ""))
    options.setdefault("port", "5432")
    return tuple(options.get(name) for name in ("host", "hostaddr", "port", "service", "dbname"))


def connect(dsn: str, database: str, application_name: str) -> psycopg.Connection:
    """Open a connection.

    Args:
        dsn: A libpq URI or ``keyword=value`` string.
        database: What to call the database in an error.
        application_name: What the server shows of this session.

    Raises:
        DatabaseError: It cannot be opened; says why and what to do.
    """
    try:
        return psycopg.connect(secured_dsn(dsn, database), application_name=application_name)
    except psycopg.Error as error:
        raise explain(error, database) from error


def require_utf8(connection: psycopg.Connection, database: str) -> None:
    """Refuse a database that cannot hold every text of the lake.

    Args:
        connection: A session of it.
        database: What to call it in the error.

    Raises:
        DatabaseError: It has another encoding.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise DatabaseError(
            f"The {database} {connection.info.dbname} has the encoding {encoding}, which does not hold every "
            "text of the lake.",
            f"Name a database whose encoding is {ENCODING}: CREATE DATABASE … TEMPLATE template0 "
            f"ENCODING '{ENCODING}'.",
        )


def explain(error: psycopg.Error, database: str) -> DatabaseError:
    """An error of the driver or the server in words: no traceback, no password, no row content.

    Args:
        error: What psycopg raised.
        database: What to call the database.
    """
    if error.sqlstate is None:
        return _explain_connection(str(error), database)
    where = _where(error)
    if isinstance(error, psycopg.errors.CharacterNotInRepertoire) and database.startswith("source"):
        # This driver asks the source for what its catalogs say; rows are read by another.
        return DatabaseError(
            f"A name or a comment of the {database} is not UTF-8.",
            "Rename it there, in a session whose client_encoding is SQL_ASCII.",
        )
    if error.sqlstate.startswith(("22", "23")):
        # What the server says of bad data quotes it; its name and place are enough.
        return DatabaseError(
            f"The {database} refused the data{where}: {type(error).__name__}.",
            "Nothing was changed. Compare the contract with the table and the data.",
        )
    message = (error.diag.message_primary or type(error).__name__).rstrip(".")
    for kinds, remedy in _REMEDIES:
        if isinstance(error, kinds):
            return DatabaseError(f"The {database} says{where}: {message}.", remedy)
    return DatabaseError(
        f"The {database} says{where}: {message} ({error.sqlstate}).",
        "Nothing was changed; run it again when that is mended.",
    )


_REMEDIES: tuple[tuple[tuple[type[psycopg.Error], ...], str], ...] = (
    (
        (errors.InsufficientPrivilege,),
        "Grant the role what it lacks, or let the owner of the tables run this once.",
    ),
    (
        (errors.DeadlockDetected, errors.SerializationFailure),
        "Nothing was changed; run it again.",
    ),
    (
        (errors.DiskFull,),
        "The disk of its server is full. Nothing was changed; free some space, then run it again.",
    ),
    (
        (errors.OutOfMemory, errors.TooManyConnections),
        "Its server has nothing left to give. Nothing was changed; run it again when it has.",
    ),
    ((errors.LockNotAvailable,), "Another session holds the lock; run it again when that has ended."),
    (
        (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow),
        "Nothing was changed; run it again when the server is up.",
    ),
)


def _explain_connection(message: str, database: str) -> DatabaseError:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    said = lines[0] if lines else "the connection failed"
    for words, remedy in _CONNECTION_REMEDIES.items():
        if words in message:
            kind = DatabaseRefused if remedy in (_CHECK_USER, _CHECK_DATABASE) else DatabaseError
            return kind(f"The {database} cannot be reached: {said}.", remedy)
    return DatabaseError(
        f"The connection to the {database} failed: {said}.",
        "Nothing was changed; check the server and the network, then run it again.",
    )


_CHECK_USER = "Check user and password in the secret."
_CHECK_DATABASE = "Check user and database in the secret."

_CONNECTION_REMEDIES: Mapping[str, str] = {
    "No space left on device": "The disk of its server is full. Free some space, then run it again.",
    "root certificate": "Name a file that holds its authority as sslrootcert in the DSN, or leave that out.",
    "does not match host name": "Name the host in the DSN as its certificate does.",
    "certificate verify failed": "Its certificate is over, or signed by nobody who is known here. Renew it, "
    "or name the authority that signed it as sslrootcert in the DSN.",
    "does not support SSL": "The server must offer TLS, which is verified for every host but this machine.",
    "conversion between": "Its encoding has no way to UTF-8. Move the data to a database that has one.",
    "password authentication failed": _CHECK_USER,
    "does not exist": _CHECK_DATABASE,
    "resolve host": "Check the host in the secret.",
    "translate host name": "Check the host in the secret.",
    "refused": "Check host and port in the secret, and that the server runs.",
    "No such file": "Check the socket directory in the secret, and that the server runs.",
    "timeout": "Check host and port in the secret, and that the network lets this job reach it.",
    "certificate": "Name the authority that signed the server's certificate as sslrootcert in the DSN.",
    "SSL": "Its TLS failed. See whether what listens at host and port in the secret is the database.",
}


def _where(error: psycopg.Error) -> str:
    table, column = error.diag.table_name, error.diag.column_name
    constraint = error.diag.constraint_name
    parts = [
        f"table {table}" if table else "",
        f"column {column}" if column else "",
        f"constraint {constraint}" if constraint else "",
    ]
    stated = ", ".join(part for part in parts if part)
    return f" ({stated})" if stated else ""


def _options(dsn: str, database: str) -> dict[str, str]:
    """What a connection string says.

    Raises:
        DatabaseRefused: It cannot be read, or not in one way only. libpq's own message quotes it, password
            included, so that nothing of that is handed on.
    """
    try:
        parsed = Conninfo.parse(dsn.encode())
    except (psycopg.Error, UnicodeError):
        parsed = None
    if parsed is None:
        raise DatabaseRefused(
            f"The DSN of the {database} cannot be read.",
            f"Write it as postgresql://user:password@host:port/database. {_ESCAPED}",
        )
    options = {option.keyword.decode(): option.val.decode() for option in parsed if option.val is not None}
    ports = options.get("port", "").split(",")
    if _MISREAD.match(dsn) or not all(port == "" or port.isdecimal() for port in ports):
        raise DatabaseRefused(f"The DSN of the {database} can be read in two ways.", _ESCAPED)
    return options


_ESCAPED = "In user and password write %40 for @, %3A for :, %2F for /, %3F for ?, %25 for %, %20 for space."

_MISREAD = re.compile(r"postgres(?:ql)?://[^@]*[/?][^@]*@|postgres(?:ql)?://[^@]*@.*@", re.DOTALL)
"""A URI whose password libpq ends too early: it would take the rest for a host, and say it in errors."""


def _is_local(options: Mapping[str, str]) -> bool:
    """Whether every host that libpq may try is a socket or a loopback address."""
    if "service" in options:
        return False
    defaults = {d.keyword.decode(): d.val.decode() for d in Conninfo.get_defaults() if d.val is not None}
    if "hostaddr" in options or "host" not in options:
        addresses = options.get("hostaddr") or defaults.get("hostaddr")
        if addresses:
            return all(_is_loopback(address) for address in addresses.split(","))
    hosts: Optional[str] = options.get("host") or defaults.get("host")
    return hosts is None or all(_is_socket(host) or _is_loopback(host) for host in hosts.split(","))


def _is_socket(host: str) -> bool:
    return host == "" or host.startswith(("/", "@"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
