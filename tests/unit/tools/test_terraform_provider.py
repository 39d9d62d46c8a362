"""Terraform's provider is found wherever it lies, and one that is no use is passed over."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools import terraform_provider
from tools.terraform_provider import folder_of, locked_version, search, this_platform

HERE = this_platform()
LOCK = """
provider "registry.terraform.io/hashicorp/random" {
  version = "3.0.0"
}

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.1.0"
  constraints = "~> 5.1"
}
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "terraform.lock.hcl"
    path.write_text(LOCK)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def provider(
    plugins: Path, version: str = "5.1.0", system: str = HERE, host: str = "registry.terraform.io"
) -> Path:
    """Put a provider's program into a folder of plugins."""
    file = plugins / host / "hashicorp" / "aws" / version / system / f"terraform-provider-aws_v{version}_x5"
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def find(lock: Path, environment: Mapping[str, str], home: Path, *by_hand: Path) -> Path | None:
    """As the set-up does, and nothing of this machine's own is looked at."""
    stated = {"XDG_DATA_DIRS": str(home / "nothing"), **environment}
    return terraform_provider.find(lock, stated, home, map(str, by_hand))


def test_the_locks_version_is_that_of_the_provider_for_aws() -> None:
    assert locked_version(LOCK) == "5.1.0"
    assert locked_version("") == ""


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("p/registry.terraform.io/hashicorp/aws/5.1.0/linux_amd64/terraform-provider-aws_v5.1.0_x5", "p"),
        ("p/mirror.example.org/own/aws/5.1.0/linux_amd64/terraform-provider-aws", "p"),
        ("p/registry.terraform.io/hashicorp/aws/terraform-provider-aws_5.1.0_linux_amd64.zip", "p"),
        # Another version, another machine's, an archive of either.
        ("p/registry.terraform.io/hashicorp/aws/5.2.0/linux_amd64/terraform-provider-aws_v5.2.0_x5", None),
        ("p/registry.terraform.io/hashicorp/aws/5.1.0/darwin_arm64/terraform-provider-aws_v5.1.0_x5", None),
        ("p/registry.terraform.io/hashicorp/aws/terraform-provider-aws_5.2.0_linux_amd64.zip", None),
        # Not as Terraform lays plugins out: a download, a copy by hand, the old layout, another provider's.
        ("downloads/terraform-provider-aws_5.1.0_linux_amd64.zip", None),
        ("bin/terraform-provider-aws_v5.1.0_x5", None),
        ("plugins/linux_amd64/terraform-provider-aws_v5.1.0_x5", None),
        ("p/hashicorp/aws/5.1.0/linux_amd64/terraform-provider-aws_v5.1.0_x5", None),
        ("p/registry.terraform.io/hashicorp/awscc/5.1.0/linux_amd64/terraform-provider-awscc_v5.1.0", None),
    ],
)
def test_a_provider_is_taken_that_terraform_would_take_from_its_folder(file: str, found: str | None) -> None:
    assert folder_of(Path("/x", file), "5.1.0", "linux_amd64") == (found and Path("/x", found))


def test_the_variable_is_taken_as_it_is(lock: Path, home: Path) -> None:
    assert find(lock, {"TF_PLUGIN_DIR": "/stated"}, home) == Path("/stated")


@pytest.mark.parametrize(
    "place",
    [
        ".terraform.d/plugins",
        ".local/share/terraform/plugins",
        "work/infrastructure/.terraform/providers",
        "software/by hand/terraform",
    ],
)
def test_it_is_found_in_the_home_directory(lock: Path, home: Path, place: str) -> None:
    provider(home / place, "5.2.0")
    assert find(lock, {}, home) != home / place
    provider(home / place)
    assert find(lock, {}, home) == home / place


def test_it_is_found_where_software_is_put_by_hand(lock: Path, home: Path, tmp_path: Path) -> None:
    by_hand = [tmp_path / "opt", tmp_path / "srv"]
    provider(by_hand[1] / "tools" / "tf")
    assert find(lock, {}, home, *by_hand) == by_hand[1] / "tools" / "tf"


@pytest.mark.parametrize("name", ["TF_PLUGIN_CACHE_DIR", "XDG_DATA_HOME", "XDG_DATA_DIRS"])
def test_it_is_found_where_terraforms_variables_say(
    lock: Path, home: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "elsewhere"
    plugins = folder if name == "TF_PLUGIN_CACHE_DIR" else folder / "terraform" / "plugins"
    provider(plugins)
    assert find(lock, {name: str(folder)}, home) == plugins


@pytest.mark.parametrize(
    "said",
    [
        'provider_installation {\n  filesystem_mirror {\n    path = "FOLDER"\n    include = ["*/*/*"]\n  }}',
        'plugin_cache_dir = "$HOME/../mirror"\n',
        'plugin_cache_dir = "~/../mirror"\n',
        json.dumps({"provider_installation": [{"filesystem_mirror": [{"path": "FOLDER"}]}]}),
    ],
    ids=["mirror", "cache by variable", "cache by tilde", "json"],
)
@pytest.mark.parametrize("stated", [True, False], ids=["stated", "at home"])
def test_it_is_found_where_terraforms_configuration_says(
    lock: Path, home: Path, tmp_path: Path, said: str, stated: bool
) -> None:
    provider(tmp_path / "mirror")
    file = tmp_path / "my.tfrc" if stated else home / ".terraformrc"
    file.write_text(said.replace("FOLDER", str(tmp_path / "mirror")))
    environment = {"TF_CLI_CONFIG_FILE": str(file)} if stated else {}
    found = find(lock, environment, home)
    assert found is not None
    assert found.resolve() == tmp_path / "mirror"


def test_a_configuration_that_is_not_there_is_no_error(lock: Path, home: Path, tmp_path: Path) -> None:
    provider(home / "software")
    environment = {"TF_CLI_CONFIG_FILE": str(tmp_path / "gone")}
    assert find(lock, environment, home) is not None


def test_roots_are_searched_in_order_and_what_is_near_is_found_first(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("missing", "one", "two")]
    provider(roots[2])
    assert search(roots, "5.1.0", HERE, time.monotonic() + 60) == roots[2]
    provider(roots[1] / "far" / "away")
    assert search(roots, "5.1.0", HERE, time.monotonic() + 60) == roots[1] / "far" / "away"
    provider(roots[1] / "near")
    assert search(roots, "5.1.0", HERE, time.monotonic() + 60) == roots[1] / "near"


def test_links_are_not_followed_round_in_circles_and_what_cannot_hold_it_is_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "round").symlink_to(tmp_path)
    provider(tmp_path / "node_modules")
    assert search([tmp_path], "5.1.0", HERE, time.monotonic() + 60) is None


def test_the_search_ends_when_its_time_is_up(tmp_path: Path) -> None:
    provider(tmp_path)
    assert search([tmp_path], "5.1.0", HERE, time.monotonic() - 1) is None
