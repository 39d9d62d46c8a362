"""Programs reach the laptop stack past the proxy that a company's network asks for."""

from __future__ import annotations

import pytest

from local_aws.endpoint.clients import past_a_proxy

OURS = "127.0.0.1,localhost"


@pytest.mark.parametrize(
    ("surroundings", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": ""}, None),
        # It is for other sites.
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "corp"}, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, OURS),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": "corp, .corp"}, f"corp,.corp,{OURS}"),
        ({"ALL_PROXY": "socks5://proxy", "no_proxy": "corp", "NO_PROXY": "other"}, f"corp,{OURS}"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "localhost"}, "localhost,127.0.0.1"),
    ],
)
def test_this_machine_is_reached_past_a_proxy(surroundings: dict[str, str], expected: str | None) -> None:
    stated = {} if expected is None else {"NO_PROXY": expected, "no_proxy": expected}
    assert past_a_proxy(surroundings) == stated
