"""A Slack on this machine, which takes messages, or fails as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from lambda_functions.notify_slack import message

RUNBOOK = "https://example.org/runbook.md"

Answer = tuple[int, str, Mapping[str, str]]
"""Status, body and headers."""

TAKEN: Answer = (200, "ok", {})


class FakeSlack:
    """Listens on loopback.

    Attributes:
        taken: The messages that were posted, whatever was answered.
        answers: What is answered next, in order; that it was taken where nothing is left. None is no answer,
            bytes are all that comes before the connection ends.
    """

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.answers: list[Answer | bytes | None] = []
        self._let_go = threading.Event()
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                slack.taken.append(json.loads(body))
                answer = slack.answers.pop(0) if slack.answers else TAKEN
                if answer is None:
                    slack._let_go.wait()
                    return
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    return
                status, text, headers = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Nothing is told."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def webhook(self) -> str:
        """Its address, the part that nobody may see included."""
        return f"http://127.0.0.1:{self._server.server_port}/services/T000/B000/{TOKEN}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


TOKEN = "abcdefghijklmnopqrstuvwx"


def alarm_text(name: str, state: str, words: str, entry: str) -> str:
    """What CloudWatch publishes of an alarm, as far as it is read."""
    stated = {
        "AlarmName": f"totesys-dev-{name}",
        "AlarmDescription": f"{words} {RUNBOOK}#{entry}",
        "NewStateValue": state,
    }
    return json.dumps(stated)


def every_message() -> str:
    """Each alert as it is posted, one a line, in the order of their names."""
    pipeline = load_pipeline()
    spelled = spell_out(read_alarms(pipeline), pipeline, load_catalogue())
    lines = [
        json.dumps(message(alarm_text(name, state, alarm["words"], alarm["entry"])), ensure_ascii=False)
        for name, alarm in sorted(spelled.items())
        if not alarm["by_mail_alone"]
        for state in alarm["tells"]
    ]
    return "\n".join(lines) + "\n"
