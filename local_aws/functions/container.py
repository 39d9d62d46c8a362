"""What runs in a function's own process: loads its handler, then answers one event after another.

    python container.py CODE HANDLER ANSWERS

CODE is the folder of the function's code and HANDLER ``module.function``; events come as lines of JSON on
standard input, and answers leave as lines of JSON by the file descriptor ANSWERS. It imports nothing of the
stack's, since the function may run on another Python with nothing but its own zip.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any


def answer(handler: Any, call: dict[str, Any]) -> dict[str, Any]:
    """What became of a call: what the handler returned, or its error, as Lambda states both."""
    context = SimpleNamespace(
        aws_request_id=call["request"],
        function_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        invoked_function_arn=call["function"],
    )
    try:
        return {"returned": json.loads(json.dumps(handler(call["event"], context)))}
    except Exception as error:  # noqa: BLE001 - the boundary of the function, as in Lambda
        traceback.print_exc()
        return {"error": {"errorType": type(error).__name__, "errorMessage": str(error)}}


def main(code: str, handler: str, answers: str) -> None:
    """Answer until standard input ends."""
    sys.path.insert(0, code)
    module, _, name = handler.rpartition(".")
    with os.fdopen(int(answers), "w", encoding="utf-8") as out:
        try:
            called: Any = getattr(importlib.import_module(module), name)
        except Exception as error:  # noqa: BLE001 - Lambda says it the same way at the first call
            traceback.print_exc()
            problem = {"errorType": "Runtime.ImportModuleError", "errorMessage": str(error)}
            for _ in sys.stdin:
                print(json.dumps({"error": problem}), file=out, flush=True)
            return
        for line in sys.stdin:
            print(json.dumps(answer(called, json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
