"""YAML that remembers on which line each value stands, so that an error can name it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Union

import yaml

# Every process reads the contracts when it starts: C takes a tenth of the time, where it is installed.
_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FastLoader):  # type: ignore[misc]
    """YAML 1.2's idea of a truth value: ``on``, ``off``, ``yes`` and ``no`` are words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))

YamlPath = tuple[Union[str, int], ...]


class ContractError(ValueError):
    """A catalogue file that cannot be used: names the file, the line and the reason."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


def load_with_lines(path: Path) -> tuple[Any, dict[YamlPath, int]]:
    """Read a YAML file and the line of each of its values.

    Args:
        path: The file.

    Returns:
        The plain data, and for every path into it (keys and indices from the root) the line, from 1.

    Raises:
        ContractError: The file is not YAML, is empty, or states a key twice.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ContractError(path, mark.line + 1 if mark else 1, f"not valid YAML: {error}") from error
    if node is None:
        raise ContractError(path, 1, "the file is empty")
    lines: dict[YamlPath, int] = {}
    _walk(path, node, (), lines)
    return loader.construct_document(node), lines


def line_of(lines: dict[YamlPath, int], at: YamlPath) -> int:
    """The line of a path, or of its nearest ancestor that the file states."""
    while at not in lines and at:
        at = at[:-1]
    return lines.get(at, 1)


def _walk(path: Path, node: yaml.Node, at: YamlPath, lines: dict[YamlPath, int]) -> None:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = key_node.value
            child = (*at, key)
            if child in lines:
                raise ContractError(path, key_node.start_mark.line + 1, f"the key {key!r} is stated twice")
            lines[child] = key_node.start_mark.line + 1
            _walk(path, value_node, child, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(path, item, (*at, index), lines)
