"""Values as YAML on one line, so that a remark can stand behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_ENDLESS = 2**20


def one_line(value: Any) -> str:
    """A value on one line of YAML, whatever characters are in it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {one_line(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(one_line, value)) + "]"
    # In quotes everything can be escaped; within brackets a comma has to be quoted.
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    text = yaml.safe_dump(
        [value], default_flow_style=True, default_style=style, allow_unicode=True, width=_ENDLESS
    )
    return text.strip()[1:-1]
