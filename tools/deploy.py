"""Deploys an environment, or takes it away: `make bootstrap`, `deploy` and `destroy`, each with ENV=dev.

Terraform does the work; this finds the environment's file and the bucket of its state, and starts it. The
keys are those that the AWS SDKs find by themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from catalog.pipeline import load_pipeline
from catalog.project import project_folder
from glue_jobs.runtime.aws import S3Client

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef, ServerSideEncryptionRuleTypeDef
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "terraform"
BOOTSTRAP = CONFIGURATION / "bootstrap"
PROJECT = project_folder()
ENVIRONMENTS = PROJECT / "terraform" / "environments"


DATA = ("module.storage", "module.secrets", "module.guard")
"""What holds data: the buckets and their key with all that protects them, the secrets and their key; and what
has Terraform refuse to destroy them by hand."""

GUARD = "module.guard.terraform_data.data_is_worth_keeping[0]"

DATA_STATE, STATE = "data.tfstate", "lakehouse.tfstate"
"""The states' keys: of what was left behind by a destroy, and of everything else."""

RELEASES = "releases/"
"""Below which key each release has a prefix of its own in the bucket of artefacts."""

RELEASE = "module.jobs.aws_s3_object.release"
"""The objects of the release that is deployed."""

Run = Callable[..., str]
"""Runs Terraform on the configuration, and gives what it printed."""


class DeployError(Exception):
    """What stops a deployment, in words that say what to do."""


def environment_file(name: str, folder: Path = ENVIRONMENTS) -> Path:
    """The file of an environment.

    Raises:
        DeployError: There is none.
    """
    path = folder / f"{name}.tfvars"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.tfvars")))
        raise DeployError(
            f"There is no environment {name!r}; there are {known}. Copy one to {path} and edit it."
        )
    return path


def region_of(path: Path) -> str:
    """The region that an environment's file states.

    Raises:
        DeployError: It states none.
    """
    return _stated(path, "region", "eu-west-2")


def _stated(path: Path, name: str, example: str) -> str:
    found = re.search(rf'^\s*{name}\s*=\s*"([^"]+)"', path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found is None:
        raise DeployError(f'{path} states no {name}. Add a line such as {name} = "{example}".')
    return found.group(1)


def state_bucket(environment: str, account: str) -> str:
    """The name of the bucket that holds an environment's state."""
    return f"{load_pipeline().name}-{environment}-terraform-state-{account}"


def backend(bucket: str, region: str, key: str = STATE) -> list[str]:
    """What `terraform init` is told of the state's place."""
    stated = {"bucket": bucket, "key": key, "region": region}
    return [f"-backend-config={name}={value}" for name, value in stated.items()]


def ensure_state_bucket(s3: S3Client, bucket: str, region: str) -> None:
    """Have the state's bucket: versioned, encrypted, closed to the public, spoken to over TLS alone.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: Its name.
        region: Where it is made.
    """
    request: CreateBucketRequestTypeDef = {"Bucket": bucket}
    if region != "us-east-1":
        place = cast("BucketLocationConstraintType", region)
        request["CreateBucketConfiguration"] = {"LocationConstraint": place}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(**request)
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    encrypted: ServerSideEncryptionRuleTypeDef = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
        "BucketKeyEnabled": True,
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
    arn = f"arn:aws:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [tls_only]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def require_state_bucket(s3: S3Client, bucket: str, environment: str) -> None:
    """See that the state's bucket is there; nothing of it is changed.

    Raises:
        DeployError: It is not there, or not this account's to use.
    """
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        raise DeployError(
            f"The bucket of Terraform's states, {bucket}, cannot be used "
            f"({error.response['Error']['Code']}). An administrator makes it once: make bootstrap "
            f"ENV={environment} REPOSITORY=owner/name."
        ) from error


def terraform(*arguments: str, folder: Path = CONFIGURATION) -> None:
    """Run Terraform before the person's eyes.

    Raises:
        DeployError: It failed; it has said why.
    """
    done = subprocess.run(["terraform", f"-chdir={folder}", *arguments], check=False)
    if done.returncode:
        raise DeployError(f"terraform {arguments[0]} failed; what it said stands above.")


def is_disposable(path: Path) -> bool:
    """Whether an environment's file says that its data is not worth keeping."""
    text = path.read_text(encoding="utf-8")
    return re.search(r"^\s*data_is_disposable\s*=\s*true\b", text, flags=re.MULTILINE) is not None


def split_data_state(run: Run, s3: S3Client, bucket: str) -> list[str]:
    """Move what holds data into a state of its own, so that a destroy does not come to it.

    That state is written first: whatever happens in between, nothing is forgotten.

    Args:
        run: Runs Terraform.
        s3: A boto3 ``s3`` client.
        bucket: The bucket of the states.

    Returns:
        The buckets, keys and secrets that stay.
    """
    with tempfile.TemporaryDirectory() as folder:
        main, data = Path(folder) / STATE, Path(folder) / DATA_STATE
        main.write_text(run("state", "pull"), encoding="utf-8")
        moved = _move(run, main, data)
        if not moved:
            return []
        s3.put_object(Bucket=bucket, Key=DATA_STATE, Body=data.read_bytes())
        run("state", "push", str(main))
        resources = json.loads(data.read_text(encoding="utf-8"))["resources"]
    names = {"aws_s3_bucket": "bucket", "aws_kms_key": "arn", "aws_secretsmanager_secret": "name"}
    return sorted(
        str(instance["attributes"][names[resource["type"]]])
        for resource in resources
        if resource["mode"] == "managed" and resource["type"] in names
        for instance in resource["instances"]
    )


def take_data_back(run: Run, s3: S3Client, bucket: str) -> bool:
    """Take what a destroy left behind into the state again; whether there was such.

    Args:
        run: Runs Terraform.
        s3: A boto3 ``s3`` client.
        bucket: The bucket of the states.
    """
    try:
        kept = s3.get_object(Bucket=bucket, Key=DATA_STATE)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return False
    with tempfile.TemporaryDirectory() as folder:
        main, data = Path(folder) / STATE, Path(folder) / DATA_STATE
        main.write_text(run("state", "pull"), encoding="utf-8")
        data.write_bytes(kept)
        _move(run, data, main)
        run("state", "push", str(main))
    s3.delete_object(Bucket=bucket, Key=DATA_STATE)
    return True


def _move(run: Run, source: Path, target: Path) -> bool:
    """Move what holds data from one state's file to another's; whether there is any."""
    there = json.loads(source.read_text(encoding="utf-8") or "{}").get("resources", ())
    modules = {str(resource.get("module", "")) for resource in there}
    for module in DATA:
        if module in modules:
            run("state", "mv", f"-state={source}", f"-state-out={target}", module, module)
    return bool(modules & set(DATA))


def unconfirmed(subscriptions: Iterable[SubscriptionTypeDef]) -> list[str]:
    """The addresses that have not confirmed yet, so that no alert reaches them.

    Args:
        subscriptions: As SNS lists them.
    """
    waiting = "PendingConfirmation"
    return sorted({one["Endpoint"] for one in subscriptions if one["SubscriptionArn"] == waiting})


def _say_who_is_not_told(region: str) -> None:
    """Print the addresses that alerts do not reach, where there are any."""
    asked = ["terraform", f"-chdir={CONFIGURATION}", "output", "-json", "alert_topics"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        return
    sns = boto3.client("sns", region_name=region)
    pages = [
        page
        for topic in json.loads(done.stdout).values()
        for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    ]
    waiting = unconfirmed(one for page in pages for one in page["Subscriptions"])
    if waiting:
        print(f"deploy: no alert reaches {', '.join(waiting)} before the e-mail of AWS is confirmed")


def run(action: str, environment: str, extra: Sequence[str]) -> None:
    """Deploy an environment, plan it, take it away, or make what has to be there before.

    Args:
        action: ``bootstrap``, ``plan``, ``apply`` or ``destroy``.
        environment: Its name.
        extra: More arguments for Terraform.

    Raises:
        DeployError: Something is missing, or Terraform failed.
    """
    path = environment_file(environment)
    region = region_of(path)
    if shutil.which("terraform") is None:
        raise DeployError("There is no terraform on PATH. Install version 1.11 or newer.")
    try:
        account = boto3.client("sts", region_name=region).get_caller_identity()["Account"]
        bucket = state_bucket(environment, account)
        s3 = boto3.client("s3", region_name=region)
        if action == "bootstrap":
            ensure_state_bucket(s3, bucket, region)
        else:
            require_state_bucket(s3, bucket, environment)
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"AWS cannot be asked: {error}. Log in first, for example: aws sso login."
        ) from error
    plugins = [f"-plugin-dir={folder}"] if (folder := os.environ.get("TF_PLUGIN_DIR")) else []
    if action == "bootstrap":
        place = backend(bucket, region, "bootstrap.tfstate")
        terraform("init", "-reconfigure", "-lockfile=readonly", *place, *plugins, folder=BOOTSTRAP)
        stated = {
            "project": load_pipeline().name,
            "environment": environment,
            "region": region,
            "owner": _stated(path, "owner", "data-platform"),
        }
        terraform(
            "apply", *(f"-var={name}={value}" for name, value in stated.items()), *extra, folder=BOOTSTRAP
        )
        return
    terraform("init", "-reconfigure", "-lockfile=readonly", *backend(bucket, region), *plugins)
    # Who only plans may not write, a lock neither.
    more = ["-lock=false"] if action == "plan" else []
    kept = _prepare_data(action, path, s3, bucket)
    if action == "apply":
        manifest = json.loads((ROOT / "dist" / "manifest.json").read_text(encoding="utf-8"))
        leave_release(_quietly, manifest["release"])
    terraform(action, f"-var=project={PROJECT}", f"-var-file={path}", *more, *extra)
    if action == "apply":
        buckets = json.loads(_quietly("output", "-json", "buckets"))
        for name in remove_releases(s3, buckets["artefacts"], datetime.now(UTC)):
            print(f"deploy: the release {name} is gone, which no run can load any more")
        _say_who_is_not_told(region)
    if action == "destroy":
        print(f"deploy: {environment} is gone; its states and their history stay in the bucket {bucket}")
        for name in kept:
            print(f"deploy: left as it is, since its data is not disposable: {name}")


def _prepare_data(action: str, path: Path, s3: S3Client, bucket: str) -> list[str]:
    """Set data apart before a destroy that is not to come to it, and take it back before anything else."""
    if action == "destroy" and not is_disposable(path):
        take_data_back(_quietly, s3, bucket)
        return split_data_state(_quietly, s3, bucket)
    if action in ("apply", "destroy") and take_data_back(_quietly, s3, bucket):
        print("deploy: what an earlier destroy left is taken over")
    if action in ("apply", "destroy") and is_disposable(path):
        drop_guard(_quietly)
    return []


def drop_guard(run: Run) -> bool:
    """Let data go that was worth keeping when it was deployed; whether there was such.

    Args:
        run: Runs Terraform.
    """
    stated = json.loads(run("state", "pull") or "{}").get("resources", ())
    guarded = any(one.get("module") == "module.guard" and one["instances"] for one in stated)
    if guarded:
        run("state", "rm", GUARD)
    return guarded


def leave_release(run: Run, new: str) -> str | None:
    """Have Terraform forget the release that is deployed, where another is to take its place.

    It would remove the objects once the jobs point to others, and so under a run that has just been started
    and fetches its script and wheels, or under one to which Spark adds a machine.

    Args:
        run: Runs Terraform.
        new: The release that is deployed next.

    Returns:
        The release that stays.
    """
    stated = json.loads(run("state", "pull") or "{}").get("resources", ())
    keys = [
        str(instance["attributes"]["key"])
        for one in stated
        if (one.get("module"), one["type"], one["name"]) == tuple(RELEASE.rsplit(".", 2))
        for instance in one["instances"]
    ]
    deployed = {key.removeprefix(RELEASES).partition("/")[0] for key in keys} - {new}
    if not deployed:
        return None
    run("state", "rm", RELEASE)
    return max(deployed)


def remove_releases(s3: S3Client, bucket: str, now: datetime) -> list[str]:
    """Remove releases that no run can load any more: another took their place longer ago than a run may last.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket of artefacts.
        now: With its zone.

    Returns:
        Their names.
    """
    objects = defaultdict(list)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RELEASES):
        for one in page.get("Contents", ()):
            objects[one["Key"].removeprefix(RELEASES).partition("/")[0]].append(one)
    came = sorted((max(one["LastModified"] for one in found), name) for name, found in objects.items())
    longest = timedelta(minutes=max(job.timeout_minutes for job in load_pipeline().jobs.values()))
    # A start may wait in Glue's queue for as long again.
    old = [name for (_, name), (replaced, _) in pairwise(came) if now - replaced > 2 * longest]
    for one in (one for name in old for one in objects[name]):
        s3.delete_object(Bucket=bucket, Key=one["Key"])
    return old


def _quietly(*arguments: str) -> str:
    done = subprocess.run(
        ["terraform", f"-chdir={CONFIGURATION}", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise DeployError(f"terraform {' '.join(arguments[:2])} failed; what it said stands above.")
    return done.stdout


def main(argv: Sequence[str]) -> int:
    """Run a deployment from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.deploy", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("action", choices=["bootstrap", "plan", "apply", "destroy"])
    parser.add_argument("environment", help="an environment of terraform/environments")
    given, extra = parser.parse_known_args(argv)
    try:
        run(given.action, given.environment, extra)
    except DeployError as problem:
        print(f"deploy: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
