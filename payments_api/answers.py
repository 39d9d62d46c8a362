"""What is answered, as JSON: the model that the OpenAPI document is made of."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOMENT = Field(
    description="As of when the payments are known (UTC): the newest look at the source after which nothing "
    "waits to be loaded. Nothing where that cannot be told.",
    json_schema_extra={"format": "date-time"},
)


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Counterparty(_Stated):
    """Who pays, or is paid."""

    counterparty_id: int
    name: Annotated[str, Field(description="Its legal name.")]


class Payment(_Stated):
    """A payment as it is now."""

    payment_id: int
    payment_date: Annotated[date, Field(description="The day on which it is due.")]
    amount: Annotated[
        str,
        Field(
            description="In the currency of the payment. A string: most readers take a number of JSON for a "
            "binary one.",
            pattern=r"^\d+\.\d{2,}$",
        ),
    ]
    currency: Annotated[str, Field(description="ISO 4217 code.")]
    type: Annotated[str, Field(description="The type of payment, as totesys names it.")]
    direction: Annotated[
        Literal["in", "out"] | None,
        Field(description="Whether the money comes in or goes out; nothing where the type is not known."),
    ]
    counterparty: Counterparty
    paid: Annotated[bool, Field(description="Whether totesys has it marked as paid.")]
    overdue: Annotated[bool, Field(description="Not paid, and due before the day that is asked about.")]


class Answer(_Stated):
    """A few payments."""

    as_of: Annotated[
        date, Field(description="The day that they are seen from, in London unless asked otherwise.")
    ]
    data_as_of: Annotated[str | None, MOMENT]
    payments: list[Payment]


class Page(Answer):
    """Some of all payments, the earliest first."""

    next: Annotated[
        str | None,
        Field(description="The place to ask for as `after`, for the next page; nothing on the last one."),
    ]


class Alive(_Stated):
    """That it runs; nothing else was looked at."""

    status: Literal["ok"] = "ok"


class Ready(_Stated):
    """That the warehouse answers, and is fresh."""

    status: Literal["ready"] = "ready"
    data_as_of: Annotated[str, MOMENT]
    age_seconds: Annotated[int, Field(ge=0, description="How long ago that was.")]


class Fault(_Stated):
    """What is wrong with a parameter."""

    parameter: str
    reason: str


class Problem(_Stated):
    """Why there is no answer, as RFC 9457 says it."""

    type: Literal["about:blank"] = "about:blank"
    title: Annotated[str, Field(description="The status in words.")]
    status: int
    detail: Annotated[str, Field(description="What is wrong, and what to do.")]
    errors: Annotated[list[Fault], Field(description="By parameter, where parameters are wrong.")] = []
