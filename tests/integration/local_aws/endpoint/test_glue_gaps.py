"""Glue's connections and indexes come and go."""

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


def test_an_index_of_partitions_is_kept_with_its_table(endpoint: Endpoint) -> None:
    glue = endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "indexed"})
    glue.create_table(DatabaseName="indexed", TableInput={"Name": "one"})
    where = {"DatabaseName": "indexed", "TableName": "one"}
    stated = {"IndexName": "by_day", "Keys": ["day", "batch"]}
    glue.create_partition_index(**where, PartitionIndex=stated)
    (kept,) = glue.get_partition_indexes(**where)["PartitionIndexDescriptorList"]
    assert (kept["IndexName"], [key["Name"] for key in kept["Keys"]]) == ("by_day", ["day", "batch"])
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_partition_index(**where, PartitionIndex=stated)
    glue.delete_partition_index(**where, IndexName="by_day")
    assert glue.get_partition_indexes(**where)["PartitionIndexDescriptorList"] == []
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.delete_partition_index(**where, IndexName="by_day")


def test_partitions_come_in_pages_without_columns_where_these_are_not_asked_for(endpoint: Endpoint) -> None:
    glue = endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "paged"})
    keys = [{"Name": "batch", "Type": "bigint"}]
    glue.create_table(DatabaseName="paged", TableInput={"Name": "one", "PartitionKeys": keys})
    where = {"DatabaseName": "paged", "TableName": "one"}
    columns = [{"Name": "n", "Type": "int"}]
    for start in range(0, 1100, 100):
        inputs = [
            {"Values": [str(n)], "StorageDescriptor": {"Columns": columns, "Location": f"s3://b/{n}/"}}
            for n in range(start, start + 100)
        ]
        glue.batch_create_partition(**where, PartitionInputList=inputs)
    pages = list(glue.get_paginator("get_partitions").paginate(**where, ExcludeColumnSchema=True))
    assert [len(page["Partitions"]) for page in pages] == [1000, 100]
    found = [one for page in pages for one in page["Partitions"]]
    assert {one["Values"][0]: one["StorageDescriptor"] for one in found} == {
        str(n): {"Location": f"s3://b/{n}/"} for n in range(1100)
    }
    (whole, *_) = glue.get_partitions(**where)["Partitions"]
    assert whole["StorageDescriptor"]["Columns"] == columns


def test_tables_come_in_pages_as_they_were_made(endpoint: Endpoint) -> None:
    glue = endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "many"})
    storage = {"Columns": [{"Name": "n", "Type": "int", "Comment": "a number"}], "Location": "s3://b/n/"}
    for number in range(103):
        stated = {"Name": f"t{number}", "StorageDescriptor": storage, "Parameters": {"kind": "small"}}
        glue.create_table(DatabaseName="many", TableInput=stated)
    pages = list(glue.get_paginator("get_tables").paginate(DatabaseName="many"))
    assert [len(page["TableList"]) for page in pages] == [100, 3]
    assert len(glue.get_tables(DatabaseName="many", MaxResults=7)["TableList"]) == 7
    found = {table["Name"]: table for page in pages for table in page["TableList"]}
    assert set(found) == {f"t{number}" for number in range(103)}
    one = glue.get_table(DatabaseName="many", Name="t7")["Table"]
    assert one == found["t7"]
    assert (one["StorageDescriptor"], one["Parameters"]) == (storage, {"kind": "small"})
    assert one["CreateTime"].tzinfo is not None
    matching = glue.get_tables(DatabaseName="many", Expression="t10.*")["TableList"]
    assert {table["Name"] for table in matching} == {"t10", "t100", "t101", "t102"}
    for missing in ({"DatabaseName": "none"}, {"DatabaseName": "many", "Name": "none"}):
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            (glue.get_table if "Name" in missing else glue.get_tables)(**missing)
