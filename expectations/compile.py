"""Compiles rules to conditions in SQL that DuckDB and Spark read alike.

Each expectation says the same as an expression of the common subset: ``expect_column_values_to_be_in_set`` is
``column IN (…)``. So there is one compiler, :mod:`catalog.expression`, for contracts and for rules, and the
expectations that can be compiled are those of ``EXPECTATIONS``; any other is refused where it is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Optional

from catalog.catalogue import Catalogue
from catalog.expression import ExpressionError, compile_expression, flat_name, references
from catalog.model import Contract
from catalog.project import contracts_folder
from catalog.regex import anchored
from catalog.types import LogicalType, parse_type
from catalog.yaml_lines import ContractError
from expectations.rules import EXACT_DIGITS, KNOWN, SATISFY, Rule, Suite

NOT_NULL, NULL = "expect_column_values_to_not_be_null", "expect_column_values_to_be_null"

_BOOLEAN = parse_type("boolean")


class RuleError(ValueError):
    """A rule that cannot be compiled: says why."""


@dataclass(frozen=True)
class CompiledRules:
    """A suite with the condition under which a row breaks each of its rules.

    Attributes:
        suite: The rules.
        conditions: SQL by rule, in the suite's order: true where a row breaks it, else false; never NULL.
        columns: The flat names that the conditions read.
    """

    suite: Suite
    conditions: tuple[str, ...]
    columns: frozenset[str]


def compile_rules(suite: Suite, catalog: Catalogue) -> CompiledRules:
    """Compile every rule of a table.

    Conditions read the table's own columns with lineage and ``batch``, ``known__<reference column>`` (whether
    the row that it names is there; NULL: nobody can tell) and ``<table>__<column>`` of lookups.

    Raises:
        ContractError: A rule cannot be compiled, or two have one name; names the rule and its place.
    """
    conditions: list[str] = []
    columns: set[str] = set()
    names: set[str] = set()
    for rule in suite.rules:
        try:
            if rule.name in names:
                raise RuleError(f"{rule.table} has a rule of this name already")  # noqa: TRY301
            names.add(rule.name)
            condition, read = _condition(rule, suite, catalog)
        except (RuleError, ExpressionError) as error:
            path, line = rule.place or (contracts_folder() / "raw" / f"{rule.table}.yaml", 1)
            raise ContractError(
                path, line, f"the rule {rule.name} of {rule.table} cannot be used: {error}"
            ) from error
        conditions.append(condition)
        columns |= read
    return CompiledRules(suite, tuple(conditions), frozenset(columns))


def satisfied(rule: Rule, suite: Suite, catalog: Catalogue) -> str:
    """The compiled ``condition`` of a rule of type ``SATISFY``: true where the row is as it should be.

    Raises:
        ExpressionError: It cannot be compiled.
    """
    return compile_expression(rule.kwargs["condition"], rule_columns(rule, suite, catalog), _BOOLEAN).sql


def rule_columns(rule: Rule, suite: Suite, catalog: Catalogue) -> dict[str, LogicalType]:
    """What a rule may name: type by ``column``, ``known.column`` and ``table.column`` of its lookups.

    Raises:
        RuleError: A lookup cannot be made, or has no name of its own.
    """
    contract = suite.contract
    found = {column.name: column.type for column in contract.all_columns + contract.partition_columns}
    own = set(found)
    found.update({f"{KNOWN}.{reference.column}": _BOOLEAN for reference in contract.references})
    for lookup in rule.lookups:
        if lookup.table not in catalog.raw:
            raise RuleError(f"there is no raw table {lookup.table} to look up")
        if len(catalog.raw[lookup.table].key) != 1:
            raise RuleError(f"{lookup.table} has a key of several columns, and is looked up by one")
        if lookup.on not in found or lookup.on.startswith(f"{KNOWN}."):
            raise RuleError(f"nothing before the lookup of {lookup.table} has the column {lookup.on}")
        if lookup.table in own or lookup.table == KNOWN:
            raise RuleError(f"{rule.table} has a column {lookup.table}, so that the lookup has no name")
        kept = kept_columns(catalog, lookup.table)
        if not kept:
            raise RuleError(f"no star table is built from {lookup.table} alone, to look its rows up in")
        found.update({f"{lookup.table}.{column}": kind for column, kind in kept.items()})
    taken = sorted(own & {flat_name(name) for name in found if "." in name})
    if taken:
        raise RuleError(f"{taken[0]} is a column of {rule.table} and of a lookup")
    return found


def needed_lookups(suite: Suite) -> Mapping[str, tuple[str, ...]]:
    """By table that the suite's rules look up, the columns that rules and later lookups name, in order."""
    named = {lookup.on for lookup in suite.lookups}
    for rule in suite.rules:
        if rule.lookups and rule.type == SATISFY:
            named.update(references(rule.kwargs["condition"]))
    return {
        lookup.table: tuple(
            sorted(name.partition(".")[2] for name in named if name.startswith(f"{lookup.table}."))
        )
        for lookup in suite.lookups
    }


def star_table(catalog: Catalogue, raw: str) -> Optional[Contract]:
    """The star table that is built from one raw table alone, where lookups find what it held before."""
    for contract in catalog.star.values():
        built_from = contract.built_from
        if built_from is not None and built_from.table == raw and not built_from.joins:
            return contract
    return None


def kept_columns(catalog: Catalogue, raw: str) -> dict[str, LogicalType]:
    """The columns of a raw table that its star table keeps as they are."""
    star = star_table(catalog, raw)
    kept = {column.source for column in star.columns} if star is not None else set()
    return {column.name: column.type for column in catalog.raw[raw].columns if column.name in kept}


# ---------------------------------------------------------------------- from expectations to expressions


def _condition(rule: Rule, suite: Suite, catalog: Catalogue) -> tuple[str, frozenset[str]]:
    own = {column.name: column.type for column in suite.contract.all_columns}
    if rule.kwargs.get("column") not in own:
        raise RuleError(f"the expectation names no column of {rule.table}")
    if rule.type not in EXPECTATIONS:
        raise RuleError(f"{rule.type} is not one of {', '.join(EXPECTATIONS)}")
    takes, expression = EXPECTATIONS[rule.type]
    further = sorted(set(rule.kwargs) - {"column", *takes})
    if further:
        # mostly and row_condition say something of many rows at once, or hide rows from the rule.
        raise RuleError(f"a rule judges one row: {rule.type} takes no {', '.join(further)} here")
    columns = rule_columns(rule, suite, catalog)
    text = expression(rule, own[rule.column])
    if rule.type == NOT_NULL:
        return f"{rule.column} IS NULL", frozenset({rule.column})
    if rule.type == NULL:
        return f"{rule.column} IS NOT NULL", frozenset({rule.column})
    made = compile_expression(text, columns, _BOOLEAN, nullable=set(columns) - {rule.column})
    broken = f"NOT ({made.sql})"
    if made.nullable or made.unreadable:
        # A condition that is neither true nor false breaks nothing.
        broken = f"coalesce({broken}, FALSE)"
    return f"{rule.column} IS NOT NULL AND {broken}", made.columns | {rule.column}


def _satisfy(rule: Rule, _kind: LogicalType) -> str:
    condition = rule.kwargs.get("condition")
    if not isinstance(condition, str):
        raise RuleError("the expectation states no condition")
    return condition


def _in_set(rule: Rule, kind: LogicalType) -> str:
    values = rule.kwargs.get("value_set")
    if not isinstance(values, (list, tuple)) or not values:
        raise RuleError("value_set is a list with something in it")
    return f"{rule.column} IN ({', '.join(_value(value, kind) for value in values)})"


def _not_in_set(rule: Rule, kind: LogicalType) -> str:
    return f"NOT ({_in_set(rule, kind)})"


def _between(rule: Rule, kind: LogicalType) -> str:
    digits = {"integer": 10, "decimal": kind.precision or 0}.get(kind.name)
    if digits is None or digits > EXACT_DIGITS:
        # Great Expectations compares doubles, which hold no more digits.
        raise RuleError(f"a range of {kind} is stated as a condition, with {SATISFY}")
    bounds = [
        _number(rule.kwargs[key]) for key in ("min_value", "max_value") if rule.kwargs.get(key) is not None
    ]
    if any(len(bound.strip("-0").replace(".", "")) > EXACT_DIGITS for bound in bounds):
        raise RuleError(
            f"a bound of more than {EXACT_DIGITS} digits is stated as a condition, with {SATISFY}"
        )
    return _range(rule, rule.column)


def _lengths_between(rule: Rule, kind: LogicalType) -> str:
    _text_only(rule, kind)
    return _range(rule, f"length_of({rule.column})")


def _length_is(rule: Rule, kind: LogicalType) -> str:
    _text_only(rule, kind)
    return f"length_of({rule.column}) = {_number(rule.kwargs.get('value'))}"


def _matches(rule: Rule, kind: LogicalType) -> str:
    _text_only(rule, kind)
    pattern = rule.kwargs.get("regex")
    if not isinstance(pattern, str):
        raise RuleError("the expectation states no regex")
    inner = anchored(pattern)
    name, stated = ("finds", pattern) if inner is None else ("matches", inner)
    return f"{name}({rule.column}, {_quoted(stated)})"


def _matches_not(rule: Rule, kind: LogicalType) -> str:
    return f"NOT {_matches(rule, kind)}"


def _nothing(_rule: Rule, _kind: LogicalType) -> str:
    return ""


_RANGE = ("min_value", "max_value", "strict_min", "strict_max")

EXPECTATIONS: Mapping[str, tuple[tuple[str, ...], Callable[[Rule, LogicalType], str]]] = {
    NOT_NULL: ((), _nothing),
    NULL: ((), _nothing),
    "expect_column_values_to_be_in_set": (("value_set",), _in_set),
    "expect_column_values_to_not_be_in_set": (("value_set",), _not_in_set),
    "expect_column_values_to_be_between": (_RANGE, _between),
    "expect_column_values_to_match_regex": (("regex",), _matches),
    "expect_column_values_to_not_match_regex": (("regex",), _matches_not),
    "expect_column_value_lengths_to_be_between": (_RANGE, _lengths_between),
    "expect_column_value_lengths_to_equal": (("value",), _length_is),
    SATISFY: (("condition",), _satisfy),
}
"""By expectation that a rule may be, what it takes besides its column, and how an expression says it."""


def _text_only(rule: Rule, kind: LogicalType) -> None:
    if kind.name != "text":
        raise RuleError(f"{rule.column} is {kind}, and {rule.type} needs text")


def _range(rule: Rule, value: str) -> str:
    parts = list(_bounds(rule, value))
    if not parts:
        raise RuleError("a range has min_value, max_value or both")
    return " AND ".join(parts)


def _bounds(rule: Rule, value: str) -> Iterator[str]:
    for key, strict, sign in (("min_value", "strict_min", ">"), ("max_value", "strict_max", "<")):
        if rule.kwargs.get(key) is not None:
            yield f"{value} {sign}{'' if rule.kwargs.get(strict) else '='} {_number(rule.kwargs[key])}"


def _number(value: Any) -> str:
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise InvalidOperation  # noqa: TRY301
        number = Decimal(str(value))
        if not number.is_finite():
            raise InvalidOperation  # noqa: TRY301
    except InvalidOperation as error:
        raise RuleError(f"{value!r} is no number") from error
    return f"{number:f}"


def _value(value: Any, kind: LogicalType) -> str:
    if kind.name == "text" and isinstance(value, str):
        return _quoted(value)
    if kind.name == "boolean" and isinstance(value, bool):
        return str(value).upper()
    if (
        kind.name in ("integer", "bigint", "decimal")
        and isinstance(value, int)
        and not isinstance(value, bool)
    ):
        return str(value)
    raise RuleError(f"{value!r} is no value of {kind} that a set may hold")


def _quoted(text: str) -> str:
    """A text as the common subset of SQL states it."""
    return "'" + text.replace("'", "''") + "'"
