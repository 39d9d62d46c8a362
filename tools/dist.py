"""Builds what is deployed: `make dist` writes `dist/`, which Terraform uploads as it lies there.

    dist/glue_jobs/<job>.py    the jobs' scripts
    dist/wheels/<wheel>        our packages, and for each Glue runtime everything that they stand on: for the
                               Python shell as one bundle, since each run installs anew on a quarter of a core
    dist/functions/<name>.zip  the Lambda functions, each with everything that it stands on and nothing else
    dist/manifest.json         each object's checksum, and which wheels a runtime installs, in order
    dist/laptop/<wheel>        the command line and the stack, for people: not deployed. It requires just the
                               versions that the laptop's locks name, and each part of it is an extra

A job inside a VPC reaches no package index, so the wheels of a runtime are a closed set: the runtime's own
lock (`requirements/`), as its interpreter on Linux x86_64 would read it. Their names are as pip demands, and
a wheel stands after those that it needs. The same sources give the same bytes: SOURCE_DATE_EPOCH, where it is
set, is the time that our wheel's entries bear. Downloads are kept in `.wheels/`, by lock.
"""

from __future__ import annotations

import argparse
import base64
import email.parser
import fcntl
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from bi.dashboard import dashboard_file, load_dashboard
from bi.quicksight import template
from bi.select_lists import ENGINES
from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.project import NOTEBOOKS, PACKED, packed, project_folder
from tools.set_up import LAPTOP

ROOT = Path(__file__).resolve().parent.parent
DOWNLOADS = ROOT / ".wheels"

DEPLOYED_PACKAGES = ("bi", "catalog", "expectations", "glue_jobs", "sites")
"""Those of our packages that a job may import, where they are there; the laptop's stack stays behind."""

FUNCTION_PACKAGES = ("catalog", "glue_jobs", "lambda_functions", "payments_api")
"""Those that a Lambda function may import."""

LEFT_OUT = (
    # What is for those who build or test a library.
    "*/tests/*",
    "*/testing/*",
    "*.c",
    "*.h",
    "*.pxd",
    "*.pxi",
    "*.pyi",
    "*.pyx",
    "pyarrow/include/*",
    "pyarrow/src/*",
    "numpy/distutils/*",
    "numpy/f2py/*",
    # What no job of the Python shell asks for.
    "*/mypy.py",
    "boto3/examples/*",
    "duckdb/experimental/*",
    "pyarrow/*flight*",
    "pycountry/locales/*",
    "pydantic/v1/*",
    "sqlalchemy/dialects/mssql/*",
    "sqlalchemy/dialects/mysql/*",
    "sqlalchemy/dialects/oracle/*",
    "sqlalchemy/dialects/sqlite/*",
    "sqlalchemy/ext/*",
    "sqlalchemy/orm/*",
)
"""Files of wheels that the bundle leaves out, as patterns of their paths."""

AWS_SERVICES = ("athena", "glue", "s3", "secretsmanager", "sts")
"""The services that jobs ask; botocore's descriptions of all others are left out of the bundle."""

ENGINE = frozenset({"pyspark", "py4j"})
"""What a Glue Spark job runs inside of: never installed into it."""


@dataclass(frozen=True)
class Runtime:
    """A Python of Glue's, and what it can install.

    Attributes:
        lock: The lock of its packages, in `requirements/`.
        python: Its version.
        glibc: The newest minor version of glibc 2 that a wheel may ask for.
    """

    lock: str
    python: str
    glibc: int

    @property
    def platforms(self) -> list[str]:
        """Platform tags that pip may choose from, the newest first."""
        newer = [f"manylinux_2_{minor}_x86_64" for minor in range(self.glibc, 4, -1)]
        return [*newer, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]

    @property
    def markers(self) -> dict[str, str]:
        """What environment markers are compared with: CPython on Linux x86_64."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


RUNTIMES = {
    # Amazon Linux 2.
    "python_shell": Runtime("glue-python-shell-3.9.txt", "3.9", 26),
    "spark": Runtime("glue-spark-3.13.txt", "3.13", 34),
}
"""By the runtime's kind in `catalog/pipeline.yaml`."""

LAMBDA = Runtime("lambda-3.13.txt", "3.13", 34)
"""Lambda's Python, on Amazon Linux 2023."""

UNZIPPED_BYTES = 250 * 2**20
"""What Lambda takes of a function at most, unpacked."""

BUNDLED, BUNDLE = "python_shell", "lakehouse_shell_bundle"
"""The kind whose wheels are one, and the bundle's name."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_METADATA = re.compile(r"([^/]+)\.dist-info/METADATA")
"""Where a library's metadata lies. A wheel has one such folder: in the bundle they lie as before wheels."""


class DistError(Exception):
    """What stops the build, in words that say what to do."""


def pinned(lock: str, markers: Mapping[str, str], leave_out: Iterable[str] = ()) -> list[str]:
    """The requirements of a universal lock that hold for one interpreter, each with its hashes.

    Args:
        lock: The lock's text.
        markers: What the interpreter says of itself.
        leave_out: Packages that the interpreter's surroundings bring.
    """
    without = {canonicalize_name(name) for name in leave_out}
    kept = []
    for requirement, hashes in entries(lock):
        if canonicalize_name(requirement.name) in without:
            continue
        if requirement.marker is None or Marker(str(requirement.marker)).evaluate(dict(markers)):
            kept.append(" ".join([f"{requirement.name}{requirement.specifier}", *hashes]))
    return kept


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """The requirements of a lock, each with its hashes as pip takes them."""
    lines = [line for line in lock.replace("\\\n", " ").splitlines() if re.match(r"[A-Za-z0-9]", line)]
    parted = (re.split(r"\s+(?=--hash=)", line.strip()) for line in lines)
    return [(Requirement(stated), hashes) for stated, *hashes in parted]


def in_order(wheels: Mapping[str, Sequence[str]], markers: Mapping[str, str]) -> list[str]:
    """The names of wheels, each after those that it requires.

    Args:
        wheels: By name of a package, the ``Requires-Dist`` of its wheel.
        markers: What the interpreter says of itself.

    Raises:
        DistError: A wheel requires one that is not there: the set is not closed.
    """
    graph: dict[str, list[str]] = {}
    for name, stated in sorted(wheels.items()):
        needed = [Requirement(text) for text in stated]
        graph[name] = sorted(
            canonicalize_name(one.name)
            for one in needed
            if one.marker is None or one.marker.evaluate(dict(markers))
        )
        missing = [other for other in graph[name] if other not in wheels]
        if missing:
            raise DistError(
                f"{name} requires {', '.join(missing)}, which the lock lacks. Write it anew: make lock"
            )
    return list(TopologicalSorter(graph).static_order())


def requirements_of(wheel: Path) -> list[str]:
    """The ``Requires-Dist`` of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        entry = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.parser.BytesParser().parsebytes(archive.read(entry), headersonly=True)
    return [str(text) for text in metadata.get_all("Requires-Dist", [])]


def name_of(wheel: Path) -> str:
    """The package that a wheel holds."""
    return parse_wheel_filename(wheel.name)[0]


def build_own(target: Path) -> Path:
    """Build the wheel of what jobs import: our packages without the laptop's stack, and the project's files.

    The same distribution as `pyproject.toml` states, less what only a laptop has, under the project's name.

    Returns:
        The wheel.
    """
    return _wheel_of(_stated_with(DEPLOYED_PACKAGES), target)


def build_laptop(target: Path) -> Path:
    """Build the wheel of the command line and the stack, which anybody can install: pip, pipx, uv.

    It requires the versions that the tests ran with, and no others; the parts that a checkout installs when
    they are first needed are its extras.

    Returns:
        The wheel.
    """
    stated = _stated()
    stated["project"]["requires-python"] = ">=3.11"
    stated["project"]["dependencies"] = locked("laptop.txt")
    stated["project"]["optional-dependencies"] = {
        part: locked(lock) for part, lock in sorted(LAPTOP.parts.items())
    }
    return _wheel_of(stated, target)


def locked(lock: str) -> list[str]:
    """What a lock names, as a package requires it."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return [str(requirement) for requirement, _ in entries(text)]


def _stated() -> dict[str, Any]:
    """`pyproject.toml`, of the distribution that is named after the project."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    stated["project"]["name"] = f"{load_pipeline().name}-lakehouse"
    return stated


def _stated_with(packages: Iterable[str]) -> dict[str, Any]:
    """The distribution with some of our packages alone."""
    stated = _stated()
    stated["project"].pop("scripts", None)
    stated["project"].pop("optional-dependencies", None)
    # What it stands on is installed beside it, in one bundle that bears no library's name.
    stated["project"]["dependencies"] = []
    wheel = stated["tool"]["hatch"]["build"]["targets"]["wheel"]
    wheel["packages"] = [name for name in packages if (ROOT / name).is_dir()]
    return stated


def _wheel_of(stated: dict[str, Any], target: Path) -> Path:
    """Build a wheel with the files of the project in it."""
    from hatchling.builders.wheel import WheelBuilder

    wheel = stated["tool"]["hatch"]["build"]["targets"]["wheel"]
    wheel["exclude"] = [*PACKED, NOTEBOOKS]
    project = project_folder()
    wheel["force-include"] = {str(project / name): name.rstrip("/") for name in packed(project)}
    return Path(next(WheelBuilder(str(ROOT), config=stated).build(directory=str(target))))


def own_requirements() -> list[str]:
    """What our packages stand on, as `pyproject.toml` states it."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(one) for one in stated["project"]["dependencies"]]


def fetch(runtime: Runtime) -> Path:
    """Have the wheels of a runtime's lock, downloaded and checked by hash unless they are here already.

    Returns:
        Their folder.

    Raises:
        DistError: pip cannot get one.
    """
    lock = (ROOT / "requirements" / runtime.lock).read_text(encoding="utf-8")
    wanted = "\n".join(pinned(lock, runtime.markers, ENGINE))
    stamp = "\n".join([wanted, runtime.python, *runtime.platforms])
    folder = DOWNLOADS / f"{runtime.python}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    DOWNLOADS.mkdir(exist_ok=True)
    with (DOWNLOADS / ".lock").open("w") as held:
        # Who comes second waits, and finds them here.
        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.is_dir():
            _download(runtime, wanted, folder)
    return folder


def _download(runtime: Runtime, wanted: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=DOWNLOADS, prefix=".unfinished-") as unfinished:
        requirements = Path(unfinished) / "requirements.txt"
        requirements.write_text(wanted, encoding="utf-8")
        wheels = Path(unfinished) / "wheels"
        platforms = [word for tag in runtime.platforms for word in ("--platform", tag)]
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]
        which = [
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--python-version",
            runtime.python,
        ]
        done = subprocess.run(
            [*pip, *which, *platforms, "--dest", str(wheels), "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise DistError(f"The wheels of requirements/{runtime.lock} cannot be had: {said}")
        wheels.replace(folder)


def is_left_out(path: str) -> bool:
    """Whether the bundle leaves out a file of a wheel.

    Args:
        path: Where the file would be installed.
    """
    if ".dist-info/" in path:
        # What a library asks of itself, such as its version, stands in its metadata.
        return not path.endswith("/METADATA")
    described = re.match(r"botocore/data/([^/]+)/", path)
    if described:
        return described.group(1) not in AWS_SERVICES
    return any(
        fnmatch.fnmatchcase(f"/{path}" if pattern.startswith("*/") else path, pattern) for pattern in LEFT_OUT
    )


def bundle(wheels: Sequence[Path], runtime: Runtime, version: str, target: Path) -> Path:
    """Make one wheel of many, with what jobs import of them; the same wheels give the same bytes.

    Args:
        wheels: The wheels.
        runtime: Whose they are.
        version: The bundle's version.
        target: The folder to write it to.

    Raises:
        DistError: A wheel installs something elsewhere than among the packages.
    """
    tag = f"cp{runtime.python.replace('.', '')}"
    name = f"{BUNDLE}-{version}"
    made = target / f"{name}-{tag}-{tag}-manylinux_2_{runtime.glibc}_x86_64.whl"
    records = []
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def put(path: str, content: bytes) -> None:
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            records.append(f"{path},sha256={digest},{len(content)}")

        for wheel in sorted(wheels):
            with zipfile.ZipFile(wheel) as source:
                for path in sorted(source.namelist()):
                    if re.match(r"[^/]+\.data/(?:data|platlib|purelib)/.", path):
                        raise DistError(f"{wheel.name} installs {path}, which a bundle cannot.")
                    if not path.endswith("/") and ".data/" not in path and not is_left_out(path):
                        put(_METADATA.sub(r"\1.egg-info/PKG-INFO", path), source.read(path))
        info = f"{name}.dist-info"
        put(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {BUNDLE}\nVersion: {version}\n".encode())
        wheel_tag = made.stem[len(name) + 1 :]
        put(
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: tools.dist\nRoot-Is-Purelib: false\nTag: {wheel_tag}\n".encode(),
        )
        records.append(f"{info}/RECORD,,")
        archive.writestr(
            zipfile.ZipInfo(f"{info}/RECORD", _EPOCH), "\n".join(records) + "\n", zipfile.ZIP_DEFLATED
        )
    return made


def bundled(runtime: Runtime) -> Path:
    """Have the bundle of a runtime's wheels; one that was made of the same wheels is kept beside them."""
    wheels = sorted(fetch(runtime).glob("*.whl"))
    stamp = json.dumps([[wheel.name for wheel in wheels], wheels[0].parent.name, LEFT_OUT, AWS_SERVICES])
    version = f"1.0+{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    kept = DOWNLOADS / "bundles"
    found = next(iter(kept.glob(f"{BUNDLE}-{version}-*.whl")), None)
    if found is not None:
        return found
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".unfinished-") as unfinished:
        made = bundle(wheels, runtime, version, Path(unfinished))
        return made.replace(kept / made.name)


def build_functions(target: Path) -> list[Path]:
    """Build the zip of each Lambda function: what it requires, closed over the lock, and our packages.

    Args:
        target: The folder to write them to.

    Returns:
        The zips.

    Raises:
        DistError: A function requires what the lock lacks, or is larger than Lambda takes.
    """
    functions = load_pipeline().functions
    if not functions:
        return []
    target.mkdir(parents=True)
    fetched = {name_of(wheel): wheel for wheel in sorted(fetch(LAMBDA).glob("*.whl"))}
    stated = {name: requirements_of(wheel) for name, wheel in fetched.items()}
    with tempfile.TemporaryDirectory() as folder:
        own = _wheel_of(_stated_with(FUNCTION_PACKAGES), Path(folder))
        return [
            _function_zip(
                [own, *(fetched[one] for one in closure(function.requires, stated, LAMBDA.markers))],
                target / f"{name}.zip",
            )
            for name, function in functions.items()
        ]


def closure(
    required: Iterable[str], wheels: Mapping[str, Sequence[str]], markers: Mapping[str, str]
) -> list[str]:
    """What some packages stand on, they among it, by name.

    Args:
        required: The packages.
        wheels: By name of a package, the ``Requires-Dist`` of its wheel.
        markers: What the interpreter says of itself.

    Raises:
        DistError: One is not there.
    """
    found: set[str] = set()
    left = [canonicalize_name(name) for name in required]
    while left:
        name = left.pop()
        if name not in wheels:
            raise DistError(
                f"A function requires {name}, which requirements/{LAMBDA.lock} lacks. Write it: make lock"
            )
        if name not in found:
            found.add(name)
            needed = (Requirement(text) for text in wheels[name])
            left += [
                canonicalize_name(one.name)
                for one in needed
                if one.marker is None or one.marker.evaluate(dict(markers))
            ]
    return sorted(found)


def _function_zip(wheels: Sequence[Path], made: Path) -> Path:
    """One zip of what wheels install; the same wheels give the same bytes."""
    size = 0
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for wheel in sorted(wheels, key=lambda path: path.name):
            with zipfile.ZipFile(wheel) as source:
                for path in sorted(source.namelist()):
                    if path.endswith("/") or ".data/" in path or is_left_out(path):
                        continue
                    entry = zipfile.ZipInfo(path, _EPOCH)
                    # Lambda's user is another than whoever unpacks.
                    entry.external_attr = 0o644 << 16
                    content = source.read(path)
                    size += len(content)
                    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)
    if size > UNZIPPED_BYTES:
        raise DistError(f"{made.name} is {size / 2**20:.0f} MB unpacked, and Lambda takes 250 MB.")
    return made


def build(target: Path) -> dict[str, Any]:
    """Build everything that is deployed.

    Args:
        target: The folder to write; what it held before is removed.

    Returns:
        The manifest.

    Raises:
        DistError: A wheel is missing.
    """
    shutil.rmtree(target, ignore_errors=True)
    (target / "wheels").mkdir(parents=True)
    own = build_own(target / "wheels")
    installs: dict[str, list[str]] = {}
    for kind, runtime in RUNTIMES.items():
        fetched = {name_of(wheel): wheel for wheel in sorted(fetch(runtime).glob("*.whl"))}
        requirements = {name: requirements_of(wheel) for name, wheel in fetched.items()}
        requirements[name_of(own)] = own_requirements()
        order = in_order(requirements, runtime.markers)
        wheels = [fetched[name] for name in order if name in fetched]
        if kind == BUNDLED:
            wheels = [bundled(runtime)]
        for wheel in wheels:
            _place(wheel, target / "wheels" / wheel.name)
        # Ours comes last, whatever else nobody requires.
        installs[kind] = [f"wheels/{name}" for name in [*(wheel.name for wheel in wheels), own.name]]
    for job in load_pipeline().jobs.values():
        (target / job.script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / job.script, target / job.script)
    build_functions(target / "functions")
    (target / "dashboard").mkdir()
    for engine in ENGINES if dashboard_file().exists() else ():
        made = json.dumps(template(load_dashboard(), engine), separators=(",", ":"))
        (target / "dashboard" / f"{engine}.json").write_text(made, encoding="utf-8")
    manifest = describe(target, installs)
    # After the description: it is not deployed.
    build_laptop(target / "laptop")
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (target / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def describe(target: Path, installs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The manifest of a built folder.

    Returns:
        `version`: the project's; `release`: names exactly these bytes; `objects`: by path, ``sha256`` and
        ``bytes``; `installs`: by runtime, the wheels in the order of their installation; `functions`: the
        checksum of each function's zip, as Lambda states it; `alarms`: what CloudWatch looks at.
    """
    objects = {
        path.relative_to(target).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    told = json.dumps([objects, installs], sort_keys=True).encode()
    release = f"{version}-{hashlib.sha256(told).hexdigest()[:12]}"
    return {
        "version": version,
        "release": release,
        "objects": objects,
        "installs": dict(installs),
        "functions": {
            path.stem: base64.b64encode(bytes.fromhex(_sha256(path))).decode()
            for path in sorted((target / "functions").glob("*.zip"))
        },
        "alarms": stated_alarms(),
    }


def stated_alarms() -> dict[str, Any]:
    """What CloudWatch looks at, as Terraform reads it."""
    pipeline = load_pipeline()
    alarms = read_alarms(pipeline)
    stated = {
        "namespace": alarms.namespace,
        "late_share": alarms.late_share,
        "run_metrics": {name: metric.model_dump() for name, metric in alarms.run_metrics.items()},
        "alarms": spell_out(alarms, pipeline, load_catalogue()),
    }
    found: dict[str, Any] = json.loads(json.dumps(stated))
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(source: Path, target: Path) -> None:
    """Put a file at another place too, without a copy where the file system allows it."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def main(argv: Sequence[str]) -> int:
    """Build into a folder and say what is there."""
    parser = argparse.ArgumentParser(prog="make dist", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="the folder to write (default: dist)")
    parser.add_argument("--fetch", action="store_true", help="download what it needs, and build nothing")
    given = parser.parse_args(argv)
    target = given.to
    try:
        if given.fetch:
            for runtime in (*RUNTIMES.values(), LAMBDA):
                fetch(runtime)
            return 0
        manifest = build(target)
    except (DistError, OSError) as problem:
        print(f"dist: {problem}", file=sys.stderr)
        return 1
    for kind, wheels in manifest["installs"].items():
        size = sum(manifest["objects"][wheel]["bytes"] for wheel in wheels)
        print(f"dist: {kind}: {len(wheels)} wheels, {size / 1e6:.0f} MB")
    print(f"dist: release {manifest['release']} is in {target}")
    (laptop,) = (target / "laptop").glob("*.whl")
    print(f"dist: for people, pipx run --spec {laptop} lakehouse")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
