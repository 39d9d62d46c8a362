"""Everybody is somebody, and is held to the policies that are deployed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3
from botocore.exceptions import ClientError

from glue_jobs.lake.conditional import has_object
from lakehouse.daemon import add_athena
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.layers import CREDENTIALS_PATH
from local_aws.endpoint.run_credentials import RoleRefusedError
from local_aws.rights.keys import Credentials, kept_keys

BUCKET, SEALED, RESULTS = "lake", "sealed", "results"
OBJECTS = f"arn:aws:s3:::{BUCKET}"
TRUST = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


class World:
    """An endpoint that enforces rights, its owner, and roles that tests make."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.s3, self.iam = endpoint.client("s3"), endpoint.client("iam")
        self.made = 0

    def role(self, *statements: Mapping[str, Any], trust: Mapping[str, Any] = TRUST) -> str:
        self.made += 1
        name = f"role-{self.made}"
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return name

    def session(self, *statements: Mapping[str, Any]) -> Callable[[str], Any]:
        """Makes clients of a run whose role has these statements."""
        run = f"run-{self.made + 1}"
        identity = self.endpoint.runs.begin(self.role(*statements), run)
        found = fetch(identity.environment)
        keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
        return lambda service: self.endpoint.client(service, keys)

    def put(self, key: str, bucket: str = BUCKET) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=b"x", IfNoneMatch="*")


def fetch(environment: Mapping[str, str]) -> dict[str, Any]:
    """What a run's SDK gets from where its keys are."""
    answer = urllib3.request(
        "GET",
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("stack")
    endpoint = create_endpoint(state, enforced=True)
    service = add_athena(endpoint, state / "athena")
    with endpoint:
        made = World(endpoint)
        for bucket in (BUCKET, SEALED, RESULTS):
            made.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region}
            )
        once = {
            "Sid": "NothingIsWrittenTwice",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:PutObject",
            "Resource": f"{OBJECTS}/once/*",
            "Condition": {
                "Null": {"s3:if-none-match": "true"},
                "Bool": {"s3:ObjectCreationOperation": "true"},
            },
        }
        plain = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:*",
            "Resource": [OBJECTS, f"{OBJECTS}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        made.s3.put_bucket_policy(Bucket=BUCKET, Policy=document(once, plain))
        yield made
        service.close()


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


# --- who ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("glue", "get_databases", "UnrecognizedClientException"),
        ("athena", "list_work_groups", "UnrecognizedClientException"),
        ("secretsmanager", "list_secrets", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("sns", "list_topics", "InvalidClientTokenId"),
        ("iam", "list_roles", "InvalidClientTokenId"),
        ("ec2", "describe_vpcs", "AuthFailure"),
    ],
)
def test_an_unknown_key_is_refused_in_the_words_of_the_service_that_is_asked(
    world: World, service: str, operation: str, code: str
) -> None:
    stranger = world.endpoint.client(service, Credentials("AKIANOBODYHASTHISKEY", "secret"))
    assert refused(getattr(stranger, operation))[0] == code


def test_the_keys_of_a_session_are_none_without_its_token(world: World) -> None:
    found = fetch(world.endpoint.runs.begin(world.role(allow("s3:*")), "no-token").environment)
    bare = Credentials(found["AccessKeyId"], found["SecretAccessKey"])
    assert refused(world.endpoint.client("s3", bare).list_buckets)[0] == "InvalidAccessKeyId"
    other = Credentials(found["AccessKeyId"], found["SecretAccessKey"], "another")
    assert refused(world.endpoint.client("glue", other).get_jobs)[0] == "UnrecognizedClientException"


def test_keys_that_have_ended_are_refused_as_such(world: World) -> None:
    guard = world.endpoint.guard
    caller = guard.keys.holder(world.endpoint.runs.begin(world.role(allow("s3:*")), "over").key)
    assert caller is not None
    over = guard.keys.issue(caller, timedelta(0))
    assert refused(world.endpoint.client("s3", over).list_buckets)[0] == "ExpiredToken"
    assert refused(world.endpoint.client("glue", over).get_jobs)[0] == "ExpiredTokenException"
    assert refused(world.endpoint.client("sns", over).list_topics)[0] == "ExpiredToken"


def test_nobody_signed_is_nobody(world: World) -> None:
    world.put("raw/unsigned")
    answer = urllib3.request("GET", f"{world.endpoint.url}/{BUCKET}/raw/unsigned")
    assert (answer.status, b"<Code>AccessDenied</Code>" in answer.data) == (403, True)
    for path in ("/moto-api/data.json", "/moto-api/reset", "/"):
        assert urllib3.request("POST", f"{world.endpoint.url}{path}").status == 403


@pytest.mark.parametrize(
    "headers", [{"Host": "attacker.example:80"}, {"Origin": "https://attacker.example"}, {"Origin": "null"}]
)
@pytest.mark.parametrize("path", ["/", f"/{BUCKET}/raw/a", "/_lakehouse/health", f"{CREDENTIALS_PATH}run"])
def test_no_web_page_is_answered(world: World, headers: dict[str, str], path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = urllib3.request(method, f"{world.endpoint.url}{path}", headers=headers)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_everybody_can_ask_who_they_are(world: World) -> None:
    account = world.endpoint.account_id
    assert world.endpoint.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
    told = world.session()("sts").get_caller_identity()["Arn"]
    assert told.startswith(f"arn:aws:sts::{account}:assumed-role/role-")
    assert "/run-" in told


def test_a_run_s_keys_are_given_to_its_token_alone_and_are_nobody_s_when_it_is_over(world: World) -> None:
    identity = world.endpoint.runs.begin(world.role(allow("s3:ListAllMyBuckets")), "the-run")
    uri = identity.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    for token, path in (("wrong", uri), ("", uri), ("x", f"{world.endpoint.url}{CREDENTIALS_PATH}other")):
        assert urllib3.request("GET", path, headers={"Authorization": token}).status == 401
    found = fetch(identity.environment)
    assert found["RoleArn"].startswith(f"arn:aws:iam::{world.endpoint.account_id}:role/")
    keys = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
    world.endpoint.client("s3", keys).list_buckets()
    world.endpoint.runs.end("the-run")
    assert refused(world.endpoint.client("s3", keys).list_buckets)[0] == "InvalidAccessKeyId"


def test_a_role_is_taken_by_whom_it_trusts_alone(world: World) -> None:
    with pytest.raises(RoleRefusedError, match="no role nobody"):
        world.endpoint.runs.begin("nobody", "r")
    elsewhere = {**TRUST, "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}
    for trust in ({**TRUST, "Principal": {"Service": "events.amazonaws.com"}}, elsewhere):
        role = world.role(trust=trust)
        with pytest.raises(RoleRefusedError, match="sts:AssumeRole"):
            world.endpoint.runs.begin(role, "r")


def test_keys_are_random_and_kept_for_their_owner_alone(tmp_path: Path) -> None:
    with create_endpoint(tmp_path / "one") as one, create_endpoint(tmp_path / "two") as two:
        assert one.environment()["AWS_ACCESS_KEY_ID"] != two.environment()["AWS_ACCESS_KEY_ID"]
        assert refused(one.client("s3", kept_keys(tmp_path / "two" / "keys.json")).list_buckets)
    kept = tmp_path / "one" / "keys.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    with create_endpoint(tmp_path / "one") as again:
        assert again.environment()["AWS_ACCESS_KEY_ID"] == kept_keys(kept).access_key


# --- objects -----------------------------------------------------------------------------------------


def test_a_refusal_names_the_action_the_resource_and_the_reason(world: World) -> None:
    world.put("raw/a")
    s3 = world.session(allow("s3:GetObject", on=f"{OBJECTS}/raw/*"))("s3")
    assert s3.get_object(Bucket=BUCKET, Key="raw/a")["Body"].read() == b"x"
    code, says = refused(s3.put_object, Bucket=BUCKET, Key="raw/b", Body=b"")
    assert code == "AccessDenied"
    assert says.endswith(
        f'is not authorized to perform: s3:PutObject on resource: "{OBJECTS}/raw/b" '
        "because no identity-based policy allows the s3:PutObject action"
    )
    assert refused(s3.get_object, Bucket=BUCKET, Key="else")[0] == "AccessDenied"
    assert refused(s3.head_object, Bucket=BUCKET, Key="else")[0] == "403"


def test_an_object_is_written_once_by_requests_that_say_so_and_parts_need_not(world: World) -> None:
    s3 = world.session(allow("s3:PutObject", on=f"{OBJECTS}/*"))("s3")
    code, says = refused(s3.put_object, Bucket=BUCKET, Key="once/a", Body=b"1")
    assert (code, says.partition(" with ")[2]) == (
        "AccessDenied",
        "an explicit deny in a resource-based policy",
    )
    s3.put_object(Bucket=BUCKET, Key="once/a", Body=b"1", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key="other/a", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="once/b")["UploadId"]
    named = {"Bucket": BUCKET, "Key": "once/b", "UploadId": upload}
    part = s3.upload_part(**named, PartNumber=1, Body=b"1")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert refused(s3.complete_multipart_upload, **named, MultipartUpload=parts)[0] == "AccessDenied"
    s3.complete_multipart_upload(**named, MultipartUpload=parts, IfNoneMatch="*")
    # Not even the account itself writes otherwise.
    assert refused(world.s3.put_object, Bucket=BUCKET, Key="once/c", Body=b"")[0] == "AccessDenied"
    assert refused(s3.abort_multipart_upload, **named)[0] == "AccessDenied"


def test_a_listing_is_held_to_its_prefix_and_so_is_the_word_that_a_key_is_missing(world: World) -> None:
    world.put("seen/a")
    condition = {"StringLike": {"s3:prefix": ["seen/*"]}}
    s3 = world.session(
        allow("s3:GetObject", on=f"{OBJECTS}/*"), allow("s3:ListBucket", on=OBJECTS, Condition=condition)
    )("s3")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="seen/")["KeyCount"] == 1
    for prefix in ({"Prefix": "raw/"}, {"Prefix": ""}, {}):
        assert refused(s3.list_objects_v2, Bucket=BUCKET, **prefix)[0] == "AccessDenied"
    assert refused(s3.get_object, Bucket=BUCKET, Key="seen/missing")[0] == "NoSuchKey"
    assert refused(s3.head_object, Bucket=BUCKET, Key="seen/missing")[0] == "404"
    assert refused(s3.get_object, Bucket=BUCKET, Key="raw/missing")[0] == "AccessDenied"
    assert refused(s3.head_object, Bucket=BUCKET, Key="raw/missing")[0] == "403"


def test_of_several_deletions_each_is_judged_by_itself(world: World) -> None:
    for key in ("gone/a", "kept/a"):
        world.put(key)
    s3 = world.session(allow("s3:DeleteObject", on=f"{OBJECTS}/gone/*"))("s3")
    both = {"Objects": [{"Key": "gone/a"}, {"Key": "kept/a"}]}
    answer = s3.delete_objects(Bucket=BUCKET, Delete=both)
    assert [one["Key"] for one in answer["Deleted"]] == ["gone/a"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("kept/a", "AccessDenied")]
    world.s3.head_object(Bucket=BUCKET, Key="kept/a")


def test_a_policy_that_is_attached_to_a_role_counts_in_its_newest_default_version(world: World) -> None:
    world.put("attached/a")
    reads, nothing = allow("s3:GetObject", on=f"{OBJECTS}/attached/*"), allow("s3:ListAllMyBuckets")
    made = world.iam.create_policy(PolicyName="attached", PolicyDocument=document(nothing))["Policy"]["Arn"]
    s3 = world.session()("s3")
    world.iam.attach_role_policy(RoleName=f"role-{world.made}", PolicyArn=made)
    assert refused(s3.get_object, Bucket=BUCKET, Key="attached/a")[0] == "AccessDenied"
    world.iam.create_policy_version(PolicyArn=made, PolicyDocument=document(reads), SetAsDefault=True)
    assert s3.get_object(Bucket=BUCKET, Key="attached/a")["Body"].read() == b"x"


def test_a_copy_asks_for_what_it_reads_too(world: World) -> None:
    world.put("secret/a")
    s3 = world.session(allow("s3:PutObject", on=f"{OBJECTS}/copies/*"))("s3")
    source = {"Bucket": BUCKET, "Key": "secret/a"}
    code, says = refused(s3.copy_object, Bucket=BUCKET, Key="copies/a", CopySource=source)
    assert (code, f's3:GetObject on resource: "{OBJECTS}/secret/a' in says) == ("AccessDenied", True)


def test_a_job_that_looks_for_an_object_is_told_which_right_it_lacks(world: World) -> None:
    world.put("sought/there")
    lists = allow("s3:ListBucket", on=OBJECTS)
    s3 = world.session(allow("s3:GetObject", on=f"{OBJECTS}/*"), lists)("s3")
    assert has_object(s3, BUCKET, "sought/there")
    assert not has_object(s3, BUCKET, "sought/nowhere")
    for statements, key, lacks in (
        ([allow("s3:GetObject", on=f"{OBJECTS}/*")], "sought/nowhere", "s3:ListBucket"),
        ([lists], "sought/there", "s3:GetObject"),
    ):
        code, words = refused(has_object, s3=world.session(*statements)("s3"), bucket=BUCKET, key=key)
        assert code == "AccessDenied"
        assert f"is not authorized to perform: {lacks} on resource: " in words


def test_an_object_under_a_customer_s_key_needs_the_key(world: World) -> None:
    key = world.endpoint.client("kms").create_key()["KeyMetadata"]["Arn"]
    by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": True}]}
    world.s3.put_bucket_encryption(Bucket=SEALED, ServerSideEncryptionConfiguration=rules)
    world.put("a", SEALED)
    reads = allow("s3:GetObject", on=f"arn:aws:s3:::{SEALED}/*")
    via = {"StringEquals": {"kms:ViaService": "s3.eu-west-2.amazonaws.com"}}
    code, says = refused(lambda: world.session(reads)("s3").get_object(Bucket=SEALED, Key="a"))
    assert (code, f"kms:Decrypt on resource: {key}" in says) == ("AccessDenied", True)
    opens = allow("kms:Decrypt", on=key, Condition=via)
    assert world.session(reads, opens)("s3").get_object(Bucket=SEALED, Key="a")["Body"].read() == b"x"
    # A key that lets nobody of the account in is closed to those whose own policies name it.
    closed = {**TRUST, "Action": "kms:*", "Resource": "*"}
    world.endpoint.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(closed))
    code, says = refused(lambda: world.session(reads, opens)("s3").get_object(Bucket=SEALED, Key="a"))
    assert says.endswith("because no resource-based policy allows the kms:Decrypt action")


# --- other services ----------------------------------------------------------------------------------


def test_a_table_asks_for_its_database_and_the_catalog_too(world: World) -> None:
    glue = world.endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "shop"})
    glue.create_table(DatabaseName="shop", TableInput={"Name": "orders"})
    root = f"arn:aws:glue:eu-west-2:{world.endpoint.account_id}"
    whole = [f"{root}:catalog", f"{root}:database/shop", f"{root}:table/shop/orders"]
    world.session(allow("glue:GetTable", on=whole))("glue").get_table(DatabaseName="shop", Name="orders")
    for left_out in whole:
        rest = [arn for arn in whole if arn != left_out]
        client = world.session(allow("glue:GetTable", on=rest))("glue")
        code, says = refused(client.get_table, DatabaseName="shop", Name="orders")
        assert (code, f"glue:GetTable on resource: {left_out} because" in says) == (
            "AccessDeniedException",
            True,
        )


def test_a_secret_is_read_by_whom_its_policy_and_its_key_let_in(world: World) -> None:
    manager, kms = world.endpoint.client("secretsmanager"), world.endpoint.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    arn = manager.create_secret(Name="shop/source", SecretString="{}", KmsKeyId=key)["ARN"]
    reads, opens = allow("secretsmanager:GetSecretValue", on=arn), allow("kms:Decrypt", on=key)
    world.session(reads, opens)("secretsmanager").get_secret_value(SecretId="shop/source")
    without = world.session(reads)("secretsmanager")
    code, says = refused(without.get_secret_value, SecretId="shop/source")
    assert (code, f"kms:Decrypt on resource: {key}" in says) == ("AccessDeniedException", True)
    stranger = world.session(opens)("secretsmanager")
    assert f"GetSecretValue on resource: {arn}" in refused(stranger.get_secret_value, SecretId=arn)[1]
    nobody = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}},
    }
    manager.put_resource_policy(SecretId="shop/source", ResourcePolicy=document(nobody))
    client = world.session(reads, opens)("secretsmanager")
    assert "explicit deny" in refused(client.get_secret_value, SecretId="shop/source")[1]


def query(athena: Any, sql: str) -> tuple[str, str]:
    output = {"OutputLocation": f"s3://{RESULTS}/"}
    started = athena.start_query_execution(QueryString=sql, ResultConfiguration=output)["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            return status["State"], status.get("StateChangeReason", "")


def test_athena_reads_and_writes_with_the_rights_of_who_asks(world: World, tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    pq.write_table(pa.table({"id": [1, 2]}), file)
    world.s3.put_object(Bucket=BUCKET, Key="bills/part.parquet", Body=file.read_bytes())
    glue = world.endpoint.client("glue")
    glue.create_database(DatabaseInput={"Name": "books"})
    parquet = "org.apache.hadoop.hive.ql.io.parquet"
    storage = {
        "Columns": [{"Name": "id", "Type": "bigint"}],
        "Location": f"s3://{BUCKET}/bills/",
        "InputFormat": f"{parquet}.MapredParquetInputFormat",
        "OutputFormat": f"{parquet}.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": f"{parquet}.serde.ParquetHiveSerDe"},
    }
    table = {"Name": "bills", "StorageDescriptor": storage, "TableType": "EXTERNAL_TABLE"}
    glue.create_table(DatabaseName="books", TableInput=table)
    asks = allow("athena:*")
    looks = allow("glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions")
    lists = allow("s3:ListBucket", "s3:GetBucketLocation", on=["arn:aws:s3:::*"])
    reads = allow("s3:GetObject", on=f"{OBJECTS}/bills/*")
    writes = allow("s3:PutObject", on=f"arn:aws:s3:::{RESULTS}/*")
    sql = "SELECT count(*) FROM books.bills"
    assert query(world.session(asks, looks, lists, reads, writes)("athena"), sql) == ("SUCCEEDED", "")
    for statements, missing in (
        ((asks, lists, reads, writes), "glue:Get"),
        ((asks, looks, reads, writes), "s3:ListBucket"),
        ((asks, looks, lists, writes), f's3:GetObject on resource: "{OBJECTS}/bills/part.parquet'),
        ((asks, looks, lists, reads), "s3:PutObject"),
    ):
        state, reason = query(world.session(*statements)("athena"), sql)
        assert (state, missing in reason) == ("FAILED", True), reason
    nobody = world.session(looks, lists, reads, writes)("athena")
    assert "athena:StartQueryExecution" in refused(query, athena=nobody, sql=sql)[1]


def test_what_the_stack_looks_up_for_itself_needs_no_caller_s_right_and_is_nobody_s_to_use(
    world: World,
) -> None:
    assert world.endpoint.stack_client("glue").get_jobs()["Jobs"] == []
    # A caller who says that it works for another is not heard.
    key = world.endpoint.environment()["AWS_ACCESS_KEY_ID"]
    client = world.session()("s3")

    def pretend(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-lakehouse-on-behalf-of"] = key

    client.meta.events.register("before-call.*.*", pretend)
    assert refused(client.list_buckets)[0] == "AccessDenied"


def test_a_run_finds_its_keys_by_the_usual_provider_chain(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = world.endpoint.runs.begin(world.role(allow("s3:ListAllMyBuckets")), "chain")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**world.endpoint.addresses(), **identity.environment}.items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("s3")
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {BUCKET, SEALED, RESULTS}
    assert refused(client.list_objects_v2, Bucket=BUCKET)[0] == "AccessDenied"
    client.close()
