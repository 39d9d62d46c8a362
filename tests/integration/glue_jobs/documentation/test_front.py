"""What the parts of the documentation share is published, whichever of them cannot be built."""

from __future__ import annotations

import json

import pytest

from glue_jobs.documentation.front import SiteArguments, publish_parts
from sites.validation import pages
from tests.integration.glue_jobs.documentation.conftest import Site


def test_a_site_that_cannot_be_built_does_not_stop_the_other(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("boto3.client", {"s3": site.s3, "glue": site.glue}.__getitem__)
    built = []

    def broken(*_: object) -> int:
        raise ValueError("what a row said")

    def whole(*_: object) -> int:
        built.append("second")
        return 3

    given = SiteArguments(site.ingestion, site.bucket.name)
    assert publish_parts(given, {"first": broken, "second": whole}) == 1
    assert built == ["second"]
    assert site.bucket.has(pages.INDEX)
    said = capsys.readouterr().out
    assert [
        line["site"] for line in map(json.loads, said.splitlines()) if line["event"] == "site.failed"
    ] == ["first"]
    assert "what a row said" not in said
    assert publish_parts(given, {"second": whole}) == 0
