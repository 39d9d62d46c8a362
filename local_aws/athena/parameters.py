"""Execution parameters in the places of question marks."""

from __future__ import annotations

from local_aws.athena.query_errors import AthenaError
from local_aws.athena.syntax import Node, parse_literal


def bind(statement: Node, values: list[str]) -> Node:
    """Put values in the places of the question marks, in the order of the text.

    Args:
        statement: The statement, changed in place.
        values: SQL literals, in order; a text comes with its quotes.

    Raises:
        AthenaError: The numbers differ, or a value is no literal.
    """
    if statement.kind == "Prepare":
        return statement
    marks = sorted((node for node in statement.walk() if node.kind == "Parameter"), key=lambda node: node.pos)
    if len(marks) != len(values):
        raise AthenaError(
            "InvalidRequestException",
            f"Incorrect number of parameters: expected {len(marks)} but found {len(values)}",
        )
    for mark, value in zip(marks, values, strict=True):
        _become(mark, parse_literal(value))
    return statement


def _become(mark: Node, value: Node) -> None:
    place = mark.pos
    mark.__dict__.clear()
    mark.__dict__.update(value.__dict__)
    mark.is_bound = True
    for node in mark.walk():
        node.pos = place  # what is wrong with a value is wrong at its question mark
