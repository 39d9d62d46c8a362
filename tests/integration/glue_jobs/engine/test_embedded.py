"""The embedded engine keeps within its memory and its disk, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from glue_jobs.engine import embedded as embedded_module
from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.engine.protocol import OBJECT_BYTES, Destination, Engine, OutOfResources
from tests.integration.glue_jobs.engine.conftest import BUCKET, Site
from tests.integration.glue_jobs.engine.test_engines import KEYED, put_rows

WIDE = (
    "SELECT id, md5(CAST(id AS STRING)) || md5(CAST(id + 1 AS STRING)) AS name FROM range(1000000) AS r(id)"
)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def little(site: Site, tmp_path: Path) -> Iterator[EmbeddedEngine]:
    """An engine with little memory and no disk to speak of."""
    engine = EmbeddedEngine(site.s3, tmp_path, 32 << 20, 1, OBJECT_BYTES + (1 << 20))
    yield engine
    engine.close()


def test_what_memory_does_not_hold_goes_to_the_disk(site: Site, tmp_path: Path) -> None:
    engine = EmbeddedEngine(site.s3, tmp_path, 48 << 20, 1, 1 << 30)
    destination = Destination(BUCKET, site.prefix(), KEYED, ("name",))
    engine.table("kept", WIDE)
    written = engine.write("SELECT * FROM kept", destination, 1_000_000)
    assert sum(data.rows for data in written[""]) == 1_000_000
    engine.close()
    assert files(tmp_path) == []


@pytest.mark.parametrize("use", ["table", "write", "fetch"])
def test_a_lack_of_memory_and_disk_is_told_from_other_errors(
    little: EmbeddedEngine, site: Site, use: str
) -> None:
    uses: dict[str, Callable[[], object]] = {
        "table": lambda: little.table("kept", WIDE),
        "write": lambda: little.write(WIDE, Destination(BUCKET, site.prefix(), KEYED, ("name",)), 1_000_000),
        "fetch": lambda: little.fetch(
            f"SELECT max(n) AS n FROM (SELECT row_number() OVER (ORDER BY name) AS n FROM ({WIDE}) AS w) AS x"
        ),
    }
    with pytest.raises(OutOfResources):
        uses[use]()
    with pytest.raises(Exception, match="nowhere") as other:
        little.fetch("SELECT * FROM nowhere")
    assert not isinstance(other.value, OutOfResources)
    assert little.fetch("SELECT 1 AS one") == [{"one": 1}]


def test_objects_that_the_disk_does_not_hold_are_not_downloaded(little: EmbeddedEngine, site: Site) -> None:
    texts = [{"id": number, "name": sha256(b"%d" % number).hexdigest()} for number in range(50_000)]
    put = put_rows(site, texts)
    assert put.bytes > 1 << 20
    little.read("found", put)
    site.strikes.paths.clear()
    with pytest.raises(OutOfResources, match="do not fit on the disk"):
        little.fetch("SELECT count(*) AS n FROM found")
    assert not [path for path in site.strikes.paths if path.startswith("GET")]


def test_a_full_disk_is_a_lack_of_resources(
    little: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glue_jobs.engine.embedded.objects.download", full)
    put = put_rows(site, [{"id": 1, "name": "a"}])
    little.read("found", put)
    with pytest.raises(OutOfResources, match="No space left"):
        little.fetch("SELECT * FROM found")


def test_files_stay_as_long_as_their_relation(site: Site, tmp_path: Path) -> None:
    engine = EmbeddedEngine(site.s3, tmp_path, 64 << 20, 1, 1 << 30)
    put = put_rows(site, [{"id": 1, "name": "a"}])
    assert files(tmp_path) == []
    engine.read("one", put)
    engine.read("other", put)
    assert engine.fetch("SELECT count(*) AS n FROM one CROSS JOIN other") == [{"n": 1}]
    assert len(files(tmp_path)) == 2
    engine.forget(["one"])
    assert [path.parts[-2] for path in files(tmp_path)] == ["other"]
    engine.close()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_no_file(site: Site, tmp_path: Path) -> None:
    engine = EmbeddedEngine(site.s3, tmp_path, 64 << 20, 1, 1 << 30)
    with pytest.raises(ValueError, match="may not be empty"):
        engine.write(
            "SELECT CAST(NULL AS BIGINT) AS id, 'a' AS name", Destination(BUCKET, "x/", KEYED, ("id",)), 1
        )
    assert files(tmp_path) == []
    engine.close()


def test_extensions_are_neither_installed_nor_loaded_by_themselves(embedded: Engine) -> None:
    for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
        assert embedded.fetch(f"SELECT current_setting('{name}') AS given") == [{"given": False}]


def test_a_column_of_a_type_that_lake_files_do_not_hold_is_refused(embedded: Engine) -> None:
    with pytest.raises(TypeError, match="lake files hold no"):
        embedded.rows("some", pa.schema([("list", pa.list_(pa.int64()))]), [{"list": [1]}])


def test_wide_rows_are_written_as_others_are(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {
            "id": number * 7919 % 500,
            "name": None if number % 5 == 0 else f"{number % 90} {'x' * (number % 3)}",
        }
        for number in range(2000)
    ]
    put = put_rows(site, rows)
    found = []
    for wide in (embedded_module.WIDE_ROW, -1):
        monkeypatch.setattr(embedded_module, "WIDE_ROW", wide)
        engine = EmbeddedEngine(site.s3, tmp_path / str(wide), 64 << 20, 1, 1 << 30)
        engine.read("few", put)
        engine.table("kept", "SELECT id, name, count(*) OVER (PARTITION BY id) AS n, id % 3 AS part FROM few")
        prefix = site.prefix()
        one = Destination(BUCKET, prefix, KEYED, ("name", "id"), ("id",), "part")
        other = Destination(BUCKET, f"{prefix}whole/", KEYED, ("id", "name"))
        query = "SELECT id, name, part FROM kept WHERE n > 0"
        written = [engine.write(query, to, 2000) for to in (one, other)]
        found.append(
            [
                [(value, data.sha256, data.key_min) for value, several in some.items() for data in several]
                for some in written
            ]
        )
        assert engine.fetch("SELECT sum(n) AS n FROM kept") == [{"n": 8000}]
        engine.forget()
        assert files(tmp_path) == []
        engine.close()
    assert found[0] == found[1]


def test_wide_rows_that_the_disk_does_not_hold(site: Site, tmp_path: Path) -> None:
    put = put_rows(site, [{"id": number, "name": "x" * (1 << 20)} for number in range(8)])
    engine = EmbeddedEngine(site.s3, tmp_path, 64 << 20, 1, OBJECT_BYTES + (4 << 20))
    engine.read("few", put)
    for use in (
        lambda: engine.table("kept", "SELECT * FROM few"),
        lambda: engine.write("SELECT * FROM few", Destination(BUCKET, site.prefix(), KEYED, ("id",)), 8),
    ):
        with pytest.raises(OutOfResources, match="rows with large texts do not fit on the disk"):
            use()
    engine.close()
    assert files(tmp_path) == []
