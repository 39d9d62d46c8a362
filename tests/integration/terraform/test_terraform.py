"""Terraform's own checks, and what its files say that nothing else would notice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from bi.select_lists import ENGINES
from catalog.pipeline import load_pipeline
from glue_jobs.runtime.metrics import NAMESPACE
from tests import needs
from tests.night import at_night
from tests.projects import PARCELS, lay_out, publish
from tests.terraform import CONFIGURATION, ROOT, Terraform
from tools.deploy import GUARD
from tools.dist import stated_alarms


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    made = Terraform(tmp_path_factory.mktemp("terraform"))
    made.init("-backend=false")
    return made


def test_the_configuration_is_formatted_and_valid(terraform: Terraform) -> None:
    assert terraform.run("fmt", "-check", "-recursive", "-diff") == ""
    assert "Success" in terraform.run("validate", "-no-color")


def manifest(folder: Path) -> Path:
    """A release without bytes, as far as Terraform reads it."""
    paths = [job.script for job in load_pipeline().jobs.values()]
    paths += [f"dashboard/{engine}.json" for engine in ENGINES]
    paths += [f"functions/{name}.zip" for name in load_pipeline().functions]
    stated = {
        "release": "0.0.0-000000000000",
        "objects": {path: {"sha256": "0" * 64, "bytes": 1} for path in paths},
        "installs": {"python_shell": [], "spark": []},
        "functions": dict.fromkeys(load_pipeline().functions, "AA=="),
        "alarms": stated_alarms(),
    }
    (folder / "manifest.json").write_text(json.dumps(stated))
    return folder


@pytest.mark.slow
def test_what_an_environment_may_say_is_deployed_as_it_says(terraform: Terraform, tmp_path: Path) -> None:
    said = terraform.run("test", "-no-color", f"-var=release={manifest(tmp_path)}")
    assert re.search(r"Success! \d+ passed, 0 failed", said), said


def test_every_input_is_validated_and_every_bad_one_refused(tmp_path: Path) -> None:
    alone = tmp_path / "variables"
    (alone / "tests").mkdir(parents=True)
    shutil.copy(CONFIGURATION / "variables.tf", alone)
    shutil.copy(CONFIGURATION / "tests" / "variables" / "refused.tftest.hcl", alone / "tests")
    made = Terraform(tmp_path / "data", folder=alone)
    made.run("init", "-no-color", "-input=false")
    said = made.run("test", "-no-color", f"-var=project={ROOT}", f"-var=release={manifest(tmp_path)}")
    assert re.search(r"Success! \d+ passed, 0 failed", said), said
    stated = set(re.findall(r'^variable "(\w+)"', (CONFIGURATION / "variables.tf").read_text(), re.MULTILINE))
    tests = "".join(path.read_text() for path in (CONFIGURATION / "tests").rglob("*.hcl"))
    assert stated - set(re.findall(r"var\.(\w+)", tests)) == {"release"}


def test_another_project_is_deployed_from_its_own_files(terraform: Terraform, tmp_path: Path) -> None:
    project = publish(lay_out(PARCELS, ROOT, tmp_path / "parcels"))
    which = (f"-var=project={project}", f"-var=release={manifest(tmp_path)}")
    said = terraform.run("test", "-no-color", "-filter=tests/project.tftest.hcl", *which)
    assert re.search(r"Success! \d+ passed, 0 failed", said), said


def test_every_alert_has_an_entry_in_the_runbook_and_every_entry_an_alert() -> None:
    entries = set(re.findall(r"^## ([a-z-]+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE))
    assert entries == {alarm["entry"] for alarm in stated_alarms()["alarms"].values()}


def test_jobs_say_their_metrics_where_alarms_look() -> None:
    assert stated_alarms()["namespace"] == NAMESPACE


def test_main_alone_may_plan_and_the_protected_environment_alone_may_deploy(tmp_path: Path) -> None:
    bootstrap = CONFIGURATION / "bootstrap"
    made = Terraform(tmp_path, folder=bootstrap)
    made.init("-backend=false")
    assert "Success" in made.run("validate", "-no-color")
    said = made.run("test", "-no-color")
    assert re.search(r"Success! \d+ passed, 0 failed", said), said


def test_data_that_is_worth_keeping_is_not_destroyed_by_hand(tmp_path: Path) -> None:
    made = Terraform(tmp_path / "data", folder=CONFIGURATION / "modules" / "guard")
    made.run("init", "-no-color", "-input=false")
    how = ("-no-color", "-auto-approve", f"-state={tmp_path / 'state'}")
    made.run("apply", *how, "-var=keeps=true")
    for keeps in ("true", "false"):
        made.run("destroy", *how, f"-var=keeps={keeps}", expect=(1,))
    # Nor by a file that says otherwise now: that is a decision of its own.
    made.run("apply", *how, "-var=keeps=false", expect=(1,))
    made.run("state", "rm", f"-state={tmp_path / 'state'}", GUARD.removeprefix("module.guard."))
    made.run("apply", *how, "-var=keeps=false")
    made.run("destroy", *how, "-var=keeps=false")


SITE = CONFIGURATION / "modules" / "docs_site" / "viewers.js"


def answers(ranges: Sequence[str], *requests: tuple[str, str]) -> list[str]:
    """For each address and path, what the function at the edge answers: a status, or the path to serve."""
    events = [{"viewer": {"ip": ip}, "request": {"uri": uri}} for ip, uri in requests]
    asked = f"{json.dumps(events)}.map(handler).map(a => String(a.statusCode || a.uri))"
    code = f"const RANGES = {json.dumps(ranges)};\n{SITE.read_text()}\nconsole.log(JSON.stringify({asked}))"
    done = subprocess.run([needs.node(), "-e", code], capture_output=True, text=True, check=True)
    said: list[str] = json.loads(done.stdout)
    return said


def test_the_site_shows_itself_to_known_addresses_alone() -> None:
    ranges = ["203.0.113.0/24", "198.51.100.7/32"]
    assert answers(
        ranges,
        ("203.0.113.9", "/index.html"),
        ("198.51.100.7", "/"),
        ("203.0.113.255", "/tables/"),
        ("198.51.100.8", "/"),
        ("203.0.114.0", "/index.html"),
        ("2001:db8::1", "/"),
        ("", "/"),
    ) == ["/index.html", "/index.html", "/tables/index.html", "403", "403", "403", "403"]


def test_the_workflows_have_no_known_weakness() -> None:
    done = subprocess.run(
        [needs.checker("zizmor"), "--offline", "--no-progress", ROOT / ".github"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


BAD = """
resource "aws_s3_bucket" "open" {
  bucket = "open"
}

resource "aws_s3_bucket_acl" "open" {
  bucket = aws_s3_bucket.open.id
  acl    = "public-read-write"
}
"""


def checkov(folder: Path) -> list[str]:
    """What checkov finds: checks that fail, and files that it cannot read and takes for passed."""
    how = ["--framework", "terraform", "--skip-download", "--output", "json"]
    done = subprocess.run(
        [needs.checker("checkov"), "--directory", folder, *how], capture_output=True, text=True, check=False
    )
    said = json.loads(done.stdout)
    results = said.get("results", {})
    failed = [f"{one['check_id']} {one['resource']}" for one in results.get("failed_checks", ())]
    unread = [f"unread {path}" for path in results.get("parsing_errors", ())]
    found = [*failed, *unread]
    assert (done.returncode == 0) == (not failed), done.stderr
    assert said["summary"]["parsing_errors"] == len(unread)
    return found


@pytest.mark.slow
def test_checkov_finds_nothing_but_what_is_skipped_with_a_reason() -> None:
    assert checkov(CONFIGURATION) == []
    skips = [
        line
        for path in CONFIGURATION.rglob("*.tf")
        for line in path.read_text().splitlines()
        if "checkov:skip" in line
    ]
    assert skips
    assert [line for line in skips if not re.search(r"checkov:skip=CKV2?_AWS_\d+:\w.{10,}$", line)] == []


@pytest.mark.parametrize("text", ["resource {\n", at_night("locals {\n  a = [1,\n"), at_night("\x00")])
def test_a_bucket_for_the_world_and_a_file_that_checkov_cannot_read_fail_the_gate(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "open.tf").write_text(BAD)
    (tmp_path / "bad.tf").write_text(text)
    found = checkov(tmp_path)
    assert "CKV_AWS_57 aws_s3_bucket.open" in found
    assert f"unread {tmp_path / 'bad.tf'}" in found


def test_every_action_is_pinned_by_commit_and_no_workflow_may_more_than_it_states() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        used = re.findall(r"uses: (\S+)", text)
        assert used
        assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one)] == []
        assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)


def _jobs_of(name: str) -> dict[str, Any]:
    """The jobs of a workflow of GitHub's."""
    stated: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return dict(stated["jobs"])


def test_a_pull_request_is_validated_without_credentials() -> None:
    for job in _jobs_of("checks.yml").values():
        assert job["permissions"] == {"contents": "read"}
        assert "environment" not in job
        assert "secrets." not in str(job)
        assert "AWS_" not in str(job)


def test_main_is_planned_by_who_only_reads_and_applied_after_a_reviewer() -> None:
    jobs = _jobs_of("deploy.yml")
    assert (jobs["plan"]["needs"], jobs["apply"]["needs"]) == ("test", "plan")
    assert "id-token" not in jobs["test"]["permissions"]
    # Without an environment its subject is the branch, which is what the role that plans asks for.
    assert "environment" not in jobs["plan"]
    assert jobs["plan"]["if"] == "github.ref == 'refs/heads/main'"
    assert "AWS_DEPLOY_ROLE" not in str(jobs["plan"])
    assert jobs["apply"]["environment"] == "${{ inputs.environment || 'dev' }}"
    # GitHub's own limit, so that none of ours ends an apply in its midst.
    assert jobs["apply"]["timeout-minutes"] == 360
