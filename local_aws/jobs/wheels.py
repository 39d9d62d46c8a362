"""What a deployed job installs before it begins: the wheels that its arguments list, nothing from an index.

Glue's Python shell takes them from ``--extra-py-files``, Glue's Spark from ``--additional-python-modules``;
both put them where the job's Python looks first. A job of the laptop's own deployment lists none: it imports
the checkout.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENGINE = ("pyspark", "py4j")
"""What Glue's Spark brings itself."""

_one_at_a_time = threading.Lock()


class WheelsError(Exception):
    """The wheels that a job lists cannot be installed."""


def listed(job: Mapping[str, Any]) -> list[str]:
    """The ``s3://`` addresses of a job's wheels, in the order of their installation.

    Args:
        job: What Glue's GetJob answers.
    """
    argument = (
        "--extra-py-files" if job["Command"]["Name"] == "pythonshell" else "--additional-python-modules"
    )
    return [part for part in job.get("DefaultArguments", {}).get(argument, "").split(",") if part]


def base_of(python: Path) -> Path:
    """The interpreter that an environment was made with: it has none of the environment's packages."""
    asked = [str(python), "-I", "-c", "import sys; print(sys._base_executable)"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def installed(s3: S3Client, job: Mapping[str, Any], python: Path, cache: Path) -> Path:
    """Have a job's wheels installed, for this Python, once.

    Args:
        s3: A boto3 ``s3`` client.
        job: What Glue's GetJob answers.
        python: The runtime's Python, with pip.
        cache: Where installed sets are kept.

    Returns:
        The folder that they are in.

    Raises:
        WheelsError: One cannot be fetched, is for another Python, or requires what is not listed.
    """
    locations = listed(job)
    name = hashlib.sha256("\n".join([str(python), *locations]).encode()).hexdigest()[:16]
    folder = cache / name
    with _one_at_a_time:
        if folder.is_dir():
            return folder
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".unfinished-") as unfinished:
            wheels = [_fetch(s3, location, Path(unfinished)) for location in locations]
            target = Path(unfinished) / "installed"
            _install(python, wheels, target)
            if job["Command"]["Name"] == "glueetl":
                _lend_the_engine(python, target)
            target.replace(folder)
    return folder


def _fetch(s3: S3Client, location: str, folder: Path) -> Path:
    address = urlsplit(location)
    target = folder / Path(address.path).name
    try:
        body = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"]
    except s3.exceptions.NoSuchKey as error:
        raise WheelsError(f"the wheel {location} is not there") from error
    with target.open("wb") as file:
        shutil.copyfileobj(body, file)
    return target


def _install(python: Path, wheels: list[Path], target: Path) -> None:
    pip = [str(python), "-m", "pip", "--isolated", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-index", "--no-cache-dir", "--no-compile", "--target", str(target)]
    done = subprocess.run(
        [*pip, *offline, *map(str, wheels)], capture_output=True, text=True, check=False, cwd=target.parent
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise WheelsError(f"the job's wheels cannot be installed: {said}")


def _lend_the_engine(python: Path, target: Path) -> None:
    asked = [str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    theirs = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    for name in ENGINE:
        # The package, and what says that it is installed.
        for part in (theirs / name, *theirs.glob(f"{name}-*.dist-info")):
            (target / part.name).symlink_to(part)
