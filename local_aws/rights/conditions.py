"""The condition operators of policies: what they compare, and what they make of a key that is not there."""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local_aws.rights.patterns import Lookup, Text, arn_like, fill, like


class PolicyError(ValueError):
    """A policy that AWS would refuse, or that states what is not known here."""


_Compare = Callable[[str, Text], bool]


def _number(text: str) -> float:
    return float(text)


def _moment(text: str) -> float:
    """Seconds since the epoch of a date: ISO 8601, or such seconds themselves."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _compared(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> _Compare:
    def compare(value: str, wanted: Text) -> bool:
        try:
            return holds(read(value), read(str(wanted)))
        except ValueError:
            return False

    return compare


def _in_network(value: str, wanted: Text) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(str(wanted), strict=False)
    except ValueError:
        return False


def _equals(value: str, wanted: Text) -> bool:
    return value == str(wanted)


def _equals_in_any_case(value: str, wanted: Text) -> bool:
    return value.lower() == str(wanted).lower()


_POSITIVE: Mapping[str, _Compare] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": _equals_in_any_case,
    "NumericEquals": _compared(_number, operator.eq),
    "NumericLessThan": _compared(_number, operator.lt),
    "NumericLessThanEquals": _compared(_number, operator.le),
    "NumericGreaterThan": _compared(_number, operator.gt),
    "NumericGreaterThanEquals": _compared(_number, operator.ge),
    "DateEquals": _compared(_moment, operator.eq),
    "DateLessThan": _compared(_moment, operator.lt),
    "DateLessThanEquals": _compared(_moment, operator.le),
    "DateGreaterThan": _compared(_moment, operator.gt),
    "DateGreaterThanEquals": _compared(_moment, operator.ge),
    "IpAddress": _in_network,
}
_NEGATED: Mapping[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
_NULL = "Null"
_SETS = ("ForAllValues", "ForAnyValue")
_IF_EXISTS = "IfExists"


@dataclass(frozen=True)
class Condition:
    """One operator on one key.

    Attributes:
        key: The context key, in lower case: keys have no case.
        values: What the policy compares with; one of them is enough, or none of them may match.
        operator: The operator that compares, the positive one of its kind.
        negated: Whether none may match.
        over: `ForAllValues`, `ForAnyValue`, or nothing where the key has one value.
        if_exists: Whether a key that is not there is good.
    """

    key: str
    values: tuple[str, ...]
    operator: str
    negated: bool = False
    over: str = ""
    if_exists: bool = False

    def holds(self, lookup: Lookup, *, variables: bool) -> bool:
        """Whether it holds for a request.

        Args:
            lookup: The request's context.
            variables: Whether the policy's version knows variables.

        Raises:
            PolicyError: It compares one value, and the request has several.
        """
        found = lookup(self.key)
        if self.operator == _NULL:
            return _equals_in_any_case(str(not found).lower(), Text(self.values[0]))
        if not found:
            return self._holds_without_a_value()
        wanted = [text for value in self.values if (text := fill(value, lookup if variables else None))]
        each = [self._compare(value, wanted) for value in found]
        if self.over:
            return all(each) if self.over == "ForAllValues" else any(each)
        if len(each) > 1:
            raise PolicyError(
                f"{self.key} has several values: AWS compares those with ForAnyValue or ForAllValues alone"
            )
        return each[0]

    def _holds_without_a_value(self) -> bool:
        if self.if_exists:
            return True
        return self.over == "ForAllValues" if self.over else self.negated

    def _compare(self, value: str, wanted: Sequence[Text]) -> bool:
        compare = _POSITIVE[self.operator]
        return any(compare(value, text) for text in wanted) != self.negated


def read_conditions(stated: object, where: str) -> tuple[Condition, ...]:
    """Read the `Condition` of a statement.

    Args:
        stated: The element as JSON gives it.
        where: The statement, for what is said of a fault.

    Raises:
        PolicyError: An operator is not known, or a value is none of its kind.
    """
    if not isinstance(stated, Mapping):
        raise PolicyError(f"{where}: Condition is no object")
    conditions = []
    for name, comparisons in stated.items():
        if not isinstance(comparisons, Mapping):
            raise PolicyError(f"{where}: the condition {name} compares no keys")
        for key, values in comparisons.items():
            conditions.append(_condition(str(name), str(key), _texts(values, f"{where}: {name}"), where))
    return tuple(conditions)


def _condition(name: str, key: str, values: tuple[str, ...], where: str) -> Condition:
    over, _, plain = name.rpartition(":")
    if over and over not in _SETS:
        raise PolicyError(f"{where}: the set operator {over!r} of {name!r} is not known")
    if_exists = plain.endswith(_IF_EXISTS)
    plain = plain.removesuffix(_IF_EXISTS)
    if plain == _NULL:
        if over or if_exists or len(values) != 1 or values[0].lower() not in ("true", "false"):
            raise PolicyError(f"{where}: Null takes one value, true or false, and nothing beside it")
        return Condition(key.lower(), values, _NULL)
    negated = plain in _NEGATED
    known = _NEGATED.get(plain, plain)
    if known not in _POSITIVE:
        raise PolicyError(f"{where}: the condition operator {name!r} is not known")
    _check_values(known, values, f"{where}: {name} on {key}")
    return Condition(key.lower(), values, known, negated, over, if_exists)


def _texts(values: object, where: str) -> tuple[str, ...]:
    listed = values if isinstance(values, list) else [values]
    if not listed:
        raise PolicyError(f"{where} compares with no value")
    texts = []
    for value in listed:
        if isinstance(value, bool):
            texts.append(str(value).lower())
        elif isinstance(value, (str, int, float)):
            texts.append(str(value))
        else:
            raise PolicyError(f"{where} compares with {value!r}, which is no text, number or truth value")
    return tuple(texts)


def _check_values(known: str, values: tuple[str, ...], where: str) -> None:
    readers: Mapping[str, tuple[Callable[[str], object], str]] = {
        "Numeric": (_number, "number"),
        "Date": (_moment, "date"),
        "IpAddress": (lambda text: ipaddress.ip_network(text, strict=False), "network"),
    }
    for prefix, (read, kind) in readers.items():
        for value in values if known.startswith(prefix) else ():
            try:
                read(value)
            except ValueError as error:
                raise PolicyError(f"{where}: {value!r} is no {kind}") from error
    if known == "Bool" and any(value.lower() not in ("true", "false") for value in values):
        raise PolicyError(f"{where}: {values} is neither true nor false")
