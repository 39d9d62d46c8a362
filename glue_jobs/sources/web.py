"""One GET of a public address, bounded in time and size; what comes is kept as it came."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Retry, Timeout

from glue_jobs.runtime.errors import UserError

MOST_BYTES = 5_000_000
"""How many bytes an answer may have."""

TRIES = 3
"""How often an address is asked that answers that it cannot just now, or not at all."""

_BUSY = (429, 500, 502, 503, 504)
_LOOPBACK = ("127.0.0.1", "localhost")
_OK = 200


class NoAnswer(UserError):  # noqa: N818 - named for what happened
    """The address did not answer with what was asked for."""


@dataclass(frozen=True)
class WebAnswer:
    """What an address answered.

    Attributes:
        body: The octets, as they were received.
        media_type: What they say that they are, without parameters, in small letters.
    """

    body: bytes
    media_type: str


def get(url: str, accepted: Collection[str], pause: float = 1.0) -> WebAnswer:
    """Ask an address.

    It follows no redirect, since another page would be no answer, and takes nothing compressed, which could
    be of any size.

    Args:
        url: The address; without TLS only on this machine.
        accepted: The media types of an answer.
        pause: Seconds before the second try; twice as many before the third.

    Raises:
        NoAnswer: It does not answer, refuses, or sends what cannot be an answer.
    """
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise NoAnswer(f"{where} is not asked: its answer could be anybody's.", "Name an https address.")
    retries = Retry(
        TRIES - 1,
        redirect=False,
        status_forcelist=_BUSY,
        backoff_factor=pause,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    headers = {"Accept": ", ".join(accepted), "Accept-Encoding": "identity", "User-Agent": "lakehouse"}
    with urllib3.PoolManager(
        ssl_context=ssl.create_default_context(), timeout=Timeout(connect=5, read=20), headers=headers
    ) as pool:
        try:
            answer = pool.request(
                "GET", url, retries=retries, redirect=False, preload_content=False, decode_content=False
            )
            if answer.status != _OK:
                raise NoAnswer(
                    f"{where} answers with the status {answer.status}.",
                    "See whether the provider has moved or is down; the next run asks again.",
                )
            body = answer.read(MOST_BYTES + 1, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswer(
                f"{where} cannot be read ({type(error).__name__}).",
                "See whether the job's network reaches it; the next run asks again.",
            ) from error
    _check(where, answer, body)
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return WebAnswer(body, media_type)


def _check(where: str, answer: urllib3.BaseHTTPResponse, body: bytes) -> None:
    if len(body) > MOST_BYTES:
        raise NoAnswer(
            f"{where} sends more than {MOST_BYTES:,} bytes.", "Ask for fewer days, or look at what it sends."
        )
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise NoAnswer(
            f"{where} sends its answer compressed ({encoding[:20]}), which was not asked for.",
            "See what the provider sends; nothing of it was taken.",
        )
    stated = answer.headers.get("Content-Length", "")
    # Compared as text: a number may have any length.
    if stated.isdecimal() and stated.lstrip("0") != str(len(body) or ""):
        raise NoAnswer(
            f"{where} states {stated[:20]} bytes and sends {len(body)}: the answer is cut off.",
            "The next run asks again.",
        )
