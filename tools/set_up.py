"""Makes the project's virtual environments: `laptop`, `runtimes`, `checkers`, `jupyter` or `bench`.

Runs on a bare Python 3.11 or newer, before anything is installed, and therefore uses the standard library
only. pip does the installing, so that the user's own pip configuration (index, proxy, certificates) holds. An
environment whose lock did not change is left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
STAMP = "set-up.json"
# Packages that are published without a wheel; everything else is installed from wheels or not at all.
BUILT_FROM_SOURCE = frozenset({"docopt", "pyspark", "pysingleton"})
# How pip begins the line in which it takes up a package of the lock, or passes over one of another platform.
SEEN = ("Collecting ", "Processing ", "Requirement already satisfied", "Ignoring ")


class SetUpError(Exception):
    """What stops the set-up, in words that say what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment.

    Attributes:
        folder: Its folder, directly under the checkout.
        locks: The lock files it is made from, in the order in which they are installed.
        with_project: Whether the project itself is installed too (editable).
    """

    folder: str
    locks: tuple[str, ...]
    with_project: bool = False

    @property
    def path(self) -> Path:
        """The environment's folder."""
        return ROOT / self.folder

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / "bin" / "python"

    def stamp(self) -> dict[str, str]:
        """What the environment is made from: a digest of its locks and one of the project's own metadata."""
        stamp = {"locks": _digest(LOCKS / lock for lock in self.locks)}
        if self.with_project:
            stamp["project"] = _digest([ROOT / "pyproject.toml"])
        return stamp

    def made_from(self) -> dict[str, str]:
        """What the environment says it was made from; empty if it is not there or was left unfinished."""
        try:
            made: dict[str, str] = json.loads((self.path / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return made


LAPTOP = Environment(".venv", ("bootstrap.txt", "laptop.txt"), with_project=True)
RUNTIMES = {
    "3.9": Environment(".venv-glue-shell-3.9", ("glue-python-shell-3.9.txt",)),
    "3.13": Environment(".venv-glue-spark-3.13", ("bootstrap.txt", "glue-spark-3.13.txt")),
}
CHECKERS = Environment(".venv-checkers", ("bootstrap.txt", "checkers.txt"))
BENCH = Environment(".venv-bench", ("bootstrap.txt", "bench-peers.txt"))
JUPYTER = Environment(".venv-jupyter", ("bootstrap.txt", "jupyter.txt"), with_project=True)
RUNTIME_USES = {"3.9": "Python shell jobs", "3.13": "Spark jobs"}


def _digest(files: Iterator[Path] | list[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def say(message: str) -> None:
    """Tells the user how far the set-up is."""
    print(f"set-up: {message}", flush=True)


def runs(python: Path | str) -> bool:
    """Whether this interpreter is there, starts, and can make environments."""
    try:
        asked = subprocess.run(
            [python, "-c", "import venv, ensurepip"], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def locked_packages(lock: Path) -> list[str]:
    """The names of the packages in a lock, as the lock spells them."""
    return re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)


def explain(output: str, log: Path) -> str:
    """Says why pip failed and what to do, from what it printed.

    Args:
        output: All that pip printed.
        log: Where that is kept.

    Returns:
        Cause and way out, ending with where to read more.
    """
    more = f"\n  All that pip said: {log}"
    if "No space left on device" in output:
        return (
            "the disk is full. The environment needs about 2 GB here, and 2 GB more in the temporary folder\n"
            "  while it is made (TMPDIR moves that one)." + more
        )
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "a downloaded package is not the one that the lock names. A broken download or cache: try\n"
            "  `.venv/bin/pip cache purge`; if it stays, do not install from that index." + more
        )
    if re.search(
        r"connection broken|Max retries exceeded|Temporary failure in name resolution|timed out|ProxyError",
        output,
    ):
        return (
            "the package index cannot be reached. Check the network, and the index, proxy and certificate\n"
            "  settings in `pip config list` and the PIP_* variables." + more
        )
    missing = re.search(r"No matching distribution found for ([^\s(]+)", output)
    if missing:
        python = ".".join(str(number) for number in sys.version_info[:2])
        return (
            f"the index has no ready-made {missing.group(1)} for this platform\n"
            f"  ({sys.platform}, {os.uname().machine}, Python {python}).\n"
            "  Supported: Linux x86_64 and aarch64 (glibc), macOS; Python 3.11 to 3.13.\n"
            "  Another Python: make setup PYTHON=/path/to/python3" + more
        )
    return "pip failed:\n    " + "\n    ".join(output.strip().splitlines()[-8:]) + more


def pip(environment: Environment, *arguments: str, packages: int = 0) -> None:
    """Runs an environment's pip, showing how far it is.

    Args:
        environment: Whose pip.
        arguments: What pip is asked to do.
        packages: How many packages it will collect, for the progress shown; 0 shows none.

    Raises:
        SetUpError: If pip fails.
    """
    log = environment.path / "set-up.log"
    command = [str(environment.python), "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments]
    lines: list[str] = []
    collected = 0
    with (
        log.open("a", encoding="utf-8") as kept,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=ROOT
        ) as process,
    ):
        for line in process.stdout or ():
            lines.append(line)
            kept.write(line)
            if packages and line.startswith(SEEN):
                collected += 1
                if collected % 20 == 0 or collected == packages:
                    say(f"{environment.folder}: {collected} of {packages} packages fetched")
            elif packages and line.startswith("Installing collected packages"):
                say(f"{environment.folder}: unpacking them")
    if process.returncode:
        raise SetUpError(explain("".join(lines), log))


@contextmanager
def alone_with(environment: Environment) -> Iterator[None]:
    """Waits until no other set-up is at this environment, and keeps others from it meanwhile."""
    # Each has a lock of packages that no other ends with; that file is there before the environment is.
    with (LOCKS / environment.locks[-1]).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def make(environment: Environment, python: str) -> None:
    """Brings one environment to what its locks say, from whatever state it is in.

    Args:
        environment: The environment.
        python: The interpreter to make it with, if it must be made.

    Raises:
        SetUpError: If it cannot be made.
    """
    with alone_with(environment):
        _make(environment, python)


def _make(environment: Environment, python: str) -> None:
    wanted, made = environment.stamp(), environment.made_from()
    if runs(environment.python) and wanted == made:
        say(f"{environment.folder} is up to date")
        return
    try:
        if not runs(environment.python):
            say(f"making {environment.folder} with {python}")
            shutil.rmtree(environment.path, ignore_errors=True)
            venv_python = [python, "-m", "venv", str(environment.path)]
            created = subprocess.run(venv_python, capture_output=True, text=True, check=False)
            if created.returncode:
                raise SetUpError(explain(created.stdout + created.stderr, environment.path))
            made = {}
        (environment.path / STAMP).unlink(missing_ok=True)
        if made.get("locks") != wanted["locks"]:
            for lock in environment.locks:
                install(environment, LOCKS / lock)
            remove_what_is_not_locked(environment)
        if environment.with_project:
            pip(
                environment,
                "install",
                "--no-deps",
                "--no-build-isolation",
                "--no-index",
                "--editable",
                str(ROOT),
            )
        (environment.path / STAMP).write_text(json.dumps(wanted), encoding="utf-8")
    except OSError as problem:
        raise SetUpError(f"{environment.folder} cannot be written: {problem}") from problem
    say(f"{environment.folder} is ready")


def install(environment: Environment, lock: Path) -> None:
    """Installs exactly what a lock names, checked by hash."""
    packages = locked_packages(lock)
    say(f"{environment.folder}: installing {len(packages)} packages from requirements/{lock.name}")
    wheels_only = ",".join(name for name in packages if name not in BUILT_FROM_SOURCE)
    pip(
        environment,
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--require-hashes",
        # What is imported is compiled then, and most of what is installed never is; but where Python may not
        # keep what it compiles (PYTHONDONTWRITEBYTECODE), each start would compile it again.
        *([] if sys.dont_write_bytecode else ["--no-compile"]),
        f"--only-binary={wheels_only}",
        f"--requirement={lock}",
        packages=len(packages),
    )


def remove_what_is_not_locked(environment: Environment) -> None:
    """Removes packages that an older lock had brought, so that nothing works by accident."""
    listed = subprocess.run(
        [environment.python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    locked = {_normal(name) for lock in environment.locks for name in locked_packages(LOCKS / lock)}
    locked |= {"pip", "setuptools", "totesys-lakehouse"}
    strangers = [p["name"] for p in json.loads(listed.stdout) if _normal(p["name"]) not in locked]
    if strangers:
        say(f"{environment.folder}: removing {', '.join(strangers)} (not in the lock)")
        pip(environment, "uninstall", "--yes", *strangers)


def _normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def interpreters(version: str) -> Iterator[str]:
    """Where an interpreter of this version (such as "3.9") may be: on PATH, then among pyenv's."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    root = os.environ.get("PYENV_ROOT", "")
    if not root and shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        root = asked.stdout.strip()
    if root:
        found = sorted(Path(root, "versions").glob(f"{version}.*/bin/python{version}"), reverse=True)
        yield from (str(python) for python in found)


def make_runtimes() -> None:
    """Makes an environment for each of Glue's runtimes whose interpreter is here; says which are not."""
    for version, environment in RUNTIMES.items():
        python = next((p for p in interpreters(version) if runs(p)), None)
        if python is None and not runs(environment.python):
            say(
                f"no Python {version} on PATH or in pyenv: the {RUNTIME_USES[version]} run on the laptop's\n"
                f"  Python, not Glue's. With python{version} installed, `make runtimes` makes Glue's own."
            )
            continue
        make(environment, python or str(environment.python))


def refresh_runtimes() -> None:
    """Brings runtimes that were made once to what their locks say now: jobs run on them as they are."""
    for environment in RUNTIMES.values():
        if runs(environment.python):
            make(environment, str(environment.python))


def main(arguments: list[str]) -> int:
    """Makes what is asked for; returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one reads this far, and is told
        print("set-up: needs Python 3.11 or newer, this is", sys.version.split()[0], file=sys.stderr)
        return 1
    try:
        if arguments == ["laptop"]:
            make(LAPTOP, sys.executable)
            refresh_runtimes()
        elif arguments == ["runtimes"]:
            make_runtimes()
        elif arguments == ["checkers"]:
            make(CHECKERS, sys.executable)
        elif arguments == ["bench"]:
            make(BENCH, sys.executable)
        elif arguments == ["jupyter"]:
            make(JUPYTER, sys.executable)
        else:
            print("usage: set_up.py laptop | runtimes | checkers | jupyter | bench", file=sys.stderr)
            return 2
    except SetUpError as problem:
        print(f"set-up: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
