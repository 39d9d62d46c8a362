"""Servers that a source may run on, and that an embedded one has to be made into: a standby, an aged one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from lakehouse.embedded_postgres import EmbeddedPostgres, bundled_binaries, run_as, unprivileged_account

XIDS_PER_SEGMENT = 1 << 20
"""Transactions whose fate one file of ``pg_xact`` holds."""

SEGMENT_BYTES = 32 * 8192


@contextmanager
def standby_of(primary: EmbeddedPostgres, folder: Path) -> Iterator[EmbeddedPostgres]:
    """A hot standby that follows a primary, and lets no query of its own hold recovery up."""
    parts = urlsplit(primary.dsn())
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)  # where the server's own user has to pass
    _give_to_server(folder)
    where = ["--host", str(parts.hostname), "--port", str(parts.port), "--username", str(parts.username)]
    _run(
        "pg_basebackup",
        [*where, "--pgdata", str(folder / "data"), "--write-recovery-conf", "--checkpoint", "fast"],
        PGPASSWORD=str(parts.password),
    )
    shutil.copy(primary.directory / "passwords.json", folder / "passwords.json")
    settings = {"max_standby_streaming_delay": "0", "hot_standby_feedback": "off"}
    with EmbeddedPostgres(folder, durable=False, settings=settings) as standby:
        yield standby


def freeze(server: EmbeddedPostgres) -> None:
    """Have rows of every database no longer depend on the ids of the transactions that wrote them."""
    with server.connect() as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    for (name,) in rows:
        with server.connect(name) as connection:
            connection.execute("VACUUM (FREEZE)")


def age(server: EmbeddedPostgres, next_transaction: int) -> None:
    """Have a server hand out transaction ids from here on; it is stopped meanwhile and keeps its port.

    Args:
        server: The server. What it holds by its first ids must have been frozen, as its own maintenance
            would have done by then.
        next_transaction: The next id, 64 bits wide.
    """
    server.stop()
    epoch, xid = divmod(next_transaction, 1 << 32)
    # pg_resetwal moves the counter and leaves it to others to have the file that the id's fate goes into.
    segment = server.data / "pg_xact" / f"{xid // XIDS_PER_SEGMENT:04X}"
    if not segment.exists():
        segment.write_bytes(bytes(SEGMENT_BYTES))
        _give_to_server(segment)
    _run(
        "pg_resetwal",
        ["--pgdata", str(server.data), "--epoch", str(epoch), "--next-transaction-id", str(xid)],
    )
    server.start()


def _give_to_server(path: Path) -> None:
    account = unprivileged_account()
    if account is not None:
        shutil.chown(path, account.pw_uid, account.pw_gid)


def _run(program: str, arguments: list[str], **environment: str) -> None:
    done = subprocess.run(
        [str(bundled_binaries() / program), *arguments],
        env={"LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
        **run_as(unprivileged_account()),
    )
    assert done.returncode == 0, done.stderr
