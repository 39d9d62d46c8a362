"""Access keys: whose they are, and until when. Random, known to one endpoint, and gone with it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import string
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local_aws.rights.evaluate import Principal
from local_aws.rights.policy import Policy

_LETTERS = string.ascii_uppercase + string.digits
_LASTING, _TEMPORARY = "AKIA", "ASIA"


class UnknownKeyError(Exception):
    """An access key that nobody has, or that came without its session's token."""


class ExpiredKeyError(Exception):
    """The keys of a session that is over."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request.

    Attributes:
        principal: Who that is to policies.
        role: The name of the role whose policies hold; empty where it has none.
        session_policy: What the session was made with.
        is_service: Whether it is the stack itself, whose own look-ups nothing restricts.
    """

    principal: Principal
    role: str = ""
    session_policy: Policy | None = None
    is_service: bool = False


@dataclass(frozen=True)
class Credentials:
    """What a request is signed with.

    Attributes:
        access_key: Says who asks.
        secret_key: Signs.
        token: Of a session; empty for keys that last.
        expires: When a session's keys end.
    """

    access_key: str
    secret_key: str
    token: str = ""
    expires: datetime | None = None

    def environment(self) -> dict[str, str]:
        """The variables by which SDKs take them."""
        made = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**made, "AWS_SESSION_TOKEN": self.token} if self.token else made


def kept_keys(path: Path) -> Credentials:
    """Lasting keys that a file keeps, readable by its owner alone; they are made where there is none.

    Args:
        path: The file.
    """
    with contextlib.suppress(FileNotFoundError):
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    made = _lasting_keys()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"access_key": made.access_key, "secret_key": made.secret_key}, file)
    return made


def _lasting_keys() -> Credentials:
    return Credentials(_LASTING + _letters(), secrets.token_urlsafe(30))


def _letters() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


class KeyRing:
    """The keys of one endpoint; used from several threads at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Caller, Credentials]] = {}
        self._lock = threading.Lock()

    def issue(self, caller: Caller, lasting: timedelta | None = None) -> Credentials:
        """Make keys.

        Args:
            caller: Whose they are.
            lasting: How long they are good, with a token; for good where nothing is said.
        """
        made = _lasting_keys()
        if lasting is not None:
            token, expires = secrets.token_urlsafe(48), _now() + lasting
            made = Credentials(_TEMPORARY + _letters(), made.secret_key, token, expires)
        with self._lock:
            self._known = {key: entry for key, entry in self._known.items() if not _long_over(entry[1])}
            self._known[made.access_key] = (caller, made)
        return made

    def adopt(self, caller: Caller, credentials: Credentials) -> Credentials:
        """Know keys again that an earlier ring issued.

        Args:
            caller: Whose they are.
            credentials: The keys; nobody else's.
        """
        with self._lock:
            self._known.setdefault(credentials.access_key, (caller, credentials))
        return credentials

    def revoke(self, access_keys: Sequence[str]) -> None:
        """Make keys unknown."""
        with self._lock:
            for key in access_keys:
                self._known.pop(key, None)

    def caller(self, access_key: str, token: str) -> Caller:
        """Whose a key is; see :meth:`signer`."""
        return self.signer(access_key, token)[0]

    def signer(self, access_key: str, token: str) -> tuple[Caller, Credentials]:
        """Whose a key is, and what it signs with.

        Args:
            access_key: As the request states it.
            token: The session's token that came with it.

        Raises:
            UnknownKeyError: Nobody's, or the token is not its session's.
            ExpiredKeyError: The session's keys have ended.
        """
        with self._lock:
            found = self._known.get(access_key)
        if found is None or not secrets.compare_digest(found[1].token, token):
            raise UnknownKeyError(access_key)
        _, credentials = found
        if credentials.expires is not None and credentials.expires <= _now():
            raise ExpiredKeyError(access_key)
        return found

    def holder(self, access_key: str) -> Caller | None:
        """Whose a key is, for the stack that works for them; None where it is nobody's."""
        with self._lock:
            found = self._known.get(access_key)
        return None if found is None else found[0]


def _long_over(credentials: Credentials) -> bool:
    """Whether keys ended so long ago that nobody needs to be told of it."""
    return credentials.expires is not None and credentials.expires < _now() - timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC)
