"""The endpoint: its layers, its health, its place among others."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from local_aws.endpoint.app import create_endpoint
from local_aws.endpoint.layers import ServiceError, json_service
from local_aws.endpoint.object_store import StoreInUseError

STARTED = dt.datetime(2026, 11, 21, 10, 30, tzinfo=dt.UTC)


class Runner:
    """Answers two of Glue's actions, as a workflow runner would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        self.asked.append((action, payload))
        if action == "GetJobRun":
            return {"JobRun": {"Id": payload["RunId"], "StartedOn": STARTED}}
        if action == "StartJobRun":
            raise ServiceError("ConcurrentRunsExceededException", "One run at a time")
        if action == "StopWorkflowRun":
            raise ZeroDivisionError
        return None


def test_a_handler_answers_its_actions_and_moto_the_rest(tmp_path: Path) -> None:
    runner = Runner()
    with create_endpoint(tmp_path, extra=[json_service("AWSGlue", runner)]) as endpoint:
        glue = endpoint.client("glue")
        assert glue.get_job_run(JobName="job", RunId="jr_1")["JobRun"] == {"Id": "jr_1", "StartedOn": STARTED}
        with pytest.raises(glue.exceptions.ConcurrentRunsExceededException, match="One run at a time"):
            glue.start_job_run(JobName="job")
        glue.create_database(DatabaseInput={"Name": "shop_raw"})
        assert glue.get_database(Name="shop_raw")["Database"]["Name"] == "shop_raw"
        glue.close()
        athena = endpoint.client("athena")
        assert athena.list_work_groups()["WorkGroups"]
        athena.close()
    assert runner.asked[0][1]["RunId"] == "jr_1"
    assert {action for action, _ in runner.asked} == {
        "GetJobRun",
        "StartJobRun",
        "CreateDatabase",
        "GetDatabase",
    }


def test_a_handlers_own_fault_is_logged_and_told_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with create_endpoint(tmp_path, extra=[json_service("AWSGlue", Runner())]) as endpoint:
        answer = urllib3.request(
            "POST",
            endpoint.url,
            body=json.dumps({"Name": "transform", "RunId": "wr_1"}),
            headers={"X-Amz-Target": "AWSGlue.StopWorkflowRun"},
        )
    assert answer.status == 500
    assert answer.json()["__type"] == "InternalServerException"
    assert "ZeroDivisionError" in caplog.text
    assert b"ZeroDivisionError" not in answer.data


def test_layers_see_a_request_in_the_order_they_were_added(tmp_path: Path) -> None:
    first, second = Runner(), Runner()
    endpoint = create_endpoint(tmp_path, extra=[json_service("AWSGlue", first)])
    endpoint.add(json_service("AWSGlue", second))
    with endpoint:
        glue = endpoint.client("glue")
        glue.get_job_run(JobName="job", RunId="jr_1")
        glue.get_databases()
        glue.close()
        with pytest.raises(RuntimeError, match="before the endpoint starts"):
            endpoint.add(json_service("AWSGlue", first))
    assert [action for action, _ in first.asked] == ["GetJobRun", "GetDatabases"]
    assert [action for action, _ in second.asked] == ["GetDatabases"]


def test_health_is_told_once_it_serves(tmp_path: Path) -> None:
    with create_endpoint(tmp_path) as endpoint:
        answer = urllib3.request("GET", f"{endpoint.url}/_lakehouse/health")
        assert answer.json() == {"status": "ok", "region": "eu-west-2", "account_id": endpoint.account_id}
        sts = endpoint.client("sts")
        assert sts.get_caller_identity()["Account"] == endpoint.account_id
        sts.close()


def test_it_listens_on_the_loopback_only(tmp_path: Path) -> None:
    with create_endpoint(tmp_path) as endpoint:
        assert endpoint.url.startswith("http://127.0.0.1:")


def test_two_stacks_in_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    with create_endpoint(tmp_path / "one") as one, create_endpoint(tmp_path / "two") as two:
        for endpoint in (one, two):
            s3 = endpoint.client("s3")
            s3.create_bucket(
                Bucket="shop-processed", CreateBucketConfiguration={"LocationConstraint": endpoint.region}
            )
            s3.put_object(Bucket="shop-processed", Key="key", Body=endpoint.url.encode())
            s3.close()
            glue = endpoint.client("glue")
            glue.create_database(DatabaseInput={"Name": "shop_star"})
            glue.close()
        assert (one.bucket_dir("shop-processed") / "key").read_text() == one.url
        assert (two.bucket_dir("shop-processed") / "key").read_text() == two.url


def test_two_stacks_cannot_share_a_directory(tmp_path: Path) -> None:
    other = create_endpoint(tmp_path)
    with create_endpoint(tmp_path), pytest.raises(StoreInUseError, match="Another laptop stack"):
        other.start()
    other.stop()


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with create_endpoint(tmp_path / "one") as endpoint:
        port = int(endpoint.url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"Port {port} of 127.0.0.1 cannot be used"):
            create_endpoint(tmp_path / "two", port=port)


def test_stopping_frees_the_port_and_is_done_once(tmp_path: Path) -> None:
    endpoint = create_endpoint(tmp_path)
    endpoint.start()
    endpoint.stop()
    endpoint.stop()
    again = create_endpoint(tmp_path, port=int(endpoint.url.rpartition(":")[2]))
    assert again.url == endpoint.url
    with again:
        s3 = again.client("s3")
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.list_objects_v2(Bucket="nowhere")
        s3.close()


def test_a_killed_stack_leaves_no_torn_object_and_starts_again(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal; from local_aws.endpoint.app import create_endpoint;"
        f"endpoint = create_endpoint(pathlib.Path({str(tmp_path)!r})); endpoint.start();"
        "print(endpoint.url, flush=True); signal.pause()"
    )
    bucket = tmp_path / "s3" / "shop-ingestion"
    bucket.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as stack:
        assert stack.stdout is not None
        port = int(stack.stdout.readline().strip().rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", "/shop-ingestion/whole", body=b"content")
        assert connection.getresponse().status == 200
        connection.close()
        connection.putrequest("PUT", "/shop-ingestion/torn")
        connection.putheader("Content-Length", str(10 << 20))
        connection.endheaders(b"x" * (5 << 20))
        staging = tmp_path / "s3-staging"
        while not any(path.stat().st_size for path in staging.iterdir()):
            time.sleep(0.01)
        stack.kill()
        connection.close()
    assert [path.name for path in bucket.iterdir()] == ["whole"]
    with create_endpoint(tmp_path, port=port) as again:
        s3 = again.client("s3")
        assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="shop-ingestion")["Contents"]] == [
            "whole"
        ]
        assert list(staging.iterdir()) == []
        s3.close()
