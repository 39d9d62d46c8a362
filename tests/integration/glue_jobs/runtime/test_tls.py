"""A database on another host proves who it is, to every driver and in every Python that jobs run with."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from glue_jobs.runtime.connections import AUTHORITIES
from lakehouse.embedded_postgres import HOST, EmbeddedPostgres
from tests.night import by_day
from tests.small_shop import server_folder
from tests.terraform import ROOT
from tools.postgres_versions import found_binaries

PASSWORD = "pass%40word"
"""With an @ in it, as a DSN writes it."""

PYTHONS = [
    Path(sys.executable),
    *(python for python in [ROOT / ".venv-glue-shell-3.9" / "bin" / "python"] if python.exists()),
]
"""The laptop's, and Glue's own where `make runtimes` made it: each has wheels of its own."""

CONNECT = """
import json, sys
from pathlib import Path
from adbc_driver_postgresql import dbapi
from glue_jobs.runtime import connections
asked = json.load(sys.stdin)
if asked["authorities"]:
    connections.AUTHORITIES = Path(asked["authorities"])
said = {}
try:
    with connections.connect(asked["dsn"], "warehouse", "test") as session:
        said["psycopg"] = session.execute("SELECT 'reached'").fetchone()[0]
except connections.DatabaseError as error:
    said["psycopg"] = str(error)
try:
    with dbapi.connect(connections.secured_dsn(asked["dsn"])) as session, session.cursor() as cursor:
        cursor.execute("SELECT 'reached'")
        said["adbc"] = cursor.fetchone()[0]
except connections.DatabaseError as error:
    said["adbc"] = str(error)
except dbapi.Error as error:
    said["adbc"] = "refused: " + str(error)
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Put both into files."""
        certificate, key = folder / "shown.pem", folder / "shown.key"
        certificate.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        return certificate, key


def make(host: str | None, signer: Made | None, until: timedelta = timedelta(days=1)) -> Made:
    """A server's certificate, or an authority's where no host is named; its own work where nobody signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host or f"Authority {uuid.uuid4()}")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.certificate.subject if signer is not None else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is not None:
        with suppress(ValueError):
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False
            )
    return Made(builder.sign((signer.key if signer is not None else key), hashes.SHA256()), key)


def relay(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Speak TLS with a client, and with the server behind without it, until one of them ends."""
    with client, suppress(OSError):
        client.recv(8)  # the request for TLS
        client.sendall(b"S")
        with (
            context.wrap_socket(client, server_side=True) as secured,
            socket.create_connection((HOST, port)) as server,
        ):
            others: dict[socket.socket, socket.socket] = {secured: server, server: secured}
            while True:
                for ready in select.select(list(others), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    others[ready].sendall(data)


@contextmanager
def in_front(certificate: Path, key: Path, port: int) -> Iterator[int]:
    """What speaks TLS before a server that was built without it, as a pooler or a balancer does; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(threading.Thread(target=relay, args=(client, context, port)))
                threads[-1].start()

    with socket.create_server((HOST, 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def built_with_tls() -> list[Path]:
    """The programs of a server at hand that was built with TLS, if there is one."""
    found = sorted(found_binaries().values())
    return [path for path in found if b"SSL_CTX_new" in (path / "postgres").read_bytes()][:1]


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that can show certificates; by itself where it was built with TLS."""

    folder: Path
    binaries: Path | None

    def _postgres(self, settings: Mapping[str, str]) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.folder, durable=False, binaries=self.binaries, settings=settings)

    def make(self) -> None:
        """Make it, with a role that loads."""
        with self._postgres({}) as server, server.connect() as session:
            session.execute("CREATE ROLE loader LOGIN PASSWORD 'pass@word'")

    @contextmanager
    def showing(self, made: Made) -> Iterator[str]:
        """Its address while it shows a certificate."""
        certificate, key = made.write(self.folder)
        if self.binaries is None:
            with self._postgres({}) as server, in_front(certificate, key, server.port) as port:
                yield f"{HOST}:{port}"
            return
        data = self.folder / "data"
        for path in (certificate, key):
            moved = Path(shutil.copyfile(path, data / path.name))
            moved.chmod(0o600)
            os.chown(moved, data.stat().st_uid, data.stat().st_gid)
        settings = {"ssl": "on", "ssl_cert_file": certificate.name, "ssl_key_file": key.name}
        with self._postgres(settings) as server:
            yield f"{HOST}:{server.port}"


@pytest.fixture(
    scope="module", params=[None, *built_with_tls()], ids=["in front", "its own"][: 1 + len(built_with_tls())]
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with server_folder() as folder:
        made = Server(folder, request.param)
        made.make()
        yield made


@pytest.fixture(scope="module")
def authority() -> Made:
    return make(None, None)


@pytest.fixture
def named(authority: Made, tmp_path: Path) -> str:
    """What a DSN says to believe the tests' authority."""
    path = tmp_path / "authority.pem"
    path.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return f"&sslrootcert={path}"


def ask(dsn: str, authorities: Path | None = None) -> list[str]:
    """What each driver of each Python says of a connection; the system's own authorities are out of reach."""
    asked = json.dumps({"dsn": dsn, "authorities": str(authorities or "")})
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SSL_CERT", "PG"))}
    said = []
    for python in PYTHONS:
        done = subprocess.run(
            [python, "-c", CONNECT],
            env={**environment, "PYTHONPATH": str(ROOT)},
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
        answers = json.loads(done.stdout)
        said += [answers["psycopg"], answers["adbc"]]
    return said


def dsn_of(address: str, more: str = "") -> str:
    # This machine is not asked for TLS unless the DSN does.
    return f"postgresql://loader:{PASSWORD}@{address}/postgres?sslmode=verify-full{more}"


@pytest.mark.slow
def test_a_public_database_and_one_of_amazon_are_believed_where_the_dsn_names_no_authority(
    server: Server, authority: Made, tmp_path: Path
) -> None:
    more = tmp_path / "authorities.pem"
    more.write_bytes(AUTHORITIES.read_bytes() + authority.certificate.public_bytes(Encoding.PEM))
    with server.showing(make(HOST, authority)) as address:
        assert set(ask(dsn_of(address), more)) == {"reached"}


def test_an_authority_that_the_dsn_names_is_believed_alone(
    server: Server, authority: Made, named: str
) -> None:
    with server.showing(make(HOST, authority)) as address:
        assert set(ask(dsn_of(address, named))) == {"reached"}
        # Where it names another, those that are shipped do not count.
        another = named.replace("authority.pem", "another.pem")
        Path(another.partition("=")[2]).write_bytes(make(None, None).certificate.public_bytes(Encoding.PEM))
        refused = ask(dsn_of(address, another))
    assert all("certificate verify failed" in said for said in refused), refused


@pytest.mark.parametrize(
    ("host", "signed", "days", "words"),
    by_day(
        ["signed by itself"],
        {
            "wrong host": ("127.0.0.9", True, 1, "does not match host name"),
            "over": (HOST, True, -1, "certificate verify failed"),
            "signed by itself": (HOST, False, 1, "certificate verify failed"),
        },
    ),
)
def test_a_server_that_is_not_the_one_meant_is_refused_in_words(
    server: Server, authority: Made, named: str, host: str, signed: bool, days: int, words: str
) -> None:
    shown = make(host, authority if signed else None, timedelta(days=days))
    with server.showing(shown) as address:
        refused = ask(dsn_of(address, named))
    assert all(words in said for said in refused), refused
    assert [said for said in refused if "word" in said] == []
    remedy = "Name the host" if host != HOST else "Its certificate is over, or signed by nobody"
    assert all(remedy in said for said in refused[::2])


def test_what_is_shipped_holds_public_authorities_and_those_of_amazon_rds_and_says_as_of_when() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(AUTHORITIES)
    text = AUTHORITIES.read_text(encoding="utf-8")
    assert re.match(r"# The authorities that jobs believe, as of \d{4}-\d\d-\d\d: certifi ", text)
    assert context.cert_store_stats()["x509_ca"] == text.count("BEGIN CERTIFICATE")
    for name in ("CN=ISRG Root X1", "CN=Amazon Root CA 1", "CN=Amazon RDS eu-west-2 Root CA RSA2048 G1"):
        assert name in text
