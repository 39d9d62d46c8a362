"""The application: its routes, what it refuses, and its OpenAPI document.

An error is a problem as RFC 9457 has it. It names a parameter and what it must be, never what was given.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from glue_jobs.lake.freshness import FRESH
from glue_jobs.lake.layout import iso
from glue_jobs.runtime import log
from glue_jobs.runtime.entry_point import describe
from glue_jobs.runtime.errors import UserError
from payments_api.answers import Alive, Answer, Fault, Problem, Ready, models
from payments_api.schedule import DIRECTIONS, FEW, Selection, answer, page, read_cursor, today_in_london
from payments_api.warehouse import Reading, Source

Now = Callable[[], datetime]
"""Gives the time, with its zone."""

PROBLEM = "application/problem+json"

MOST = 100
"""Payments on a page, at most."""

_GUARDED = {"X-Content-Type-Options": "nosniff"}
_KEPT = {"Cache-Control": "private, max-age=60"}
_FRESH = {"Cache-Control": "no-store"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PLACE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{1,10}$"


def _day(text: Any) -> date:
    # Pydantic itself would take a number of seconds, and a time of day, too.
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError("it is a day, YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("there is no such day") from None


def _type(text: Any) -> str:
    if text not in DIRECTIONS:
        raise ValueError(f"it is one of {', '.join(DIRECTIONS)}")
    return str(text)


def _place(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch(_PLACE, text):
        raise ValueError("it is the `next` of the page before")
    try:
        read_cursor(text)
    except ValueError:
        raise ValueError("there is no such day") from None
    return text


def _whole(text: Any) -> int:
    if isinstance(text, int):
        return text
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("it is a whole number")
    return int(text)


class Filters(BaseModel):
    """What a question may say."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[
        Annotated[date, BeforeValidator(_day)] | None,
        Field(
            description="The day that payments are seen from; today in London unless it is stated. It moves "
            "the day, not what is known: payments are as they are now."
        ),
    ] = None
    type: Annotated[
        Annotated[str, BeforeValidator(_type)] | None,
        Field(json_schema_extra={"enum": [*DIRECTIONS, None]}, description="Payments of this type alone."),
    ] = None
    currency: Annotated[
        str | None,
        Field(pattern=r"^[A-Z]{3}$", description="Payments in this currency alone, by its ISO 4217 code."),
    ] = None


class Paging(Filters):
    """What a question about all payments may say besides."""

    after: Annotated[
        Annotated[str, BeforeValidator(_place)] | None,
        Field(json_schema_extra={"pattern": _PLACE}, description="The `next` of the page before."),
    ] = None
    limit: Annotated[
        Annotated[int, Field(ge=1, le=MOST)],
        BeforeValidator(_whole),
        Field(description="How many payments a page has, at most."),
    ] = 20


def _stated_once(request: Request) -> None:
    """Refuse a parameter that is stated twice: of two values one would be passed over in silence."""
    names = [name for name, _ in request.query_params.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refused([Fault(parameter=name, reason="it is stated more than once") for name in twice])


class Refused(Exception):  # noqa: N818 - named for what is done
    """A question that is not answered, and why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = list(faults)


def create_app(source: Source, reporting: str, now: Now = lambda: datetime.now(UTC)) -> FastAPI:
    """The application over a source of payments.

    Args:
        source: Where payments are read.
        reporting: The code of the currency that amounts are reported in.
        now: Gives the time, with its zone.
    """
    app = FastAPI(
        title="Payments",
        version="1",
        description="The payments of the business, as its finance department asks for them.",
        # Its pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # A redirect would go to whatever host the request names.
        redirect_slashes=False,
        dependencies=[Depends(_stated_once)],
        responses=_PROBLEMS,
    )
    _handle(app)
    said = models(reporting)
    asked: dict[int | str, dict[str, Any]] = {
        304: {"description": "Nothing has changed since the ETag that was sent."}
    }

    def seen_from(filters: Filters) -> date:
        return filters.as_of or today_in_london(now())

    def few(request: Request, which: Literal["last", "next"], filters: Filters) -> Response:
        today = seen_from(filters)
        read = source.read(Selection(which, today, FEW, type=filters.type, currency=filters.currency))
        return _kept(request, answer(read.rows, today, _moment(read), reporting))

    @app.get("/v1/payments/last5", response_model=said.answer, responses=asked, operation_id="last5")
    def last5(request: Request, filters: Annotated[Filters, Query()]) -> Response:
        """The last five payments, the latest first: due before today, paid or not, or due today and paid."""
        return few(request, "last", filters)

    @app.get("/v1/payments/next5", response_model=said.answer, responses=asked, operation_id="next5")
    def next5(request: Request, filters: Annotated[Filters, Query()]) -> Response:
        """The next five payments, the earliest first: due today or later, and not paid."""
        return few(request, "next", filters)

    @app.get("/v1/payments", response_model=said.page, responses=asked, operation_id="payments")
    def payments(request: Request, paging: Annotated[Paging, Query()]) -> Response:
        """All payments, the earliest first, a page at a time."""
        today = seen_from(paging)
        place = None if paging.after is None else read_cursor(paging.after)
        read = source.read(Selection("all", today, paging.limit + 1, place, paging.type, paging.currency))
        return _kept(request, page(read.rows, today, _moment(read), paging.limit, reporting))

    @app.get("/health", operation_id="health")
    def health(response: Response) -> Alive:
        """Whether it runs. Nothing else is looked at."""
        response.headers.update(_FRESH)
        return Alive()

    @app.get("/ready", operation_id="ready")
    def ready(response: Response) -> Ready:
        """Whether the warehouse answers, and shows totesys as it was half an hour ago at most."""
        response.headers.update(_FRESH)
        moment = now().astimezone(UTC).replace(tzinfo=None)
        known = source.read(Selection("next", moment.date(), 1)).data_as_of
        if known is None:
            raise HTTPException(
                503, "As of when the payments are known cannot be told. See freshness in the runbook."
            )
        if moment - known > FRESH:
            raise HTTPException(
                503,
                f"The payments are known as of {iso(known)}, which is more than "
                f"{FRESH.total_seconds() // 60:.0f} minutes ago. See freshness in the runbook.",
            )
        age = max(int((moment - known).total_seconds()), 0)
        return Ready(data_as_of=iso(known), age_seconds=age)

    return app


def _moment(read: Reading) -> str | None:
    return None if read.data_as_of is None else iso(read.data_as_of)


def _kept(request: Request, answered: Answer) -> Response:
    """The answer, or that whoever asks has it already."""
    body = answered.model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_KEPT, "ETag": tag}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


# --- what is refused --------------------------------------------------------------------------------


def _problem(
    status: int, detail: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(faults))
    return Response(
        said.model_dump_json().encode(), status, {**_FRESH, **(headers or {})}, media_type=PROBLEM
    )


def _refused(faults: Sequence[Fault]) -> Response:
    named = ", ".join(dict.fromkeys(fault.parameter for fault in faults))
    return _problem(422, f"The question is not understood: see {named} in errors.", faults)


def _handle(app: FastAPI) -> None:
    """Have every error answered as a problem, and every request logged by its route alone."""

    @app.exception_handler(RequestValidationError)
    async def not_understood(_: Request, error: RequestValidationError) -> Response:
        return _refused([_fault(one) for one in error.errors()])

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return _refused(error.faults)

    @app.exception_handler(HTTPException)
    async def no_answer(_: Request, error: HTTPException) -> Response:
        detail = {
            404: "There is nothing here; /openapi.json says what there is.",
            405: "This is only read: GET.",
        }
        return _problem(error.status_code, detail.get(error.status_code, error.detail), headers=error.headers)

    @app.exception_handler(UserError)
    async def unavailable(_: Request, error: UserError) -> Response:
        log.error("payments.unavailable", **describe(error))
        detail = "The warehouse does not answer now; ask again in a minute."
        return _problem(503, detail, headers={"Retry-After": "60"})

    @app.middleware("http")
    async def told(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.monotonic()
        try:
            response = await follow(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a log line and a status
            log.error("payments.failed", **describe(error))
            response = _problem(500, "It failed, and its log says where. Tell those who run it.")
        response.headers.update(_GUARDED)
        route = request.scope.get("route")
        log.info(
            "payments.answered",
            method=request.method,
            route=getattr(route, "path", None),
            status=response.status_code,
            seconds=round(time.monotonic() - began, 3),
        )
        return response

    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        _, problems = models_json_schema(
            [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(problems["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _fault(stated: Mapping[str, Any]) -> Fault:
    """One of pydantic's errors, without what was given."""
    place = [str(part) for part in stated["loc"] if part != "query"]
    reason = "there is no such parameter" if stated["type"] == "extra_forbidden" else str(stated["msg"])
    return Fault(parameter=".".join(place), reason=reason.removeprefix("Value error, "))


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, words in (
        (422, "The question is not understood."),
        (500, "It failed."),
        (503, "The warehouse does not answer, or is not fresh."),
    )
}
