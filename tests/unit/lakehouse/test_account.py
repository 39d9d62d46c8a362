"""A lake on AWS: what its buckets are called, and what is said where nobody can reach it."""

from __future__ import annotations

import pytest

from catalog.pipeline import load_pipeline
from glue_jobs.runtime.errors import UserError
from lakehouse.account import bucket_names, connect
from tests.conftest import ROOT

PIPELINE = load_pipeline()


def test_buckets_are_called_what_terraform_calls_them() -> None:
    terraform = ROOT / "terraform"
    storage, whole = (
        (terraform / path).read_text(encoding="utf-8") for path in ("modules/storage/main.tf", "main.tf")
    )
    assert 'key => "${var.name}-${replace(key, "_", "-")}-${var.account}"' in storage
    assert 'name = "${local.pipeline.name}-${var.environment}"' in whole
    names = bucket_names(PIPELINE, "dev", "123456789012")
    assert names.keys() == PIPELINE.buckets.keys()
    assert names["athena_results"] == f"{PIPELINE.name}-dev-athena-results-123456789012"


@pytest.mark.parametrize(
    ("profile", "region", "words"),
    [("nobody", "eu-west-2", "nobody"), (None, "eu-west-2", "credentials"), (None, None, "region")],
)
def test_who_cannot_be_asked_is_told_what_to_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, profile: str | None, region: str | None, words: str
) -> None:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in (*keys, "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    with pytest.raises(UserError) as caught:
        connect(PIPELINE, "dev", "operator", profile, region)
    assert words in caught.value.problem
    assert "--profile" in caught.value.remedy
