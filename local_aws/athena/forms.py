"""How the forms of ``functions.list`` become SQL, and what takes more than a form."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.athena.casts import as_text, cast, coerce
from local_aws.athena.kinds import (
    BIGINT,
    INTEGER,
    UNKNOWN,
    VARCHAR,
    ZONED,
    Type,
    array,
    comparable,
    duckdb_type,
    map_of,
    row,
    timestamp,
)
from local_aws.athena.plan import Plan, Typed, failure, has_identity, identity, quoted
from local_aws.athena.signatures import Bindings, Signature, build, read_pattern, split_types
from local_aws.athena.syntax import Node

if TYPE_CHECKING:
    from local_aws.athena.expressions import Expressions
    from local_aws.athena.scopes import Scope

EXTRACTED = {
    name: name
    for name in (
        *(
            "year",
            "quarter",
            "month",
            "week",
            "day",
            "day_of_month",
            "day_of_week",
            "dow",
            "day_of_year",
            "doy",
        ),
        *("year_of_week", "yow", "hour", "minute", "second", "timezone_hour", "timezone_minute"),
    )
}
"""Fields of EXTRACT, each with the function that gives it."""
IGNORES_NULLS = ("first_value", "last_value", "nth_value", "lag", "lead")
LEAST_OFFSETS = {"lag": 0, "lead": 0, "nth_value": 1}
"""Window functions whose second argument counts rows, each with the least that it may be."""
COARSE = frozenset((*EXTRACTED, "millisecond", "date", "date_diff", "date_format", "last_day_of_month"))
"""Functions that look at no digit behind the milliseconds."""
VOLATILE = frozenset(("rand", "random", "shuffle", "uuid"))
"""Functions whose answer is another one each time."""

_PRIMITIVES = {
    **dict.fromkeys(("boolean", "tinyint", "smallint", "integer", "bigint", "real", "double", "date"), 0),
    "decimal": 18,
    "time": 9,
    "timestamp": 6,
    ZONED: 3,
}
"""Types whose values Trino keeps in a Java primitive, each with the precision up to which it does."""

NOT_OF_CHAR = ("substr", "substring")
"""Functions of which Athena's documentation and Trino's say different things for a text of fixed length."""

_CALL = re.compile(r"@([a-z_0-9]+)(?:\{([^}]*)\})?\(")


@dataclass(frozen=True)
class Modifiers:
    """What stands with an aggregate: DISTINCT, ORDER BY, FILTER and OVER, IGNORE NULLS."""

    distinct: str = ""
    order: str = ""
    tail: str = ""
    nulls: str = ""


def fill(
    signature: Signature,
    bound: Bindings,
    values: list[Typed],
    result: Type,
    plan: Plan,
    modifiers: Modifiers | None = None,
) -> str:
    """The form of an entry with its arguments in place."""
    modifiers = modifiers or Modifiers()

    def named(found: re.Match[str]) -> str:
        if found[2] is None:
            kinds, given = [value.type for value in values], result
        else:
            inputs, _, output = found[2].partition("->")
            kinds = [build(read_pattern(item), bound) for item in split_types(inputs)]
            given = result if output.strip() == "$result" else build(read_pattern(output.strip()), bound)
        return plan.function(found[1], kinds, given) + "("

    form = _CALL.sub(named, signature.form)
    places = {
        "*": ", ".join(value.sql for value in values),
        "r": duckdb_type(result),
        "d": modifiers.distinct,
        "o": modifiers.order,
        "f": modifiers.tail,
        "n": modifiers.nulls,
    }

    def put(found: re.Match[str]) -> str:
        key = found[1]
        return values[int(key)].sql if key.isdecimal() else places[key]

    return re.sub(r"\$(\d|[*rdofn])", put, form)


def subscript(items: str, index: str, kind: Type) -> str:
    """An element of an array, where an index that is none fails."""
    zero = failure("INVALID_FUNCTION_ARGUMENT", "SQL array indices start at 1", kind)
    below = failure("INVALID_FUNCTION_ARGUMENT", "Array subscript is negative", kind)
    above = failure(
        "INVALID_FUNCTION_ARGUMENT", "Array subscript must be less than or equal to array length", kind
    )
    return (
        f"CASE WHEN {index} = 0 THEN {zero} WHEN {index} < 0 THEN {below} "
        f"WHEN {index} > len({items}) THEN {above} ELSE {items}[{index}] END"
    )


def map_value(whole: str, key: str, kind: Type) -> str:
    """A value of a map, NULL where the key is not there."""
    return (
        f"map_values({whole})[{_place(whole, key, kind)}]"
        if has_identity(kind.inner[0])
        else f"{whole}[{key}]"
    )


def _place(whole: str, key: str, kind: Type) -> str:
    """The place of a key in a map, NULL where it is not there."""
    keys = identity(f"map_keys({whole})", array(kind.inner[0]))
    return f"list_position({keys}, {identity(key, kind.inner[0])})"


def map_subscript(whole: str, key: str, kind: Type) -> str:
    """A value of a map, where a key that is not there fails."""
    wrong = failure("INVALID_FUNCTION_ARGUMENT", "Key not present in map", kind.inner[1])
    return (
        f"CASE WHEN {whole} IS NULL OR {key} IS NULL THEN NULL WHEN {_has_key(whole, key, kind)} "
        f"THEN {map_value(whole, key, kind)} ELSE {wrong} END"
    )


def _has_key(whole: str, key: str, kind: Type) -> str:
    if not has_identity(kind.inner[0]):
        return f"map_contains({whole}, {key})"
    return f"{_place(whole, key, kind)} IS NOT NULL"


# --- special forms -----------------------------------------------------------------------------------------

Special = Callable[["Expressions", Node, "Scope"], Typed]


def _count(walk: Expressions, node: Node, *counts: int) -> None:
    if len(node.values) not in counts:
        raise walk.refuse(
            node,
            "INVALID_FUNCTION_ARGUMENT" if node.name != "map" else "FUNCTION_NOT_FOUND",
            f"Invalid number of arguments for {node.name}: {len(node.values)}",
        )


def _coalesce(walk: Expressions, node: Node, scope: Scope) -> Typed:
    if len(node.values) < 2:
        raise walk.refuse(
            node, "INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments"
        )
    values = [walk.translate(item, scope) for item in node.values]
    shared = walk.shared(node, values, "All COALESCE operands must be the same type: {left} {right}")
    listed = ", ".join(coerce(value, shared, walk.plan) for value in values)
    return Typed(f"coalesce({listed})", shared, **walk.parts(*values))


def _if(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 2, 3)
    test = walk.boolean(node.values[0], scope, "IF condition")
    values = [walk.translate(item, scope) for item in node.values[1:]]
    shared = walk.shared(node, values, "Result types for IF must be the same: {left} vs {right}")
    listed = [coerce(value, shared, walk.plan) for value in values]
    other = listed[1] if len(listed) > 1 else "NULL"
    return Typed(
        f"CASE WHEN {test.sql} THEN {listed[0]} ELSE {other} END", shared, **walk.parts(test, *values)
    )


def _nullif(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 2)
    first, second = (walk.translate(item, scope) for item in node.values)
    same = walk.equals(node, first, second)
    return Typed(
        f"CASE WHEN {same.sql} THEN NULL ELSE {first.sql} END", first.type, **walk.parts(first, second)
    )


def _try(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 1)
    value = walk.translate(node.values[0], scope)
    if value.volatile:
        raise walk.refuse(
            node, "NOT_SUPPORTED", "TRY of a subquery, an aggregate or a random value is not supported here"
        )
    return Typed(f"TRY({value.sql})", value.type, **walk.parts(value))


def _typeof(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 1)
    value = walk.translate(node.values[0], scope)
    parts = walk.parts(value)
    # The argument stays in the SQL, so that an aggregate remains one.
    return Typed(
        f"CASE WHEN {value.sql} IS NULL THEN {quoted(str(value.type))} ELSE {quoted(str(value.type))} END",
        VARCHAR,
        **parts,
    )


def _now(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 0)
    return walk.translate(Node("Moment", node.pos, name="current_timestamp"), scope)


def _map(walk: Expressions, node: Node, scope: Scope) -> Typed:
    _count(walk, node, 0, 2)
    if not node.values:
        return Typed("CAST(MAP {} AS MAP(VARCHAR, VARCHAR))", map_of(UNKNOWN, UNKNOWN))
    keys, values = (
        Typed(f"CAST({value.sql} AS VARCHAR[])", array(UNKNOWN), value.columns)
        if value.type == UNKNOWN
        else value
        for value in (walk.translate(item, scope) for item in node.values)
    )
    if keys.type.base != "array" or values.type.base != "array" or not comparable(keys.type.inner[0]):
        raise walk.refuse(
            node, "FUNCTION_NOT_FOUND", f"Unexpected parameters ({keys.type}, {values.type}) for function map"
        )
    kind = map_of(keys.type.inner[0], values.type.inner[0])
    sql = walk.plan.call("map_", [(keys.sql, keys.type), (values.sql, values.type)], kind)
    return Typed(sql, kind, **walk.parts(keys, values))


def _format(walk: Expressions, node: Node, scope: Scope) -> Typed:
    if len(node.values) < 2:
        raise walk.refuse(node, "FUNCTION_NOT_FOUND", "Unexpected parameters for function format")
    values = [walk.translate(item, scope) for item in node.values]
    if values[0].type.base not in ("varchar", "unknown"):
        raise walk.refuse(
            node,
            "TYPE_MISMATCH",
            f"Type of first argument to format() must be VARCHAR (actual {values[0].type})",
        )
    sql = walk.plan.call("format_", [(value.sql, value.type) for value in values], VARCHAR)
    return Typed(sql, VARCHAR, **walk.parts(*values))


SPECIAL: dict[str, Special] = {
    "coalesce": _coalesce,
    "if": _if,
    "nullif": _nullif,
    "try": _try,
    "typeof": _typeof,
    "now": _now,
    "map": _map,
    "format": _format,
}
"""Forms whose types no signature tells."""


# --- functions that need more than a form ------------------------------------------------------------------

Hook = Callable[["Expressions", Node, list[Typed], Type], str]


def _extreme(sign: str) -> Hook:
    def best(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
        if result.inner or result.base in ("real", "double") or result.base.endswith("zone"):
            return walk.plan.call(
                "greatest" if sign == "greatest" else "least",
                [(value.sql, result) for value in values],
                result,
            )
        listed = ", ".join(value.sql for value in values)
        missing = " OR ".join(f"{value.sql} IS NULL" for value in values)
        return f"CASE WHEN {missing} THEN NULL ELSE {sign}({listed}) END"

    return best


def _modulus(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    one, two = (value.sql for value in values)
    wrong = failure("DIVISION_BY_ZERO", "Division by zero", result)
    name = duckdb_type(result)
    return walk.plan.let(
        two,
        lambda d: f"CAST(CASE {d} WHEN 0 THEN {wrong} WHEN -1 THEN 0 * {one} ELSE {one} % {d} END AS {name})",
    )


def _random_below(walk: Expressions, node: Node, values: list[Typed], result: Type) -> str:
    name = duckdb_type(result)
    wrong = failure("INVALID_FUNCTION_ARGUMENT", "bound must be positive", result)
    high = values[0].sql
    return f"CASE WHEN {high} <= 0 THEN {wrong} ELSE CAST(floor(random() * {high}) AS {name}) END"


def _random_between(walk: Expressions, node: Node, values: list[Typed], result: Type) -> str:
    low, high = (value.sql for value in values)
    wrong = failure("INVALID_FUNCTION_ARGUMENT", "start value must be less than stop value", result)
    width = f"(CAST({high} AS HUGEINT) - CAST({low} AS HUGEINT))"
    drawn = f"CAST({low} + CAST(floor(random() * {width}) AS HUGEINT) AS {duckdb_type(result)})"
    return f"CASE WHEN {low} >= {high} THEN {wrong} ELSE {drawn} END"


def _concat(walk: Expressions, node: Node, values: list[Typed], result: Type) -> str:
    if len(values) < 2:
        raise walk.refuse(
            node, "INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments"
        )
    return "(" + " || ".join(value.sql for value in values) + ")"


def _unit(walk: Expressions, node: Node, values: list[Typed], allowed: tuple[str, ...]) -> str:
    if not isinstance(values[0].constant, str):
        raise walk.refuse(node, "NOT_SUPPORTED", f"{node.name} needs its unit as a literal here")
    unit = values[0].constant.lower()
    if unit not in allowed:
        raise walk.refuse(
            node, "INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid {values[-1].type} field"
        )
    return unit


_DAYS = ("day", "week", "month", "quarter", "year")
_TIMES = ("millisecond", "second", "minute", "hour")
_STEPS = {
    "day": "to_days({})",
    "week": "to_days({} * 7)",
    "month": "to_months({})",
    "quarter": "to_months({} * 3)",
    "year": "to_years({})",
    "millisecond": "to_milliseconds({})",
    "second": "to_seconds({})",
    "minute": "to_minutes({})",
    "hour": "to_hours({})",
}


def _date_add(walk: Expressions, node: Node, values: list[Typed], result: Type) -> str:
    unit = _unit(walk, node, values, _DAYS if result.base == "date" else _DAYS + _TIMES)
    # Trino counts in 32 bits and fails beyond them.
    count = f"CAST({values[1].sql} AS INTEGER)"
    moved = f"({values[2].sql} + {_STEPS[unit].format(count)})"
    if unit == "millisecond":
        return cast(Typed(moved, timestamp(3)), result, walk.plan)
    return f"CAST({moved} AS DATE)" if result.base == "date" else moved


def _date_diff(walk: Expressions, node: Node, values: list[Typed], _: Type) -> str:
    kind = values[1].type
    unit = _unit(walk, node, values, _DAYS if kind.base == "date" else _DAYS + _TIMES)
    if unit in ("month", "quarter", "year"):
        return walk.plan.call("date_diff", [(value.sql, value.type) for value in values], BIGINT)
    return f"date_sub('{unit}', {values[1].sql}, {values[2].sql})"


def _date_trunc(walk: Expressions, node: Node, values: list[Typed], result: Type) -> str:
    unit = _unit(walk, node, values, _DAYS if result.base == "date" else _DAYS + _TIMES)
    return f"CAST(date_trunc('{unit}', {values[1].sql}) AS {duckdb_type(result)})"


_PLAIN_SPECIFIERS = {
    "Y": "%Y",
    "m": "%m",
    "d": "%d",
    "H": "%H",
    "i": "%M",
    "s": "%S",
    "S": "%S",
    "M": "%B",
    "b": "%b",
    "W": "%A",
    "a": "%a",
    "j": "%j",
    "y": "%y",
    "%": "%%",
    "T": "%H:%M:%S",
}


def _date_format(walk: Expressions, node: Node, values: list[Typed], _: Type) -> str:
    form = values[1].constant
    if isinstance(form, str):
        written, simple = "", True
        pieces = re.findall(r"%.|[^%]+|%$", form, re.DOTALL)
        for piece in pieces:
            if not piece.startswith("%"):
                written += piece
            elif piece[1:] in _PLAIN_SPECIFIERS:
                written += _PLAIN_SPECIFIERS[piece[1:]]
            else:
                simple = False
        if simple and written:
            return f"strftime({values[0].sql}, {quoted(written)})"
    return walk.plan.call("date_format", [(value.sql, value.type) for value in values], VARCHAR)


def _swap(sql: str, names: list[str], places: list[str]) -> str:
    """A lambda's body with other expressions in the place of its arguments."""
    for name, place in zip(names, places, strict=True):
        sql = re.sub(rf"\b{name}\b", lambda _, to=place: to, sql)  # type: ignore[misc]
    return sql


def _folded(walk: Expressions, items: str, element: Type, start: Typed, step: Typed) -> str:
    """A list folded into a state, which may be of another type than the elements."""
    names, body = step.constant
    state, item = duckdb_type(start.type), duckdb_type(element)
    shape = f"STRUCT(s {state}, e {item})"
    each, a, b = (walk.plan.name(prefix) for prefix in ("e", "a", "b"))
    moved = _swap(body, names, [f"({a}).s", f"({b}).e"])
    return (
        f"(list_reduce(list_transform({items}, lambda {each}: CAST({{'s': NULL, 'e': {each}}} AS {shape})), "
        f"lambda {a}, {b}: CAST({{'s': {moved}, 'e': NULL}} AS {shape}), "
        f"CAST({{'s': {start.sql}, 'e': NULL}} AS {shape}))).s"
    )


def _reduce(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    items, start, step, finish = values

    def whole(it: str) -> str:
        folded = _folded(walk, it, items.type.inner[0], start, step)
        names, body = finish.constant
        ended = walk.plan.let(folded, lambda state: _swap(body, names, [state]))
        return f"CASE WHEN {it} IS NULL THEN NULL ELSE {ended} END"

    return walk.plan.let(items.sql, whole)


def _reduce_agg(
    walk: Expressions, node: Node, values: list[Typed], result: Type, modifiers: Modifiers
) -> str:
    if node.over is not None or node.distinct:
        raise walk.refuse(node, "NOT_SUPPORTED", "reduce_agg with OVER or DISTINCT is not supported here")
    value, start, step, _ = values
    if modifiers.tail:
        raise walk.refuse(node, "NOT_SUPPORTED", "reduce_agg with FILTER is not supported here")
    # Trino keeps a state as a Java primitive.
    if (start.type.length or 0) > _PRIMITIVES.get(start.type.base, -1):
        raise walk.refuse(node, "NOT_SUPPORTED", f"State type not supported for reduce_agg: {start.type}")
    # A row without a value, or without a first state, counts for nothing; the first of the others begins.
    counts = f"{value.sql} IS NOT NULL AND {start.sql} IS NOT NULL"
    kept = f"list({{'v': {value.sql}, 's': {start.sql}}}) FILTER (WHERE {counts})"
    names, body = step.constant
    nothing = failure("INVALID_FUNCTION_ARGUMENT", "reduce_agg: the state is NULL", start.type)
    never = dataclasses.replace(step, constant=(names, f"coalesce({body}, {nothing})"))

    def fold(it: str) -> str:
        each = walk.plan.name("k")
        items = f"list_transform({it}, lambda {each}: ({each}).v)"
        first = Typed(f"({it})[1].s", start.type)
        return f"CASE WHEN {it} IS NULL THEN NULL ELSE {_folded(walk, items, value.type, first, never)} END"

    return walk.plan.let(kept, fold)


def _count_if(walk: Expressions, node: Node, values: list[Typed], result: Type, modifiers: Modifiers) -> str:
    return f"count(CASE WHEN {values[0].sql} THEN 1 END){modifiers.tail}"


def _matches(found: str, rest: str) -> Hook:
    def match(walk: Expressions, _: Node, values: list[Typed], __: Type) -> str:
        truths = f"list_transform({values[0].sql}, {values[1].sql})"
        hole = walk.plan.name("z")
        wanted = "false" if found == "all" else "true"
        return walk.plan.let(
            truths,
            lambda it: (
                f"CASE WHEN {it} IS NULL THEN NULL WHEN list_contains({it}, {wanted}) "
                f"THEN {'true' if found == 'any' else 'false'} "
                f"WHEN len(list_filter({it}, lambda {hole}: {hole} IS NULL)) > 0 THEN NULL ELSE {rest} END"
            ),
        )

    return match


def _array_join(walk: Expressions, node: Node, values: list[Typed], _: Type) -> str:
    kind, name = values[0].type.inner[0], walk.plan.name("e")
    written = "NULL" if kind.base == "unknown" else as_text(name, kind, walk.plan)
    if written is None:
        raise walk.refuse(
            node, "FUNCTION_NOT_FOUND", f"Unexpected parameters ({values[0].type}) for function array_join"
        )
    texts = f"list_transform({values[0].sql}, lambda {name}: CAST({written} AS VARCHAR))"
    given = [(texts, array(VARCHAR)), *((value.sql, VARCHAR) for value in values[1:])]
    return walk.plan.call("array_join" if len(values) == 2 else "array_join_with", given, VARCHAR)


def _array_sort(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    names, body = values[1].constant
    x, y = walk.plan.name("x"), walk.plan.name("y")

    def sort(it: str) -> str:
        inner = f"list_transform({it}, lambda {y}: {_swap(body, names, [x, y])})"
        matrix = f"list_transform({it}, lambda {x}: {inner})"
        return walk.plan.call("sort_by_matrix", [(it, result), (matrix, array(array(INTEGER)))], result)

    return walk.plan.let(values[0].sql, sort)


def _element_at_map(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    whole, key = values
    return walk.plan.let_both(whole.sql, key.sql, lambda m, k: map_value(m, k, whole.type))


def _element_at(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    items, index = (value.sql for value in values)
    wrong = failure("INVALID_FUNCTION_ARGUMENT", "SQL array indices start at 1", result)
    return walk.plan.let_both(items, index, lambda a, i: f"CASE WHEN {i} = 0 THEN {wrong} ELSE {a}[{i}] END")


def _zip_with(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    names, body = values[2].constant
    place = walk.plan.name("i")

    def zipped(a: str, b: str) -> str:
        inner = _swap(body, names, [f"{a}[{place}]", f"{b}[{place}]"])
        listed = f"list_transform(range(1, greatest(len({a}), len({b})) + 1), lambda {place}: {inner})"
        return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE {listed} END"

    return walk.plan.let_both(values[0].sql, values[1].sql, zipped)


def _map_filter(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    names, body = values[1].constant
    e = walk.plan.name("e")
    test = _swap(body, names, [f"({e}).key", f"({e}).value"])
    return f"map_from_entries(list_filter(map_entries({values[0].sql}), lambda {e}: {test}))"


def _map_transform(part: str) -> Hook:
    def changed(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
        names, body = values[1].constant
        e = walk.plan.name("e")
        new = _swap(body, names, [f"({e}).key", f"({e}).value"])
        pair = f"{{'f0': {new}, 'f1': ({e}).value}}" if part == "key" else f"{{'f0': ({e}).key, 'f1': {new}}}"
        listed = f"list_transform(map_entries({values[0].sql}), lambda {e}: {pair})"
        kind = array(row(*result.inner))
        return (
            walk.plan.call("map_from_entries", [(listed, kind)], result)
            if part == "key"
            else (f"map_from_entries({listed})")
        )

    return changed


def _map_zip_with(walk: Expressions, _: Node, values: list[Typed], result: Type) -> str:
    names, body = values[2].constant
    k, other = (walk.plan.name(prefix) for prefix in ("k", "o"))
    one, two = values[0].type, values[1].type

    def zipped(a: str, b: str) -> str:
        rest = f"list_filter(map_keys({b}), lambda {other}: NOT ({_has_key(a, other, one)}))"
        new = _swap(body, names, [k, map_value(a, k, one), map_value(b, k, two)])
        listed = f"list_transform(map_keys({a}) || {rest}, lambda {k}: {{'k': {k}, 'v': {new}}})"
        return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE map_from_entries({listed}) END"

    return walk.plan.let_both(values[0].sql, values[1].sql, zipped)


def _regexp_replace(walk: Expressions, node: Node, values: list[Typed], _: Type) -> str:
    names, body = values[2].constant
    text, pattern = values[0].sql, values[1].sql
    group = array(VARCHAR)

    def replaced(t: str) -> str:
        matches = walk.plan.call("regexp_groups", [(t, VARCHAR), (pattern, VARCHAR)], array(group))
        item = walk.plan.name("m")
        new = f"list_transform({matches}, lambda {item}: {_swap(body, names, [item])})"
        return walk.plan.call("regexp_put", [(t, VARCHAR), (pattern, VARCHAR), (new, group)], VARCHAR)

    return walk.plan.let(text, replaced)


def _special(walk: Expressions, node: Node, values: list[Typed], _: Type) -> str:
    raise walk.refuse(node, "NOT_SUPPORTED", f"{node.name} cannot stand here")


HOOKS: dict[str, Hook] = {
    "special": _special,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "modulus": _modulus,
    "random_below": _random_below,
    "random_between": _random_between,
    "concat": _concat,
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date_trunc": _date_trunc,
    "date_format": _date_format,
    "reduce": _reduce,
    "any_match": _matches("any", "false"),
    "all_match": _matches("all", "true"),
    "none_match": _matches("none", "true"),
    "array_join": _array_join,
    "array_sort_lambda": _array_sort,
    "element_at": _element_at,
    "element_at_map": _element_at_map,
    "zip_with": _zip_with,
    "map_filter": _map_filter,
    "transform_keys": _map_transform("key"),
    "transform_values": _map_transform("value"),
    "map_zip_with": _map_zip_with,
    "regexp_replace_lambda": _regexp_replace,
}
"""What writes the SQL of an entry whose form begins with ``!``."""


_LONGEST_LIST = 1_048_576


def _listagg(walk: Expressions, node: Node, values: list[Typed], result: Type, modifiers: Modifiers) -> str:
    if not all(value.is_literal for value in values[1:]):
        raise walk.refuse(node.values[1], "NOT_SUPPORTED", "listagg needs its separator as a literal here")
    separator = values[1].sql if len(values) > 1 else "''"
    listed = f"string_agg({modifiers.distinct}{values[0].sql}, {separator}{modifiers.order}){modifiers.tail}"
    wrong = failure(
        "NOT_SUPPORTED" if node.truncates else "EXCEEDED_FUNCTION_MEMORY_LIMIT",
        f"Concatenated string is longer than {_LONGEST_LIST} bytes",
        result,
    )
    return walk.plan.let(
        listed,
        lambda it: f"CASE WHEN octet_length(encode({it})) > {_LONGEST_LIST} THEN {wrong} ELSE {it} END",
    )


def _sum_decimal(
    walk: Expressions, node: Node, values: list[Typed], result: Type, modifiers: Modifiers
) -> str:
    """DuckDB adds up beyond 38 digits without a word."""
    total = f"sum({modifiers.distinct}{values[0].sql}){modifiers.tail}"
    precision, scale = values[0].type.numbers
    if precision <= 28:  # there are not so many rows that it could pass 38 digits
        return total
    wrong = failure("NUMERIC_VALUE_OUT_OF_RANGE", "Decimal overflow", result)
    most = f"CAST('{'9' * (38 - scale)}.{'9' * scale}' AS {duckdb_type(result)})"
    return walk.plan.let(
        total, lambda it: f"CASE WHEN {it} > {most} OR {it} < -{most} THEN {wrong} ELSE {it} END"
    )


def _approx_distinct(
    walk: Expressions, node: Node, values: list[Typed], result: Type, modifiers: Modifiers
) -> str:
    """Exact, whatever error is allowed; but that it is one that may be."""
    allowed = values[1].constant
    if not isinstance(allowed, int | float):
        raise walk.refuse(node, "NOT_SUPPORTED", "approx_distinct needs its standard error as a literal here")
    if not 0.0040625 <= allowed <= 0.26:
        raise walk.refuse(node, "INVALID_FUNCTION_ARGUMENT", "Standard error must be in [0.0040625, 0.26000]")
    return f"count(DISTINCT {values[0].sql}){modifiers.tail}"


AGGREGATE_HOOKS: dict[str, Callable[[Any, Node, list[Typed], Type, Modifiers], str]] = {
    "approx_distinct": _approx_distinct,
    "reduce_agg": _reduce_agg,
    "count_if": _count_if,
    "sum_decimal": _sum_decimal,
    "listagg": _listagg,
}
"""The same, for aggregates."""
