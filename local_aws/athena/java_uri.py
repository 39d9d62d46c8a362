"""The parts of a URL as ``java.net.URI`` reads them: RFC 2396, and what is none of it has no parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

# What stands for itself, an escape, or a letter beyond ASCII that is neither blank nor control.
_OTHER = r"[^\x00-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_PLAIN = r"[A-Za-z0-9\-_.!~*'();:@&=+$,]"
_PATH = rf"(?:{_PLAIN}|/|%[0-9A-Fa-f]{{2}}|{_OTHER})*"
_ANY = rf"(?:{_PLAIN}|[/?\[\]]|%[0-9A-Fa-f]{{2}}|{_OTHER})*"
_URI = re.compile(
    rf"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):(?=[^#]))?"
    rf"(?:(?P<opaque>(?<=:)(?![/#]){_ANY})"
    rf"|(?://(?P<authority>(?:{_PLAIN}|[\[\]]|%[0-9A-Fa-f]{{2}}|{_OTHER})*))?"
    rf"(?P<path>{_PATH})(?:\?(?P<query>{_ANY}))?)"
    rf"(?:#(?P<fragment>{_ANY}))?"
)
_NUMBER = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?"
_SERVER = re.compile(
    rf"(?:(?:[A-Za-z0-9\-_.!~*'();:&=+$,]|%[0-9A-Fa-f]{{2}}|{_OTHER})*@)?"
    rf"(?P<host>{_NUMBER}(?:\.{_NUMBER}){{3}}"
    rf"|(?:{_LABEL}\.)*[A-Za-z](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>\d{0,9}))?"
)


@dataclass(frozen=True)
class Uri:
    """A URL that is one; what it lacks is None.

    Attributes:
        scheme: The protocol.
        host: The host, where the authority names a server.
        port: The port.
        path: The path, its escapes read.
        query: What stands behind the question mark, as it is.
        fragment: What stands behind the hash, its escapes read.
    """

    scheme: str | None
    host: str | None
    port: int | None
    path: str | None
    query: str | None
    fragment: str | None


def read_uri(text: str) -> Uri | None:
    """The parts of a URL; None where Java takes it for none."""
    found = _URI.fullmatch(text)
    if not found:
        return None
    authority, path = found["authority"], found["path"]
    if found["opaque"] is None and authority == "" and not (path or found["query"] or found["fragment"]):
        return None  # two slashes with nothing behind them
    if found["scheme"] is None and authority is None and ":" in (path or "").partition("/")[0]:
        return None
    server = _SERVER.fullmatch(authority or "")
    return Uri(
        found["scheme"],
        server["host"] if server else None,
        int(server["port"]) if server and server["port"] else None,
        None if path is None else unquote(path),
        found["query"],
        None if found["fragment"] is None else unquote(found["fragment"]),
    )
