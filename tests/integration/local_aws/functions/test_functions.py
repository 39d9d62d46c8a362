"""Functions run as Lambda runs them: kept between calls, under their role, tried again, and failures left."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests import needs
from tests.integration.local_aws.functions.conftest import CODE, World, allow, zipped


def test_a_function_answers_and_its_process_is_kept_between_calls(world: World) -> None:
    world.function("f", world.role("r", "lambda"))
    first, second = world.call("f", {"a": "é"}), world.call("f", {"a": 2})
    assert (first[0]["event"], first[0]["name"], first[1]) == ({"a": "é"}, "stated", None)
    assert (first[0]["calls"], second[0]["calls"]) == (1, 2)
    assert '"called": {"a": 2}' in world.log("f")


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        ({"raise": "no"}, "ValueError", "no"),
        ({"exit": 3}, "Runtime.ExitError", "exit status 3"),
        ({"sleep": 60}, "Sandbox.Timedout", "timed out after 1.00 seconds"),
    ],
)
def test_a_call_that_fails_says_why_and_the_next_one_is_answered(
    world: World, event: dict[str, object], kind: str, words: str
) -> None:
    world.function("f", world.role("r", "lambda"), timeout=1)
    said, error = world.call("f", event)
    assert (said["errorType"], error) == (kind, "Unhandled")
    assert words in said["errorMessage"]
    assert world.call("f", {})[1] is None


def test_a_handler_that_is_not_there_is_an_error_of_each_call(world: World) -> None:
    world.function("f", world.role("r", "lambda"))
    world.functions.update_function_configuration(FunctionName="f", Handler="nothing.handle")
    for _ in range(2):
        assert world.call("f", {})[0]["errorType"] == "Runtime.ImportModuleError"


def test_what_nobody_waits_for_is_tried_again_and_then_left_in_the_queue(world: World) -> None:
    role = world.role("r", "lambda", allow("sqs:SendMessage", world.queue))
    world.function("f", role, retries=2)
    answer = world.functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"raise": "no"}')
    assert answer["StatusCode"] == 202
    world.runner.wait()
    (left,) = world.left()
    record = json.loads(left["Body"])
    assert record["requestPayload"] == {"raise": "no"}
    assert record["responsePayload"]["errorMessage"] == "no"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    requests = {json.loads(line)["request"] for line in world.log("f").splitlines() if "called" in line}
    assert requests == {record["requestContext"]["requestId"]}


def test_a_function_may_do_what_its_role_says_and_nothing_else(world: World) -> None:
    endpoint = world.endpoint
    endpoint.client("s3").create_bucket(
        Bucket="some-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    world.function("f", world.role("r", "lambda", allow("s3:ListBucket", "arn:aws:s3:::some-bucket")))
    world.function("g", world.role("s", "lambda"))
    assert world.call("f", {"bucket": "some-bucket"})[1] is None
    said, error = world.call("g", {"bucket": "some-bucket"})
    assert (error, said["errorType"]) == ("Unhandled", "ClientError")
    assert "403" in said["errorMessage"]
    # What it may not leave in the queue is lost, and the log of the stack says so.
    world.functions.invoke(FunctionName="g", InvocationType="Event", Payload=b'{"raise": "no"}')
    world.runner.wait()
    assert world.left() == []


def test_whoever_may_not_call_a_function_is_refused_by_name(world: World) -> None:
    arn = world.function("f", world.role("r", "lambda"))
    identity = world.endpoint.runs.begin(world.role("caller", "glue"), "run")
    from local_aws.endpoint.guard import working_for

    with working_for(identity.key), pytest.raises(ClientError, match="lambda:InvokeFunction") as refusal:
        world.endpoint.caller_client("lambda").invoke(FunctionName="f")
    assert arn in str(refusal.value)


def test_a_role_that_lambda_may_not_take_runs_nothing(world: World) -> None:
    world.function("f", world.role("r", "lambda"))
    trust = {"Effect": "Deny", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    world.endpoint.client("iam").update_assume_role_policy(
        RoleName="r", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        world.call("f", {})


def test_there_is_no_such_function(world: World) -> None:
    with pytest.raises(world.functions.exceptions.ResourceNotFoundException):
        world.call("nothing", {})


def test_a_zip_with_the_handler_runs_alone_on_the_functions_python(world: World) -> None:
    needs.runtime("3.13")
    world.function("f", world.role("r", "lambda"), code=zipped(echo=CODE.replace("calls = 0", "calls = 7")))
    said, error = world.call("f", {})
    assert (error, said["calls"], said["python"]) == (None, 8, [3, 13])
    # It has nothing but its zip.
    assert "No module named 'boto3'" in world.call("f", {"bucket": "b"})[0]["errorMessage"]


def test_new_code_is_called_once_it_is_there(world: World) -> None:
    needs.runtime("3.13")
    world.function("f", world.role("r", "lambda"))
    assert world.call("f", {})[0]["calls"] == 1
    changed = zipped(echo=CODE.replace("calls = 0", "calls = 7"))
    world.functions.update_function_code(FunctionName="f", ZipFile=changed)
    assert world.call("f", {})[0]["calls"] == 8


def test_code_comes_from_the_stacks_own_s3(world: World) -> None:
    needs.runtime("3.13")
    s3, role = world.endpoint.client("s3"), world.role("r", "lambda")
    s3.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    s3.put_object(Bucket="releases", Key="f.zip", Body=zipped(echo=CODE))
    stated = {"Role": role, "Runtime": "python3.13", "Handler": "echo.handle"}
    world.functions.create_function(
        FunctionName="f", Code={"S3Bucket": "releases", "S3Key": "f.zip"}, **stated
    )
    assert world.call("f", {})[1] is None
    with pytest.raises(ClientError, match="NoSuchKey"):
        world.functions.create_function(
            FunctionName="g", Code={"S3Bucket": "releases", "S3Key": "g.zip"}, **stated
        )
