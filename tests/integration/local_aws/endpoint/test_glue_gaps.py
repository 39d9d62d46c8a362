"""Glue's connections come and go."""

from __future__ import annotations

import pytest

from local_aws.endpoint.app import Endpoint


def test_a_connection_can_be_taken_away_again_once(endpoint: Endpoint) -> None:
    glue = endpoint.client("glue")
    stated = {"Name": "network", "ConnectionType": "NETWORK", "ConnectionProperties": {}}
    glue.create_connection(ConnectionInput=stated)
    glue.delete_connection(ConnectionName="network")
    assert glue.get_connections()["ConnectionList"] == []
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.delete_connection(ConnectionName="network")
