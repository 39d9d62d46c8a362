"""Finds Terraform's provider for AWS on this machine, for runs that cannot ask Terraform's registry."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Template

_NAME = "terraform-provider-aws"
BY_HAND = ("/opt", "/usr/local", "/srv", "/usr/share", "/usr/lib", "/var/lib", "/var/opt", "/home/linuxbrew")
"""Where people and images put what no package manager brought."""
_PASSED_OVER = frozenset(
    {".git", "__pycache__", "node_modules", "site-packages", "dist-packages", "proc", "sys"}
)
_STATED = re.compile(r'"?\b(?:path|plugin_cache_dir)"?\s*[=:]\s*"([^"]+)"')
_SECONDS = 10.0
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def locked_version(lock: str) -> str:
    """The version of the provider for AWS that a lock file of Terraform names."""
    found = re.search(r'provider "[^"]*/aws" \{\s*version\s*=\s*"([^"]+)"', lock)
    return found[1] if found else ""


def this_platform() -> str:
    """This machine as Terraform names it, such as ``linux_amd64``."""
    machine = platform.machine()
    return f"{sys.platform}_{_MACHINES.get(machine, machine)}"


def folder_of(file: Path, version: str, system: str) -> Path | None:
    """The folder that ``terraform init -plugin-dir`` takes for a provider; None for a file that is no use.

    Args:
        file: A file whose name begins as the provider's does: its program in
            ``<host>/<namespace>/aws/<version>/<system>/``, or its archive in ``<host>/<namespace>/aws/``.
        version: The version that is wanted.
        system: See `this_platform`.
    """
    above = file.parents
    if file.suffix == ".zip":
        fits = file.name == f"{_NAME}_{version}_{system}.zip"
    else:
        fits = [folder.name for folder in above[:2]] == [system, version]
        above = above[2:]
    # The name of a host has a dot, and the folder that is wanted holds it.
    if fits and len(above) > 3 and above[0].name == "aws" and "." in above[2].name:
        return above[3]
    return None


def stated_folders(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Where Terraform itself would look, as its own documentation lists it, in no need of being there."""
    for name in ("TF_PLUGIN_DIR", "TF_PLUGIN_CACHE_DIR"):
        if environment.get(name):
            yield Path(environment[name])
    for file in (Path(environment.get("TF_CLI_CONFIG_FILE") or home / ".terraformrc"), home / ".terraformrc"):
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        for stated in _STATED.findall(text):
            expanded = Template(stated).safe_substitute({**environment, "HOME": str(home)})
            yield home / expanded.removeprefix("~/")
    yield home / ".terraform.d"
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (environment.get("XDG_DATA_HOME") or home / ".local/share", *shared.split(":")):
        yield Path(folder) / "terraform" / "plugins"


def search(roots: Iterable[Path], version: str, system: str, deadline: float) -> Path | None:
    """The first folder for ``-plugin-dir`` below some roots, those near a root first.

    Args:
        roots: Where to look, in this order.
        version: The version that is wanted.
        system: See `this_platform`.
        deadline: When to give up, by the monotonic clock.
    """
    for root in roots:
        waiting = deque([root])
        while waiting and time.monotonic() < deadline:
            files, folders = _listed(waiting.popleft())
            for file in files:
                if file.name.startswith(_NAME) and (found := folder_of(file, version, system)):
                    return found
            waiting.extend(folders)
    return None


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files and the folders in a folder; nothing of one that may not be read."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders += [Path(entry.path)] if entry.name not in _PASSED_OVER else []
                else:
                    files.append(Path(entry.path))
    except OSError:
        pass
    return files, folders


def find(
    lock: Path,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    by_hand: Iterable[str] = BY_HAND,
) -> Path | None:
    """The folder that holds the locked provider as ``terraform init -plugin-dir`` takes it.

    Args:
        lock: Terraform's lock file.
        environment: The process's own by default; ``TF_PLUGIN_DIR`` in it is taken as it is.
        home: The user's home directory.
        by_hand: Folders of the system that are searched.

    Returns:
        The folder; None where none was found within ten seconds.
    """
    environment = os.environ if environment is None else environment
    home = home or Path.home()
    if stated := environment.get("TF_PLUGIN_DIR"):
        return Path(stated)
    roots = (*stated_folders(environment, home), *map(Path, by_hand), home)
    version = locked_version(lock.read_text(encoding="utf-8"))
    return search(roots, version, this_platform(), time.monotonic() + _SECONDS)
