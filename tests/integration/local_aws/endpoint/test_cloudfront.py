"""CloudFront as a deployment uses it: functions are published, policies kept, changed and removed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.endpoint.app import Endpoint

POLICY: dict[str, Any] = {
    "Name": "site",
    "Comment": "framed by nobody",
    "SecurityHeadersConfig": {"FrameOptions": {"Override": True, "FrameOption": "DENY"}},
}


@pytest.fixture
def cloudfront(endpoint: Endpoint) -> Any:
    return endpoint.client("cloudfront")


def test_a_function_that_is_published_is_the_one_that_was_uploaded(cloudfront: Any) -> None:
    config = {"Comment": "c", "Runtime": "cloudfront-js-2.0"}
    made = cloudfront.create_function(Name="viewers", FunctionConfig=config, FunctionCode=b"code")
    published = cloudfront.publish_function(Name="viewers", IfMatch=made["ETag"])
    assert published["FunctionSummary"]["Name"] == "viewers"
    cloudfront.delete_function(Name="viewers", IfMatch=made["ETag"])


def test_a_policy_of_response_headers_is_kept_changed_and_removed(cloudfront: Any) -> None:
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=POLICY)
    known = made["ResponseHeadersPolicy"]["Id"]
    read = cloudfront.get_response_headers_policy(Id=known)
    assert read["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"] == POLICY
    assert read["ETag"] == made["ETag"]
    changed = {**POLICY, "Comment": "another"}
    cloudfront.update_response_headers_policy(
        Id=known, IfMatch=read["ETag"], ResponseHeadersPolicyConfig=changed
    )
    read = cloudfront.get_response_headers_policy(Id=known)
    assert read["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"] == changed
    cloudfront.delete_response_headers_policy(Id=known, IfMatch=read["ETag"])
    with pytest.raises(ClientError, match="NoSuchResponseHeadersPolicy"):
        cloudfront.get_response_headers_policy(Id=known)
