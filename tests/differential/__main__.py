"""The differential: everything that is computed, computed by both engines and compared.

    python -m tests.differential                    every piece that has no outcome of this code yet
    python -m tests.differential --piece 3          one piece
    python -m tests.differential --from 1 --to 6    some pieces
    python -m tests.differential --summary          what has been found so far
    python -m tests.differential --case merge       relations of cases with this name, in one session
    python -m tests.differential --history 17       one history

A piece takes a few minutes, in a process with a Spark session of its own, and leaves its outcome in
``.differential/``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from local_aws.jobs.java import java_home
from local_aws.jobs.spark_settings import spark_environment, write_conf
from tests.differential.relations import Frame
from tests.differential.texts import cases

ROOT = Path(__file__).resolve().parents[2]
OUTCOMES = ROOT / ".differential"

RELATIONS = 5000
FRAME = 2500
"""Relations of one frame."""

HISTORIES = 100

_SECONDS = {
    "merge": 13,
    "joined": 5,
    "incoming": 3,
    "members": 15,
    "calendar": 5,
    "validation": 15,
    "functions": 15,
}
"""About what a frame takes by kind of case."""

_HISTORY_SECONDS = 75
_PIECE_SECONDS = 420


@dataclass(frozen=True)
class Item:
    """What is compared at once: a frame of relations of a case, or one history.

    Attributes:
        name: The case, or nothing for a history.
        first: The first relation, or the history.
    """

    name: str
    first: int

    @property
    def seconds(self) -> int:
        """About how long it takes."""
        return _SECONDS[self.name.split(" ", 1)[0]] if self.name else _HISTORY_SECONDS

    def __str__(self) -> str:
        return f"{self.name}, relations from {self.first}" if self.name else f"history {self.first}"


@dataclass
class Outcome:
    """What a piece found.

    Attributes:
        piece: The piece.
        seed: The seed.
        code: Digest of the code that was compared.
        relations: Generated relations, each through every text of its case.
        questions: Queries that were asked of both engines.
        rows: Rows that they answered.
        histories: Whole histories.
        comparisons: Lakes that were compared with the embedded engine's.
        seconds: How long it took.
        differences: What differed.
    """

    piece: int
    seed: int
    code: str
    relations: int = 0
    questions: int = 0
    rows: int = 0
    histories: int = 0
    comparisons: int = 0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return OUTCOMES / f"seed-{self.seed}" / f"piece-{self.piece:03}.json"


def pieces() -> list[list[Item]]:
    """Every piece, each with work for a few minutes."""
    items = [Item(name, first) for name in cases() for first in range(0, RELATIONS, FRAME)]
    items += [Item("", number) for number in range(HISTORIES)]
    found: list[list[Item]] = [[]]
    for item in items:
        if found[-1] and sum(one.seconds for one in found[-1]) + item.seconds > _PIECE_SECONDS:
            found.append([])
        found[-1].append(item)
    return found


def code() -> str:
    """A digest of what is compared and of how."""
    digest = hashlib.sha256()
    folders = ("bi", "catalog", "expectations", "glue_jobs", "sites", "tests/differential")
    for path in sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run(items: Sequence[Item], outcome: Outcome, relations: int = FRAME) -> None:
    """Compare, and note what is found."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        for item in items:
            started = time.monotonic()
            try:
                found = (
                    list(_relations(item, outcome, Path(folder), relations))
                    if item.name
                    else list(_history(item, outcome, Path(folder)))
                )
            except Exception:  # noqa: BLE001 - one engine's failure is a difference like any other
                found = [traceback.format_exc()]
            outcome.differences += [f"{item}: {text}" for text in found]
            outcome.seconds = round(time.monotonic() - began, 1)
            outcome_words = f"{len(found)} DIFFERENCES" if found else "equal"
            _report(f"{item}: {outcome_words}, {time.monotonic() - started:.1f} s")
            for text in found:
                _report(text[:2000])


def _relations(item: Item, outcome: Outcome, folder: Path, count: int) -> Iterator[str]:
    from glue_jobs.engine.embedded import EmbeddedEngine
    from glue_jobs.engine.spark import SparkEngine
    from tests.differential.compare import compared

    embedded = EmbeddedEngine(cast("Any", None), folder / "engine", 1 << 30, 1, 8 << 30)
    spark = SparkEngine("eu-west-2", "differential")
    try:
        ask = cases()[item.name](Frame(outcome.seed, item.first, count))
        for one in compared(ask, (embedded, spark)):
            outcome.questions += 1
            outcome.rows += one.rows
            if one.difference is not None:
                yield f"{one.text}: {one.difference}"
            elif not one.rows:
                yield f"{one.text}: no rows, so that nothing was compared"
    finally:
        embedded.close()
        spark.forget()
    outcome.relations += count


def _history(item: Item, outcome: Outcome, folder: Path) -> Iterator[str]:
    from tests.differential.histories import history
    from tests.differential.lakes import first_difference, mixed, played
    from tests.lake import embedded
    from tests.spark import on_spark

    steps = history(item.first, outcome.seed)
    engines = {"embedded": embedded, "spark": on_spark, "mixed": mixed(str(item), on_spark)}
    stated: dict[str, Any] = {}
    for name, engine in engines.items():
        # What jobs log is of no use here.
        with redirect_stdout(io.StringIO()):
            stated[name] = played(folder / f"{item.first}-{name}", steps, engine)
        if name != "embedded":
            outcome.comparisons += 1
            different = first_difference(stated["embedded"], stated[name])
            if different is not None:
                yield f"embedded against {name}: {different}"
    outcome.histories += 1


def _report(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)  # noqa: T201


def _spark(folder: Path) -> None:
    """Make Spark's settings known to the session that this process will have."""
    conf = write_conf(folder / "conf")
    log4j = conf / "log4j2.properties"
    log4j.write_text(
        log4j.read_text("utf-8").replace("rootLogger.level = warn", "rootLogger.level = error"), "utf-8"
    )
    os.environ.update(spark_environment(conf, java_home(folder)))


def _one(piece: int, seed: int) -> int:
    outcome = Outcome(piece, seed, code())
    items = pieces()[piece - 1]
    _report(f"piece {piece} of {len(pieces())}, seed {seed}: {'; '.join(map(str, items))}")
    with tempfile.TemporaryDirectory(prefix="differential-spark-") as folder:
        _spark(Path(folder))
        run(items, outcome)
    outcome.path.parent.mkdir(parents=True, exist_ok=True)
    outcome.path.write_text(json.dumps(asdict(outcome), indent=1), "utf-8")
    _report(f"piece {piece}: {_words([outcome])}")
    return 1 if outcome.differences else 0


def _outcomes(seed: int) -> dict[int, Outcome]:
    paths = sorted((OUTCOMES / f"seed-{seed}").glob("piece-*.json"))
    return {
        found.piece: found for found in (Outcome(**json.loads(path.read_text("utf-8"))) for path in paths)
    }


def _words(found: Sequence[Outcome]) -> str:
    def total(name: str) -> float:
        return float(sum(getattr(outcome, name) for outcome in found))

    texts = (
        f"{total('questions'):,.0f} queries over {FRAME} relations each" if total("questions") else "",
        f"{total('rows'):,.0f} rows" if total("rows") else "",
        f"{total('histories'):.0f} histories in {total('comparisons'):.0f} comparisons"
        if total("histories")
        else "",
        f"{sum(len(outcome.differences) for outcome in found)} differences",
        f"{total('seconds'):,.0f} s",
    )
    return ", ".join(filter(None, texts))


def _summary(seed: int) -> int:
    found, count, now = _outcomes(seed), len(pieces()), code()
    for outcome in found.values():
        for text in outcome.differences:
            _report(f"piece {outcome.piece}: {text[:600]}")
    old = [piece for piece, outcome in found.items() if outcome.code != now]
    missing = [piece for piece in range(1, count + 1) if piece not in found]
    _report(f"seed {seed}: {len(found)} of {count} pieces: {_words(list(found.values()))}")
    if old:
        _report(f"of other code than this: pieces {old}")
    if missing:
        _report(f"not run yet: pieces {missing}")
    return 1 if missing or any(outcome.differences for outcome in found.values()) else 0


def main(argv: Sequence[str]) -> int:
    """Run what is asked for.

    Returns:
        0 if nothing differed; with a summary, if besides every piece was run.
    """
    parser = argparse.ArgumentParser(prog="differential", description="Compare both engines.")
    parser.add_argument("--piece", type=int)
    parser.add_argument("--from", type=int, dest="first", default=1)
    parser.add_argument("--to", type=int, dest="last", default=len(pieces()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--case")
    parser.add_argument("--history", type=int)
    parser.add_argument("--relations", type=int, default=FRAME, help="of a case that is asked for")
    # Make's variables are in capitals.
    given = parser.parse_args([word.lower() if word.startswith("--") else word for word in argv])
    if given.summary:
        return _summary(given.seed)
    if given.piece is not None:
        return _one(given.piece, given.seed)
    if given.case is not None or given.history is not None:
        outcome = Outcome(0, given.seed, code())
        items = [Item(name, 0) for name in cases() if given.case is not None and given.case in name]
        items += [Item("", given.history)] if given.history is not None else []
        with tempfile.TemporaryDirectory(prefix="differential-spark-") as folder:
            _spark(Path(folder))
            run(items, outcome, given.relations)
        _report(_words([outcome]))
        return 1 if outcome.differences else 0
    now, found = code(), _outcomes(given.seed)
    for piece in range(given.first, given.last + 1):
        done = found.get(piece)
        if done is not None and done.code == now and not done.differences:
            continue
        command = [
            sys.executable,
            "-m",
            "tests.differential",
            "--piece",
            str(piece),
            "--seed",
            str(given.seed),
        ]
        subprocess.run(command, cwd=ROOT, check=False)
    return _summary(given.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
