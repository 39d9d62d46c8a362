"""Values of one type as those of another: by themselves (coercion), and by CAST."""

from __future__ import annotations

from local_aws.athena.kinds import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGERS,
    JSON,
    NUMBERS,
    REAL,
    VARCHAR,
    ZONED,
    Type,
    coerces,
    common,
    duckdb_type,
    timestamp,
)
from local_aws.athena.plan import SESSION_ZONE, Plan, Typed, failure
from local_aws.athena.query_errors import QueryError

_NAMES = {"integer": "INT"}
_TEXTS = ("varchar", "char")
_WHOLE_TEXT = "'[+-]?[0-9]+'"
_NUMBER_TEXT = r"'\s*[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[fFdD]?)\s*'"


def coerce(value: Typed, wanted: Type, plan: Plan) -> str:
    """A value's SQL as another type that it becomes by itself."""
    return _coerce(value.sql, value.type, wanted, plan)


def _plain(given: Type, wanted: Type) -> bool:
    """Whether DuckDB's own cast does it, here and inside."""
    if {given.base, wanted.base} & {ZONED, "char"}:
        return duckdb_type(given) == duckdb_type(wanted) and given.base == wanted.base != "char"
    if given.inner and wanted.inner:
        return all(_plain(one, two) for one, two in zip(given.inner, wanted.inner, strict=True))
    return True


def _coerce(sql: str, given: Type, wanted: Type, plan: Plan) -> str:
    if duckdb_type(given) == duckdb_type(wanted) and _plain(given, wanted):
        return sql
    if given.base == "unknown" or (_plain(given, wanted) and "unknown" not in str(given)):
        return f"CAST({sql} AS {duckdb_type(wanted)})"
    if wanted.base == ZONED and given.base in ("date", "timestamp"):
        return _zone(sql, given, plan)
    if wanted.base == "char":
        return sql if given == wanted else _padded(sql, wanted)
    if wanted.base == "varchar":
        return sql
    return _inside(sql, given, wanted, lambda part, one, two: _coerce(part, one, two, plan), plan)


def _padded(sql: str, wanted: Type) -> str:
    return f"rpad({sql}, {wanted.length}, ' ')"


def _zone(sql: str, given: Type, plan: Plan) -> str:
    moment = f"CAST({sql} AS TIMESTAMP)" if given.base == "date" else sql
    return plan.let(
        moment, lambda it: f"CASE WHEN {it} IS NOT NULL THEN {{'t': {it}, 'z': '{SESSION_ZONE}'}} END"
    )


def _inside(sql: str, given: Type, wanted: Type, change: object, plan: Plan) -> str:
    """An array, a map or a row whose parts are changed one by one."""
    call = change
    assert callable(call)  # noqa: S101  # a function of this module
    if given.base == "array":
        name = plan.name("e")
        if given.inner[0].base == "unknown":
            return f"CAST({sql} AS {duckdb_type(wanted)})"
        return f"list_transform({sql}, lambda {name}: {call(name, given.inner[0], wanted.inner[0])})"
    if given.base == "map":
        if given.inner[0].base == "unknown":
            return f"CAST({sql} AS {duckdb_type(wanted)})"
        names = plan.name("e"), plan.name("e")
        key, value = (call(name, *pair) for name, pair in zip(names, _pairs(given, wanted), strict=True))

        def changed(it: str) -> str:
            keys = f"list_transform(map_keys({it}), lambda {names[0]}: {key})"
            values = f"list_transform(map_values({it}), lambda {names[1]}: {value})"
            return f"CASE WHEN {it} IS NOT NULL THEN map({keys}, {values}) END"

        return plan.let(sql, changed)

    def rebuilt(it: str) -> str:
        parts = [
            f"'f{place}': {call(f'({it}).f{place}', *pair)}"
            for place, pair in enumerate(_pairs(given, wanted))
        ]
        return f"CASE WHEN {it} IS NOT NULL THEN {{{', '.join(parts)}}} END"

    return plan.let(sql, rebuilt)


def _pairs(given: Type, wanted: Type) -> list[tuple[Type, Type]]:
    return list(zip(given.inner, wanted.inner, strict=True))


def cast(value: Typed, wanted: Type, plan: Plan, *, at: tuple[int, int] | None = None) -> str:
    """A value's SQL after CAST.

    Raises:
        QueryError: Trino has no such cast.
    """
    found = _cast(value.sql, value.type, wanted, plan)
    if found is None:
        raise QueryError("TYPE_MISMATCH", f"Cannot cast {value.type} to {wanted}", at)
    return found


def assignable(given: Type, wanted: Type) -> bool:
    """Whether INSERT puts values of a type into a column: what shares a type with it, also with loss."""
    if coerces(given, wanted):
        return True
    return not _has_bounded_text(wanted) and common(given, wanted) is not None


def _has_bounded_text(kind: Type) -> bool:
    """Whether a text of a stated length lies inside of an array, a map or a row."""
    return any(
        _has_bounded_text(item) or (item.base in _TEXTS and item.length is not None) for item in kind.inner
    )


def assign(value: Typed, wanted: Type, plan: Plan) -> str:
    """A value's SQL for a column that it is assignable to; a text that is cut may lose blanks alone."""
    if coerces(value.type, wanted):
        return coerce(value, wanted, plan)
    if wanted.base not in _TEXTS:
        return cast(value, wanted, plan)
    message = f"Cannot truncate non-space characters when casting from {value.type} to {wanted} on INSERT"
    wrong = failure("INVALID_CAST_ARGUMENT", message, VARCHAR)
    return plan.let(
        value.sql,
        lambda it: (
            f"CASE WHEN length(rtrim({it}, ' ')) > {wanted.length} THEN {wrong} "
            f"ELSE {cast(Typed(it, value.type), wanted, plan)} END"
        ),
    )


def _cast(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base == "unknown" or (duckdb_type(given) == duckdb_type(wanted) and _same(given, wanted)):
        return _coerce(sql, given, wanted, plan)
    if wanted.base == "json":
        return _to_json(sql, given, plan)
    if given.base == "json":
        return _from_json(sql, wanted, plan)
    if given.inner and given.base == wanted.base and len(given.args) == len(wanted.args):
        if any(
            _cast("NULL", one, two, plan) is None for one, two in zip(given.inner, wanted.inner, strict=True)
        ):
            return None
        return _inside(sql, given, wanted, lambda part, one, two: _cast(part, one, two, plan), plan)
    writer = _TARGETS.get("whole" if wanted.base in INTEGERS else wanted.base)
    return writer(sql, given, wanted, plan) if writer else None


def _same(given: Type, wanted: Type) -> bool:
    if given.inner or wanted.inner:
        return given.base == wanted.base and all(
            _same(one, two) for one, two in zip(given.inner, wanted.inner, strict=True)
        )
    if given.base == wanted.base:
        return given == wanted or (
            given.base in ("varchar", "timestamp", ZONED, "time") and coerces(given, wanted)
        )
    return False


def _to_boolean(sql: str, given: Type, _: Type, plan: Plan) -> str | None:
    if given.base in NUMBERS:
        return f"({sql} <> 0)"
    if given.base == "varchar":
        return plan.call("text_to_boolean", [(sql, VARCHAR)], BOOLEAN)
    return None


def _wrong(sql: str, shown: str) -> str:
    return f"'!INVALID_CAST_ARGUMENT: Cannot cast ''' || {sql} || ''' to {shown}!'"


def _to_whole(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    name = duckdb_type(wanted)
    if given.base in INTEGERS or given.base == "boolean":
        return f"CAST({sql} AS {name})"
    if given.base == "decimal":
        return f"CAST(round({sql}, 0) AS {name})" if given.numbers[1] else f"CAST({sql} AS {name})"
    if given.base in ("real", "double"):
        return f"CAST(round({sql}) AS {name})"
    if given.base == "varchar":
        shown = _NAMES.get(wanted.base, wanted.base.upper())
        return plan.let(
            sql,
            lambda it: (
                f"CAST(CASE WHEN regexp_full_match({it}, {_WHOLE_TEXT}) THEN ltrim({it}, '+') "
                f"WHEN {it} IS NOT NULL THEN {_wrong(it, shown)} END AS {name})"
            ),
        )
    return None


def _to_float(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    name = duckdb_type(wanted)
    if given == DOUBLE and wanted == REAL:
        return plan.call("as_real", [(sql, given)], wanted)
    if given.base in NUMBERS or given.base == "boolean":
        return f"CAST({sql} AS {name})"
    if given.base == "varchar":
        return plan.let(
            sql,
            lambda it: (
                f"CAST(CASE WHEN regexp_full_match({it}, {_NUMBER_TEXT}) "
                f"THEN regexp_replace(trim({it}), '([0-9.])[fFdD]$', '\\1') "
                f"WHEN {it} IS NOT NULL THEN {_wrong(it, wanted.base.upper())} END AS {name})"
            ),
        )
    return None


def _to_decimal(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base in INTEGERS or given.base == "boolean":
        return f"CAST({sql} AS {duckdb_type(wanted)})"
    if given.base == "decimal":
        if given.numbers[1] > wanted.numbers[1]:
            return f"CAST(round({sql}, {wanted.numbers[1]}) AS {duckdb_type(wanted)})"
        return f"CAST({sql} AS {duckdb_type(wanted)})"
    if given.base == "real":
        return plan.call("real_to_decimal", [(sql, given)], wanted)
    if given.base == "double":
        return plan.call("double_to_decimal", [(sql, DOUBLE)], wanted)
    if given.base == "varchar":
        return plan.call("text_to_decimal", [(sql, VARCHAR)], wanted)
    return None


def as_text(sql: str, given: Type, plan: Plan) -> str | None:
    """A value's SQL as text of any length, as CAST writes it; None where Trino has no such cast."""
    if given.base in _TEXTS or given.base == "uuid":
        return sql
    if given.base == "decimal" and given.numbers[0] == given.numbers[1]:
        return plan.call("to_text", [(sql, given)], VARCHAR)  # DuckDB writes no zero before the point
    if given.base in INTEGERS or given.base in ("decimal", "boolean", "date"):
        return f"CAST({sql} AS VARCHAR)"
    if given.base in ("real", "double", "time", "timestamp", ZONED) or given.base.startswith("interval"):
        return plan.call("to_text", [(sql, given)], VARCHAR)
    return None


def _to_varchar(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    written = as_text(sql, given, plan)
    if written is None or wanted.length is None:
        return written
    if given.base in _TEXTS:
        if given.base == "varchar" and given.length is not None and given.length <= wanted.length:
            return written
        return f"left({written}, {wanted.length})"
    return _fitting(written, wanted, plan)


def _fitting(written: str, wanted: Type, plan: Plan) -> str:
    """A text that may not be longer than its type."""

    def checked(it: str) -> str:
        shown = f"'!INVALID_CAST_ARGUMENT: Value ' || {it} || ' cannot be represented as {wanted}!'"
        wrong = f"CAST(CAST({shown} AS INTEGER) AS VARCHAR)"
        return f"CASE WHEN length({it}) > {wanted.length} THEN {wrong} ELSE {it} END"

    return plan.let(written, checked)


def _to_char(sql: str, given: Type, wanted: Type, _: Plan) -> str | None:
    return _padded(sql, wanted) if given.base in _TEXTS else None


def _to_binary(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base == "uuid":
        return plan.call("uuid_to_octets", [(sql, given)], wanted)
    return f"encode({sql})" if given.base == "varchar" else None


def _to_date(sql: str, given: Type, _: Type, plan: Plan) -> str | None:
    if given.base == "timestamp":
        return f"CAST({sql} AS DATE)"
    if given.base == ZONED:
        return f"CAST({local(sql, plan)} AS DATE)"
    return plan.call("text_to_date", [(sql, VARCHAR)], DATE) if given.base == "varchar" else None


def _to_time(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base == "timestamp":
        return f"CAST({sql} AS TIME)"
    if given.base == ZONED:
        return f"CAST({local(sql, plan)} AS TIME)"
    if given.base == "time":
        return plan.call("round_time", [(sql, given)], wanted)
    return plan.call("text_to_time", [(sql, VARCHAR)], wanted) if given.base == "varchar" else None


def _to_timestamp(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base == "date":
        return f"CAST({sql} AS TIMESTAMP)"
    if given.base == ZONED:
        return _rounded(local(sql, plan), given, wanted, plan)
    if given.base == "timestamp":
        return _rounded(sql, given, wanted, plan)
    if given.base == "varchar":
        return plan.call("text_to_timestamp", [(sql, VARCHAR)], wanted)
    return None


def _rounded(sql: str, given: Type, wanted: Type, plan: Plan) -> str:
    if (given.length or 0) <= (wanted.length or 0):
        return sql
    return plan.call("round_timestamp", [(sql, timestamp(given.length or 0))], wanted)


def _to_zoned(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base in ("date", "timestamp"):
        return _zone(sql, given, plan)
    if given.base == ZONED:
        return plan.call("round_zoned", [(sql, given)], wanted)
    if given.base == "varchar":
        return plan.call("text_to_zoned", [(sql, VARCHAR)], wanted)
    return None


def _to_uuid(sql: str, given: Type, wanted: Type, plan: Plan) -> str | None:
    if given.base == "varbinary":
        return plan.call("octets_to_uuid", [(sql, given)], wanted)
    return plan.call("text_to_uuid", [(sql, VARCHAR)], wanted) if given.base == "varchar" else None


_TARGETS = {
    "boolean": _to_boolean,
    "whole": _to_whole,
    "real": _to_float,
    "double": _to_float,
    "decimal": _to_decimal,
    "varchar": _to_varchar,
    "char": _to_char,
    "varbinary": _to_binary,
    "date": _to_date,
    "time": _to_time,
    "timestamp": _to_timestamp,
    ZONED: _to_zoned,
    "uuid": _to_uuid,
}


def local(sql: str, plan: Plan) -> str:
    """The wall clock of a moment in its own zone."""
    return plan.call("wall_clock", [(sql, Type(ZONED, (6,)))], timestamp(6))


def _to_json(sql: str, given: Type, plan: Plan) -> str | None:
    return plan.call("to_json", [(sql, given)], JSON) if _writes_json(given) else None


def _writes_json(kind: Type) -> bool:
    if kind.base == "map":
        keys = ("varchar", "boolean", "decimal", "double", "real", *INTEGERS)
        return kind.inner[0].base in keys and _writes_json(kind.inner[1])
    if kind.inner:
        return all(_writes_json(item) for item in kind.inner)
    return kind.base in ("unknown", "boolean", "varchar", "json", "date", "timestamp", *NUMBERS)


def _reads_json(kind: Type) -> bool:
    if kind.base == "map":
        return kind.inner[0].base in ("varchar", "boolean", "decimal", "double", "real", *INTEGERS) and (
            _reads_json(kind.inner[1])
        )
    if kind.inner:
        return all(_reads_json(item) for item in kind.inner)
    return kind.base in ("boolean", "varchar", "json", *NUMBERS)


def _from_json(sql: str, wanted: Type, plan: Plan) -> str | None:
    if not _reads_json(wanted):
        return None
    read = plan.call("from_json", [(sql, JSON)], wanted)
    return read if wanted.base != "varchar" or wanted.length is None else _fitting(read, wanted, plan)
