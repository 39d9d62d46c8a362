"""The capture keeps its promise on PostgreSQL 13 to 18, with the right to read and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glue_jobs.sources import capture
from lakehouse.embedded_postgres import EmbeddedPostgres
from local_aws.endpoint.app import Endpoint
from tests import needs
from tests.night import at_night
from tests.small_shop import SMALL, create_shop, grant_reader, server_folder

from .conftest import READER, World

VERSIONS = (*needs.OLDER_POSTGRES, 18)
OLDEST_AND_NEWEST = (VERSIONS[0], VERSIONS[-1])


@pytest.fixture(
    scope="module",
    params=[version if version in OLDEST_AND_NEWEST else at_night(version) for version in VERSIONS],
)
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    version: int = request.param
    with (
        server_folder() as folder,
        EmbeddedPostgres(folder, durable=False, binaries=needs.postgres(version)) as server,
    ):
        with server.connect() as connection:
            assert connection.info.server_version // 10_000 == version
        server.ensure_role(READER)
        yield server


@pytest.mark.parametrize("streams", ["one stream", "several streams"])
def test_every_change_is_captured_once(
    server: EmbeddedPostgres, endpoint: Endpoint, streams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if streams == "several streams":
        monkeypatch.setattr(capture, "ROWS_WORTH_SPLITTING", 1)
    with server.connect() as connection:
        version = connection.info.server_version // 10_000
    database = f"v{version}{streams.split(maxsplit=1)[0]}"
    server.ensure_database(database)
    create_shop(server.dsn(database=database))
    world = World(endpoint, server, database)
    world.sql(SMALL)
    grant_reader(server.dsn(database=database), READER)
    world.run()
    world.assert_lake_equals_source()

    world.sql("UPDATE sales_order SET design_id = 1 + design_id % 6 WHERE sales_order_id = 7")
    world.sql("UPDATE department SET location = 'York' WHERE department_id = 1")
    world.sql("DELETE FROM payment WHERE payment_id = 40")
    world.run()
    assert world.operations(2) == {
        "sales_order": [("update", 7)],
        "department": [("update", 1)],
        "payment": [("delete", 40)],
    }
    world.assert_lake_equals_source()

    world.run()
    assert world.commits.latest_sequence() == 2
