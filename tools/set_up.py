"""Makes the project's virtual environments: `laptop`, `runtimes`, `checkers`, `jupyter` or `bench`.

`laptop` has what running needs; `laptop local-spark` adds a part, which commands do when they first need it
(`lakehouse.parts`), and `laptop development` has everything, for the gates and the tests.

Runs on a bare Python 3.11 or newer, before anything is installed, and therefore uses the standard library
only. The user's own pip configuration (index, proxy, certificates) holds: uv, which installs in a fraction of
pip's time, is told what it says, and pip does what uv cannot. An environment whose lock did not change is
left alone.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
STAMP, LOG = "set-up.json", "set-up.log"
SAYS, READY = "set-up: ", "ready"
"""How a line of progress begins, and what the last one says."""
_LOOK_SECONDS = 0.2
_PACKAGES = "lib/python3*/site-packages"
# Packages that are published without a wheel; everything else is installed from wheels or not at all.
SPARK = "pyspark"
CLASSES = "spark-classes.jsa"
BUILT_FROM_SOURCE = frozenset({"docopt", SPARK, "pysingleton"})
UV = ROOT / ".uv" / "bin" / "uv"
"""The installer that all environments share."""
UV_IS_TOLD = frozenset({"index-url", "extra-index-url", "find-links", "cert", "timeout", "trusted-host"})
PIP_ALONE_CARES = frozenset(
    {
        "break-system-packages",
        "cache-dir",
        "constraint",
        "disable-pip-version-check",
        "no-cache-dir",
        "no-color",
    }
    | {"no-input", "no-warn-script-location", "prefer-binary", "progress-bar", "quiet", "require-virtualenv"}
    | {"retries", "root-user-action", "verbose"}
)
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
        parts: What may be added to it, by name the lock that has it. All locks are of one resolution.
        whole: The lock that stands in place of the last one and of every part, once all are wanted.
    """

    folder: str
    locks: tuple[str, ...]
    with_project: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    whole: str = ""

    @property
    def path(self) -> Path:
        """The environment's folder."""
        return ROOT / self.folder

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / "bin" / "python"

    @property
    def guard(self) -> Path:
        """The file that keeps other set-ups away: no other environment has it, and it is always there."""
        return LOCKS / self.locks[-1]

    def locks_of(self, parts: Collection[str]) -> tuple[str, ...]:
        """The lock files of the environment with some of its parts."""
        if WHOLE in parts:
            return (*self.locks[:-1], self.whole)
        return (*self.locks, *(self.parts[part] for part in sorted(parts)))

    def stamp(self, parts: Collection[str] = ()) -> Stamp:
        """What the environment with some parts is made from: its locks, and the project's metadata."""
        locks = {lock: _digest(LOCKS / lock) for lock in self.locks_of(parts)}
        project = _digest(ROOT / "pyproject.toml") if self.with_project else ""
        return Stamp((WHOLE,) if WHOLE in parts else tuple(sorted(parts)), locks, project)

    def made_from(self) -> Stamp:
        """What the environment says it was made from; nothing if it is not there or was left unfinished."""
        try:
            made = json.loads((self.path / STAMP).read_text(encoding="utf-8"))
            return Stamp(tuple(made["parts"]), dict(made["locks"]), made["project"])
        except (OSError, ValueError, KeyError, TypeError):
            return Stamp()


@dataclass(frozen=True)
class Stamp:
    """What an environment is made from.

    Attributes:
        parts: The parts that it has.
        locks: By name of a lock, the digest of the file.
        project: The digest of the project's own metadata, where that is installed.
    """

    parts: tuple[str, ...] = ()
    locks: Mapping[str, str] = field(default_factory=dict)
    project: str = ""


SPARK_PART = "local-spark"
WHOLE = "development"
"""The part that has all others in it, and the tools of the project's developers."""


LAPTOP = Environment(
    ".venv",
    ("bootstrap.txt", "laptop.txt"),
    with_project=True,
    parts={part: f"laptop-{part}.txt" for part in ("dashboard", "documentation", SPARK_PART, "notebooks")},
    whole="development.txt",
)
RUNTIMES = {
    "3.9": Environment(".venv-glue-shell-3.9", ("glue-python-shell-3.9.txt",)),
    "3.13": Environment(".venv-glue-spark-3.13", ("bootstrap.txt", "glue-spark-3.13.txt")),
}
CHECKERS = Environment(".venv-checkers", ("bootstrap.txt", "checkers.txt"))
BENCH = Environment(".venv-bench", ("bootstrap.txt", "bench-peers.txt"))
JUPYTER = Environment(".venv-jupyter", ("bootstrap.txt", "jupyter.txt"), with_project=True)
RUNTIME_USES = {"3.9": "Python shell jobs", "3.13": "Spark jobs"}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def report(message: str) -> None:
    """Tells the user how far the set-up is."""
    print(f"{SAYS}{message}", flush=True)


def report_for(environment: Environment, message: str) -> None:
    """Tells how far an environment is, those who wait for it too."""
    report(f"{environment.folder}: {message}")
    with suppress(OSError), (environment.path / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{SAYS}{environment.folder}: {message}\n")


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
            "the disk is full. The environment needs up to 2 GB here, and 2 GB more in the temporary folder\n"
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
    command = [str(environment.python), "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments]
    collected = 0

    def follow(line: str) -> None:
        nonlocal collected
        if packages and line.startswith(SEEN):
            collected += 1
            if collected % 20 == 0 or collected == packages:
                report_for(environment, f"{collected} of {packages} packages fetched")
        elif packages and line.startswith("Installing collected packages"):
            report_for(environment, "unpacking them")

    code, output = logged(environment, command, follow)
    if code:
        raise SetUpError(explain(output, environment.path / LOG))


def logged(
    environment: Environment,
    command: list[str],
    follow: Callable[[str], None],
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a command, and keeps what it prints in the environment's log.

    Args:
        environment: Whose log.
        command: The command.
        follow: Is given each line.
        variables: Environment variables beside the process's own.

    Returns:
        Its exit code, and all that it printed.
    """
    lines: list[str] = []
    with (
        (environment.path / LOG).open("a", encoding="utf-8") as kept,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **(variables or {})},
        ) as process,
    ):
        for line in process.stdout or ():
            lines.append(line)
            kept.write(line)
            kept.flush()
            follow(line)
    return process.returncode, "".join(lines)


def settings_of_pip(listed: str) -> dict[str, str]:
    """What pip is configured to do when it installs, from what `pip config list` prints.

    A setting of the command's own holds before a global one, and a variable before both.
    """
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.").removeprefix("default-")] = str(
                    ast.literal_eval(value)
                )
    return found


def as_uv_is_told(settings: Mapping[str, str]) -> tuple[list[str], dict[str, str]] | None:
    """The settings of pip as options of uv and its variables; none where one of them means nothing to uv."""
    if settings.keys() - UV_IS_TOLD - PIP_ALONE_CARES:
        return None
    options = ["--index-strategy=unsafe-best-match"]
    for setting, option in {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "trusted-host": "--allow-insecure-host",
    }.items():
        options += [f"{option}={value}" for value in settings.get(setting, "").split()]
    variables = {"SSL_CERT_FILE": settings.get("cert", ""), "UV_HTTP_TIMEOUT": settings.get("timeout", "")}
    return options, {name: value for name, value in variables.items() if value}


def fetch_uv(environment: Environment) -> None:
    """Fetches uv with an environment's pip, unless it is there.

    Raises:
        SetUpError: If it cannot be fetched: the platform has none, or the index.
    """
    lock = LOCKS / "uv.txt"
    folder = UV.parent.parent
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (version,) = re.findall(r"^uv==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if not (folder / f"uv-{version}.dist-info").exists():
            options = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--upgrade")
            pip(environment, "install", *options, f"--target={folder}", f"--requirement={lock}")


def install_by_uv(environment: Environment, lock: Path, packages: Collection[str]) -> bool:
    """Installs what a lock names by uv; whether that could be done."""
    asked = subprocess.run(
        [environment.python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    told = as_uv_is_told(settings_of_pip(asked.stdout)) if asked.returncode == 0 else None
    if told is None:
        return False
    options, variables = told
    command = [str(UV), "pip", "install", f"--python={environment.python}", "--no-progress", "--no-deps"]
    command += ["--no-build-isolation", "--require-hashes", *options]
    command += [f"--only-binary={name}" for name in packages if name not in BUILT_FROM_SOURCE]
    command += ["--compile-bytecode"] if sys.dont_write_bytecode else []

    def follow(line: str) -> None:
        if line.lstrip().startswith(("Downloading ", "Building ")):
            report_for(environment, line.strip())

    try:
        fetch_uv(environment)
        code, output = logged(environment, [*command, f"--requirement={lock}"], follow, variables)
    except (SetUpError, OSError) as problem:
        code, output = 1, f"error: {problem}"
    if code:
        reason = next((line for line in output.splitlines() if line.startswith("error: ")), output[-200:])
        report_for(environment, f"pip installs them, since uv could not: {reason.removeprefix('error: ')}")
    return not code


@contextmanager
def alone_with(environment: Environment) -> Iterator[None]:
    """Waits until no other set-up is at this environment, and keeps others from it meanwhile."""
    with environment.guard.open("rb") as held:
        told = ""
        while not _locks(held):
            # Another one may take minutes, of which this one tells.
            newest = newest_progress(environment)
            if newest != told:
                told = newest
                report(told)
            time.sleep(_LOOK_SECONDS)
        yield


def _locks(held: BinaryIO) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def newest_progress(environment: Environment) -> str:
    """How far another set-up of an environment is, in the last words that it said."""
    try:
        lines = (environment.path / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    said = [line.removeprefix(SAYS) for line in lines if line.startswith(SAYS)]
    if not said or said[-1].endswith(READY):
        return f"waiting for another set-up of {environment.folder}"
    return said[-1]


def make(environment: Environment, python: str, parts: Collection[str] = ()) -> None:
    """Brings one environment to what its locks say, from whatever state it is in.

    Args:
        environment: The environment.
        python: The interpreter to make it with, if it must be made.
        parts: Parts that it must have; those that it has already stay.

    Raises:
        SetUpError: If it cannot be made.
    """
    with alone_with(environment):
        _make(environment, python, parts)


def _make(environment: Environment, python: str, parts: Collection[str]) -> None:
    made = environment.made_from()
    usable = runs(environment.python)
    had = {*made.parts} & {*environment.parts, WHOLE} if usable else set()
    wanted = environment.stamp({*parts, *had})
    if usable and wanted == made:
        report(f"{environment.folder} is up to date")
        return
    try:
        if not usable:
            report(f"making {environment.folder} with {python}")
            shutil.rmtree(environment.path, ignore_errors=True)
            venv_python = [python, "-m", "venv", str(environment.path)]
            created = subprocess.run(venv_python, capture_output=True, text=True, check=False)
            if created.returncode:
                raise SetUpError(explain(created.stdout + created.stderr, environment.path))
            made = Stamp()
        for lock, digest in wanted.locks.items():
            if made.locks.get(lock) != digest:
                install(environment, LOCKS / lock)
        if set(made.locks.items()) - set(wanted.locks.items()) or not made.locks:
            remove_what_is_not_locked(environment, wanted.locks)
        if environment.with_project and made.project != wanted.project:
            pip(
                environment,
                "install",
                "--no-deps",
                "--no-build-isolation",
                "--no-index",
                "--editable",
                str(ROOT),
            )
        # Last, and whole: what is stamped is there.
        fresh = environment.path / f".{STAMP}"
        fresh.write_text(json.dumps(asdict(wanted)), encoding="utf-8")
        fresh.replace(environment.path / STAMP)
    except OSError as problem:
        raise SetUpError(f"{environment.folder} cannot be written: {problem}") from problem
    report_for(environment, READY)


def install(environment: Environment, lock: Path) -> None:
    """Installs exactly what a lock names, checked by hash."""
    packages = locked_packages(lock)
    report_for(environment, f"installing {len(packages)} packages from requirements/{lock.name}")
    with spark_once(environment, lock) if SPARK in packages else nullcontext():
        if packages and install_by_uv(environment, lock, packages):
            return
        wheels_only = ",".join(name for name in packages if name not in BUILT_FROM_SOURCE)
        pip(
            environment,
            "install",
            "--no-deps",
            "--no-build-isolation",
            "--require-hashes",
            # What is imported is compiled then, and most of what is installed never is; but where Python may
            # not keep what it compiles (PYTHONDONTWRITEBYTECODE), each start would compile it again.
            *([] if sys.dont_write_bytecode else ["--no-compile"]),
            f"--only-binary={wheels_only}",
            f"--requirement={lock}",
            packages=len(packages),
        )


@contextmanager
def spark_once(environment: Environment, lock: Path) -> Iterator[None]:
    """Has one set-up at a time install PySpark, and every one but the first link what that has built.

    It is half a gigabyte of the same files for every Python, and has no wheel; pip keeps what it builds for
    one Python alone.
    """
    with (LOCKS / "bootstrap.txt").open("rb") as held:
        if not _locks(held):
            report_for(environment, "waiting for PySpark, which another set-up builds")
            fcntl.flock(held, fcntl.LOCK_EX)
        link_spark(environment, lock)
        yield


def link_spark(environment: Environment, lock: Path) -> None:
    """Links the PySpark that a lock names out of another environment, if one has it; pip leaves it then."""
    version = re.findall(rf"^{SPARK}==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[0]
    own = next(environment.path.glob(_PACKAGES))
    record = f"{SPARK}-{version}.dist-info/RECORD"
    built = [site for site in ROOT.glob(f".venv*/{_PACKAGES}") if (site / record).exists()]
    # What has another version is brought to this one by pip, which knows what to take away.
    if not built or list(own.glob(f"{SPARK}-*.dist-info")):
        return
    # The record comes last: what has one is whole.
    files = [line.partition(",")[0] for line in (built[0] / record).read_text(encoding="utf-8").splitlines()]
    for name in sorted(files, key=record.__eq__):
        # Commands and what a Python has compiled are its own, and asked for by nobody.
        if not name.startswith("..") and "__pycache__" not in name:
            target = own / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(built[0] / name, target)


def archive_classes(environment: Environment) -> None:
    """Has Java keep the classes of an environment's Spark at hand, once: Spark starts sooner then."""
    archive = environment.path / CLASSES
    # A file that is linked or copied keeps the time of its text, and not that of its place.
    installed = [record.stat().st_ctime for record in environment.path.glob(f"{_PACKAGES}/{SPARK}-*/RECORD")]
    if not installed or (archive.exists() and archive.stat().st_ctime > max(installed)):
        return
    report_for(environment, "keeping Spark's classes at hand, which takes half a minute once")
    made = subprocess.run(
        [environment.python, "-m", "lakehouse.spark_classes"], capture_output=True, cwd=ROOT, check=False
    )
    if made.returncode:
        report_for(environment, "without Spark's classes at hand, Spark starts slower")


def remove_what_is_not_locked(environment: Environment, locks: Iterable[str]) -> None:
    """Removes packages that an older lock had brought, so that nothing works by accident."""
    listed = subprocess.run(
        [environment.python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    locked = {_normal(name) for lock in locks for name in locked_packages(LOCKS / lock)}
    locked |= {"pip", "setuptools", "totesys-lakehouse"}
    strangers = [p["name"] for p in json.loads(listed.stdout) if _normal(p["name"]) not in locked]
    if strangers:
        report_for(environment, f"removing {', '.join(strangers)} (not in the lock)")
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
            report(
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
    made: dict[str, Callable[[], None]] = {
        "runtimes": make_runtimes,
        "checkers": lambda: make(CHECKERS, sys.executable),
        "jupyter": lambda: make(JUPYTER, sys.executable),
        "bench": lambda: make(BENCH, sys.executable),
        "uv": lambda: fetch_uv(LAPTOP),
        "spark-classes": lambda: archive_classes(LAPTOP),
    }
    try:
        if arguments[:1] == ["laptop"] and {*arguments[1:]} <= {*LAPTOP.parts, WHOLE}:
            make(LAPTOP, sys.executable, arguments[1:])
            if SPARK_PART in arguments:
                archive_classes(LAPTOP)
            refresh_runtimes()
        elif len(arguments) == 1 and arguments[0] in made:
            made[arguments[0]]()
        else:
            parts = " | ".join((*LAPTOP.parts, WHOLE))
            print(f"usage: set_up.py laptop [{parts}]... | {' | '.join(made)}", file=sys.stderr)
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
