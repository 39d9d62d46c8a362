"""Athena's SQL into DuckDB's: names resolved in the catalogue, views expanded, gaps in meaning closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.hive import Hive
from sqlglot.errors import ErrorLevel, OptimizeError, ParseError, SqlglotError, UnsupportedError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import TokenType

from local_stack.athena.catalogue import CATALOG, Catalogue, Column, Table
from local_stack.athena.errors import AthenaError, QueryError, position
from local_stack.athena.functions import AS_IN_DUCKDB, MACRO_FUNCTIONS, RENAMED, TRINO_FUNCTIONS, TRINO_TYPES
from local_stack.athena.types import from_hive, trino_name

INFORMATION_SCHEMA = "information_schema"
"""The schema that every catalogue has, answered from Glue."""

_MAX_VIEW_DEPTH = 20
_MATCHES = frozenset(("all_match", "any_match", "none_match"))
_AVAILABLE = AS_IN_DUCKDB | MACRO_FUNCTIONS | RENAMED.keys() | _MATCHES | {"format_datetime"}
_DATE_PARTS = {
    "DOW": "ISODOW",
    "DAY_OF_WEEK": "ISODOW",
    "DAY_OF_MONTH": "DAY",
    "DAY_OF_YEAR": "DOY",
    "YEAR_OF_WEEK": "ISOYEAR",
    "YOW": "ISOYEAR",
}
# What sqlglot and DuckDB would accept and Trino does not.
_FOREIGN: dict[type[exp.Expr], str] = {
    exp.Qualify: "QUALIFY",
    exp.ILike: "ILIKE",
    exp.Pivot: "PIVOT",
    exp.Glob: "GLOB",
}

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_NUMBERS = ("tinyint", "smallint", "integer", "int", "bigint", "real", "double", "decimal")
_FAMILIES = {
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(("varchar", "char"), "text"),
    **dict.fromkeys(("date", "timestamp"), "moment"),
}

# Falling back to a plain command is how SHOW, EXPLAIN and the like arrive: no news to whoever reads logs.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def parse(sql: str) -> exp.Expr:
    """Read one statement.

    Raises:
        AthenaError: It is not SQL as Athena reads it; refused when the query is started, as Athena does.
        QueryError: It names a type that Athena does not have.
    """
    try:
        _check_types(sql)
        statements = [item for item in sqlglot.parse(sql, dialect="athena") if item is not None]
    except ParseError as error:
        raise _malformed(sql, error) from None
    except SqlglotError as error:
        raise malformed(f"line 1:1: {str(error).splitlines()[0]}") from None
    if len(statements) != 1:
        wrong = "Only one sql statement is allowed" if statements else "line 1:1: mismatched input '<EOF>'"
        raise malformed(f"{wrong}. Got: {sql}" if statements else wrong)
    if not isinstance(statements[0], exp.Command):
        _refuse_foreign(sql, statements[0])
    return statements[0]


def _check_types(sql: str) -> None:
    """Refuse a cast to a type that Athena does not have: sqlglot knows those of all its dialects."""
    in_cast: list[bool] = []
    tokens = sqlglot.tokenize(sql, dialect="athena")
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.token_type == TokenType.L_PAREN:
            in_cast.append(before is not None and before.text.upper() in ("CAST", "TRY_CAST"))
        elif token.token_type == TokenType.R_PAREN and in_cast:
            in_cast.pop()
        named = before is not None and before.token_type == TokenType.ALIAS and in_cast and in_cast[-1]
        if named and token.text.lower() not in TRINO_TYPES:
            at = position(sql, token.start)
            raise QueryError("TYPE_NOT_FOUND", f"Unknown type: {token.text}", at)


def malformed(message: str) -> AthenaError:
    """The refusal of a text that is not SQL."""
    return AthenaError("InvalidRequestException", message)


def _malformed(sql: str, error: ParseError) -> AthenaError:
    first = error.errors[0]
    token = first.get("highlight") or "<EOF>"
    if str(first.get("description", "")).startswith("Required argument"):
        return malformed(f"line 1:1: {first['description']}")
    line, column = first.get("line") or 1, (first.get("col") or 1) - len(token) + 1
    if "SENTINEL" in str(first.get("description")):
        token, (line, column) = "<EOF>", position(sql, len(sql.rstrip()))
    return malformed(f"line {line}:{max(column, 1)}: mismatched input '{token}'")


def _refuse_foreign(sql: str, statement: exp.Expr) -> None:
    foreign = {name for kind, name in _FOREIGN.items() if statement.find(kind)}
    before: TokenType | None = None
    for token in sqlglot.tokenize(sql, dialect="athena"):
        trailing = before == TokenType.COMMA and token.token_type == TokenType.FROM
        before = token.token_type
        if trailing or token.text.upper() in foreign or token.token_type == TokenType.DCOLON:
            line, column = position(sql, token.start)
            raise malformed(f"line {line}:{column}: mismatched input '{token.text}'")


def bind_parameters(statement: exp.Expr, values: list[str]) -> exp.Expr:
    """Put execution parameters in the place of the question marks.

    Args:
        statement: The statement, changed in place.
        values: SQL literals, in order; a text comes with its quotes.

    Raises:
        AthenaError: The numbers differ, or a value is no literal.
    """
    marks = sorted(statement.find_all(exp.Placeholder), key=lambda mark: mark.meta.get("start", 0))
    if len(marks) != len(values):
        raise AthenaError(
            "InvalidRequestException",
            f"Incorrect number of parameters: expected {len(marks)} but found {len(values)}",
        )
    for mark, value in zip(marks, values, strict=True):
        mark.replace(_literal(value))
    return statement


def _literal(value: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse_one(value, dialect="athena")
    except SqlglotError:
        parsed = None
    if parsed is None or isinstance(parsed, exp.Command) or parsed.find(exp.Column, exp.Query):
        raise AthenaError(
            "InvalidRequestException",
            f"The execution parameter {value} is not an SQL literal; texts need single quotes, as in 'GBP'",
        )
    return parsed


@dataclass(frozen=True)
class Scan:
    """One mention of a table.

    Attributes:
        table: The table.
        condition: DuckDB's SQL over the partition columns alone, which every row that counts fulfils.
    """

    table: Table
    condition: str | None = None


class Translator:
    """Turns one query into DuckDB's SQL.

    Attributes:
        scans: What the SQL reads, by the name that it has in DuckDB.
    """

    def __init__(self, catalogue: Catalogue, database: str | None) -> None:
        self._catalogue = catalogue
        self._database = database
        self.scans: dict[str, Scan] = {}

    def translate(self, sql: str, query: exp.Expr) -> str:
        """DuckDB's SQL of a query.

        Args:
            sql: The text that the query was read from, for places in messages.
            query: The query.

        Raises:
            QueryError: Something in it does not exist, or Athena or this stack cannot do it.
        """
        translated = self._expand(sql, query.copy(), self._database, depth=0)
        for select in translated.find_all(exp.Select):
            self._narrow(select)
        try:
            return translated.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
        except UnsupportedError as error:
            raise QueryError("NOT_SUPPORTED", str(error).splitlines()[0]) from None

    def _expand(self, sql: str, query: exp.Expr, database: str | None, depth: int) -> exp.Expr:
        if depth > _MAX_VIEW_DEPTH:
            raise QueryError("VIEW_IS_RECURSIVE", f"Views are nested more than {_MAX_VIEW_DEPTH} deep")
        _check_functions(sql, query)
        try:
            scopes = traverse_scope(query)
        except OptimizeError as error:
            raise QueryError("SYNTAX_ERROR", str(error).splitlines()[0]) from None
        found: dict[int, Table] = {}
        for scope in scopes:
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and id(source) not in found:
                    found[id(source)] = self._resolve(sql, source, database)
        for scope in scopes:
            _check_columns(sql, scope, found)
            _check_comparisons(sql, scope, found)
        _name_columns(query)
        _shorten_columns(query, {(table.database, table.name) for table in found.values()})
        for scope in scopes:
            for source in list(scope.sources.values()):
                if isinstance(source, exp.Table) and id(source) in found:
                    self._place(source, found.pop(id(source)), depth)
        return _adapt(query)

    def _resolve(self, sql: str, source: exp.Table, database: str | None) -> Table:
        at = place(sql, source)
        if not isinstance(source.this, exp.Identifier):
            raise QueryError("FUNCTION_NOT_FOUND", f"Table function '{source.this.name}' not registered", at)
        schema = (source.db or database or "").lower()
        name = source.name.lower()
        if not schema:
            raise QueryError(
                "MISSING_SCHEMA_NAME", "Schema must be specified when session schema is not set", at
            )
        if source.catalog and source.catalog.lower() != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{source.catalog}' does not exist", at)
        if schema == INFORMATION_SCHEMA:
            table = INFORMATION_TABLES.get(name)
        else:
            table = self._catalogue.table(schema, name)
            if table is None and not self._catalogue.has_database(schema):
                raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{schema}' does not exist", at)
        if table is None:
            raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{schema}.{name}' does not exist", at)
        return table

    def _narrow(self, select: exp.Select) -> None:
        """Give the tables of a SELECT what its WHERE says of their partitions.

        DuckDB pushes plain comparisons down by itself, through views too; this is for all else, such as
        functions of a partition column. Beside an outer join a missing row is an answer: nothing is narrowed.
        """
        where, joins = select.args.get("where"), select.args.get("joins") or []
        if where is None or any(join.side or join.kind not in ("", "INNER", "CROSS") for join in joins):
            return
        start = select.args.get("from_")
        sources = [clause.this for clause in ([start] if start else []) + joins]
        for source in sources:
            scan = self.scans.get(source.name) if isinstance(source, exp.Table) else None
            if scan is None or not scan.table.partition_keys:
                continue
            names = {source.alias_or_name.lower()} | ({""} if len(sources) == 1 else set())
            keys = {column.name for column in scan.table.partition_keys}
            parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
            told = [part for part in parts if _speaks_of(part, names, keys)]
            if told:
                name = f"{source.name}#{len(self.scans)}"
                self.scans[name] = Scan(scan.table, " AND ".join(_bare(part) for part in told))
                source.set("this", exp.to_identifier(name, quoted=True))

    def _place(self, source: exp.Table, table: Table, depth: int) -> None:
        """Put a view's query, or the name that a table has in DuckDB, where a table was named."""
        alias = source.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
        if table.view:
            definition = parse(table.view.sql)
            inner = self._expand(table.view.sql, definition, table.view.database, depth + 1)
            source.replace(exp.Subquery(this=inner, alias=alias.copy(), joins=source.args.get("joins")))
            return
        name = f"{table.database}.{table.name}"
        self.scans[name] = Scan(table)
        source.set("this", exp.to_identifier(name, quoted=True))
        source.set("db", None)
        source.set("catalog", None)
        source.set("alias", alias.copy())


def _speaks_of(condition: exp.Expr, names: set[str], keys: set[str]) -> bool:
    """Whether a condition is about the partition columns of one table and nothing else."""
    columns = list(condition.find_all(exp.Column))
    return (
        bool(columns)
        and all(column.table.lower() in names and column.name.lower() in keys for column in columns)
        and not condition.find(exp.Query, exp.Rand, exp.Lambda)
    )


def _bare(condition: exp.Expr) -> str:
    """A condition in DuckDB's SQL, its columns without the table's name."""
    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.set("table", None)
    return f"({copy.sql(dialect='duckdb')})"


def _shorten_columns(query: exp.Expr, tables: set[tuple[str, str]]) -> None:
    """Write ``database.table.column`` as ``table.column``: the database is gone from the tables' names."""
    for column in query.find_all(exp.Column):
        if (column.text("db").lower(), column.table.lower()) in tables:
            column.set("db", None)
            column.set("catalog", None)


def place(sql: str, node: exp.Expr) -> tuple[int, int] | None:
    """Line and column of a node in its text, where sqlglot kept them."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return position(sql, min(starts)) if starts else None


def located(sql: str, error: QueryError) -> QueryError:
    """An error of the engine with the place of what it speaks of, where that stands in the text."""
    for token in sqlglot.tokenize(sql, dialect="athena"):
        if error.about and token.text.lower() == error.about.lower():
            return QueryError(error.name, error.message, position(sql, token.start))
    return error


def _check_functions(sql: str, query: exp.Expr) -> None:
    for call in query.find_all(exp.Func):
        if "start" not in call.meta:
            continue
        name = sql[call.meta["start"] : call.meta["end"] + 1].strip('"').lower()
        at = position(sql, call.meta["start"])
        if not name.isidentifier() or name in ("and", "or", "case", "current_date", "current_timestamp"):
            continue
        if name not in TRINO_FUNCTIONS and not name.startswith(("st_", "current_", "local")):
            raise QueryError("FUNCTION_NOT_FOUND", f"Function '{name}' not registered", at)
        if isinstance(call, exp.Anonymous) and name not in _AVAILABLE:
            raise QueryError(
                "NOT_SUPPORTED", f"Function '{name}' is Athena's, but this stack does not have it", at
            )


def _check_columns(sql: str, scope: Scope, tables: dict[int, Table]) -> None:
    """Refuse a column that no source has; DuckDB would also look among the aliases of the same SELECT."""
    for column in scope.columns:
        # A subquery's own columns are listed here once more: they are looked at in the subquery.
        elsewhere = column.find_ancestor(exp.Select, exp.SetOperation) is not scope.expression
        if elsewhere or column.find_ancestor(exp.Lambda) or isinstance(column.this, exp.Star):
            continue
        known = _visible(scope, column.table.lower(), tables)
        name = column.name.lower()
        if known is None or name in known:
            continue
        if column.table:
            own = _visible(scope, "", tables)
            if own is None or column.table.lower() in own:
                continue  # a field of a row
        elif column.find_ancestor(exp.Order, exp.Query).__class__ is exp.Order and name in _aliases(scope):
            continue
        shown = f"{column.table}.{column.name}" if column.table else column.name
        raise QueryError(
            "COLUMN_NOT_FOUND", f"Column '{shown.lower()}' cannot be resolved", place(sql, column)
        )


def _check_comparisons(sql: str, scope: Scope, tables: dict[int, Table]) -> None:
    """Refuse to compare a column with a value of another kind: DuckDB would make a date of a text."""
    for node in scope.expression.find_all(*_COMPARISONS, exp.Between, exp.In):
        if node.find_ancestor(exp.Select, exp.SetOperation) is not scope.expression:
            continue
        left = _type_of(node.this, scope, tables)
        others = [node.args.get(part) for part in ("expression", "low", "high")] + node.expressions
        for right in (_type_of(other, scope, tables) for other in others if other is not None):
            if left and right and _family(left) != _family(right):
                sign = _COMPARISONS.get(type(node), node.key.upper())
                message = f"Cannot apply operator: {left} {sign} {right}"
                raise QueryError("TYPE_MISMATCH", message, place(sql, node))


def _type_of(node: exp.Expr, scope: Scope, tables: dict[int, Table]) -> str:
    """Trino's name of the type of a column or a literal; nothing where that takes more than a look."""
    if isinstance(node, exp.Literal):
        if node.is_string:
            return f"varchar({len(node.name)})"
        return "decimal" if "." in node.name else "integer"
    if isinstance(node, exp.Boolean):
        return "boolean"
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        return node.to.sql(dialect="athena").lower()
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return ""
    sources = {
        alias: source
        for alias, source in scope.sources.items()
        if not node.table or alias.lower() == node.table.lower()
    }
    if len(sources) != 1:
        return ""
    table = tables.get(id(next(iter(sources.values()))))
    columns = table.all_columns if table else ()
    declared = next((column.type for column in columns if column.name == node.name.lower()), "")
    return trino_name(from_hive(declared)) if declared else ""


def _family(kind: str) -> str:
    """What may be compared with each other without a cast."""
    name = kind.partition("(")[0].strip()
    return _FAMILIES.get(name, name)


def _aliases(scope: Scope) -> set[str]:
    selected = scope.expression.named_selects if isinstance(scope.expression, exp.Query) else []
    return {name.lower() for name in selected}


def _visible(scope: Scope | None, source: str, tables: dict[int, Table]) -> set[str] | None:
    """Names that a column may have in a scope, its surroundings included; None where that is not known."""
    names: set[str] = set()
    while scope is not None:
        for alias, found in scope.sources.items():
            if source and alias.lower() != source:
                continue
            columns = _columns_of(found, tables)
            if columns is None:
                return None
            names.update(columns)
        scope = scope.parent
    return names


def _columns_of(source: exp.Expr | Scope, tables: dict[int, Table]) -> set[str] | None:
    if isinstance(source, exp.Table):
        alias = source.args.get("alias")
        if alias is not None and alias.columns:
            return {column.name.lower() for column in alias.columns}
        table = tables.get(id(source))
        return {column.name for column in table.all_columns} if table else None
    if not isinstance(source, Scope):
        return None
    query = source.expression
    if isinstance(query, exp.Unnest):
        offset = query.args.get("offset")
        names = {name.lower() for name in source.outer_columns}
        return names | {offset.name.lower()} if isinstance(offset, exp.Identifier) else names or None
    if source.outer_columns:
        return {name.lower() for name in source.outer_columns}
    if not isinstance(query, exp.Query) or isinstance(query, exp.Values):
        return None
    names = {name.lower() for name in query.named_selects}
    if query.is_star:
        inner = _visible_here(source, tables) if isinstance(query, exp.Select) else None
        return names | inner if inner is not None else None
    return names


def _visible_here(scope: Scope, tables: dict[int, Table]) -> set[str] | None:
    found = [_columns_of(source, tables) for source in scope.sources.values()]
    known = [columns for columns in found if columns is not None]
    return set().union(*known) if len(known) == len(found) else None


def _name_columns(query: exp.Expr) -> None:
    """Give columns without a name the one that Trino gives: ``_col`` and the place."""
    for select in query.find_all(exp.Select):
        for index, item in enumerate(select.expressions):
            if not isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Dot) and not item.is_star:
                # Not a copy: the scopes found before hold on to the tables inside.
                named = exp.Alias(alias=exp.to_identifier(f"_col{index}"))
                item.replace(named)
                named.set("this", item)


def _adapt(query: exp.Expr) -> exp.Expr:
    """Close the gaps between Trino and what sqlglot writes for DuckDB, innermost expressions first."""
    _split_averages(query)
    for node in reversed(list(query.walk())):
        for kind, change in _CHANGES:
            if isinstance(node, kind):
                changed = change(node)
                if changed is not node:
                    node.replace(changed)
                break
    return query


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _division(node: Any) -> exp.Expr:
    return _call("trino_div", node.this, node.expression)


def _modulus(node: Any) -> exp.Expr:
    return _call("trino_mod", node.this, node.expression)


def _split_averages(query: exp.Expr) -> None:
    """Make ``avg(x)``, its FILTER and OVER included, a sum and a count: then decimals stay exact."""
    for average in reversed(list(query.find_all(exp.Avg))):
        whole: exp.Expr = average
        while isinstance(whole.parent, exp.Filter | exp.Window) and whole.parent.this is whole:
            whole = whole.parent
        whole.replace(
            _call("trino_avg", _instead_of_average(whole, exp.Sum), _instead_of_average(whole, exp.Count))
        )


def _instead_of_average(whole: exp.Expr, kind: type[exp.Expr]) -> exp.Expr:
    copy = whole.copy()
    core = copy
    while isinstance(core, exp.Filter | exp.Window):
        core = core.this
    other = kind(this=core.this)
    if core is copy:
        return other
    core.replace(other)
    return copy


def _round(node: Any) -> exp.Expr:
    return _call("trino_round", node.this, *_present(node.args.get("decimals")))


def _sequence(node: Any) -> exp.Expr:
    start, step = node.args["start"], node.args.get("step")
    if step is None and (isinstance(start, exp.Date | exp.CurrentDate) or start.is_type("date")):
        step = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY"))
    return _call("trino_sequence", start, node.args["end"], *_present(step))


def _present(*nodes: exp.Expr | None) -> Iterator[exp.Expr]:
    return (node for node in nodes if node is not None)


def _date_difference(node: Any) -> exp.Expr:
    """Trino counts whole units that have passed, which is DuckDB's ``date_sub``."""
    unit = exp.Literal.string(node.text("unit").lower() or "day")
    return _call("date_sub", unit, node.expression, node.this)


def _keep_date(node: Any) -> exp.Expr:
    """A date plus an interval is a date again, not a timestamp."""
    day, interval = (node.this, node.expression)
    if isinstance(day, exp.Interval) and not isinstance(interval, exp.Interval):
        day, interval = interval, day
    dated = isinstance(node, exp.DateAdd) or isinstance(interval, exp.Interval)
    if not dated or isinstance(day, exp.Interval):
        return node  # type: ignore[no-any-return]
    return exp.Anonymous(this="cast_to_type", expressions=[node.copy(), day.copy()])


def _keep_type(node: Any) -> exp.Expr:
    """A timestamp that is cut to the month stays a timestamp, where DuckDB makes it a date."""
    return exp.Anonymous(this="cast_to_type", expressions=[node.copy(), node.this.copy()])


def _cast(node: Any) -> exp.Expr:
    wanted: exp.DataType = node.to
    if wanted.is_type("timestamp") and wanted.expressions:
        wanted.set("expressions", [])  # a precision would make it another type in DuckDB
    elif wanted.is_type("decimal") and not wanted.expressions:
        wanted.set("expressions", _digits(node.this))
    elif type(node) is exp.Cast and wanted.is_type("varchar", "text"):
        text = _call("trino_varchar", node.this)
        return _call("left", text, wanted.expressions[0].this) if wanted.expressions else text
    elif type(node) is exp.Cast and wanted.is_type(*exp.DataType.INTEGER_TYPES):
        node.set("this", _call("trino_half_up", node.this))
    return node  # type: ignore[no-any-return]


def _digits(value: exp.Expr) -> list[exp.Expr]:
    """Precision and scale of a bare ``decimal``: the literal's own digits, else those of Trino's default."""
    precision, scale = 38, 0
    if isinstance(value, exp.Literal):
        whole, _, fraction = value.name.lstrip("+-").partition(".")
        precision, scale = max(len(whole) + len(fraction), 1), len(fraction)
    return [exp.DataTypeParam(this=exp.Literal.number(number)) for number in (precision, scale)]


def _renamed(name: str, *parts: str) -> Callable[[Any], exp.Expr]:
    """The change of a node into a call with some of its parts."""
    return lambda node: _call(name, *_present(*(node.args.get(part) for part in parts)))


def _regexp_replace(node: Any) -> exp.Expr:
    replacement = node.args.get("replacement")
    if replacement is not None:
        node.set("replacement", _call("trino_replacement", replacement))
    return node  # type: ignore[no-any-return]


def _format(node: Any) -> exp.Expr:
    return _call("printf", node.this, *node.expressions)


def _reduce(node: Any) -> exp.Expr:
    finish = node.args.get("finish")
    if isinstance(finish, exp.Lambda) and finish.this.name == finish.expressions[0].name:
        node.set("finish", None)  # the usual ``s -> s``
    return node  # type: ignore[no-any-return]


def _match(node: exp.Anonymous) -> exp.Expr:
    """``any_match`` and its kin, from a list of truths."""
    array, test = node.expressions
    every = node.name.lower() == "all_match"
    truths = exp.Transform(this=array.copy(), expression=test.copy())
    joined = _call("list_aggregate", truths, exp.Literal.string("bool_and" if every else "bool_or"))
    answer = exp.Coalesce(this=joined, expressions=[exp.Boolean(this=every)])
    return exp.Not(this=answer) if node.name.lower() == "none_match" else answer


def _extract(node: Any) -> exp.Expr:
    part = _DATE_PARTS.get(node.name.upper())
    if part:
        node.set("this", exp.var(part))
    return node  # type: ignore[no-any-return]


def _anonymous(node: Any) -> exp.Expr:
    name = node.name.lower()
    if name in _MATCHES:
        return _match(node)
    if name == "format_datetime":
        moment, form = node.expressions
        if not form.is_string:
            raise QueryError("NOT_SUPPORTED", "format_datetime needs its format as a literal in this stack")
        pattern = Hive().format_time(form) or form
        return exp.TimeToStr(this=moment.copy(), format=exp.Literal.string(pattern.name))
    if name in RENAMED:
        node.set("this", RENAMED[name])
    return node  # type: ignore[no-any-return]


_CHANGES: list[tuple[type[exp.Expr], Any]] = [
    (exp.Div, _division),
    (exp.Mod, _modulus),
    (exp.Round, _round),
    (exp.GenerateSeries, _sequence),
    (exp.DateDiff, _date_difference),
    (exp.DateAdd, _keep_date),
    (exp.Add, _keep_date),
    (exp.Sub, _keep_date),
    (exp.Cast, _cast),
    (exp.Extract, _extract),
    (exp.TimestampTrunc, _keep_type),
    (exp.DateTrunc, _keep_type),
    (exp.ArrayDistinct, _renamed("trino_distinct", "this")),
    (exp.ArraySlice, _renamed("trino_slice", "this", "start", "end")),
    (exp.Repeat, _renamed("trino_repeat", "this", "times")),
    (exp.SplitPart, _renamed("trino_split_part", "this", "delimiter", "part_index")),
    (exp.RegexpExtract, _renamed("trino_regexp_extract", "this", "expression", "group")),
    (exp.RegexpReplace, _regexp_replace),
    (exp.Typeof, _renamed("trino_typeof", "this")),
    (exp.Format, _format),
    (exp.Reduce, _reduce),
    (exp.Anonymous, _anonymous),
]


def _information_table(name: str, columns: Iterable[str]) -> Table:
    return Table(INFORMATION_SCHEMA, name, tuple(Column(*column.split(":")) for column in columns))


INFORMATION_TABLES = {
    "schemata": _information_table("schemata", ["catalog_name:string", "schema_name:string"]),
    "tables": _information_table(
        "tables", ["table_catalog:string", "table_schema:string", "table_name:string", "table_type:string"]
    ),
    "views": _information_table(
        "views",
        ["table_catalog:string", "table_schema:string", "table_name:string", "view_definition:string"],
    ),
    "columns": _information_table(
        "columns",
        [
            "table_catalog:string",
            "table_schema:string",
            "table_name:string",
            "column_name:string",
            "ordinal_position:bigint",
            "column_default:string",
            "is_nullable:string",
            "data_type:string",
            "comment:string",
        ],
    ),
}
"""The tables of ``information_schema``."""
