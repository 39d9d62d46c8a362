"""Asking the process of a running stack: it has loaded what a command would take a second to import.

One question a connection: a line of JSON each way. Whoever asks states a key that stands in the stack's own
file of addresses, which its owner alone can read.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import select
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from glue_jobs.runtime.errors import UserError
from lakehouse.terminal import progress

if TYPE_CHECKING:
    from lakehouse.stack_state import Running

_HOST = "127.0.0.1"
_PATIENCE, _SECONDS = 1.0, 120.0
"""How long one waits without a word, and how long then."""
_LONGEST = 1 << 16
"""Bytes of a question."""

Answer = Callable[..., Any]
"""Answers a question by plain data; takes what the question states, by name."""


class Control(socketserver.ThreadingTCPServer):
    """What listens for questions, from the moment that it is made; it answers once it is served."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Conversation)
        self.key = secrets.token_hex(32)
        self.answers: Mapping[str, Answer] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def serve(self, answers: Mapping[str, Answer]) -> None:
        """Answer questions from now on, each in a thread of its own.

        Args:
            answers: By the name of a question.
        """
        self.answers = answers
        threading.Thread(target=self.serve_forever, name="control", daemon=True).start()

    def close(self) -> None:
        """Take no more questions."""
        if self.answers:
            self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over whoever has gone, or says something else."""


class _Conversation(socketserver.StreamRequestHandler):
    timeout = _SECONDS
    server: Control

    def handle(self) -> None:
        question = json.loads(self.rfile.readline(_LONGEST))
        if hmac.compare_digest(str(question["key"]), self.server.key):
            said = answered(question, self.server.answers)
            self.wfile.write(json.dumps(said).encode() + b"\n")


def answered(question: Mapping[str, Any], answers: Mapping[str, Answer]) -> dict[str, Any]:
    """The answer to a question as it is sent: ``answer``, or ``problem`` and ``remedy``."""
    try:
        return {"answer": answers[question["name"]](**question["stated"])}
    except UserError as error:
        return {"problem": error.problem, "remedy": error.remedy}
    except Exception as error:  # noqa: BLE001 - whoever asks is told, and the stack goes on
        problem = f"The stack could not answer: {type(error).__name__}: {str(error).rstrip('.')}."
        return {"problem": problem, "remedy": "lakehouse down, then up, starts it afresh."}


def ask(running: Running, name: str, **stated: Any) -> Any:
    """Ask a running stack.

    Args:
        running: The stack.
        name: The question.
        stated: What it states, as plain data.

    Raises:
        UserError: It refuses, or does not answer.
    """
    again = "Start it again with: lakehouse down, then lakehouse up"
    if not running.control_port:
        raise UserError("The stack was started by an earlier release, which answers no questions.", again)
    question = {"key": running.control_key, "name": name, "stated": stated}
    try:
        said = json.loads(_answer(running.control_port, json.dumps(question).encode() + b"\n"))
    except TimeoutError as error:
        raise UserError(f"The stack has not answered for {_SECONDS:.0f} seconds.", again) from error
    except (ConnectionError, ValueError) as error:
        raise UserError("The stack does not answer: it ended meanwhile.", again) from error
    if "problem" in said:
        raise UserError(said["problem"], said["remedy"])
    return said["answer"]


def _answer(port: int, question: bytes) -> bytes:
    """The line that comes back; empty where the other side hung up."""
    with socket.create_connection((_HOST, port), timeout=_SECONDS) as connection:
        connection.sendall(question)
        at_once, _, _ = select.select([connection], [], [], _PATIENCE)
        with contextlib.nullcontext() if at_once else progress("the stack is at it"):
            return connection.makefile("rb").readline()
