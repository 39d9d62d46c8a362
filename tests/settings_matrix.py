"""Every setting that a role may have, at every value worth a try: what the result of no job may depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import sql


class Setting(NamedTuple):
    name: str
    value: str


NOT_FOR_ROLES = ("25001", "55P02", "42501", "22023", "0A000")
"""What a server answers where a setting, or this value of it, cannot be a role's."""

Connection = psycopg.Connection[tuple[Any, ...]]


def alter(superuser: Connection, role: str, database: str, settings: Sequence[Setting]) -> None:
    """Set these settings, and no others, for a role in a database; what no role may be given is left out."""
    of = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), sql.Identifier(database))
    superuser.execute(sql.SQL("{} RESET ALL").format(of))
    for name, value in settings:
        try:
            superuser.execute(sql.SQL("{} SET {} = {}").format(of, sql.SQL(name), value))
        except psycopg.Error as error:
            if error.sqlstate not in NOT_FOR_ROLES:
                raise


def rounds(superuser: Connection) -> list[list[Setting]]:
    """All values that are worth a try, each setting once in a round."""
    rows = superuser.execute(
        "SELECT name, vartype, enumvals, min_val, max_val FROM pg_settings"
        " WHERE context IN ('user', 'superuser') ORDER BY name"
    ).fetchall()
    tries: dict[str, list[str]] = {}
    for name, kind, values, least, most in rows:
        given = {"enum": values, "bool": ["on", "off"], "string": []}.get(kind, [least, most])
        tries[name] = list(given)
    most_tries = max(len(values) for values in tries.values())
    return [
        [Setting(name, values[number]) for name, values in tries.items() if number < len(values)]
        for number in range(most_tries)
    ]


def guilty(settings: Sequence[Setting], differs: Callable[[Sequence[Setting]], bool]) -> Iterator[Setting]:
    """The settings that make a difference by themselves, by halving."""
    if not differs(settings):
        return
    if len(settings) == 1:
        yield settings[0]
        return
    middle = len(settings) // 2
    yield from guilty(settings[:middle], differs)
    yield from guilty(settings[middle:], differs)
