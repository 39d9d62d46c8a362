"""Terraform as the tests run it: against the stack's endpoint, with a provider from a local folder.

TF_PLUGIN_DIR names a folder that holds the provider as `terraform init -plugin-dir` takes it; without it the
folders are searched where software is put by hand, and where nothing is found Terraform's own configuration
says where providers are. Where Terraform or the provider cannot be had, what needs them is skipped, and says
so.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "terraform"

_PATIENCE_SECONDS = 900

_BY_HAND = (
    "/opt",
    "/usr/local",
    "/usr/share/terraform",
    "/usr/lib/terraform",
    "~/.terraform.d",
    "~/.local/share",
)
_REGISTRY = "registry.terraform.io"
_SEARCH_SECONDS = 10.0


@functools.cache
def provider_folder() -> str:
    """The folder that holds the provider for AWS; the empty text where none is found in some seconds."""
    if stated := os.environ.get("TF_PLUGIN_DIR"):
        return stated
    deadline = time.monotonic() + _SEARCH_SECONDS
    for root in _BY_HAND:
        for folder, folders, _ in os.walk(Path(root).expanduser()):
            if _REGISTRY in folders and any(
                Path(folder, _REGISTRY).glob("*/aws/*/*/terraform-provider-aws*")
            ):
                return folder
            if time.monotonic() > deadline:
                return ""
    return ""


class Terraform:
    """Terraform on the project's configuration.

    Args:
        data: Where it keeps what it works with.
        environment: Environment variables beside the process's own: an endpoint, keys.
        folder: The configuration.
    """

    def __init__(
        self, data: Path, environment: Mapping[str, str] | None = None, folder: Path = CONFIGURATION
    ) -> None:
        require_terraform()
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **(environment or {}),
            "CHECKPOINT_DISABLE": "1",
            "TF_DATA_DIR": str(data),
            "TF_IN_AUTOMATION": "1",
        }

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """Run a command; what it printed on standard output."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            # What the emulator never finishes must not keep everybody waiting.
            timeout=_PATIENCE_SECONDS,
        )
        assert done.returncode in expect, f"terraform {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def init(self, *arguments: str) -> None:
        """Make the working folder ready."""
        self.run("init", "-no-color", "-input=false", "-lockfile=readonly", *plugins(), *arguments)

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command prints as JSON."""
        said: dict[str, Any] = json.loads(self.run(*arguments))
        return said


def plugins() -> list[str]:
    """How `terraform init` is told where the provider is."""
    folder = provider_folder()
    return [f"-plugin-dir={folder}"] if folder else []


def require_terraform() -> None:
    """Skip the test that asks, unless Terraform and the provider can be had."""
    missing = _missing()
    if missing:
        pytest.skip(missing)


@functools.lru_cache(maxsize=1)
def _missing() -> str | None:
    if shutil.which("terraform") is None:
        return "there is no terraform on PATH"
    with tempfile.TemporaryDirectory() as data:
        environment = {**os.environ, "TF_DATA_DIR": data, "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run(
            ["terraform", "init", "-no-color", "-input=false", "-backend=false", *plugins()],
            cwd=CONFIGURATION,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    assert not provider_folder(), f"there is a provider in {provider_folder()}, and yet: {done.stderr}"
    return "Terraform's AWS provider cannot be had here; TF_PLUGIN_DIR names a folder that holds it"
