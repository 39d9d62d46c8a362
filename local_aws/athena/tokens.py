"""Athena's SQL as a list of tokens, each with its place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_aws.athena.query_errors import AthenaError, position

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|--[^\r\n]*|/\*.*?\*/)
    | (?P<unicode>[uU]&'(?:[^']|'')*')
    | (?P<binary>[xX]'[^']*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<backquoted>`(?:[^`]|``)*`)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign><>|!=|<=|>=|\|\||->|=>|[-+*/%<>=(){}\[\].,;?:|^$])
    """,
    re.VERBOSE | re.DOTALL,
)
_GLUED = re.compile(r"[A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement.

    Attributes:
        kind: ``word``, ``quoted``, ``backquoted``, ``string``, ``unicode``, ``binary``, ``number``, ``sign``
            or ``end``.
        text: As it was written.
        upper: The same in capitals, where it is a word or a sign; else nothing.
        start: Offset of its first character.
        end: Offset behind its last character.
    """

    kind: str
    text: str
    upper: str
    start: int
    end: int


def malformed(message: str) -> AthenaError:
    """The refusal of a text that is not SQL."""
    return AthenaError("InvalidRequestException", message)


def mismatched(sql: str, token: Token) -> AthenaError:
    """The refusal of a token that cannot stand where it stands."""
    line, column = position(sql, token.start)
    return malformed(f"line {line}:{column}: mismatched input '{token.text}'")


def tokenize(sql: str) -> list[Token]:
    """The tokens of a text, with one of kind ``end`` behind them.

    Raises:
        AthenaError: A character, or the beginning of a literal, is none of SQL.
    """
    tokens: list[Token] = []
    place = 0
    while place < len(sql):
        found = _TOKEN.match(sql, place)
        if found is None:
            raise mismatched(sql, Token("sign", sql[place], "", place, place + 1))
        kind, text, end = str(found.lastgroup), found.group(), found.end()
        if kind != "blank":
            if kind == "number" and _GLUED.match(sql[end : end + 1]):
                raise mismatched(sql, Token("word", sql[place : end + 1], "", place, end + 1))
            upper = text.upper() if kind in ("word", "sign") else ""
            tokens.append(Token(kind, text, upper, place, end))
        place = end
    # Blanks at the end of a statement are no place that a person looks at.
    last = len(sql.rstrip()) if sql.strip() else 0
    tokens.append(Token("end", "<EOF>", "", last, last))
    return tokens


def text_of(token: Token, escape: str = "\\") -> str:
    """The value of a text literal; ``escape`` begins a character's code in a ``U&''`` literal.

    Raises:
        ValueError: An escape of a ``U&''`` literal is none.
    """
    if token.kind == "string":
        return token.text[1:-1].replace("''", "'")
    if len(escape) != 1 or re.match(r"[0-9a-fA-F+'\"\s]", escape) or not "\x20" < escape < "\x7f":
        raise ValueError(f"Invalid Unicode escape character: {escape}")

    def escaped(found: re.Match[str]) -> str:
        digits = found[1] or found[2]
        if digits is None:
            if len(found[0]) == 2:
                return escape
            raise ValueError(f"Incomplete escape sequence: {token.text}")
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError(f"Invalid escaped character: {digits}")
        return chr(code)

    sign = re.escape(escape)
    escapes = rf"{sign}{sign}|{sign}\+([0-9a-fA-F]{{6}})|{sign}([0-9a-fA-F]{{4}})|{sign}"
    return re.sub(escapes, escaped, token.text[3:-1].replace("''", "'"))
