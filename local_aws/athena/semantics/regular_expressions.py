"""Regular expressions, in Java's spelling."""

from __future__ import annotations

import re

from local_aws.athena.java_regex import compile_pattern
from local_aws.athena.query_errors import Failed


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except ValueError as error:
        raise Failed(
            f"The regular expression {pattern} is not supported here: {error}", "NOT_SUPPORTED"
        ) from None


def regexp_like(text: str, pattern: str) -> bool:
    return _compiled(pattern).search(text) is not None


def regexp_count(text: str, pattern: str) -> int:
    return sum(1 for _ in _compiled(pattern).finditer(text))


def regexp_extract(text: str, pattern: str) -> str | None:
    return regexp_extract_group(text, pattern, 0)


def _require_group(pattern: re.Pattern[str], group: int) -> None:
    if not 0 <= group <= pattern.groups:
        raise Failed(f"Pattern has {pattern.groups} groups. Cannot access group {group}")


def regexp_extract_group(text: str, pattern: str, group: int) -> str | None:
    compiled = _compiled(pattern)
    _require_group(compiled, group)
    found = compiled.search(text)
    return found[group] if found else None


def regexp_extract_all(text: str, pattern: str) -> list[str | None]:
    return regexp_extract_all_group(text, pattern, 0)


def regexp_extract_all_group(text: str, pattern: str, group: int) -> list[str | None]:
    compiled = _compiled(pattern)
    _require_group(compiled, group)
    return [found[group] for found in compiled.finditer(text)]


def regexp_position(text: str, pattern: str) -> int:
    return regexp_position_nth(text, pattern, 1, 1)


def regexp_position_from(text: str, pattern: str, start: int) -> int:
    return regexp_position_nth(text, pattern, start, 1)


def regexp_position_nth(text: str, pattern: str, start: int, occurrence: int) -> int:
    if start < 1 or occurrence < 1:
        raise Failed("start position and occurrence cannot be smaller than 1")
    if start > len(text):
        return -1
    for count, found in enumerate(_compiled(pattern).finditer(text, start - 1), start=1):
        if count == occurrence:
            return found.start() + 1
    return -1


def regexp_remove(text: str, pattern: str) -> str:
    return _compiled(pattern).sub("", text)


_REFERENCE = re.compile(r"\\(.)|\$(\d+)|\$\{([^}]*)\}|\\$|\$", re.DOTALL)


def regexp_replace(text: str, pattern: str, replacement: str) -> str:
    compiled = _compiled(pattern)

    def put(found: re.Match[str]) -> str:
        def part(piece: re.Match[str]) -> str:
            if piece[1] is not None:
                return str(piece[1])
            if piece[2] is not None:
                digits = piece[2]
                while len(digits) > 1 and int(digits) > compiled.groups:
                    digits = digits[:-1]
                if int(digits) > compiled.groups:
                    raise Failed(f"Illegal replacement sequence: unknown group {digits}")
                return (found[int(digits)] or "") + piece[2][len(digits) :]
            if piece[3] is not None and piece[3] in compiled.groupindex:
                return found[piece[3]] or ""
            raise Failed(f"Illegal replacement sequence: {replacement}")

        return _REFERENCE.sub(part, replacement)

    return compiled.sub(put, text)


def regexp_groups(text: str, pattern: str) -> list[list[str | None]]:
    return [list(found.groups()) for found in _compiled(pattern).finditer(text)]


def regexp_put(text: str, pattern: str, parts: list[str | None]) -> str | None:
    if None in parts:
        return None
    rest = iter(parts)
    return _compiled(pattern).sub(lambda _: str(next(rest)), text)


def regexp_split(text: str, pattern: str) -> list[str]:
    found, start = [], 0
    for match in _compiled(pattern).finditer(text):
        found.append(text[start : match.start()])
        start = match.end()
    return [*found, text[start:]]
