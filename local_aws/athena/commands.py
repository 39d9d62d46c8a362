"""The grammar of all statements but queries: those that write, and Hive's for databases and tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local_aws.athena.query_errors import QueryError, position
from local_aws.athena.syntax import Node, Parser
from local_aws.athena.typenames import read_hive_type

_ICEBERG = ("DELETE", "UPDATE", "MERGE", "OPTIMIZE", "VACUUM")


def command(parser: Parser) -> Node:
    """The statement that is next.

    Raises:
        AthenaError: It is none that Athena knows.
        QueryError: It is one that has no meaning here.
    """
    word = parser.token.upper
    if word in _ICEBERG:
        return _for_iceberg(parser)
    read = _STATEMENTS.get(word)
    if read is None:
        parser.fail()
    return read(parser)


def _for_iceberg(parser: Parser) -> Node:
    token = parser.token
    while parser.token.kind != "end" and not parser.sees(";"):
        parser.take()
    return Node("Iceberg", token.start, word=token.upper)


def _options(parser: Parser) -> dict[str, Node]:
    found: dict[str, Node] = {}

    def option() -> None:
        name = parser.identifier()
        parser.expect("=")
        found[name] = parser.expression()

    parser.enclosed(option)
    return found


def _explain(parser: Parser) -> Node:
    pos = parser.take().start
    if parser.accept("ANALYZE"):
        parser.accept("VERBOSE")
        analyze = True
    else:
        analyze = False
    form, kind = "TEXT", "LOGICAL"
    if parser.sees("(") and parser.ahead().upper in ("TYPE", "FORMAT"):
        parser.expect("(")
        for place in range(2):
            if place and not parser.accept(","):
                break
            word = parser.take().upper
            value = parser.take().upper
            if value not in {"TYPE": ("LOGICAL", "DISTRIBUTED", "VALIDATE", "IO")}.get(
                word, ("TEXT", "JSON", "GRAPHVIZ")
            ):
                parser.fail()
            form, kind = (value, kind) if word == "FORMAT" else (form, value)
        parser.expect(")")
    if not parser._begins_query():  # noqa: SLF001  # one grammar in two modules
        at, word = position(parser.sql, parser.token.start), parser.token.upper
        command(parser)
        raise QueryError("NOT_SUPPORTED", f"EXPLAIN {word} is not supported here", at)
    return Node("Explain", pos, analyze=analyze, form=form, type=kind, query=parser.query())


def _prepare(parser: Parser) -> Node:
    pos = parser.take().start
    name = parser.written_identifier()
    parser.expect("FROM")
    start = parser.token.start
    statement = parser.query() if parser._begins_query() else command(parser)  # noqa: SLF001  # one grammar
    return Node("Prepare", pos, name=name, statement=statement, start=start)


def _execute(parser: Parser) -> Node:
    pos = parser.take().start
    name = parser.written_identifier()
    values: list[str] = []
    if parser.accept("USING"):

        def value() -> str:
            start = parser.token.start
            parser.expression()
            return parser.sql[start : parser.before]

        values = parser.listed(value)
    return Node("Execute", pos, name=name, values=values)


def _deallocate(parser: Parser) -> Node:
    pos = parser.take().start
    parser.expect("PREPARE")
    return Node("Deallocate", pos, name=parser.written_identifier())


def _unload(parser: Parser) -> Node:
    pos = parser.take().start
    parser.expect("(")
    query = parser.query()
    parser.expect(")", "TO")
    location = parser.string()
    options = _options(parser) if parser.accept("WITH") else {}
    return Node("Unload", pos, query=query, location=location, options=options)


def _insert(parser: Parser) -> Node:
    pos = parser.take().start
    parser.expect("INTO")
    target = Node("Table", parser.token.start, parts=parser.qualified())
    columns: list[str] = []
    if parser.sees("(") and not parser._begins_query():  # noqa: SLF001  # one grammar in two modules
        columns = parser.enclosed(parser.identifier)
    return Node("Insert", pos, target=target, columns=columns, query=parser.query())


def _create(parser: Parser) -> Node:
    pos = parser.take().start
    replace = parser.accept("OR", "REPLACE")
    if parser.accept("VIEW"):
        return _create_view(parser, pos, replace=replace)
    if replace:
        parser.fail()
    if parser.accept("EXTERNAL"):
        parser.expect("TABLE")
        return _create_external(parser, pos)
    if parser.sees("DATABASE", "SCHEMA"):
        at = position(parser.sql, parser.token.start)
        raise QueryError("NOT_SUPPORTED", "CREATE DATABASE is not run here: databases are deployed", at)
    parser.expect("TABLE")
    exists = parser.accept("IF", "NOT", "EXISTS")
    target = Node("Table", parser.token.start, parts=parser.qualified())
    if parser.sees("("):
        at = position(parser.sql, pos)
        raise QueryError(
            "NOT_SUPPORTED",
            "CREATE TABLE without EXTERNAL is for Iceberg tables alone, and this lake has none",
            at,
        )
    options = _options(parser) if parser.accept("WITH") else {}
    parser.expect("AS")
    query = parser.query()
    data = True
    if parser.accept("WITH"):
        data = not parser.accept("NO")
        parser.expect("DATA")
    return Node("CreateTableAs", pos, target=target, exists=exists, options=options, query=query, data=data)


def _create_view(parser: Parser, pos: int, *, replace: bool) -> Node:
    target = Node("Table", parser.token.start, parts=parser.qualified())
    parser.expect("AS")
    start = parser.token.start
    query = parser.query()
    text = parser.sql[start : parser.before]
    return Node("CreateView", pos, target=target, replace=replace, query=query, text=text)


def _hive_column(parser: Parser) -> tuple[str, str, str]:
    name = parser.identifier(hive=True)
    parser.accept(":")
    start = parser.token.start
    read_hive_type(parser)
    declared = "".join(parser.sql[start : parser.before].split()).lower()
    comment = _hive_string(parser) if parser.accept("COMMENT") else ""
    return name, declared, comment


def _string_pairs(parser: Parser) -> dict[str, str]:
    found: dict[str, str] = {}

    def pair() -> None:
        name = _hive_string(parser)
        parser.expect("=")
        found[name] = _hive_string(parser)

    parser.enclosed(pair)
    return found


def _create_external(parser: Parser, pos: int) -> Node:
    exists = parser.accept("IF", "NOT", "EXISTS")
    target = Node("Table", parser.token.start, parts=parser.qualified(hive=True))
    columns = parser.enclosed(lambda: _hive_column(parser)) if parser.sees("(") else []
    node = Node(
        "CreateExternal",
        pos,
        target=target,
        exists=exists,
        columns=columns,
        comment="",
        keys=[],
        serde="",
        serde_properties={},
        delimiters={},
        stored="",
        formats=(),
        location="",
        properties={},
    )
    clauses: list[tuple[tuple[str, ...], Callable[[Parser, Node], None]]] = [
        (("COMMENT",), _external_comment),
        (("PARTITIONED", "BY"), _external_keys),
        (("CLUSTERED", "BY"), _external_buckets),
        (("ROW", "FORMAT"), _row_format),
        (("WITH", "SERDEPROPERTIES"), _external_serde),
        (("STORED", "AS"), _stored_as),
        (("LOCATION",), _external_location),
        (("TBLPROPERTIES",), _external_properties),
    ]
    for words, read in clauses:
        if parser.accept(*words):
            read(parser, node)
    return node


def _external_comment(parser: Parser, node: Node) -> None:
    node.comment = _hive_string(parser)


def _external_keys(parser: Parser, node: Node) -> None:
    node.keys = parser.enclosed(lambda: _hive_column(parser))


def _external_buckets(parser: Parser, node: Node) -> None:
    at = position(parser.sql, node.pos)
    raise QueryError("NOT_SUPPORTED", "CLUSTERED BY of a table by hand is not supported here", at)


def _row_format(parser: Parser, node: Node) -> None:
    if parser.accept("SERDE"):
        node.serde = _hive_string(parser)
        return
    parser.expect("DELIMITED")
    endings: list[tuple[tuple[str, ...], str]] = [
        (("FIELDS", "TERMINATED", "BY"), "field.delim"),
        (("ESCAPED", "BY"), "escape.delim"),
        (("COLLECTION", "ITEMS", "TERMINATED", "BY"), "collection.delim"),
        (("MAP", "KEYS", "TERMINATED", "BY"), "mapkey.delim"),
        (("LINES", "TERMINATED", "BY"), "line.delim"),
        (("NULL", "DEFINED", "AS"), "serialization.null.format"),
    ]
    node.serde = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    for words, name in endings:
        if parser.accept(*words):
            node.delimiters[name] = _hive_string(parser)


_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|[01][0-7]{2}|.)", re.DOTALL)
_SIGNS = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


def _hive_string(parser: Parser) -> str:
    """A text of Hive's DDL, in either kind of quotes, with its escapes read."""
    if parser.token.kind == "quoted":
        return _ESCAPED.sub(_sign, parser.take().text[1:-1])
    return _ESCAPED.sub(_sign, parser.string())


def _sign(escaped: re.Match[str]) -> str:
    text = escaped[1]
    if len(text) > 1:
        return chr(int(text[1:], 16) if text[0] == "u" else int(text, 8))
    return escaped[0] if text in "%_" else _SIGNS.get(text, text)


def _external_serde(parser: Parser, node: Node) -> None:
    node.serde_properties = _string_pairs(parser)


def _stored_as(parser: Parser, node: Node) -> None:
    if parser.accept("INPUTFORMAT"):
        first = _hive_string(parser)
        parser.expect("OUTPUTFORMAT")
        node.formats = (first, _hive_string(parser))
        return
    node.stored = parser.identifier(hive=True).upper()


def _external_location(parser: Parser, node: Node) -> None:
    node.location = _hive_string(parser)


def _external_properties(parser: Parser, node: Node) -> None:
    node.properties = _string_pairs(parser)


def _drop(parser: Parser) -> Node:
    pos = parser.take().start
    kind = parser.token.upper
    if kind in ("DATABASE", "SCHEMA"):
        raise QueryError(
            "NOT_SUPPORTED", f"DROP {kind} is not run here: databases are deployed", position(parser.sql, pos)
        )
    if kind not in ("TABLE", "VIEW"):
        parser.fail()
    parser.take()
    exists = parser.accept("IF", "EXISTS")
    # Views are Trino's, with its quotes, tables are Hive's.
    target = Node("Table", parser.token.start, parts=parser.qualified(hive=kind == "TABLE"))
    return Node("Drop", pos, table=kind == "TABLE", target=target, exists=exists)


def _partition_spec(parser: Parser) -> dict[str, str]:
    found: dict[str, str] = {}

    def pair() -> None:
        name = parser.identifier(hive=True)
        parser.expect("=")
        token = parser.token
        found[name] = parser.string() if token.kind == "string" else parser.take().text

    parser.enclosed(pair)
    return found


def _alter(parser: Parser) -> Node:
    pos = parser.take().start
    if parser.sees("DATABASE", "SCHEMA"):
        raise QueryError("NOT_SUPPORTED", "ALTER DATABASE is not run here", position(parser.sql, pos))
    parser.expect("TABLE")
    target = Node("Table", parser.token.start, parts=parser.qualified(hive=True))
    node = Node(
        "Alter", pos, target=target, action="", partitions=[], columns=[], properties={}, exists=False
    )
    if parser.accept("PARTITION"):
        _alter_partition(parser, node)
    elif parser.sees("ADD", "DROP") and parser.ahead().upper != "COLUMNS":
        _alter_partitions(parser, node)
    else:
        _alter_table(parser, node)
    return node


def _alter_table(parser: Parser, node: Node) -> None:
    if parser.accept("ADD", "COLUMNS"):
        node.action, node.columns = "columns", parser.enclosed(lambda: _hive_column(parser))
    elif parser.accept("REPLACE", "COLUMNS"):
        node.action, node.columns = "replace", parser.enclosed(lambda: _hive_column(parser))
    elif parser.accept("SET", "LOCATION"):
        node.action, node.location = "location", _hive_string(parser)
    elif parser.accept("SET", "TBLPROPERTIES"):
        node.action, node.properties = "properties", _string_pairs(parser)
    else:
        at = position(parser.sql, parser.token.start)
        raise QueryError("NOT_SUPPORTED", f"ALTER TABLE … {parser.token.text} is not supported here", at)


def _alter_partitions(parser: Parser, node: Node) -> None:
    if parser.accept("ADD"):
        node.action, node.exists = "add", parser.accept("IF", "NOT", "EXISTS")
        while parser.accept("PARTITION"):
            spec = _partition_spec(parser)
            node.partitions.append((spec, parser.string() if parser.accept("LOCATION") else ""))
        if not node.partitions:
            parser.fail()
        return
    parser.expect("DROP")
    node.action, node.exists = "drop", parser.accept("IF", "EXISTS")

    def dropped() -> None:
        parser.expect("PARTITION")
        node.partitions.append((_partition_spec(parser), ""))

    parser.listed(dropped)


def _alter_partition(parser: Parser, node: Node) -> None:
    """What is changed of one partition: its place, or the values that name it."""
    node.partitions.append((_partition_spec(parser), ""))
    if parser.accept("SET", "LOCATION"):
        node.action, node.location = "location", _hive_string(parser)
    elif parser.accept("RENAME", "TO", "PARTITION"):
        node.action = "rename"
        node.partitions.append((_partition_spec(parser), ""))
    else:
        at, word = position(parser.sql, parser.token.start), parser.token.text
        raise QueryError("NOT_SUPPORTED", f"ALTER TABLE … PARTITION … {word} is not supported here", at)


def _msck(parser: Parser) -> Node:
    pos = parser.take().start
    parser.expect("REPAIR")
    parser.accept("TABLE")
    return Node("Msck", pos, target=Node("Table", parser.token.start, parts=parser.qualified(hive=True)))


def _describe(parser: Parser) -> Node:
    pos = parser.take().start
    if parser.sees("INPUT", "OUTPUT", "DATABASE", "SCHEMA") and parser.ahead().kind in ("word", "quoted"):
        raise QueryError(
            "NOT_SUPPORTED", f"DESCRIBE {parser.token.upper} is not supported here", position(parser.sql, pos)
        )
    detail = parser.take().upper if parser.sees("EXTENDED", "FORMATTED") else ""
    parser.accept("TABLE")
    target = Node("Table", parser.token.start, parts=parser.qualified(hive=True))
    partition = _partition_spec(parser) if parser.accept("PARTITION") else {}
    column = parser.identifier(hive=True) if parser.token.kind in ("word", "backquoted") else ""
    return Node("Describe", pos, target=target, detail=detail, partition=partition, column=column)


def _show(parser: Parser) -> Node:
    pos = parser.take().start
    word = parser.take().upper
    node = Node("Show", pos, what=word.lower(), target=None, database="", pattern=None)
    read = _SHOWS.get(word)
    if read is None:
        raise QueryError("NOT_SUPPORTED", f"SHOW {word} is not supported here", position(parser.sql, pos))
    read(parser, node)
    return node


def _show_databases(parser: Parser, node: Node) -> None:
    node.what = "databases"
    if parser.accept("LIKE"):
        node.pattern = parser.string()


def _show_tables(parser: Parser, node: Node) -> None:
    if parser.accept("IN") or parser.accept("FROM"):
        node.database = parser.identifier(hive=True)
    parser.accept("LIKE")
    if parser.token.kind == "string":
        node.pattern = parser.string()


def _table_name(parser: Parser) -> Node:
    return Node("Table", parser.token.start, parts=parser.qualified(hive=True))


def _show_columns(parser: Parser, node: Node) -> None:
    if not parser.accept("IN"):
        parser.expect("FROM")
    node.target = _table_name(parser)
    if parser.accept("IN") or parser.accept("FROM"):
        node.target.parts = [parser.identifier(hive=True), *node.target.parts]


def _show_create(parser: Parser, node: Node) -> None:
    node.view = parser.accept("VIEW")
    if not node.view:
        parser.expect("TABLE")
    hive = not (node.view and parser.token.kind == "quoted")
    node.target = Node("Table", parser.token.start, parts=parser.qualified(hive=hive))


def _show_partitions(parser: Parser, node: Node) -> None:
    node.target = _table_name(parser)


def _show_properties(parser: Parser, node: Node) -> None:
    node.target = _table_name(parser)
    if parser.sees("("):
        node.pattern = parser.enclosed(lambda: _hive_string(parser))[0]


_SHOWS: dict[str, Callable[[Parser, Node], None]] = {
    "DATABASES": _show_databases,
    "SCHEMAS": _show_databases,
    "TABLES": _show_tables,
    "VIEWS": _show_tables,
    "COLUMNS": _show_columns,
    "CREATE": _show_create,
    "PARTITIONS": _show_partitions,
    "TBLPROPERTIES": _show_properties,
}
_STATEMENTS: dict[str, Callable[[Parser], Node]] = {
    "EXPLAIN": _explain,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
    "UNLOAD": _unload,
    "INSERT": _insert,
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "MSCK": _msck,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "SHOW": _show,
}

_SUBSTATEMENTS: dict[str, tuple[str, str]] = {
    "Query": ("DML", "SELECT"),
    "Insert": ("DML", "INSERT"),
    "Unload": ("DML", "UNLOAD"),
    "CreateTableAs": ("DDL", "CREATE_TABLE_AS_SELECT"),
    "CreateView": ("DDL", "CREATE_VIEW"),
    "CreateExternal": ("DDL", "CREATE_TABLE"),
    "Alter": ("DDL", "ALTER_TABLE"),
    "Msck": ("DDL", "MSCK_REPAIR"),
    "Prepare": ("DDL", "PREPARE"),
    "Deallocate": ("DDL", "DEALLOCATE"),
    "Describe": ("UTILITY", "DESCRIBE_TABLE"),
    "Show": ("UTILITY", "SHOW"),
    "Explain": ("UTILITY", "EXPLAIN"),
    "Iceberg": ("DML", ""),
}


_BEGINNINGS = {
    **dict.fromkeys(("CREATE", "DROP", "ALTER", "MSCK", "PREPARE", "DEALLOCATE"), "DDL"),
    **dict.fromkeys(("SHOW", "DESCRIBE", "DESC", "EXPLAIN"), "UTILITY"),
}
"""What statements are that are refused before they are read to their end, by their first word."""


def kind_of(statement: Node) -> tuple[str, str]:
    """``StatementType`` and ``SubstatementType`` as GetQueryExecution tells them."""
    if statement.kind == "Drop":
        return "DDL", "DROP_TABLE" if statement.table else "DROP_VIEW"
    begins = str(statement.word or "").upper()
    kind, word = _SUBSTATEMENTS.get(statement.kind, (_BEGINNINGS.get(begins, "DML"), begins))
    return kind, word or begins


def option_value(node: Node) -> Any:
    """The value of an option of WITH: a text, a number, a truth, or a list of texts.

    Raises:
        ValueError: It is none.
    """
    if node.kind in ("String", "Integer", "Boolean"):
        return node.value
    if node.kind == "Array":
        return [option_value(item) for item in node.items]
    raise ValueError("an option is a text, a number, a truth, or an ARRAY of texts")
