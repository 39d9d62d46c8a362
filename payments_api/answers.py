"""What is answered, as JSON: the model that the OpenAPI document is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

MOMENT = Field(
    description="As of when the payments are known (UTC): the newest look at the source after which nothing "
    "waits to be loaded. Nothing where that cannot be told.",
    json_schema_extra={"format": "date-time"},
)


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, validate_by_name=True)


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
    amount_reported: Annotated[
        str | None,
        Field(
            description="In the reporting currency, by the rate of the day on which it is due or the last "
            "one before it, to the cent; nothing where there is no rate.",
            pattern=r"^\d+\.\d{2}$",
        ),
    ]
    rate_date: Annotated[
        date | None,
        Field(
            description="Of which day the rate is; nothing where there is none, and where nothing was "
            "converted."
        ),
    ]
    rate_is_final: Annotated[
        bool,
        Field(
            description="Whether no later publication changes the rate, but a correction: of a day to come "
            "it is the newest one, and not final."
        ),
    ]
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


@dataclass(frozen=True)
class Models:
    """Answers whose amounts are reported in one currency.

    Attributes:
        payment: A payment.
        answer: A few of them.
        page: Some of all.
    """

    payment: type[Payment]
    answer: type[Answer]
    page: type[Page]


@cache
def models(currency: str) -> Models:
    """What is answered where amounts are reported in a currency: their names carry its code.

    Args:
        currency: Its ISO 4217 code.
    """
    base = Payment.model_fields["amount_reported"]
    named = Field(alias=reported_name(currency), description=base.description, pattern=r"^\d+\.\d{2}$")
    payment = create_model("Payment", __base__=Payment, amount_reported=(str | None, named))
    some = (list[payment], ...)
    return Models(
        payment,
        create_model("Answer", __base__=Answer, __doc__=Answer.__doc__, payments=some),
        create_model("Page", __base__=Page, __doc__=Page.__doc__, payments=some),
    )


def reported_name(currency: str) -> str:
    """What an amount in a currency is called, as in the views of the lake and the warehouse."""
    return f"amount_{currency.lower()}"


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
