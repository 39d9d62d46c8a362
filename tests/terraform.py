"""Terraform as the tests run it: against the stack's endpoint, with a provider from a local folder.

`tools/terraform_provider.py` finds the provider; where it finds none, Terraform's own configuration says
where providers are. Where Terraform or the provider cannot be had, what needs them is skipped, and says so.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import needs
from tools import terraform_provider

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "terraform"

PROVIDER = "registry.terraform.io/hashicorp/aws"

_PATIENCE_SECONDS = 900


@functools.cache
def provider_folder() -> Path | None:
    """The folder that holds the provider for AWS, if it was found."""
    return terraform_provider.find(CONFIGURATION / ".terraform.lock.hcl")


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
            # Go collects garbage less often: a command ends before its memory matters.
            "GOGC": "400",
        }

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> str:
        """Run a command; what it printed on standard output."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self._folder,
            env={**self._environment, **(self._reattached() if arguments[0] != "init" else {})},
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

    def _reattached(self) -> dict[str, str]:
        """Has commands share one provider that goes on, once `init` has found it."""
        variables = dict(self._environment)
        places = Path(variables.pop("TF_DATA_DIR"), "providers", PROVIDER)
        for program in places.glob("*/*/terraform-provider-aws*"):
            return {
                "TF_REATTACH_PROVIDERS": _kept_running(program.resolve(), tuple(sorted(variables.items())))
            }
        return {}

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command prints as JSON."""
        said: dict[str, Any] = json.loads(self.run(*arguments))
        return said


@functools.cache
def _kept_running(program: Path, environment: tuple[tuple[str, str], ...]) -> str:
    """A provider that goes on until the tests end, as Terraform is told of it.

    Each start of it, and its telling Terraform what it knows, takes five seconds of a processor.
    """
    # Held by what ends it.
    process = subprocess.Popen(
        [program, "-debug"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    atexit.register(process.communicate)
    atexit.register(process.terminate)
    assert process.stdout is not None
    for line in process.stdout:
        _, found, told = line.strip().partition("TF_REATTACH_PROVIDERS=")
        if found:
            return told.strip("'")
    raise AssertionError(f"{program.name} -debug ended with {process.wait()}")


def plugins() -> list[str]:
    """How `terraform init` is told where the provider is."""
    folder = provider_folder()
    return [f"-plugin-dir={folder}"] if folder else []


def require_terraform() -> None:
    """Skip the test that asks, unless Terraform and the provider can be had."""
    if shutil.which("terraform") is None:
        needs.missing("Terraform", "a terraform on PATH")
    if provider_folder() is None and not _offered():
        needs.missing("Terraform's AWS provider", "TF_PLUGIN_DIR names a folder that holds it")


@functools.cache
def _offered() -> bool:
    """Whether Terraform gets the provider by itself."""
    with tempfile.TemporaryDirectory() as data:
        done = subprocess.run(
            ["terraform", "init", "-no-color", "-input=false", "-backend=false"],
            cwd=CONFIGURATION,
            env={**os.environ, "TF_DATA_DIR": data, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            check=False,
        )
    return done.returncode == 0
