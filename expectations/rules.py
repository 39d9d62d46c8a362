"""Rules: what each raw table's rows are judged by, from its contract and from the business.

A rule is one expectation of Great Expectations with a name, a severity, a reason in words and an owner. Those
that follow from a contract are made here; those of the business are stated in ``rules/*.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pycountry
from pydantic import Field

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Column, Contract, Strict, validate
from catalog.project import project_folder
from catalog.regex import whole_text
from catalog.yaml_lines import ContractError, YamlPath, line_of, load_with_lines

Severity = Literal["reject", "warn"]
"""``reject``: the row cannot be true and goes to the dead letters; ``warn``: it looks wrong and is
reported."""

EVERY_TABLE = "all"
"""Stands for every table of the captured database; rules of a feed's table name it."""

KNOWN = "known"
"""How conditions name what is known of references: ``known.column``, whether the row that it names is there;
empty: nobody can tell."""

SATISFY = "expect_column_values_to_satisfy"
"""An expectation of our own: ``condition``, in the common subset of SQL, holds wherever the column is not
empty."""

VALUE_SETS: Mapping[str, Iterable[str]] = {
    "iso_4217": sorted(currency.alpha_3 for currency in pycountry.currencies)
}
"""Lists of values that a rule may name instead of stating them."""

_PLACES = {
    SATISFY: "condition",
    "expect_column_values_to_match_regex": "regex",
    "expect_column_values_to_not_match_regex": "regex",
}
"""What of an expectation is at fault where it cannot be compiled, most likely; its type otherwise."""

EXACT_DIGITS = 15
"""Digits up to which a number is compared exactly as a double, as Great Expectations compares ranges."""


class Lookup(Strict):
    """The current row of another raw table, whose columns a rule's condition names ``table.column``.

    Attributes:
        table: The raw table.
        on: What holds its key: a column, or ``table.column`` of a lookup that stands before this one.
    """

    table: str
    on: str


class Stated(Strict):
    """A rule as the business states it.

    Attributes:
        name: Names the rule within its table.
        table: The raw table, several of them, or ``all``.
        severity: What happens to a row that breaks it.
        reason: Why, in words that a data owner understands.
        owner: Who decides on it; the table's owner unless stated.
        expectation: ``type``, ``column`` and whatever else the expectation takes.
        lookups: Current rows of other tables that the condition needs.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    table: Union[str, tuple[str, ...]]
    severity: Severity
    reason: Annotated[str, Field(min_length=1)]
    owner: Optional[str] = None
    expectation: Mapping[str, Any]
    lookups: tuple[Lookup, ...] = ()


class _File(Strict):
    rules: tuple[Stated, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of one table.

    Attributes:
        name: Names it within its table.
        table: The raw table.
        severity: What happens to a row that breaks it.
        reason: Why, in words.
        owner: Who decides on it.
        type: The expectation's type.
        kwargs: What the expectation takes, ``column`` among it.
        lookups: Current rows of other tables that the condition needs.
        place: File and line that state it; nothing for what follows from the contract.
    """

    name: str
    table: str
    severity: Severity
    reason: str
    owner: str
    type: str
    kwargs: Mapping[str, Any]
    lookups: tuple[Lookup, ...] = ()
    place: Optional[tuple[Path, int]] = field(default=None, compare=False)

    @property
    def column(self) -> str:
        """The column that it speaks of."""
        return str(self.kwargs["column"])


@dataclass(frozen=True)
class Suite:
    """Every rule of one table, in an order that does not change.

    Attributes:
        contract: The raw table.
        rules: Its rules.
    """

    contract: Contract
    rules: tuple[Rule, ...]

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Every lookup that some rule needs, each once, in the order in which they can be made."""
        return tuple(dict.fromkeys(lookup for rule in self.rules for lookup in rule.lookups))


def load_suites(catalogue: Optional[Catalogue] = None) -> Mapping[str, Suite]:
    """The project's own rules for the raw tables of a catalogue, of the project's own by default.

    Whether a rule fits its table, as that is registered now, :func:`expectations.compile.compile_rules` says.

    Raises:
        ContractError: A rule file is wrong, with file, line and reason.
    """
    return suites(catalogue or load_catalogue(), project_folder() / "expectations" / "rules")


def suites(catalogue: Catalogue, folder: Path) -> Mapping[str, Suite]:
    """The suite of every raw table: what its contract says, then what the business says.

    Args:
        catalogue: The contracts.
        folder: Holds the business's rules, ``*.yaml``.

    Raises:
        ContractError: A rule file is wrong, with file, line and reason.
    """
    made = {name: list(contract_rules(contract)) for name, contract in catalogue.raw.items()}
    for path in sorted(folder.glob("*.yaml")):
        for rule in _stated(path, catalogue):
            made[rule.table].append(rule)
    return {name: Suite(catalogue.raw[name], tuple(rules)) for name, rules in made.items()}


def contract_rules(contract: Contract) -> Iterator[Rule]:
    """What a raw contract demands of a row: types, values, ranges, patterns, references."""

    def rule(name: str, severity: Severity, reason: str, kind: str, **kwargs: Any) -> Rule:
        return Rule(name, contract.table, severity, reason, contract.owner, kind, kwargs)

    yield rule(
        "representable",
        "reject",
        "A cell holds a value that its column's type cannot hold; its text stands in unrepresentable, or its"
        " length where it is longer than the contract allows.",
        "expect_column_values_to_be_null",
        column="unrepresentable",
    )
    for column in contract.columns:
        if not column.nullable:
            words = f"{column.name} is empty, and may not be."
            yield rule(
                f"{column.name}_is_given",
                "reject",
                words,
                "expect_column_values_to_not_be_null",
                column=column.name,
            )
        yield from (rule(*stated, **kwargs) for stated, kwargs in _value_rules(column))
    for reference in contract.references:
        yield rule(
            f"{reference.column}_is_known",
            "reject",
            f"{reference.column} names a row of {reference.table} that the source does not have.",
            SATISFY,
            column=reference.column,
            condition=f"{KNOWN}.{reference.column}",
        )


def _value_rules(column: Column) -> Iterator[tuple[tuple[str, Severity, str, str], dict[str, Any]]]:
    name, of = column.name, {"column": column.name}
    if column.allowed_values is not None:
        words = f"{name} is none of {', '.join(column.allowed_values)}."
        stated = (
            f"{name}_is_allowed",
            column.severity or "reject",
            words,
            "expect_column_values_to_be_in_set",
        )
        yield stated, {**of, "value_set": list(column.allowed_values)}
    if column.minimum is not None or column.maximum is not None:
        bounds = {"min_value": column.minimum, "max_value": column.maximum}
        words = f"{name} is not {_range_in_words(column)}."
        severity: Severity = column.severity or "reject"
        if _exact(column):
            kind = "expect_column_values_to_be_between"
            limits = {key: int(bound) for key, bound in bounds.items() if bound is not None}
            yield (f"{name}_in_range", severity, words, kind), {**of, **limits}
        else:
            parts = [f"{name} >= {column.minimum:f}"] if column.minimum is not None else []
            parts += [f"{name} <= {column.maximum:f}"] if column.maximum is not None else []
            yield (f"{name}_in_range", severity, words, SATISFY), {**of, "condition": " AND ".join(parts)}
    if column.pattern is not None:
        # A pattern is about the whole text; Java's $ would let a line break follow.
        whole = rf"\A(?:{whole_text(column.pattern)})\z"
        words = f"{name} does not look as it should: {column.pattern}"
        stated = (
            f"{name}_has_shape",
            column.severity or "warn",
            words,
            "expect_column_values_to_match_regex",
        )
        yield stated, {**of, "regex": whole}


def _exact(column: Column) -> bool:
    """Whether Great Expectations, which compares ranges as doubles, compares this one exactly."""
    digits = 10 if column.type.name == "integer" else (column.type.precision or EXACT_DIGITS + 1)
    bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
    return digits <= EXACT_DIGITS and all(bound == int(bound) for bound in bounds)


def _range_in_words(column: Column) -> str:
    low, high = _number(column.minimum), _number(column.maximum)
    if low and high:
        return f"between {low} and {high}"
    return f"at least {low}" if low else f"at most {high}"


def _number(bound: Decimal | None) -> str:
    return "" if bound is None else f"{bound:,f}"


def _stated(path: Path, catalogue: Catalogue) -> Iterator[Rule]:
    data, lines = load_with_lines(path)
    for index, stated in enumerate(validate(_File, data, path, lines).rules):
        at: YamlPath = ("rules", index)
        named = (stated.table,) if isinstance(stated.table, str) else stated.table
        for table in tuple(catalogue.captured) if named == (EVERY_TABLE,) else named:
            if table not in catalogue.raw:
                raise ContractError(path, line_of(lines, (*at, "table")), f"there is no raw table {table}")
            value_set = stated.expectation.get("value_set")
            if isinstance(value_set, str) and value_set not in VALUE_SETS:
                reason = f"there is no value set {value_set}; there are {', '.join(VALUE_SETS)}"
                raise ContractError(path, line_of(lines, (*at, "expectation", "value_set")), reason)
            place = (path, line_of(lines, (*at, "expectation", _PLACES.get(_type(stated), "type"))))
            yield _rule(stated, catalogue.raw[table], place)


def _type(stated: Stated) -> str:
    return str(stated.expectation.get("type"))


def _rule(stated: Stated, contract: Contract, place: tuple[Path, int]) -> Rule:
    kwargs = {key: value for key, value in stated.expectation.items() if key != "type"}
    if isinstance(kwargs.get("value_set"), str):
        kwargs["value_set"] = list(VALUE_SETS[kwargs["value_set"]])
    return Rule(
        name=stated.name,
        table=contract.table,
        severity=stated.severity,
        reason=stated.reason,
        owner=stated.owner or contract.owner,
        type=_type(stated),
        kwargs=kwargs,
        lookups=stated.lookups,
        place=place,
    )
