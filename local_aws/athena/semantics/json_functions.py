"""JSON: documents, paths, and casts from and to it."""

from __future__ import annotations

import functools
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from local_aws.athena.json_values import JsonDecimal, JsonNumber, JsonPairs, json_text, reach, read_json
from local_aws.athena.kinds import INTEGERS, NUMBERS, Type
from local_aws.athena.numbers import double_text, real_text, scientific
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.mathematics import BITS
from local_aws.athena.semantics.values import cast_to_text, fitted, shown, text_to_boolean


def _value(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return _NOTHING


_NOTHING = object()


def json_parse(text: str) -> str:
    try:
        return json_text(read_json(text), ordered=True)
    except ValueError:
        raise Failed(f"Cannot convert value to JSON: '{text}'") from None


def is_json_scalar(text: str) -> bool:
    value = _value(text)
    if value is _NOTHING:
        raise Failed(f"Invalid JSON value: {text}")
    return not isinstance(value, dict | list)


def json_array_contains(text: str, wanted: Any) -> bool | None:
    items = _value(text)
    if not isinstance(items, list):
        return None
    if isinstance(wanted, bool | str):
        return any(type(item) is type(wanted) and item == wanted for item in items)
    return any(isinstance(item, JsonNumber) and _same_number(item, wanted) for item in items)


def _same_number(item: JsonNumber, wanted: float) -> bool:
    if isinstance(wanted, int):
        return item.lstrip("-").isdecimal() and int(item) == wanted
    return not item.lstrip("-").isdecimal() and float(item) == wanted


def json_array_get(text: str, index: int) -> str | None:
    items = _value(text)
    if not isinstance(items, list) or not -len(items) <= index < len(items):
        return None
    item = items[index]
    if item is None or (isinstance(item, str) and not isinstance(item, JsonNumber)):
        return item  # a text without its quotes, which is no JSON: Trino's documentation warns of it
    return json_text(item)


def json_array_length(text: str) -> int | None:
    items = _value(text)
    return len(items) if isinstance(items, list) else None


_STEP = re.compile(r"\.((?:[^\W]|:)+)|\[([^\W]+)\]|\[\"((?:[^\"\\]|\\[\"\\])*)\"\]")


@functools.lru_cache(maxsize=500)
def _json_steps(path: str) -> tuple[str, ...]:
    steps: list[str] = []
    at = 1 if path.startswith("$") else len(path) + 1
    while at < len(path):
        found = _STEP.match(path, at)
        if not found:
            break
        name, subscript, quoted = found.groups()
        steps.append(name or subscript or re.sub(r"\\(.)", r"\1", quoted))
        at = found.end()
    if at != len(path):
        raise Failed(f"Invalid JSON path: '{path}'")
    return tuple(steps)


def _reached(text: str, path: str) -> Any:
    steps = _json_steps(path)
    try:
        return reach(text, steps)
    except (ValueError, LookupError):
        return _NOTHING


def json_extract(text: str, path: str) -> str | None:
    value = _reached(text, path)
    return None if value is _NOTHING else json_text(value)


def json_extract_scalar(text: str, path: str) -> str | None:
    value = _reached(text, path)
    if value is _NOTHING or value is None or isinstance(value, dict | list):
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def json_size(text: str, path: str) -> int | None:
    value = _reached(text, path)
    if value is _NOTHING:
        return None
    return len(value) if isinstance(value, dict | list) else 0


def to_json(value: Any, *, types: list[Type]) -> str | None:
    if value is None:
        return None
    return json_text(json_of(value, types[0]), ordered=False)


def json_of(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if kind.base == "json":
        return read_json(value)
    if kind.base == "array":
        return [json_of(item, kind.inner[0]) for item in value]
    if kind.base == "map":
        pairs = {_json_key(key, kind.inner[0]): json_of(item, kind.inner[1]) for key, item in value}
        return dict(sorted(pairs.items()))
    if kind.base == "row":
        names = [name or "" for name in kind.names or [""] * len(kind.args)]
        return JsonPairs(
            (name, json_of(value[f"f{i}"], item))
            for i, (name, item) in enumerate(zip(names, kind.inner, strict=True))
        )
    if kind.base in ("boolean", "varchar"):
        return value
    return _json_number(value, kind) if kind.base in NUMBERS else shown(value, kind)


def _json_number(value: Any, kind: Type) -> str:
    if kind.base in ("double", "real"):
        text = _float_text(value, kind)
        return JsonNumber(text) if math.isfinite(value) else text
    return JsonDecimal(value) if kind.base == "decimal" else JsonNumber(value)


def _json_key(value: Any, kind: Type) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind.base in ("double", "real"):
        return _float_text(value, kind)
    return cast_to_text(value, kind)


def _float_text(value: float, kind: Type) -> str:
    """What Java shows of a number, which a cast to text does not."""
    return double_text(value) if kind.base == "double" else real_text(value)


def from_json(text: str, *, types: list[Type]) -> Any:
    try:
        value = read_json(text)
    except ValueError:
        raise Failed(f"Cannot cast to {types[-1]}. {text}", "INVALID_CAST_ARGUMENT") from None
    return _from_json(value, types[-1], text)


def _from_json(value: Any, kind: Type, text: str) -> Any:
    wrong = Failed(f"Cannot cast to {kind}. {text}", "INVALID_CAST_ARGUMENT")
    if kind.base == "json":
        return json_text(value)
    if value is None:
        return None
    if kind.base == "array":
        if not isinstance(value, list):
            raise wrong
        return [_from_json(item, kind.inner[0], text) for item in value]
    if kind.base == "map":
        if not isinstance(value, dict):
            raise wrong
        return [
            (_from_json_scalar(key, kind.inner[0], wrong), _from_json(item, kind.inner[1], text))
            for key, item in value.items()
        ]
    if kind.base == "row":
        return _row_of(value, kind, text, wrong)
    if isinstance(value, dict | list):
        raise wrong
    return _from_json_scalar(value, kind, wrong)


def _row_of(value: Any, kind: Type, text: str, wrong: Failed) -> dict[str, Any]:
    if isinstance(value, list):
        if len(value) != len(kind.args):
            raise wrong
        items: list[Any] = value
    elif isinstance(value, dict) and kind.names:
        low = {key.lower(): item for key, item in value.items()}
        items = [low.get((name or "").lower()) for name in kind.names]
    else:
        raise wrong
    return {
        f"f{i}": _from_json(item, part, text)
        for i, (item, part) in enumerate(zip(items, kind.inner, strict=True))
    }


def _from_json_scalar(value: Any, kind: Type, wrong: Failed) -> Any:
    """Texts, numbers and truths become each other, as casts between them do."""
    try:
        if kind.base == "varchar":
            return _text_from_json(value)
        if kind.base == "boolean":
            return _truth_from_json(value, wrong)
        if isinstance(value, bool):
            value = JsonNumber("1" if value else "0")
        if kind.base in INTEGERS:
            return _whole_from_json(value, kind, wrong)
        if kind.base == "decimal":
            return fitted(Decimal(value), kind, value)
        if not re.fullmatch(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)", value, re.ASCII):
            raise wrong
        return float(value)
    except (ValueError, InvalidOperation):
        raise wrong from None


def _truth_from_json(value: Any, wrong: Failed) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, JsonNumber):
        return text_to_boolean(value)
    if value.lstrip("-").isdecimal() and not -(2**63) <= int(value) < 2**63:
        raise wrong
    return float(value) != 0


def _text_from_json(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber) and not value.lstrip("-").isdecimal():
        return scientific(double_text(float(value)))
    return str(value)


def _whole_from_json(value: str, kind: Type, wrong: Failed) -> int:
    if isinstance(value, JsonNumber) and not value.lstrip("-").isdecimal():
        found = math.floor(abs(float(value)) + 0.5) * (-1 if float(value) < 0 else 1)
    elif re.fullmatch(r"[+-]?\d+", value, re.ASCII):
        found = int(value)
    else:
        raise wrong
    bits = BITS[kind.base]
    if not -(2 ** (bits - 1)) <= found < 2 ** (bits - 1):
        raise wrong
    return found


_ENCODINGS = {"UTF8": "utf-8", "UTF16": "utf-16-le", "UTF32": "utf-32-le"}


def json_octets(octets: bytes, encoding: str) -> str:
    try:
        return octets.decode(_ENCODINGS[encoding])
    except UnicodeDecodeError:
        return ""  # as little JSON as the octets are a text


def _part_of_json(value: Any, kind: Type) -> Any:
    try:
        return json_of(value, kind)
    except ValueError:
        raise Failed("conversion to JSON failed", "JSON_INPUT_CONVERSION_ERROR") from None


def json_array(nulls: str, *values: Any, types: list[Type]) -> str:
    listed = [_part_of_json(value, kind) for value, kind in zip(values, types[1:-1], strict=True)]
    return json_text([item for item in listed if item is not None or nulls == "NULL"])


def json_object(options: str, *parts: Any, types: list[Type]) -> str:
    nulls, unique = options.split("|")
    found = JsonPairs()
    for place in range(0, len(parts), 2):
        if parts[place] is None:
            raise Failed("null value passed for JSON object key to JSON_OBJECT function")
        value = _part_of_json(parts[place + 1], types[place + 2])
        if value is not None or nulls == "NULL":
            found.append((parts[place], value))
    if unique and len({name for name, _ in found}) < len(found):
        raise Failed("duplicate key passed to JSON_OBJECT function")
    return json_text(found)


def json_exists(text: str, path: str, options: str) -> bool | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    on_error = options.split("|")[3] or "FALSE"
    try:
        return bool(evaluate(path, _json_input(text)))
    except PathFailed as error:
        if on_error == "ERROR":
            raise Failed(str(error)) from None
        return {"TRUE": True, "FALSE": False, "UNKNOWN": None}[on_error]


def _json_input(text: str) -> Any:
    from local_aws.athena.json_paths import PathFailed

    try:
        return read_json(text)
    except ValueError:
        raise PathFailed("conversion to JSON failed") from None


def _on(behaviour: str, message: str, mark: str = "") -> str | None:
    if behaviour == "ERROR":
        raise Failed(message)
    return {"EMPTY ARRAY": "[]", "EMPTY OBJECT": "{}", "DEFAULT": mark}.get(behaviour)


JSON_EMPTY, JSON_ERROR = "\0EMPTY", "\0ERROR"
"""What ``json_value`` gives where the statement has a default."""


def json_value(text: str, path: str, options: str, wanted: str) -> str | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    _, _, empty, error = options.split("|")
    base, _, length = wanted.partition("|")
    try:
        found = evaluate(path, _json_input(text))
        if not found:
            return _on(empty, "cannot extract SQL scalar from JSON: JSON path found no items", JSON_EMPTY)
        return _scalar_of_json(found, base, int(length or 0))
    except PathFailed as failed:
        return _on(error, str(failed), JSON_ERROR)


def _scalar_of_json(items: list[Any], base: str, length: int) -> str | None:
    """A text that is cast to a type as the only item is: a truth, a whole number, a double or a text."""
    from local_aws.athena.json_paths import PathFailed

    if len(items) > 1:
        raise PathFailed("JSON path found multiple items")
    value = items[0]
    if isinstance(value, dict | list):
        raise PathFailed("JSON path found an item that cannot be converted to an SQL value")
    if value is None or (isinstance(value, str) and not isinstance(value, JsonNumber)):
        return value
    value = _whole_of_64_bits(value)
    if base in NUMBERS:
        return _number_of_json(value, base)
    if base == "boolean":
        return "true" if value is True or (value and float(value)) else "false"
    written = _text_from_json(value)
    # A number that does not fit is refused, where a text would be cut. None becomes a char or a date.
    if base != "varchar" or (length and len(written) > length):
        raise PathFailed(f"Cannot cast value to declared return type of function JSON_VALUE: {base}")
    return written


def _number_of_json(value: Any, base: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if value.lstrip("-").isdecimal():
        return str(value)
    if base in INTEGERS:
        return str(math.floor(abs(float(value)) + 0.5) * (-1 if float(value) < 0 else 1))
    return double_text(float(value))


def _whole_of_64_bits(value: Any) -> Any:
    from local_aws.athena.json_paths import PathFailed

    if isinstance(value, JsonNumber) and value.lstrip("-").isdecimal() and not -(2**63) <= int(value) < 2**63:
        raise PathFailed(f"cannot convert {value} to Trino value (value too big)")
    return value


def json_query(text: str, path: str, options: str) -> str | None:
    from local_aws.athena.json_paths import PathFailed, evaluate

    wrapper, quotes, empty, error = options.split("|")
    try:
        found = evaluate(path, _json_input(text))
        if not found:
            return _on(empty or "NULL", "cannot extract JSON: JSON path found no items")
        if wrapper == "UNCONDITIONAL" or (
            wrapper == "CONDITIONAL" and not (len(found) == 1 and isinstance(found[0], dict | list))
        ):
            return json_text(found)
    except PathFailed as failed:
        return _on(error or "NULL", str(failed))
    if len(found) > 1:
        return _on(error or "NULL", "JSON path found multiple items")
    if quotes == "OMIT" and isinstance(found[0], str) and not isinstance(found[0], JsonNumber):
        return found[0]
    return json_text(found[0])
