"""The pipeline's deployment as one checked statement: ``pipeline.yaml``, read by the laptop and by Terraform.

The model refuses an unknown key and whatever does not hang together: a trigger on an unknown job, a workflow
with two starts, a placeholder that nothing fills.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

from pydantic import ConfigDict, Field, field_validator, model_validator

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Strict, validate
from catalog.project import once_per_project, project_folder
from catalog.yaml_lines import ContractError, YamlPath, line_of, load_with_lines

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import CreateWorkGroupInputTypeDef
    from mypy_boto3_glue.type_defs import DatabaseInputTypeDef

# The bucket from which every job loads its script and packages; no job's `access` names it.
_RELEASES = "artefacts"
_PLACEHOLDER = re.compile(r"\$\{(\w+):(\w+)\}")
_SCHEDULE = re.compile(r"^(?:cron|rate)\(.+\)$")

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, Field(pattern=r"^([a-z_][a-z_-]*/)+[a-z_*/-]*[a-z_.]+$")]
Prefix = Annotated[str, Field(pattern=r"^([a-z_][a-z_-]*/)+$")]


class Bucket(Strict):
    """An S3 bucket; its real name is given by who deploys.

    Attributes:
        written_once: Key prefixes under which an object is only ever created, never written again.
        written_by_people: Patterns of keys that no job may write.
        expire_days: Days after which AWS removes an object; never where none are stated.
    """

    description: Text
    written_once: tuple[Prefix, ...] = ()
    written_by_people: tuple[Pattern, ...] = ()
    expire_days: Optional[Annotated[int, Field(ge=1, le=365)]] = None


class Secret(Strict):
    """A secret of Secrets Manager: JSON with one key.

    Attributes:
        holds: That key: the ``dsn`` of a database, or the ``webhook`` of a channel.
        option: What an environment has to ask for, so that there is one.
    """

    name: Text
    description: Text
    holds: Literal["dsn", "webhook"] = "dsn"
    option: Optional[Name] = None


class Registry(Strict):
    """A schema registry, and how it compares the versions of a schema."""

    name: Name
    description: Text
    compatibility: Literal[
        "NONE", "DISABLED", "BACKWARD", "BACKWARD_ALL", "FORWARD", "FORWARD_ALL", "FULL", "FULL_ALL"
    ]


class Sandbox(Strict):
    """Where analysts may write.

    Attributes:
        database: The one database whose tables and views they make, change and drop.
        description: What it is for.
        location: The ``s3://`` prefix of its data, in a bucket that holds nothing of the pipeline: its
            placeholder, and folders below it.
    """

    database: Name
    description: Text
    location: Annotated[str, Field(pattern=r"^s3://\$\{bucket:[a-z][a-z0-9_]*\}/([a-z_][a-z_-]*/)*$")]

    @property
    def bucket(self) -> str:
        """The key of the bucket that holds its data."""
        return self.location.partition(":")[2].partition(":")[2].partition("}")[0]


class WorkGroup(Strict):
    """A work group of analysts.

    Attributes:
        work_group: Its name.
        description: What it is for.
        results: Where results are written, an ``s3://`` prefix.
        sandbox: Where analysts may write; nowhere where none is stated.
    """

    work_group: Name
    description: Text
    results: Annotated[Text, Field(pattern=r"^s3://\$\{bucket:[a-z][a-z0-9_]*\}/([a-z_][a-z_-]*/)+$")]
    sandbox: Optional[Sandbox] = None

    @property
    def results_prefix(self) -> str:
        """Where results are written, as ``<bucket>/<key prefix>``."""
        bucket, _, prefix = self.results.partition("{bucket:")[2].partition("}/")
        return f"{bucket}/{prefix}"


class Athena(WorkGroup):
    """The work group of analysts who see everything; and that of those who see no personal columns.

    Attributes:
        scan_cutoff_bytes: A query that reads more than this is cancelled; Athena takes 10 MB at least.
        redacted: Of analysts who see no personal columns; without it there are none.
    """

    scan_cutoff_bytes: Annotated[int, Field(ge=10_000_000)]
    redacted: Optional[WorkGroup] = None

    @property
    def groups(self) -> tuple[WorkGroup, ...]:
        """The work groups."""
        return (self,) if self.redacted is None else (self, self.redacted)


class PythonShell(Strict):
    """Glue Python shell. `max_capacity` in DPU: 0.0625 is about 1 GB of memory."""

    kind: Literal["python_shell"]
    python: Literal["3.9"]
    max_capacity: float

    @field_validator("max_capacity")
    @classmethod
    def _glue_offers_it(cls, value: float) -> float:
        if value not in (0.0625, 1.0):
            raise ValueError("Glue offers 0.0625 or 1 DPU")
        return value


class Spark(Strict):
    """Glue Spark; at least two workers."""

    kind: Literal["spark"]
    glue: Literal["6.0"]
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X"]
    workers: Annotated[int, Field(ge=2)]


class Transform(Strict):
    """Which engine takes what was captured, and how much the embedded one takes in one run.

    Attributes:
        engine: ``auto`` leaves the choice to the numbers.
        waiting_batches: Captured batches that wait.
        waiting_rows: Rows in them.
        waiting_bytes: Bytes of their objects.
        partition_rows: Rows in the partitions of the star that can hold the key of a waiting row.
        partition_bytes: Bytes of their objects.
        memory_megabytes: What DuckDB may hold in memory.
        disk_megabytes: What it may hold on disk.
        threads: Its threads.
    """

    engine: Literal["auto", "embedded", "spark"]
    waiting_batches: Annotated[int, Field(ge=1)]
    waiting_rows: Annotated[int, Field(ge=1)]
    waiting_bytes: Annotated[int, Field(ge=1)]
    partition_rows: Annotated[int, Field(ge=1)]
    partition_bytes: Annotated[int, Field(ge=1)]
    # A Python shell job of 0.0625 DPU has 1 GB of memory and 20 GB of disk, Python's own share included.
    memory_megabytes: Annotated[int, Field(ge=100, le=700)]
    disk_megabytes: Annotated[int, Field(ge=100, le=15_000)]
    threads: Annotated[int, Field(ge=1, le=4)]


ZoneName = Literal["raw", "dead_letter", "star", "ops", "redacted_raw", "redacted_star"]


class Access(Strict):
    """What a job's role may do with objects and tables.

    Attributes:
        reads: Places, ``<bucket>/<key prefix>/``, whose objects it reads.
        writes: Places in which it creates objects, and reads them again.
        lists: Places of which it sees what is there, and reads nothing.
        removes: Places in which it removes objects; only housekeeping does.
        looks_up: Zones whose tables and partitions it reads.
        registers: Zones whose partitions it registers, and whose tables it points elsewhere, sets right and
            makes again.
        watches: Jobs of whose runs it reads the state.
        sees: Secrets of which it sees which value they have, and not the value.
    """

    reads: tuple[Prefix, ...] = ()
    writes: tuple[Prefix, ...] = ()
    lists: tuple[Prefix, ...] = ()
    removes: tuple[Prefix, ...] = ()
    looks_up: tuple[ZoneName, ...] = ()
    registers: tuple[ZoneName, ...] = ()
    watches: tuple[Name, ...] = ()
    sees: tuple[Name, ...] = ()


RoleArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]+$")]
KeyArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+$")]
ExternalId = Annotated[str, Field(pattern=r"^[\w+=,.@:/-]+$", min_length=2, max_length=1224)]


class _Feed(Strict):
    description: Text
    table: Name
    job: Name


class HttpFeed(_Feed):
    """Exchange rates that a provider answers with, see ``glue_jobs.sources.rates_run``.

    Attributes:
        description: What it brings.
        table: The raw table that takes its rows.
        kind: How it comes by them; the table's ``origin``.
        job: The job that fetches them.
        provider: Whose answers are read, and so in which form.
        url: Where the provider answers.
        currencies: The column of a dimension, ``table.column``, that says which currencies are asked for.
        first_day: From which day on they are asked for.
        window_days: So many days are asked for again each time: what was published late or corrected comes by
            itself.
    """

    kind: Literal["http"]
    provider: Literal["ecb", "freeforexapi"]
    url: Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+/[A-Za-z0-9/_.-]*[A-Za-z0-9]$")]
    currencies: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
    first_day: date
    window_days: Annotated[int, Field(ge=1, le=366)]


class FilesFeed(_Feed):
    """JSON files that somebody puts into a bucket of theirs, see ``glue_jobs.sources.files_run``.

    Attributes:
        description: What it brings.
        table: The raw table that takes its rows.
        kind: How it comes by them; the table's ``origin``.
        job: The job that fetches them.
        bucket: The external bucket.
        prefix: The key prefix below which all that lies there is a file of the feed.
    """

    kind: Literal["files"]
    bucket: Name
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_.=-]+/)*$")] = ""


Feed = Annotated[Union[HttpFeed, FilesFeed], Field(discriminator="kind")]
"""What brings rows from elsewhere than the database, see ``glue_jobs.sources.feeds``."""


class ExternalBucket(Strict):
    """A bucket of somebody else, which feeds read and nobody writes.

    Attributes:
        description: What lies there.
        bucket: Its real name.
        owner: The account that owns it, so that S3 refuses another's: names of buckets are the world's, and
            one that was given up may become a stranger's.
        role_arn: The role, of the account that owns it, in which it is read; the job's own unless stated.
        external_id: What the owner asks to be named when the role is taken, so that nobody else can have us
            take it.
        kms_key_arn: The key that its objects are encrypted with, where the job's own role has to use it.
    """

    description: Text
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    owner: Optional[Annotated[str, Field(pattern=r"^[0-9]{12}$")]] = None
    role_arn: Optional[RoleArn] = None
    external_id: Optional[ExternalId] = None
    kms_key_arn: Optional[KeyArn] = None

    @model_validator(mode="after")
    def _a_role_is_taken_with_an_id(self) -> ExternalBucket:
        if (self.role_arn is None) != (self.external_id is None):
            raise ValueError("a role is taken with an external id, and only for a role one is stated")
        if self.role_arn is not None and self.kms_key_arn is not None:
            raise ValueError("the role that is taken uses the key, so that it is not stated")
        return self


class Job(Strict):
    """A Glue job.

    Attributes:
        network: What it reaches: the ``vpc`` of the databases, or the ``internet`` and no database.
        access: What its role may do.
        script: Its path in the project, and its key in the artefacts bucket.
        arguments: ``--name`` to value, placeholders allowed.
    """

    description: Text
    script: Annotated[str, Field(pattern=r"^glue_jobs/[a-z_]+\.py$")]
    runtime: Annotated[Union[PythonShell, Spark], Field(discriminator="kind")]
    timeout_minutes: Annotated[int, Field(ge=1, le=2880)]
    max_retries: Annotated[int, Field(ge=0, le=10)]
    max_concurrent_runs: Annotated[int, Field(ge=1)]
    network: Literal["vpc", "internet"]
    access: Access
    arguments: dict[Annotated[str, Field(pattern=r"^--[A-Za-z][\w-]*$")], str]


class FunctionAccess(Strict):
    """What a function's role may do with objects.

    Attributes:
        reads: Places, ``<bucket>/<key prefix>/``, whose objects it reads.
    """

    reads: tuple[Prefix, ...] = ()


API_CALLERS = ("programs", "people")
"""Who asks a function over HTTP, each by an API of its own, since a route has one authorizer."""


class Throttle(Strict):
    """How many requests an HTTP API lets through.

    Attributes:
        per_second: So many a second, for good.
        burst: So many at once.
    """

    per_second: Annotated[int, Field(ge=1, le=10_000)]
    burst: Annotated[int, Field(ge=1, le=5_000)]


class Function(Strict):
    """A Lambda function.

    Attributes:
        handler: What AWS calls, ``module.function``.
        requires: The distributions that its zip is closed over, beside our own packages.
        called_by: What calls it: ``schedules``, the topic of ``alerts``, or whoever asks by ``http``. Of the
            last there is an HTTP API for programs, and one for people where an issuer of tokens is stated.
        throttle: Of what is called by HTTP: how many requests its APIs let through.
        retries: How often a call that nobody waits for is tried again.
        network: What it reaches: the ``vpc`` of the databases, or the ``internet`` and no database.
        option: What an environment has to ask for, so that there is one.
        access: What its role may do, beside what its environment names and what calls it is for.
        environment: Its environment variables, placeholders allowed.
    """

    description: Text
    handler: Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_0-9]+)+$")]
    requires: Annotated[tuple[Text, ...], Field(min_length=1)]
    called_by: Literal["schedules", "alerts", "http"]
    throttle: Optional[Throttle] = None
    python: Literal["3.13"]
    memory_megabytes: Annotated[int, Field(ge=128, le=10240)]
    timeout_seconds: Annotated[int, Field(ge=1, le=900)]
    retries: Annotated[int, Field(ge=0, le=2)]
    network: Literal["vpc", "internet"]
    option: Optional[Name] = None
    access: FunctionAccess = FunctionAccess()
    environment: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_throttled(self) -> Function:
        if (self.called_by == "http") != (self.throttle is not None):
            raise ValueError("what is called by http, and nothing else, states its throttle")
        return self

    @property
    def is_awaited(self) -> bool:
        """Whether who calls it waits for the answer, so that nothing is tried again or kept."""
        return self.called_by == "http"


class Workflow(Strict):
    """A Glue workflow; `max_concurrent_runs` beyond which a start is refused."""

    description: Text
    max_concurrent_runs: Annotated[int, Field(ge=1)]


class Condition(Strict):
    """A watched job and the state of its run that counts."""

    job: Name
    state: Literal["SUCCEEDED", "STOPPED", "FAILED", "TIMEOUT"]


class Trigger(Strict):
    """What starts jobs of a workflow: a call, or the end of other jobs."""

    workflow: Name
    type: Literal["on_demand", "conditional"]
    starts: Annotated[tuple[Name, ...], Field(min_length=1)]
    logical: Optional[Literal["and", "any"]] = None
    when: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _fits_its_type(self) -> Trigger:
        conditional = self.type == "conditional"
        if conditional != bool(self.when) or conditional != (self.logical is not None):
            raise ValueError("a conditional trigger, and no other, states `when` and `logical`")
        return self


class Schedule(Strict):
    """When a workflow is started by itself.

    Attributes:
        workflow: The workflow.
        expression: ``cron(…)`` or ``rate(…)``, as EventBridge Scheduler reads it.
        time_zone: Whose clock it goes by, as IANA names it.
    """

    workflow: Name
    expression: Annotated[str, Field(pattern=_SCHEDULE.pattern)]
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$")] = "UTC"


class Source(Strict):
    """The database that is captured.

    Attributes:
        schema_name: The schema of its tables.
        example: The module that makes and fills such a database on a laptop, see ``lakehouse.example``;
            nothing where a project brings none.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_name: Annotated[Text, Field(alias="schema")]
    example: Optional[Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")]] = None


class Pipeline(Strict):
    """Everything that is deployed besides the tables.

    Attributes:
        name: The project's; real names begin with it.
        source: The database that is captured.
        reporting_currency: The currency that amounts of all currencies are reported in.
        feeds: What brings rows from elsewhere.
        external_buckets: Buckets of others that feeds read.
        functions: Lambda functions.
        schedules: What starts workflows by itself.
    """

    name: Name
    source: Source
    reporting_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    feeds: dict[Name, Feed] = Field(default_factory=dict)
    external_buckets: dict[Name, ExternalBucket] = Field(default_factory=dict)
    buckets: dict[Name, Bucket]
    secrets: dict[Name, Secret]
    registries: dict[Name, Registry]
    athena: Athena
    transform: Transform
    jobs: dict[Name, Job]
    workflows: dict[Name, Workflow]
    triggers: dict[Name, Trigger]
    functions: dict[Name, Function] = Field(default_factory=dict)
    schedules: dict[Name, Schedule] = Field(default_factory=dict)

    @property
    def databases(self) -> dict[str, Secret]:
        """The secrets that every environment has: those of databases."""
        return {key: secret for key, secret in self.secrets.items() if secret.option is None}

    @property
    def starter(self) -> Optional[str]:
        """The function that schedules call."""
        return next((name for name, one in self.functions.items() if one.called_by == "schedules"), None)

    def started_by(self, workflow: str) -> tuple[str, ...]:
        """The jobs that begin when a workflow is started."""
        return tuple(
            job
            for trigger in self.triggers.values()
            if trigger.workflow == workflow and trigger.type == "on_demand"
            for job in trigger.starts
        )

    def resolve(self, text: str, buckets: Mapping[str, str]) -> str:
        """Put real names in place of a text's placeholders.

        Args:
            text: A value of the file, such as ``s3://${bucket:ingestion}/``.
            buckets: The real name of each bucket.

        Raises:
            KeyError: A placeholder names nothing that the file states.
        """
        names = {
            "bucket": dict(buckets),
            "secret": {key: secret.name for key, secret in self.secrets.items()},
            "registry": {key: registry.name for key, registry in self.registries.items()},
            "contracts": dict.fromkeys(self.registries, contract_versions()),
            "workflow": {key: key for key in self.workflows},
            "transform": {key: str(value) for key, value in self.transform},
            "athena": {"work_group": self.athena.work_group},
            "source": {"schema": self.source.schema_name},
        }
        return _PLACEHOLDER.sub(lambda found: names[found.group(1)][found.group(2)], text)

    def work_group_requests(self, buckets: Mapping[str, str]) -> list[CreateWorkGroupInputTypeDef]:
        """The CreateWorkGroup request of each work group of analysts.

        Args:
            buckets: The real name of each bucket.
        """
        return [
            {
                "Name": group.work_group,
                "Description": group.description,
                "Configuration": {
                    # Enforced, it would refuse a table that names its place in the sandbox.
                    "EnforceWorkGroupConfiguration": False,
                    "ResultConfiguration": {"OutputLocation": self.resolve(group.results, buckets)},
                    "BytesScannedCutoffPerQuery": self.athena.scan_cutoff_bytes,
                },
            }
            for group in self.athena.groups
        ]

    def sandbox_requests(self, buckets: Mapping[str, str]) -> list[DatabaseInputTypeDef]:
        """The databases in which analysts may write, as CreateDatabase takes them.

        Args:
            buckets: The real name of each bucket.
        """
        return [
            {
                "Name": sandbox.database,
                "Description": sandbox.description,
                "LocationUri": self.resolve(sandbox.location, buckets),
            }
            for sandbox in self.sandboxes
        ]

    @property
    def http_feeds(self) -> dict[str, HttpFeed]:
        """The feeds that providers answer."""
        return {name: feed for name, feed in self.feeds.items() if isinstance(feed, HttpFeed)}

    @property
    def file_feeds(self) -> dict[str, FilesFeed]:
        """The feeds of files."""
        return {name: feed for name, feed in self.feeds.items() if isinstance(feed, FilesFeed)}

    @property
    def sandboxes(self) -> tuple[Sandbox, ...]:
        """Where analysts may write."""
        return tuple(group.sandbox for group in self.athena.groups if group.sandbox is not None)


def named(texts: Mapping[str, str], kind: str) -> list[str]:
    """What arguments or variables name of a kind by their placeholders, in the order in which they do."""
    found = [key for text in texts.values() for of, key in _PLACEHOLDER.findall(text) if of == kind]
    return list(dict.fromkeys(found))


@once_per_project
def contract_versions() -> str:
    """Which version the contract of each captured table has, as a job's argument says it."""
    return ",".join(f"{table}={contract.version}" for table, contract in sorted(load_catalogue().raw.items()))


@once_per_project
def load_pipeline() -> Pipeline:
    """The project's own pipeline.

    Raises:
        ContractError: The file is wrong, with line and reason.
    """
    path = project_folder() / "catalog" / "pipeline.yaml"
    pipeline = read_pipeline(path)
    for reason in fed_faults(pipeline, load_catalogue()):
        raise ContractError(path, 1, reason)
    return pipeline


def read_pipeline(path: Path) -> Pipeline:
    """Read and check a pipeline file.

    Raises:
        ContractError: The file is wrong, with line and reason.
    """
    data, lines = load_with_lines(path)
    _fill_in(data, path, lines)
    pipeline = validate(Pipeline, data, path, lines)
    faults = (
        _feed_faults,
        _placeholder_faults,
        _access_faults,
        _sandbox_faults,
        _trigger_faults,
        _start_faults,
        _function_faults,
        _schedule_faults,
    )
    for at, reason in (fault for find in faults for fault in find(pipeline)):
        raise ContractError(path, line_of(lines, at), reason)
    return pipeline


def _groups(pipeline: Pipeline) -> list[tuple[YamlPath, WorkGroup]]:
    """The work groups, each with where it is stated."""
    places: tuple[YamlPath, ...] = (("athena",), ("athena", "redacted"))
    return list(zip(places, pipeline.athena.groups))


def _fill_in(data: Any, path: Path, lines: dict[YamlPath, int]) -> None:
    """Give jobs and functions what the file states for all of them: runtimes that they name, and defaults."""
    if not isinstance(data, dict) or not isinstance(data.get("jobs"), dict):
        return
    runtimes, defaults = data.pop("runtimes", {}), data.pop("job_defaults", {})
    for name, job in data["jobs"].items():
        if not isinstance(job, dict):
            continue
        runtime = job.get("runtime")
        if isinstance(runtime, str):
            if runtime not in runtimes:
                at = line_of(lines, ("jobs", name, "runtime"))
                raise ContractError(path, at, f"there is no runtime {runtime}: {', '.join(runtimes)}")
            job["runtime"] = runtimes[runtime]
        data["jobs"][name] = {**defaults, **job}
    common = data.pop("function_defaults", {})
    functions = data.get("functions")
    if isinstance(functions, dict):
        data["functions"] = {
            name: {**common, **one} if isinstance(one, dict) else one for name, one in functions.items()
        }


def _placeholder_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    texts: list[tuple[YamlPath, str]] = []
    for at, group in _groups(pipeline):
        texts.append(((*at, "results"), group.results))
        if group.sandbox is not None:
            texts.append(((*at, "sandbox", "location"), group.sandbox.location))
    for name, job in pipeline.jobs.items():
        texts += [(("jobs", name, "arguments", key), value) for key, value in job.arguments.items()]
    for name, function in pipeline.functions.items():
        texts += [
            (("functions", name, "environment", key), value) for key, value in function.environment.items()
        ]
    stand_ins = {name: name for name in pipeline.buckets}
    faults: list[tuple[YamlPath, str]] = []
    for at, text in texts:
        try:
            left = pipeline.resolve(text, stand_ins)
        except KeyError:
            left = text
        if "${" in left:
            faults.append((at, f"{text!r} holds a placeholder that nothing fills"))
    return faults


def _feed_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    faults: list[tuple[YamlPath, str]] = [
        (("feeds", name, "job"), f"there is no job {feed.job}")
        for name, feed in pipeline.feeds.items()
        if feed.job not in pipeline.jobs
    ]
    tables = [feed.table for feed in pipeline.feeds.values()]
    faults += [
        (("feeds", name, "table"), f"{feed.table} is the table of another feed, too")
        for name, feed in pipeline.feeds.items()
        if tables.count(feed.table) > 1
    ]
    faults += [
        (("feeds", name, "bucket"), f"there is no external bucket {feed.bucket}")
        for name, feed in pipeline.file_feeds.items()
        if feed.bucket not in pipeline.external_buckets
    ]
    # What answers from the internet must not come near what a password opens.
    faults += [
        (("jobs", name, "network"), f"{name} is given a secret, and reaches the internet")
        for name, job in pipeline.jobs.items()
        if job.network == "internet"
        and (job.access.sees or any("${secret:" in text for text in job.arguments.values()))
    ]
    return faults


def fed_faults(pipeline: Pipeline, catalogue: Catalogue) -> list[str]:
    """What feeds and contracts say differently of each other.

    Args:
        pipeline: The feeds.
        catalogue: The contracts.
    """
    by_table = {feed.table: feed for feed in pipeline.feeds.values()}
    faults = [
        f"the feed of {table} is of the kind {feed.kind}, and no raw contract of that origin is there"
        for table, feed in by_table.items()
        if table not in catalogue.raw or catalogue.raw[table].origin != feed.kind
    ]
    faults += [f"no feed brings {table}" for table in catalogue.fed if table not in by_table]
    for feed in pipeline.http_feeds.values():
        table, _, column = feed.currencies.partition(".")
        stated = catalogue.star.get(table)
        if stated is None or stated.kind != "dimension" or column not in {c.name for c in stated.columns}:
            faults.append(f"the feed of {feed.table} names {feed.currencies}, which is no dimension's column")
    return faults


def _access_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    buckets = [
        (("jobs", name, "access", kind, index), f"there is no bucket {place.partition('/')[0]}")
        for name, job in pipeline.jobs.items()
        for kind in ("reads", "writes", "lists", "removes")
        for index, place in enumerate(getattr(job.access, kind))
        if place.partition("/")[0] not in pipeline.buckets
    ]
    watched: list[tuple[YamlPath, str]] = [
        (("jobs", name, "access", "watches", index), f"there is no job {watched}")
        for name, job in pipeline.jobs.items()
        for index, watched in enumerate(job.access.watches)
        if watched not in pipeline.jobs
    ]
    seen: list[tuple[YamlPath, str]] = [
        (("jobs", name, "access", "sees", index), f"there is no secret {secret}")
        for name, job in pipeline.jobs.items()
        for index, secret in enumerate(job.access.sees)
        if secret not in pipeline.secrets
    ]
    return [*buckets, *watched, *seen]


def _sandbox_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    """What analysts make expires, and mixes with nothing that the pipeline keeps."""
    own = {
        place.partition("/")[0]
        for job in pipeline.jobs.values()
        for place in (*job.access.reads, *job.access.writes, *job.access.lists, *job.access.removes)
    }
    own.add(_RELEASES)
    faults: list[tuple[YamlPath, str]] = [
        (("buckets", key, "expire_days"), f"{key} is the pipeline's own, and never expires")
        for key, bucket in pipeline.buckets.items()
        if bucket.expire_days is not None and key in own
    ]
    results = {group.results_prefix.partition("/")[0] for group in pipeline.athena.groups}
    for place, group in _groups(pipeline):
        if group.sandbox is None:
            continue
        at, key = (*place, "sandbox", "location"), group.sandbox.bucket
        if key in results:
            faults.append((at, f"{key} holds Athena's results, which are no analyst's to change"))
        if key in own:
            faults.append((at, f"{key} is the pipeline's own, no place for analysts"))
        if key in pipeline.buckets and pipeline.buckets[key].written_once:
            faults.append((at, f"{key} is written once, and analysts write again"))
        if key in pipeline.buckets and pipeline.buckets[key].expire_days is None:
            faults.append((at, f"{key} states no expire_days: what analysts make expires"))
    return faults + _shared_faults(pipeline)


def _shared_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    """What analysts who see personal columns write, those who do not must not read."""
    redacted = pipeline.athena.redacted
    if redacted is None:
        return []
    mine, theirs = (
        {"work_group": g.work_group, "results": g.results_prefix, "sandbox": g.sandbox and g.sandbox.bucket}
        for g in (redacted, pipeline.athena)
    )
    at: YamlPath = ("athena", "redacted")
    faults: list[tuple[YamlPath, str]] = [
        ((*at, name), f"it is that of analysts who see everything: {mine[name]}")
        for name in ("work_group", "sandbox")
        if mine[name] is not None and mine[name] == theirs[name]
    ]
    one, other = str(mine["results"]), str(theirs["results"])
    if one.startswith(other) or other.startswith(one):
        faults.append(((*at, "results"), f"{one} and {other} hold each other's results"))
    return faults


def _trigger_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    faults: list[tuple[YamlPath, str]] = []
    for name, trigger in pipeline.triggers.items():
        at = ("triggers", name)
        if trigger.workflow not in pipeline.workflows:
            faults.append(((*at, "workflow"), f"there is no workflow {trigger.workflow}"))
        started = {
            job
            for other in pipeline.triggers.values()
            if other.workflow == trigger.workflow
            for job in other.starts
        }
        faults += [
            ((*at, "starts", index), f"there is no job {job}")
            for index, job in enumerate(trigger.starts)
            if job not in pipeline.jobs
        ]
        # Glue never fires on a job that no trigger of the same workflow started.
        faults += [
            ((*at, "when", index, "job"), f"no trigger of {trigger.workflow} starts a job {condition.job}")
            for index, condition in enumerate(trigger.when)
            if condition.job not in started
        ]
    return faults


def _start_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    faults: list[tuple[YamlPath, str]] = []
    for name in pipeline.workflows:
        starts = [
            key
            for key, trigger in pipeline.triggers.items()
            if trigger.workflow == name and trigger.type != "conditional"
        ]
        if len(starts) != 1:
            stated = " and ".join(starts) or "none"
            faults.append((("workflows", name), f"a workflow has one trigger that starts it, not {stated}"))
    return faults


def _function_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    faults: list[tuple[YamlPath, str]] = [
        (("functions", name, "access", "reads", index), f"there is no bucket {place.partition('/')[0]}")
        for name, function in pipeline.functions.items()
        for index, place in enumerate(function.access.reads)
        if place.partition("/")[0] not in pipeline.buckets
    ]
    for name, function in pipeline.functions.items():
        secrets = [pipeline.secrets[key] for key in named(function.environment, "secret")]
        # What answers from the internet must not come near what a password opens.
        if function.network == "internet" and any(secret.holds == "dsn" for secret in secrets):
            faults.append(
                (("functions", name, "network"), f"{name} opens a database, and reaches the internet")
            )
        if name in pipeline.jobs:
            faults.append((("functions", name), f"{name} is a job, too, and their roles would have one name"))
        if any(secret.option not in (None, function.option) for secret in secrets):
            faults.append((("functions", name, "option"), f"{name} names a secret of another option"))
    for called_by in ("schedules", "alerts"):
        several = [name for name, function in pipeline.functions.items() if function.called_by == called_by]
        if len(several) > 1:
            faults.append((("functions", several[1], "called_by"), f"{called_by} call {several[0]} already"))
    return faults


def _schedule_faults(pipeline: Pipeline) -> list[tuple[YamlPath, str]]:
    faults: list[tuple[YamlPath, str]] = [
        (("schedules", name, "workflow"), f"there is no workflow {schedule.workflow}")
        for name, schedule in pipeline.schedules.items()
        if schedule.workflow not in pipeline.workflows
    ]
    if pipeline.schedules and pipeline.starter is None:
        faults.append((("schedules",), "no function is called by schedules, so that they start nothing"))
    return faults
