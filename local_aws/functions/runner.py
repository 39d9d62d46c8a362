"""Runs the Lambda functions that are deployed in an endpoint, each in a process of its own.

As in Lambda a process is kept between calls and answers one at a time. A call that nobody waits for is tried
again as often as the function's settings say, and what it failed at goes to its destination on failure; both
with the rights of the function's role alone.
"""

from __future__ import annotations

import io
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from moto.awslambda.models import lambda_backends
from moto.sns.models import sns_backends

from local_aws.endpoint.guard import working_for
from local_aws.endpoint.layers import ServiceError
from local_aws.endpoint.run_credentials import RoleRefusedError, RunCredentials
from local_aws.functions import container
from local_aws.jobs.interpreters import CHECKOUT
from local_aws.jobs.wheels import base_of
from local_aws.rights.actions import AccountContext
from local_aws.rights.evaluate import ApplicablePolicies, Principal, evaluate, refusal
from local_aws.rights.policy import read_policy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)

LAMBDA, SNS = "lambda.amazonaws.com", "sns.amazonaws.com"

_PYTHON = ("LAKEHOUSE_SPARK_PYTHON", ".venv-glue-spark-3.13")
"""What names a Python of the version that functions run on, and where the checkout has one."""

_WAITS = (60.0, 120.0)
"""Seconds before a second and a third try."""

_FOREIGN = ("AWS_", "PG", "PYTHON", "VIRTUAL_ENV")


class FunctionError(Exception):
    """A function did not answer: what Lambda says of it.

    Attributes:
        error: ``errorType`` and ``errorMessage``.
    """

    def __init__(self, error: Mapping[str, str]) -> None:
        super().__init__(f"{error['errorType']}: {error['errorMessage']}")
        self.error = dict(error)


@dataclass
class _Container:
    """A process of a function, with what it was made of."""

    made_of: tuple[Any, ...]
    process: subprocess.Popen[bytes]
    answers: int
    key: str
    run: str
    folder: Path | None
    lock: threading.Lock = field(default_factory=threading.Lock)


class FunctionRunner:
    """Calls functions.

    Args:
        place: The account and region whose functions they are.
        variables: What every process gets: the endpoint's addresses.
        packages: The folder of what functions import whose zip holds no code.
        logs: Where their output is kept, a file for each.
        credentials: Gives each process the keys of a session of its function's role.
        sqs: A boto3 ``sqs`` client that asks for whom its thread works.
        minute: Seconds in a minute between tries; less than 60 lets tests see several.
    """

    def __init__(
        self,
        place: AccountContext,
        variables: Mapping[str, str],
        packages: Path,
        logs: Path,
        credentials: RunCredentials,
        sqs: SQSClient,
        *,
        minute: float = 60.0,
    ) -> None:
        self._place = place
        self._variables = dict(variables)
        self._packages = packages
        self._logs = logs
        self._credentials = credentials
        self._sqs = sqs
        self._minute = minute
        self._containers: dict[str, _Container] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        backend: Any = lambda_backends[place.account][place.region]
        # What moto's topics call when they call functions.
        backend.send_sns_message = self._call_from_topic

    def call(self, name: str, event: Any) -> Any:
        """Call a function and wait for what it returns.

        Args:
            name: Its name or its ARN.
            event: What it is called with.

        Raises:
            ServiceError: There is no such function, or Lambda may not take its role.
            FunctionError: It failed.
        """
        function = self._function(name)
        return self._call(function, event, str(uuid.uuid4()))

    def call_for(self, service: str, source: str, name: str, event: Any) -> Any:
        """Call a function for a service of AWS, where its policy lets that, and wait for what it returns.

        Args:
            service: The service.
            source: The ARN of what of the service calls.
            name: The function's name or its ARN.
            event: What it is called with.

        Raises:
            ServiceError: There is no such function, it may not be called, or Lambda may not take its role.
            FunctionError: It failed.
        """
        function = self._function(name)
        if why := self._refused(function, service, source):
            raise ServiceError("AccessDeniedException", why, 403)
        return self._call(function, event, str(uuid.uuid4()))

    def call_later(self, name: str, event: Any) -> None:
        """Call a function without waiting for it, as often as its settings say.

        Raises:
            ServiceError: There is no such function.
        """
        function = self._function(name)
        thread = threading.Thread(target=self._try, args=(function, event), name=name, daemon=True)
        with self._lock:
            self._threads = [known for known in self._threads if known.is_alive()]
            self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Return when every call that nobody waits for has ended."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """End every process."""
        self._closing.set()
        with self._lock:
            containers = list(self._containers.values())
            self._containers.clear()
        for one in containers:
            self._end(one)
        self.wait()

    # ------------------------------------------------------------------ calls

    def _call_from_topic(
        self, function_name: str, message: str, subject: str | None = None, qualifier: str | None = None
    ) -> None:
        """Call a function with a message of a topic that subscribes it, where its policy lets the topic."""
        del qualifier
        function = self._function(function_name)
        topics = [
            str(one.topic.arn)
            for one in sns_backends[self._place.account][self._place.region].subscriptions.values()
            if one.protocol == "lambda" and one.endpoint == function.function_arn
        ]
        refused = [why for topic in topics if (why := self._refused(function, SNS, topic))]
        if len(refused) == len(topics):
            _LOG.error("A topic may not call %s: %s", function_name, "; ".join(refused))
            return
        told = {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "Subject": subject,
            "Message": message,
        }
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Type": "Notification", **told}}
        self.call_later(function_name, {"Records": [record]})

    def _refused(self, function: Any, service: str, source: str) -> str | None:
        """Why something of a service may not call a function; nothing where it may."""
        statements = function.policy.statements
        stated = json.dumps(function.policy.get_policy()["Policy"]) if statements else None
        policy = read_policy(stated, "resource") if stated else None
        caller = Principal(service)
        seen = {"aws:SourceArn": source, "aws:SourceAccount": self._place.account}
        request = self._place.ask("lambda:InvokeFunction", function.function_arn, seen)
        decision = evaluate(caller, request, ApplicablePolicies(resource=policy))
        return None if decision.allowed else refusal(caller, request, decision)

    def _try(self, function: Any, event: Any) -> None:
        config = _invoke_config(function)
        attempts = 1 + config.get("MaximumRetryAttempts", len(_WAITS))
        request = str(uuid.uuid4())
        problem: Exception | None = None
        for attempt in range(attempts):
            if attempt and self._closing.wait(_WAITS[attempt - 1] / 60 * self._minute):
                return
            try:
                self._call(function, event, request)
                return
            except (FunctionError, ServiceError) as error:
                problem = error
        _LOG.error("The function %s failed: %s", function.function_name, problem)
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            self._leave(function, destination, event, request, attempts, problem)

    def _leave(
        self, function: Any, queue: str, event: Any, request: str, attempts: int, problem: Exception | None
    ) -> None:
        """Leave what a function failed at in a queue, with the rights of its role."""
        error = problem.error if isinstance(problem, FunctionError) else {"errorMessage": str(problem)}
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            "requestContext": {
                "requestId": request,
                "functionArn": function.function_arn,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": attempts,
            },
            "requestPayload": event,
            "responsePayload": error,
        }
        run = f"fn_{uuid.uuid4().hex}"
        try:
            identity = self._credentials.begin(function.role, run, LAMBDA)
            with working_for(identity.key):
                url = self._sqs.meta.endpoint_url
                address = f"{url}/{self._place.account}/{queue.rpartition(':')[2]}"
                self._sqs.send_message(QueueUrl=address, MessageBody=json.dumps(record))
        except (RoleRefusedError, ClientError) as error_of_queue:
            _LOG.error("What %s failed at is lost: %s", function.function_name, error_of_queue)
        finally:
            self._credentials.end(run)

    def _call(self, function: Any, event: Any, request: str) -> Any:
        one = self._container(function)
        call = {"event": event, "request": request, "function": function.function_arn}
        with one.lock:
            said = self._exchange(function, one, json.dumps(call).encode() + b"\n")
        answer = json.loads(said)
        if "error" in answer:
            raise FunctionError(answer["error"])
        return answer["returned"]

    def _exchange(self, function: Any, one: _Container, call: bytes) -> bytes:
        try:
            if one.process.stdin is None:
                raise BrokenPipeError
            one.process.stdin.write(call)
            one.process.stdin.flush()
        except OSError:
            self._drop(function, one)
            raise FunctionError(_ended(one)) from None
        said = b""
        while not said.endswith(b"\n"):
            ready, _, _ = select.select([one.answers], [], [], function.timeout)
            if not ready:
                self._drop(function, one)
                words = f"Task timed out after {function.timeout:.2f} seconds"
                raise FunctionError({"errorType": "Sandbox.Timedout", "errorMessage": words})
            part = os.read(one.answers, 65536)
            if not part:
                self._drop(function, one)
                raise FunctionError(_ended(one))
            said += part
        return said

    # ------------------------------------------------------------------ processes

    def _function(self, name: str) -> Any:
        found = lambda_backends[self._place.account][self._place.region].list_functions()
        wanted = name.rpartition(":function:")[2].partition(":")[0]
        for function in found:
            if function.function_name == wanted:
                return function
        raise ServiceError("ResourceNotFoundException", f"Function not found: {name}", 404)

    def _container(self, function: Any) -> _Container:
        made_of = (
            function.code_sha_256,
            function.handler,
            function.role,
            tuple(sorted(function.environment_vars.items())),
        )
        with self._lock:
            if self._closing.is_set():
                raise ServiceError("ServiceException", "the laptop stack is stopping", 500)
            known = self._containers.get(function.function_name)
            if known is not None and known.made_of == made_of and known.process.poll() is None:
                return known
            if known is not None:
                self._end(known)
            made = self._containers[function.function_name] = self._start(function, made_of)
            return made

    def _start(self, function: Any, made_of: tuple[Any, ...]) -> _Container:
        run = f"fn_{uuid.uuid4().hex}"
        try:
            identity = self._credentials.begin(function.role, run, LAMBDA)
        except RoleRefusedError as error:
            raise ServiceError("InvalidParameterValueException", str(error)) from error
        folder = _unpacked(function.code_bytes, function.handler)
        python = [sys.executable] if folder is None else [str(_python()), "-I"]
        code = self._packages if folder is None else folder
        self._logs.mkdir(parents=True, exist_ok=True)
        answers, theirs = os.pipe()
        try:
            with (self._logs / f"{function.function_name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [*python, container.__file__, str(code), function.handler, str(theirs)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._logs,
                    env=self._environment(function, identity.environment),
                    pass_fds=(theirs,),
                    start_new_session=True,
                )
        finally:
            os.close(theirs)
        return _Container(made_of, process, answers, identity.key, run, folder)

    def _environment(self, function: Any, identity: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {
            **inherited,
            **self._variables,
            **function.environment_vars,
            **identity,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_SDK_UA_APP_ID": function.function_name,
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
        }

    def _drop(self, function: Any, one: _Container) -> None:
        with self._lock:
            if self._containers.get(function.function_name) is one:
                del self._containers[function.function_name]
        self._end(one)

    def _end(self, one: _Container) -> None:
        one.process.kill()
        one.process.wait()
        with suppress(OSError):
            if one.process.stdin is not None:
                one.process.stdin.close()
        with suppress(OSError):
            os.close(one.answers)
        self._credentials.end(one.run)
        if one.folder is not None:
            shutil.rmtree(one.folder, ignore_errors=True)


def _ended(one: _Container) -> dict[str, str]:
    code = one.process.wait()
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"Runtime exited with error: exit status {code}",
    }


def _invoke_config(function: Any) -> dict[str, Any]:
    configs: list[dict[str, Any]] = [one.config for one in function.event_invoke_config]
    return configs[-1] if configs else {}


def _unpacked(code: bytes, handler: str) -> Path | None:
    """A folder of a function's zip; nothing for one without the handler, as on a laptop's own stack."""
    module = handler.rpartition(".")[0].replace(".", "/")
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        if f"{module}.py" not in archive.namelist():
            return None
        folder = Path(tempfile.mkdtemp(prefix="lakehouse-function-"))
        archive.extractall(folder)
    return folder


def _python() -> Path:
    """A Python of the functions' version, with nothing installed.

    Raises:
        ServiceError: There is none.
    """
    variable, name = _PYTHON
    stated = os.environ.get(variable)
    python = Path(stated) if stated else CHECKOUT / name / "bin" / "python"
    if not python.exists():
        raise ServiceError("InvalidRuntimeException", f"{name} is not there: make runtimes makes it", 502)
    return base_of(python)
