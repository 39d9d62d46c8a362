"""Trino's grammar as Athena takes it: a statement's text as a tree, or the place where it is none.

Everything that the grammar does not name is refused, so no text is ever dropped on the way to the tree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from local_aws.athena.query_errors import AthenaError, QueryError, position
from local_aws.athena.tokens import Token, malformed, mismatched, text_of, tokenize

LARGEST_STATEMENT = 262_144
"""Bytes that a statement may have in Athena."""

DEEPEST = 120
"""Parentheses, calls and subqueries that may stand inside of each other."""

# A level of nesting takes some twenty calls to read and as many to translate.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 100 * DEEPEST))

RESERVED = frozenset(
    [
        "ALTER",
        "AND",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CONSTRAINT",
        "CREATE",
        "CROSS",
        "CUBE",
        "CURRENT_CATALOG",
        "CURRENT_DATE",
        "CURRENT_PATH",
        "CURRENT_ROLE",
        "CURRENT_SCHEMA",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DEALLOCATE",
        "DELETE",
        "DESCRIBE",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXECUTE",
        "EXISTS",
        "EXTRACT",
        "FALSE",
        "FOR",
        "FROM",
        "FULL",
        "GROUP",
        "GROUPING",
        "HAVING",
        "IN",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "JSON_ARRAY",
        "JSON_EXISTS",
        "JSON_OBJECT",
        "JSON_QUERY",
        "JSON_VALUE",
        "LEFT",
        "LIKE",
        "LISTAGG",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "NATURAL",
        "NORMALIZE",
        "NOT",
        "NULL",
        "ON",
        "OR",
        "ORDER",
        "OUTER",
        "PREPARE",
        "RECURSIVE",
        "RIGHT",
        "ROLLUP",
        "SELECT",
        "SKIP",
        "TABLE",
        "THEN",
        "TRIM",
        "TRUE",
        "UESCAPE",
        "UNION",
        "UNNEST",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WITH",
    ]
)
_NOT_AN_ALIAS = frozenset(("LIMIT", "OFFSET", "FETCH", "WINDOW", "TABLESAMPLE", "MATCH_RECOGNIZE"))
_COMPARISONS = ("=", "<>", "!=", "<", "<=", ">", ">=")
_MOMENTS = ("CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP")
_SESSION = ("CURRENT_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_PATH", "CURRENT_ROLE")
_JSON = ("JSON_ARRAY", "JSON_OBJECT", "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS")
_INTERVAL_FIELDS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


class Node:
    """A node of the tree: its kind, the offset of its text, and its parts as attributes."""

    def __init__(self, kind: str, pos: int, **parts: Any) -> None:
        self.kind = kind
        self.pos = pos
        self.__dict__.update(parts)

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            """A part may be set later."""

    def __getattr__(self, name: str) -> Any:
        """A part that this kind of node need not have."""
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def children(self) -> list[Node]:
        """The nodes right below, in the order of the text."""
        found: list[Node] = []
        for part in self.__dict__.values():
            _collect(part, found)
        return found

    def walk(self) -> list[Node]:
        """This node and all below it."""
        found, waiting = [], [self]
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting.extend(node.children())
        return found


def _collect(part: Any, found: list[Node]) -> None:
    if isinstance(part, Node):
        found.append(part)
    elif isinstance(part, list | tuple):
        for item in part:
            _collect(item, found)


def parse(sql: str) -> Node:
    """Read one statement.

    Raises:
        AthenaError: It is not SQL as Athena reads it; refused when the query is started, as Athena does.
        QueryError: It is longer or nested deeper than may be.
    """
    size = len(sql.encode("utf-8", "surrogatepass"))
    if size > LARGEST_STATEMENT:
        raise malformed(
            f"The query string has {size:,} bytes; a statement has {LARGEST_STATEMENT:,} bytes at most"
        )
    return Parser(sql).statement()


def parse_literal(text: str) -> Node:
    """Read the value of a parameter: an expression that names no column and asks no query.

    Raises:
        AthenaError: It is none.
    """
    try:
        parser = Parser(text)
        value = parser.expression()
        parser.end()
    except (AthenaError, QueryError):
        raise _no_literal(text) from None
    if any(node.kind in ("Name", "Subquery", "Exists", "Parameter", "Lambda") for node in value.walk()):
        raise _no_literal(text)
    return value


def _no_literal(text: str) -> AthenaError:
    return malformed(
        f"The execution parameter {text} is not an SQL literal; texts need single quotes, as in 'GBP'"
    )


class Parser:
    """Reads a text by recursive descent; one method for each rule of the grammar."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = tokenize(sql)
        self._at = 0
        self._depth = 0

    # --- tokens --------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The token that is next."""
        return self._tokens[self._at]

    @property
    def before(self) -> int:
        """The offset behind the token that was passed last."""
        return self._tokens[self._at - 1].end if self._at else 0

    def ahead(self, places: int = 1) -> Token:
        """A token behind the next one."""
        return self._tokens[min(self._at + places, len(self._tokens) - 1)]

    def fail(self) -> NoReturn:
        """Refuse the next token."""
        raise mismatched(self.sql, self.token)

    def take(self) -> Token:
        """The next token, passed."""
        token = self.token
        if token.kind != "end":
            self._at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Pass some words or signs where they are the next ones."""
        if all(self.ahead(place).upper == word for place, word in enumerate(words)):
            self._at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Pass words or signs that must be the next ones."""
        for word in words:
            if self.token.upper != word:
                self.fail()
            self._at += 1

    def sees(self, *words: str) -> bool:
        """Whether the next token is one of some words or signs."""
        return self.token.upper in words

    def end(self) -> None:
        """Require that the text ends here, but for one semicolon."""
        before = self._at
        self.accept(";")
        if self.token.kind != "end":
            if self._at > before:
                raise malformed(f"Only one sql statement is allowed. Got: {self.sql}")
            self.fail()

    def identifier(self, *, hive: bool = False) -> str:
        """A name, in lower case as Trino compares them; what was written stays in ``written``."""
        return self.written_identifier(hive=hive).lower()

    def written_identifier(self, *, hive: bool = False) -> str:
        """A name as it was written."""
        token = self.token
        if token.kind == "quoted" and not hive:
            self._at += 1
            return token.text[1:-1].replace('""', '"')
        if token.kind == "backquoted":
            if hive:
                self._at += 1
                return token.text[1:-1].replace("``", "`")
            line, column = position(self.sql, token.start)
            raise malformed(
                f"line {line}:{column}: backquoted identifiers are not supported; use double quotes to quote "
                "identifiers"
            )
        if token.kind != "word" or (not hive and token.upper in RESERVED):
            self.fail()
        self._at += 1
        return token.text

    def is_name(self) -> bool:
        """Whether a name is next."""
        return self.token.kind == "quoted" or (self.token.kind == "word" and self.token.upper not in RESERVED)

    def string(self) -> str:
        """A text literal."""
        if self.token.kind != "string":
            self.fail()
        return text_of(self.take())

    def listed(self, item: Callable[[], Any]) -> list[Any]:
        """One or more items with commas between."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return found

    def enclosed(self, item: Callable[[], Any]) -> list[Any]:
        """A list in parentheses."""
        self.expect("(")
        found = self.listed(item)
        self.expect(")")
        return found

    def qualified(self, *, hive: bool = False) -> list[str]:
        """A name with up to two names before it."""
        parts = [self.identifier(hive=hive)]
        while self.accept("."):
            parts.append(self.identifier(hive=hive))
        return parts

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            line, column = position(self.sql, self.token.start)
            raise malformed(
                f"line {line}:{column}: the statement is nested more than {DEEPEST} deep; "
                "write parts of it as WITH queries"
            )

    # --- statements ----------------------------------------------------------------------------------------

    def statement(self) -> Node:
        """One whole statement."""
        from local_aws.athena.commands import command

        while self.accept(";"):
            pass
        found = self.query() if self._begins_query() else command(self)
        self.end()
        return found

    def _begins_query(self) -> bool:
        place = 0
        while self.ahead(place).upper == "(":
            place += 1
        return self.ahead(place).upper in ("SELECT", "WITH", "VALUES", "TABLE")

    # --- queries -------------------------------------------------------------------------------------------

    def query(self) -> Node:
        """A query with its WITH, ORDER BY, OFFSET and LIMIT."""
        self._deeper()
        pos = self.token.start
        ctes: list[Node] = []
        recursive = False
        if self.accept("WITH"):
            recursive = self.accept("RECURSIVE")
            ctes = self.listed(self._named_query)
        body = self._set_operation(self._query_term())
        order = self._order_by()
        offset = limit = None
        ties = False
        if self.accept("OFFSET"):
            offset = self._row_count()
            if not self.accept("ROWS"):
                self.accept("ROW")
        if self.accept("LIMIT"):
            limit = None if self.accept("ALL") else self._row_count()
        elif self.accept("FETCH"):
            if not self.accept("FIRST"):
                self.expect("NEXT")
            one = Node("Integer", self.token.start, value=1)
            limit = one if self.sees("ROW", "ROWS") else self._row_count()
            if limit.value == 0:
                at = position(self.sql, limit.pos)
                raise QueryError(
                    "NUMERIC_VALUE_OUT_OF_RANGE",
                    "FETCH FIRST row count must be positive (actual value: 0)",
                    at,
                )
            if not self.accept("ROWS"):
                self.expect("ROW")
            if self.accept("WITH", "TIES"):
                ties = True
            else:
                self.expect("ONLY")
        self._depth -= 1
        return Node(
            "Query",
            pos,
            ctes=ctes,
            recursive=recursive,
            body=body,
            order=order,
            offset=offset,
            limit=limit,
            ties=ties,
        )

    def _named_query(self) -> Node:
        pos = self.token.start
        name = self.identifier()
        columns = self.enclosed(self.written_identifier) if self.sees("(") else []
        self.expect("AS")
        return Node("Cte", pos, name=name, columns=columns, query=self._enclosed_query())

    def _enclosed_query(self) -> Node:
        """A query in parentheses."""
        self.expect("(")
        query = self.query()
        self.expect(")")
        return query

    def _row_count(self) -> Node:
        token = self.take()
        if token.upper == "?":
            return Node("Parameter", token.start)
        if token.kind != "number" or not token.text.isdecimal():
            self._at -= 1
            self.fail()
        return Node("Integer", token.start, value=int(token.text))

    def _order_by(self) -> list[Node]:
        return self.listed(self._sort_item) if self.accept("ORDER", "BY") else []

    def _sort_item(self) -> Node:
        pos = self.token.start
        value = self.expression()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        first = None
        if self.accept("NULLS"):
            first = self.accept("FIRST")
            if not first:
                self.expect("LAST")
        return Node("Sort", pos, value=value, descending=descending, first=bool(first))

    def _set_operation(self, left: Node) -> Node:
        """UNION and EXCEPT bind alike, from the left; INTERSECT binds stronger."""
        left = self._intersections(left)
        while self.sees("UNION", "EXCEPT"):
            left = self._set_node(left, lambda: self._intersections(self._query_term()))
        return left

    def _intersections(self, left: Node) -> Node:
        while self.sees("INTERSECT"):
            left = self._set_node(left, self._query_term)
        return left

    def _set_node(self, left: Node, right: Callable[[], Node]) -> Node:
        token = self.take()
        every = self.accept("ALL")
        if not every:
            self.accept("DISTINCT")
        return Node("SetOperation", token.start, operator=token.upper, all=every, left=left, right=right())

    def _query_term(self) -> Node:
        pos = self.token.start
        if self.sees("SELECT"):
            return self._select()
        if self.accept("VALUES"):
            return Node("Values", pos, rows=self.listed(self.expression))
        if self.accept("TABLE"):
            star = Node("Star", pos)
            table = Node("Table", self.token.start, parts=self.qualified())
            return Node("Select", pos, items=[star], relations=[table], windows=[])
        return self._enclosed_query()

    def _select(self) -> Node:
        pos = self.token.start
        self.expect("SELECT")
        distinct = self.accept("DISTINCT")
        if not distinct and self.sees("ALL") and self.ahead().upper not in (",", "FROM", "."):
            self.accept("ALL")
        items = self.listed(self._select_item)
        relations = self.listed(self._relation) if self.accept("FROM") else []
        where = self.expression() if self.accept("WHERE") else None
        group = self._group_by() if self.accept("GROUP", "BY") else None
        having = self.expression() if self.accept("HAVING") else None
        windows = self.listed(self._named_window) if self.accept("WINDOW") else []
        return Node(
            "Select",
            pos,
            distinct=distinct,
            items=items,
            relations=relations,
            where=where,
            group=group,
            having=having,
            windows=windows,
        )

    def _window_name(self) -> str:
        """A window's name: unlike other names it is another one in quotation marks, but in upper case."""
        is_quoted = self.token.kind == "quoted"
        name = self.written_identifier()
        return f'"{name}"' if is_quoted and name != name.upper() else name.lower()

    def _named_window(self) -> tuple[str, Node]:
        name = self._window_name()
        self.expect("AS")
        return name, self._window()

    def _select_item(self) -> Node:
        pos = self.token.start
        if self.accept("*"):
            return Node("Star", pos)
        value = self.expression()
        if value.kind == "AllFields":
            aliases = self.enclosed(self.written_identifier) if self.accept("AS") else []
            return Node("AllFields", pos, value=value.value, aliases=aliases)
        alias = None
        if self.accept("AS") or (self.is_name() and not self._begins_clause()):
            alias = self.written_identifier()
        return Node("Item", pos, value=value, alias=alias)

    def _begins_clause(self) -> bool:
        """Whether a word that may be an alias begins what follows a SELECT without FROM."""
        following = self.ahead()
        if self.sees("LIMIT", "OFFSET"):
            return following.kind == "number" or following.upper in ("ALL", "?")
        if self.sees("FETCH"):
            return following.upper in ("FIRST", "NEXT")
        return self.sees("WINDOW") and self.ahead(2).upper == "AS"

    def _group_by(self) -> Node:
        pos = self.token.start
        distinct = self.accept("DISTINCT")
        if not distinct and self.sees("ALL"):
            self.take()
        return Node("GroupBy", pos, distinct=distinct, elements=self.listed(self._grouping_element))

    def _grouping_element(self) -> Node:
        pos = self.token.start
        for word in ("ROLLUP", "CUBE"):
            if self.accept(word):
                self.expect("(")
                sets = [] if self.sees(")") else self.listed(self._grouping_set)
                self.expect(")")
                return Node(word.title(), pos, sets=sets)
        if self.accept("GROUPING", "SETS"):
            return Node("Sets", pos, sets=self.enclosed(self._grouping_set))
        return Node("Simple", pos, keys=self._grouping_set())

    def _grouping_set(self) -> list[Node]:
        if self.sees("(") and self.ahead().upper == ")":
            self.expect("(", ")")
            return []
        value = self.expression()
        return list(value.items) if value.kind == "Row" and not value.named else [value]

    # --- relations -----------------------------------------------------------------------------------------

    def _relation(self) -> Node:
        self._deeper()
        left = self._sampled()
        while True:
            pos = self.token.start
            if self.accept("CROSS", "JOIN"):
                left = Node("Join", pos, side="CROSS", left=left, right=self._sampled())
                continue
            natural = self.accept("NATURAL")
            side = "INNER"
            if self.sees("LEFT", "RIGHT", "FULL"):
                side = self.take().upper
                self.accept("OUTER")
            elif not self.accept("INNER") and not self.sees("JOIN"):
                if natural:
                    self.fail()
                break
            self.expect("JOIN")
            if natural:
                line, column = position(self.sql, pos)
                raise QueryError("NOT_SUPPORTED", "Natural join not supported", (line, column))
            right = self._relation_of_join()
            if self.accept("ON"):
                left = Node("Join", pos, side=side, left=left, right=right, on=self.expression())
            else:
                self.expect("USING")
                columns = self.enclosed(self.identifier)
                left = Node("Join", pos, side=side, left=left, right=right, using=columns)
        self._depth -= 1
        return left

    def _relation_of_join(self) -> Node:
        """The right side of a join with a condition, which may begin with joins of its own."""
        right = self._sampled()
        while not self.sees("ON", "USING"):
            pos = self.token.start
            if not self.accept("CROSS", "JOIN"):
                self.fail()
            right = Node("Join", pos, side="CROSS", left=right, right=self._sampled())
        return right

    def _sampled(self) -> Node:
        found = self._aliased()
        if self.sees("MATCH_RECOGNIZE"):
            at = position(self.sql, self.token.start)
            raise QueryError("NOT_SUPPORTED", "MATCH_RECOGNIZE is Athena's, but not supported here", at)
        if self.accept("TABLESAMPLE"):
            pos = self.token.start
            method = self.take().upper
            if method not in ("BERNOULLI", "SYSTEM"):
                self._at -= 1
                self.fail()
            self.expect("(")
            share = self.expression()
            self.expect(")")
            found = Node("Sample", pos, method=method, share=share, relation=found)
        return found

    def _aliased(self) -> Node:
        found = self._relation_primary()
        named = self.accept("AS")
        if named or (self.is_name() and self.token.upper not in _NOT_AN_ALIAS):
            pos = self.token.start
            alias = self.identifier()
            columns = self.enclosed(self.written_identifier) if self.sees("(") else []
            return Node("Aliased", pos, relation=found, alias=alias, columns=columns)
        return found

    def _relation_primary(self) -> Node:
        pos = self.token.start
        if self.accept("UNNEST"):
            values = self.enclosed(self.expression)
            ordinality = self.accept("WITH", "ORDINALITY")
            return Node("Unnest", pos, values=values, ordinality=ordinality)
        if self.sees("LATERAL") and self.ahead().upper == "(":
            self.expect("LATERAL")
            return Node("Lateral", pos, query=self._enclosed_query())
        if self.sees("TABLE") and self.ahead().upper == "(":
            raise QueryError(
                "NOT_SUPPORTED", "TABLE(…) functions are not supported here", position(self.sql, pos)
            )
        if self.sees("("):
            if self._begins_query():
                before = self._at
                try:
                    return Node("Derived", pos, query=self._enclosed_query())
                except AthenaError:
                    # What begins with two parentheses may be a join whose first part is a query.
                    if self._tokens[before + 1].upper != "(":
                        raise
                    self._at = before
            self.expect("(")
            found = self._relation()
            self.expect(")")
            return Node("Derived", pos, relation=found)
        parts = self.qualified()
        if self.sees("("):
            raise QueryError(
                "FUNCTION_NOT_FOUND", f"Table function '{parts[-1]}' not registered", position(self.sql, pos)
            )
        if self.sees("FOR"):
            raise QueryError(
                "NOT_SUPPORTED",
                "FOR TIMESTAMP AS OF and FOR VERSION AS OF are "
                "for Iceberg tables alone, and this lake has none",
                position(self.sql, self.token.start),
            )
        return Node("Table", pos, parts=parts)

    # --- expressions ---------------------------------------------------------------------------------------

    def expression(self) -> Node:
        """A boolean or any other expression."""
        self._deeper()
        found = self._chain("Or", "OR", lambda: self._chain("And", "AND", self._negation))
        self._depth -= 1
        return found

    def _chain(self, kind: str, word: str, part: Callable[[], Node]) -> Node:
        first = part()
        if not self.sees(word):
            return first
        parts = [first]
        while self.accept(word):
            parts.append(part())
        return Node(kind, first.pos, parts=parts)

    def _negation(self) -> Node:
        pos = self.token.start
        if self.accept("NOT"):
            self._deeper()
            found = Node("Not", pos, value=self._negation())
            self._depth -= 1
            return found
        return self._predicate()

    def _predicate(self) -> Node:
        left = self._concatenation()
        pos = self.token.start
        if self.sees(*_COMPARISONS):
            return self._comparison(left)
        if self.accept("IS"):
            negated = self.accept("NOT")
            if self.accept("DISTINCT", "FROM"):
                right = self._concatenation()
                return Node("Distinct", pos, left=left, right=right, negated=negated)
            self.expect("NULL")
            return Node("IsNull", pos, value=left, negated=negated)
        negated = self.accept("NOT")
        if self.accept("BETWEEN"):
            low = self._concatenation()
            self.expect("AND")
            return Node("Between", pos, value=left, low=low, high=self._concatenation(), negated=negated)
        if self.accept("LIKE"):
            pattern = self._concatenation()
            escape = self._concatenation() if self.accept("ESCAPE") else None
            return Node("Like", pos, value=left, pattern=pattern, escape=escape, negated=negated)
        if self.accept("IN"):
            self.expect("(")
            if self._begins_query():
                query = self.query()
                self.expect(")")
                return Node("InQuery", pos, value=left, query=query, negated=negated)
            items = self.listed(self.expression)
            self.expect(")")
            return Node("InList", pos, value=left, items=items, negated=negated)
        if negated:
            self.fail()
        return left

    def _comparison(self, left: Node) -> Node:
        token = self.take()
        operator = "<>" if token.upper == "!=" else token.upper
        if self.sees("ALL", "SOME", "ANY") and self.ahead().upper == "(":
            quantifier = self.take().upper
            return Node(
                "Quantified",
                token.start,
                operator=operator,
                quantifier=quantifier,
                value=left,
                query=self._enclosed_query(),
            )
        return Node("Compare", token.start, operator=operator, left=left, right=self._concatenation())

    def _concatenation(self) -> Node:
        return self._chain("Concat", "||", self._sum)

    def _sum(self) -> Node:
        return self._operation(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._operation(("*", "/", "%"), self._sign)

    def _operation(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        left, count = part(), 0
        while self.sees(*signs):
            token = self.take()
            left = Node("Arithmetic", token.start, operator=token.upper, left=left, right=part())
            count += 1
            if count > 4 * DEEPEST:
                raise mismatched(self.sql, token)
        return left

    def _sign(self) -> Node:
        token = self.token
        if self.accept("-"):
            self._deeper()
            value = self._sign()
            self._depth -= 1
            return Node("Negate", token.start, value=value)
        if self.accept("+"):
            return Node("Plus", token.start, value=self._sign())
        return self._zoned()

    def _zoned(self) -> Node:
        value = self._postfix(self._primary())
        while self.sees("AT") and self.ahead().upper == "TIME":
            pos = self.token.start
            self.expect("AT", "TIME", "ZONE")
            zone = self._interval() if self.sees("INTERVAL") else None
            if zone is None:
                token = self.take()
                if token.kind not in ("string", "unicode"):
                    self._at -= 1
                    self.fail()
                zone = Node("String", token.start, value=text_of(token))
            value = Node("AtTimeZone", pos, value=value, zone=zone)
        return value

    def _postfix(self, value: Node) -> Node:
        while True:
            pos = self.token.start
            if self.accept("["):
                value = Node("Subscript", pos, value=value, index=self._concatenation())
                self.expect("]")
            elif self.sees("."):
                self.take()
                if self.accept("*"):
                    return Node("AllFields", value.pos, value=value)
                name = self.written_identifier()
                value = Node("Field", value.pos, value=value, name=name.lower(), written=name)
            else:
                return value

    def _primary(self) -> Node:
        token = self.token
        read = _BY_KIND.get(token.kind)
        if read:
            return read(self)
        if token.kind == "quoted":
            return self._named()
        if self.sees("INTERVAL") and self.ahead().upper in ("+", "-") and self.ahead(2).kind == "string":
            return self._interval()
        special = _BY_WORD.get(token.upper) if token.kind == "word" else None
        if special:
            wanted = special[1]
            if wanted is None or self.ahead().upper == wanted or self.ahead().kind == wanted:
                return special[0](self)
        if token.kind == "word":
            return self._named()
        if self.accept("?"):
            return Node("Parameter", token.start)
        if not self.sees("("):
            self.fail()
        return self._parenthesis()

    def _named(self) -> Node:
        """A column, a function's call, a typed literal or a lambda of one argument."""
        token = self.token
        following = self.ahead()
        if token.kind == "word" and following.kind == "string":
            self.take()
            return Node("Typed", token.start, type=token.upper.lower(), value=text_of(self.take()))
        if token.upper == "DOUBLE" and following.upper == "PRECISION" and self.ahead(2).kind == "string":
            self._at += 2
            return Node("Typed", token.start, type="double", value=text_of(self.take()))
        name = self.written_identifier()
        if self.sees("->"):
            self.take()
            return Node("Lambda", token.start, names=[name.lower()], body=self.expression())
        if self.sees("("):
            return self._call(name.lower(), token.start)
        return Node("Name", token.start, name=name.lower(), written=name)

    def _call(self, name: str, pos: int) -> Node:
        self._deeper()
        self.expect("(")
        distinct, star = False, False
        values: list[Node] = []
        order: list[Node] = []
        if self.accept("*"):
            star = True
        elif not self.sees(")"):
            distinct = self.accept("DISTINCT")
            if not distinct and self.sees("ALL") and self.ahead().upper not in (",", ")"):
                self.take()
            values = self.listed(self.expression)
            order = self._order_by()
        self.expect(")")
        self._depth -= 1
        return self._modified(
            Node("Call", pos, name=name, values=values, distinct=distinct, star=star, order=order)
        )

    def _modified(self, call: Node) -> Node:
        """What may follow a call: FILTER, IGNORE NULLS and OVER."""
        if self.sees("FILTER") and self.ahead().upper == "(":
            self.expect("FILTER", "(", "WHERE")
            call.filter = self.expression()
            self.expect(")")
        for word in ("IGNORE", "RESPECT"):
            if self.sees(word) and self.ahead().upper == "NULLS":
                self.expect(word, "NULLS")
                call.nulls = word
        if self.accept("OVER"):
            call.over = (
                self._window()
                if self.sees("(")
                else Node("Window", pos=self.token.start, base=self._window_name(), is_reference=True)
            )
        return call

    def _window(self) -> Node:
        pos = self.token.start
        self.expect("(")
        base = None
        if self.is_name() and not (
            (self.sees("PARTITION") and self.ahead().upper == "BY")
            or (self.sees("ROWS", "RANGE", "GROUPS") and self.ahead().upper != ")")
        ):
            base = self._window_name()
        partition = self.listed(self.expression) if self.accept("PARTITION", "BY") else []
        order = self._order_by()
        frame = None
        if self.sees("ROWS", "RANGE", "GROUPS"):
            token = self.take()
            if self.accept("BETWEEN"):
                start = self._frame_bound()
                self.expect("AND")
                frame = Node("Frame", token.start, unit=token.upper, start=start, end=self._frame_bound())
            else:
                frame = Node("Frame", token.start, unit=token.upper, start=self._frame_bound(), end=None)
        self.expect(")")
        return Node("Window", pos, base=base, partition=partition, order=order, frame=frame)

    def _frame_bound(self) -> Node:
        pos = self.token.start
        if self.accept("UNBOUNDED"):
            return Node("Bound", pos, value=None, direction="UNBOUNDED " + self._direction())
        if self.accept("CURRENT", "ROW"):
            return Node("Bound", pos, value=None, direction="CURRENT ROW")
        value = self.expression()
        return Node("Bound", pos, value=value, direction=self._direction())

    def _direction(self) -> str:
        if not self.sees("PRECEDING", "FOLLOWING"):
            self.fail()
        return self.take().upper

    def _parenthesis(self) -> Node:
        pos = self.token.start
        if self._lambda_ahead():
            self.expect("(")
            names = [] if self.sees(")") else self.listed(self.identifier)
            self.expect(")", "->")
            return Node("Lambda", pos, names=names, body=self.expression())
        self.expect("(")
        if self._begins_query():
            before, depth = self._at, self._depth
            try:
                query = self.query()
                self.expect(")")
                return Node("Subquery", pos, query=query)
            except AthenaError:
                # ((SELECT 1) + 1) begins like a query too.
                if self._tokens[before].upper != "(":
                    raise
                self._at, self._depth = before, depth
        values = self.listed(self.expression)
        self.expect(")")
        return values[0] if len(values) == 1 else Node("Row", pos, items=values)

    def _lambda_ahead(self) -> bool:
        place = 1
        while self.ahead(place).kind in ("word", "quoted") or self.ahead(place).upper == ",":
            place += 1
        return self.ahead(place).upper == ")" and self.ahead(place + 1).upper == "->"

    # --- literals and special forms ------------------------------------------------------------------------

    def _number(self) -> Node:
        token = self.take()
        if token.text.isdecimal():
            return Node("Integer", token.start, value=int(token.text))
        return Node("Double", token.start, value=token.text)

    def _string(self) -> Node:
        if self.token.kind not in ("string", "unicode"):
            self.fail()
        token = self.take()
        try:
            escaped = token.kind == "unicode" and self.accept("UESCAPE")
            return Node(
                "String", token.start, value=text_of(token, self.string()) if escaped else text_of(token)
            )
        except ValueError as error:
            line, column = position(self.sql, token.start)
            raise malformed(f"line {line}:{column}: {error}") from None

    def _binary(self) -> Node:
        token = self.take()
        try:
            return Node("Binary", token.start, value=bytes.fromhex(token.text[2:-1]))
        except ValueError:
            line, column = position(self.sql, token.start)
            raise malformed(f"line {line}:{column}: Binary literal must contain hexadecimal digits") from None

    def _constant(self) -> Node:
        token = self.take()
        return Node({"NULL": "Null"}.get(token.upper, "Boolean"), token.start, value=token.upper == "TRUE")

    def _interval(self) -> Node:
        pos = self.token.start
        self.expect("INTERVAL")
        sign = -1 if self.accept("-") else 1
        if sign == 1:
            self.accept("+")
        value = self.string()
        first = self._interval_field()
        last = self._interval_field() if self.accept("TO") else first
        return Node("Interval", pos, value=value, sign=sign, first=first, last=last)

    def _interval_field(self) -> str:
        if self.token.upper not in _INTERVAL_FIELDS:
            self.fail()
        return self.take().upper

    def _row(self) -> Node:
        pos = self.token.start
        self.expect("ROW")
        return Node("Row", pos, items=self.enclosed(self.expression), named=True)

    def _array(self) -> Node:
        pos = self.token.start
        self.expect("ARRAY", "[")
        items = [] if self.sees("]") else self.listed(self.expression)
        self.expect("]")
        return Node("Array", pos, items=items)

    def _case(self) -> Node:
        pos = self.token.start
        self.expect("CASE")
        operand = None if self.sees("WHEN") else self.expression()
        branches: list[tuple[Node, Node]] = []
        while self.accept("WHEN"):
            condition = self.expression()
            self.expect("THEN")
            branches.append((condition, self.expression()))
        if not branches:
            self.fail()
        default = self.expression() if self.accept("ELSE") else None
        self.expect("END")
        return Node("Case", pos, operand=operand, branches=branches, default=default)

    def _cast(self) -> Node:
        token = self.take()
        self.expect("(")
        value = self.expression()
        self.expect("AS")
        kind = self.type()
        self.expect(")")
        return Node("Cast", token.start, value=value, type=kind, safe=token.upper == "TRY_CAST")

    def _exists(self) -> Node:
        pos = self.token.start
        self.expect("EXISTS")
        return Node("Exists", pos, query=self._enclosed_query())

    def _extract(self) -> Node:
        pos = self.token.start
        self.expect("EXTRACT", "(")
        field = self.identifier()
        self.expect("FROM")
        value = self._concatenation()
        self.expect(")")
        return Node("Extract", pos, field=field, value=value)

    def _position(self) -> Node:
        pos = self.token.start
        self.expect("POSITION", "(")
        value = self._concatenation()
        self.expect("IN")
        text = self._concatenation()
        self.expect(")")
        return Node("Call", pos, name="strpos", values=[text, value])

    def _substring(self) -> Node:
        token = self.take()
        self.expect("(")
        values = [self._concatenation()]
        if self.accept("FROM"):
            values.append(self._concatenation())
            if self.accept("FOR"):
                values.append(self._concatenation())
        else:
            while self.accept(","):
                values.append(self.expression())
        self.expect(")")
        return Node("Call", token.start, name=token.text.lower(), values=values)

    def _trim(self) -> Node:
        pos = self.token.start
        self.expect("TRIM", "(")
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(self.token.upper, "trim")
        stated = self.sees("LEADING", "TRAILING", "BOTH")
        if stated:
            self.take()
        characters = None if self.sees("FROM") else self._concatenation()
        if self.accept("FROM"):
            value = self._concatenation()
        elif stated:
            self.fail()
        else:
            value, characters = characters, self._concatenation() if self.accept(",") else None  # type: ignore[assignment]
        self.expect(")")
        return Node("Call", pos, name=name, values=[value, *([characters] if characters else [])])

    def _normalize(self) -> Node:
        pos = self.token.start
        self.expect("NORMALIZE", "(")
        value, form = self._concatenation(), "NFC"
        if self.accept(","):
            if not self.sees("NFC", "NFD", "NFKC", "NFKD"):
                self.fail()
            form = self.take().upper
        self.expect(")")
        return Node("Call", pos, name="normalize", values=[value, Node("String", pos, value=form)])

    def _moment(self) -> Node:
        token = self.take()
        precision = None
        if token.upper != "CURRENT_DATE" and self.accept("("):
            precision = int(self._integer())
            self.expect(")")
        return Node("Moment", token.start, name=token.upper.lower(), precision=precision)

    def _integer(self) -> str:
        token = self.take()
        if token.kind != "number" or not token.text.isdecimal():
            self._at -= 1
            self.fail()
        return token.text

    def _session(self) -> Node:
        token = self.take()
        raise QueryError(
            "NOT_SUPPORTED", f"{token.upper} is not supported here", position(self.sql, token.start)
        )

    def _grouping(self) -> Node:
        pos = self.token.start
        self.expect("GROUPING")
        return Node("Grouping", pos, values=self.enclosed(self.expression))

    def _listagg(self) -> Node:
        pos = self.token.start
        self.expect("LISTAGG", "(")
        distinct = self.accept("DISTINCT")
        values = self.listed(self.expression)
        truncates = self.accept("ON", "OVERFLOW") and not self.accept("ERROR")
        if truncates:
            self.expect("TRUNCATE")
            if self.token.kind == "string":
                self.take()
            if not self.accept("WITHOUT"):
                self.expect("WITH")
            self.expect("COUNT")
        self.expect(")", "WITHIN", "GROUP", "(", "ORDER", "BY")
        order = self.listed(self._sort_item)
        self.expect(")")
        parts = {"distinct": distinct, "star": False, "order": order, "truncates": truncates}
        call = Node("Call", pos, name="listagg", values=values, **parts)
        if self.sees("FILTER") and self.ahead().upper == "(":
            return self._modified(call)
        return call

    def _json(self) -> Node:
        token = self.take()
        name = token.upper.lower()
        self.expect("(")
        if name == "json_array":
            found = self._json_array(token.start)
        elif name == "json_object":
            found = self._json_object(token.start)
        else:
            found = self._json_path(name, token.start)
        self.expect(")")
        return found

    def _null_handling(self, usual: str) -> str:
        for word in ("NULL", "ABSENT"):
            if self.accept(word, "ON", "NULL"):
                return word
        return usual

    def _returning(self) -> Node | None:
        if not self.accept("RETURNING"):
            return None
        kind = self.type()
        if self._format() not in (None, "UTF8"):
            at = position(self.sql, self.token.start)
            raise QueryError("NOT_SUPPORTED", "RETURNING in another encoding is not supported here", at)
        return kind  # type: ignore[no-any-return]

    def _format(self) -> str | None:
        """The encoding behind FORMAT JSON, if that is next; UTF8 where it states none."""
        if not self.accept("FORMAT"):
            return None
        self.expect("JSON")
        if not self.accept("ENCODING"):
            return "UTF8"
        if not self.sees("UTF8", "UTF16", "UTF32"):
            self.fail()
        return self.take().upper

    def _json_array(self, pos: int) -> Node:
        ends = (")", "RETURNING")
        values = [] if self.sees(*ends) else self.listed(self._json_input)
        nulls = self._null_handling("ABSENT")
        return Node("JsonArray", pos, values=values, nulls=nulls, returning=self._returning())

    def _json_input(self) -> Node:
        value = self.expression()
        value.json_encoding = self._format()
        value.states_encoding = self._tokens[self._at - 1].upper.startswith("UTF")
        return value

    def _json_object(self, pos: int) -> Node:
        def member() -> tuple[Node, Node]:
            keyed = self.accept("KEY")
            name = self.expression()
            if not (self.accept("VALUE") if keyed else self.accept(":") or self.accept("VALUE")):
                self.fail()
            return name, self._json_input()

        members = [] if self.sees(")", "RETURNING") else self.listed(member)
        nulls = self._null_handling("NULL")
        unique = self.accept("WITH", "UNIQUE")
        if unique or self.accept("WITHOUT", "UNIQUE"):
            self.accept("KEYS")
        parts = {"members": members, "nulls": nulls, "unique": unique}
        return Node("JsonObject", pos, returning=self._returning(), **parts)

    def _json_path(self, name: str, pos: int) -> Node:
        value = self._json_input()
        self.expect(",")
        path = self._string()
        if self.accept("PASSING"):
            raise QueryError("NOT_SUPPORTED", "PASSING is not supported here", position(self.sql, pos))
        node = Node(
            "JsonPath",
            pos,
            name=name,
            value=value,
            path=path,
            returning=None,
            wrapper="WITHOUT",
            quotes="KEEP",
            empty=None,
            error=None,
        )
        node.returning = self._returning() if name != "json_exists" else None
        if name == "json_query":
            self._wrapper(node)
        for _ in range(2):
            start = self._at
            behaviour = self._behaviour(name)
            if behaviour is None:
                break
            self.expect("ON")
            if self.accept("EMPTY") and name != "json_exists" and node.empty is None:
                node.empty = behaviour
            elif self.accept("ERROR") and node.error is None:
                node.error = behaviour
            else:
                self._at = start
                self.fail()
        return node

    def _wrapper(self, node: Node) -> None:
        if self.accept("WITHOUT"):
            self.accept("ARRAY")
            self.expect("WRAPPER")
        elif self.accept("WITH"):
            node.wrapper = "UNCONDITIONAL"
            if self.sees("CONDITIONAL", "UNCONDITIONAL"):
                node.wrapper = self.take().upper
            self.accept("ARRAY")
            self.expect("WRAPPER")
        if self.sees("KEEP", "OMIT"):
            node.quotes = self.take().upper
            self.expect("QUOTES")
            if self.accept("ON"):
                self.accept("SCALAR")
                self.expect("STRING")

    def _behaviour(self, name: str) -> Any:
        words = {"json_exists": ("TRUE", "FALSE", "UNKNOWN", "ERROR"), "json_value": ("ERROR", "NULL")}
        for word in words.get(name, ("ERROR", "NULL")):
            if self.sees(word) and self.ahead().upper == "ON":
                return self.take().upper
        if name == "json_value" and self.accept("DEFAULT"):
            return self.expression()
        if name == "json_query" and self.accept("EMPTY"):
            if not self.sees("ARRAY", "OBJECT"):
                self.fail()
            return "EMPTY " + self.take().upper
        return None

    # --- types ---------------------------------------------------------------------------------------------

    def type(self) -> Any:
        """A type's name, as ``types.Type``."""
        from local_aws.athena.typenames import trino_type

        return trino_type(self)


_BY_KIND: dict[str, Callable[[Parser], Node]] = {
    "number": Parser._number,  # noqa: SLF001  # the table of the class's own rules
    "string": Parser._string,  # noqa: SLF001
    "unicode": Parser._string,  # noqa: SLF001
    "binary": Parser._binary,  # noqa: SLF001
}
# A word that begins a form of its own, and what must follow it for that.
_BY_WORD: dict[str, tuple[Callable[[Parser], Node], str | None]] = {
    "NULL": (Parser._constant, None),  # noqa: SLF001
    "TRUE": (Parser._constant, None),  # noqa: SLF001
    "FALSE": (Parser._constant, None),  # noqa: SLF001
    "CASE": (Parser._case, None),  # noqa: SLF001
    "CAST": (Parser._cast, None),  # noqa: SLF001
    "TRY_CAST": (Parser._cast, "("),  # noqa: SLF001
    "EXISTS": (Parser._exists, None),  # noqa: SLF001
    "EXTRACT": (Parser._extract, None),  # noqa: SLF001
    "POSITION": (Parser._position, "("),  # noqa: SLF001
    "SUBSTRING": (Parser._substring, "("),  # noqa: SLF001
    "TRIM": (Parser._trim, None),  # noqa: SLF001
    "NORMALIZE": (Parser._normalize, None),  # noqa: SLF001
    "INTERVAL": (Parser._interval, "string"),  # noqa: SLF001
    "ROW": (Parser._row, "("),  # noqa: SLF001
    "ARRAY": (Parser._array, "["),  # noqa: SLF001
    "GROUPING": (Parser._grouping, None),  # noqa: SLF001
    "LISTAGG": (Parser._listagg, None),  # noqa: SLF001
    **dict.fromkeys(_MOMENTS, (Parser._moment, None)),  # noqa: SLF001
    **dict.fromkeys(_SESSION, (Parser._session, None)),  # noqa: SLF001
    **dict.fromkeys(_JSON, (Parser._json, None)),  # noqa: SLF001
}
