"""Pieces of work at once, in threads of this process."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Callable

from glue_jobs.engine.protocol import ResultT


def run_in_threads(work: Iterable[Callable[[], ResultT]], threads: int) -> list[ResultT]:
    """Run pieces of work, so many at once.

    Args:
        work: The pieces; they begin in their order.
        threads: How many run at once.

    Returns:
        Their results, in their order.

    Raises:
        Exception: The first piece's, once all that had begun have ended.
    """
    with ThreadPoolExecutor(threads) as pool:
        begun = [pool.submit(piece) for piece in work]
        wait(begun, return_when=FIRST_EXCEPTION)
        for piece in begun:
            piece.cancel()
    # One that failed comes before those that never began.
    return [piece.result() for piece in begun]
