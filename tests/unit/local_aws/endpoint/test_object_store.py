"""The object store: S3's meaning of put, get, list and delete over plain directories."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_aws.endpoint.object_store import Condition, ObjectStore, StoreInUseError
from local_aws.endpoint.s3_errors import S3Error
from local_aws.endpoint.sidecar import ObjectMetadata

BUCKET = "lake"


def open_store(state: Path) -> ObjectStore:
    return ObjectStore(state / "s3", state / "staging", state / "metadata.sqlite")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    store = open_store(tmp_path)
    store.create_bucket(BUCKET)
    yield store
    store.close()


def put(
    store: ObjectStore,
    key: str,
    content: bytes = b"",
    facts: ObjectMetadata | None = None,
    *,
    absent: bool = False,
) -> None:
    staged = store.stage()
    staged.write_bytes(content)
    store.publish(BUCKET, key, staged, facts or ObjectMetadata("tag"), Condition(absent=absent))


def read(store: ObjectStore, key: str) -> bytes:
    with store.open(BUCKET, key) as found:
        return b"".join(found.chunks(0, found.info.size))


def keys(store: ObjectStore, **arguments: object) -> list[str]:
    return [info.key for info in store.page(BUCKET, **arguments).objects]  # type: ignore[arg-type]


def refused(store: ObjectStore, key: str) -> str:
    staged = store.stage()
    staged.write_bytes(b"x")
    with pytest.raises(S3Error) as caught:
        store.publish(BUCKET, key, staged, ObjectMetadata("tag"))
    return caught.value.code


@pytest.mark.parametrize(
    "key",
    [
        "plain",
        "a/b=c/x y.txt",
        "ünï/cödé",
        "100%",
        "%2F",
        "a+b",
        "ctrl\x01",
        "tab\t",
        "~",
        "a&b<c>",
        "z" * 255,
    ],
)
def test_a_key_is_the_path_of_its_file(store: ObjectStore, tmp_path: Path, key: str) -> None:
    put(store, key, b"content")
    assert (tmp_path / "s3" / BUCKET / key).read_bytes() == b"content"
    assert read(store, key) == b"content"
    assert keys(store) == [key]


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a//b", "..", "../a", "a/../b", "a/..", ".", "./a", "a/./b", "a\0b", "a//", "\udcff"],
)
def test_a_key_that_is_no_plain_relative_path_is_refused_and_found_nowhere(
    store: ObjectStore, key: str
) -> None:
    assert refused(store, key) in {"InvalidArgument", "InvalidURI"}
    assert store.find(BUCKET, key) is None
    store.delete(BUCKET, key)


def test_no_prefix_leads_out_of_the_bucket(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "s3" / "secret").write_text("x")
    (tmp_path / "s3" / "other-bucket").mkdir()
    (tmp_path / "s3" / "other-bucket" / "key").write_text("x")
    for prefix in ("../", "../other-bucket/", "/", "a/../../", "..", "\0"):
        assert keys(store, prefix=prefix) == []


def test_a_key_that_is_too_long_is_refused(store: ObjectStore) -> None:
    assert refused(store, "x" * 256) == "KeyTooLongError"
    assert refused(store, "/".join(["x" * 200] * 6)) == "KeyTooLongError"


def test_an_object_under_an_object_is_a_clear_error_and_changes_nothing(store: ObjectStore) -> None:
    put(store, "a", b"1")
    assert refused(store, "a/b") == "InvalidRequest"
    assert refused(store, "a/b/c") == "InvalidRequest"
    put(store, "d/e", b"2")
    assert refused(store, "d") == "InvalidRequest"
    staged = store.stage()
    staged.touch()
    with pytest.raises(S3Error, match="a file cannot also be a directory"):
        store.publish(BUCKET, "a/", staged, ObjectMetadata("tag"))
    with pytest.raises(S3Error, match="a file cannot also be a directory"):
        put(store, "d", b"3", absent=True)
    assert read(store, "a") == b"1"
    assert read(store, "d/e") == b"2"
    assert store.find(BUCKET, "a/b") is None
    assert store.find(BUCKET, "d") is None


def test_facts_survive_a_restart(store: ObjectStore, tmp_path: Path) -> None:
    facts = ObjectMetadata(
        "tag", {"content-type": "text/plain"}, {"k": "v"}, {"x-amz-checksum-crc32": "AAAA"}
    )
    put(store, "key", b"content", facts)
    before = store.find(BUCKET, "key")
    store.close()
    again = open_store(tmp_path)
    assert again.buckets() == [BUCKET]
    assert again.find(BUCKET, "key") == before
    assert before is not None
    assert before.facts == facts
    again.close()


def test_what_another_process_writes_has_no_facts_of_the_object_before_it(
    store: ObjectStore, tmp_path: Path
) -> None:
    put(store, "key", b"same size", ObjectMetadata("tag", {"content-type": "text/plain"}))
    (tmp_path / "s3" / BUCKET / "key").write_bytes(b"SAME SIZE")
    found = store.find(BUCKET, "key")
    assert found is not None
    assert found.facts.etag.endswith("-1")
    assert found.facts.headers == {}


def test_an_overwritten_object_has_only_its_own_facts(store: ObjectStore) -> None:
    put(store, "key", b"1", ObjectMetadata("one", {"content-type": "a/b"}))
    put(store, "key", b"2", ObjectMetadata("two"))
    found = store.find(BUCKET, "key")
    assert found is not None
    assert found.facts == ObjectMetadata("two")
    store.delete(BUCKET, "key")
    put(store, "key", b"3", ObjectMetadata("three"))
    assert store.page(BUCKET).objects[0].facts == ObjectMetadata("three")


def test_an_object_that_is_being_read_stays_whole_when_it_is_replaced(store: ObjectStore) -> None:
    put(store, "key", b"old old old")
    with store.open(BUCKET, "key") as found:
        put(store, "key", b"new")
        store.delete(BUCKET, "key")
        assert b"".join(found.chunks(0, found.info.size, size=2)) == b"old old old"


def test_of_many_writers_of_one_absent_key_exactly_one_wins(store: ObjectStore) -> None:
    writers = 16
    barrier = threading.Barrier(writers)

    def write(number: int) -> str:
        barrier.wait()
        try:
            put(store, "commit", str(number).encode(), absent=True)
        except S3Error as error:
            return error.code
        return "won"

    with ThreadPoolExecutor(writers) as pool:
        outcomes = list(pool.map(write, range(writers)))
    assert sorted(outcomes) == ["PreconditionFailed"] * (writers - 1) + ["won"]
    assert read(store, "commit") == str(outcomes.index("won")).encode()


def test_a_put_can_ask_for_the_version_that_it_replaces(store: ObjectStore) -> None:
    put(store, "key", b"1", ObjectMetadata("one"))
    staged = store.stage()
    staged.write_bytes(b"2")
    with pytest.raises(S3Error) as caught:
        store.publish(BUCKET, "key", staged, ObjectMetadata("two"), Condition(etag="other"))
    assert caught.value.status == 412
    with pytest.raises(S3Error) as caught:
        store.publish(BUCKET, "nowhere", staged, ObjectMetadata("two"), Condition(etag="one"))
    assert caught.value.status == 404
    store.publish(BUCKET, "key", staged, ObjectMetadata("two"), Condition(etag="one"))
    with pytest.raises(S3Error):
        store.delete(BUCKET, "key", Condition(etag="one"))
    assert read(store, "key") == b"2"


def test_directories_go_with_their_last_object(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "a/b/c/one")
    put(store, "a/two")
    store.delete(BUCKET, "a/b/c/one")
    assert sorted(path.name for path in (tmp_path / "s3" / BUCKET / "a").iterdir()) == ["two"]
    put(store, "a/b", b"now an object")
    store.delete(BUCKET, "a/two")
    store.delete(BUCKET, "a/b")
    assert list((tmp_path / "s3" / BUCKET).iterdir()) == []
    store.delete(BUCKET, "never/was")


def test_a_directory_marker_is_an_object_until_it_or_its_directory_is_deleted(
    store: ObjectStore, tmp_path: Path
) -> None:
    put(store, "a/b/", facts=ObjectMetadata("empty", {"content-type": "application/x-directory"}))
    assert keys(store) == ["a/b/"]
    found = store.find(BUCKET, "a/b/")
    assert found is not None
    assert found.facts.headers == {"content-type": "application/x-directory"}
    assert store.page(BUCKET, delimiter="/").prefixes == ("a/",)
    assert keys(store, prefix="a/b/", delimiter="/") == ["a/b/"]
    put(store, "a/b/c")
    store.delete(BUCKET, "a/b/c")
    assert keys(store) == ["a/b/"]
    store.delete(BUCKET, "a/b/")
    assert keys(store) == []
    assert not (tmp_path / "s3" / BUCKET / "a").exists()
    put(store, "a/b/")
    (tmp_path / "s3" / BUCKET / "a" / "b").rmdir()
    assert keys(store) == []
    assert store.find(BUCKET, "a/b/") is None


def test_a_directory_marker_holds_no_bytes(store: ObjectStore) -> None:
    assert refused(store, "a/") == "InvalidRequest"


def test_a_directory_that_nobody_marked_is_no_object(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "s3" / BUCKET / "out" / "_temporary").mkdir(parents=True)
    page = store.page(BUCKET, delimiter="/")
    assert (page.objects, page.prefixes) == ((), ())
    assert store.find(BUCKET, "out") is None
    assert store.find(BUCKET, "out/") is None


def test_an_object_may_take_the_place_of_directories_that_hold_none(
    store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "s3" / BUCKET / "out" / "_temporary" / "0").mkdir(parents=True)
    put(store, "out", b"content")
    assert read(store, "out") == b"content"
    put(store, "marked/sub/")
    assert refused(store, "marked") == "InvalidRequest"


def test_only_plain_files_with_a_name_in_utf_8_are_objects(store: ObjectStore, tmp_path: Path) -> None:
    bucket = tmp_path / "s3" / BUCKET
    (tmp_path / "outside").write_text("secret")
    (bucket / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(bucket / "pipe")
    (bucket / os.fsdecode(b"latin-\xe9")).touch()
    assert keys(store) == []
    assert store.find(BUCKET, "link") is None
    assert store.find(BUCKET, "pipe") is None
    store.delete(BUCKET, "pipe")
    assert (bucket / "pipe").exists()


def test_a_listing_goes_in_the_order_of_the_keys_bytes(store: ObjectStore) -> None:
    listed = ["a", "a!", "a-b", "a.b/c", "b/z", "b0", "é", "\uffff", "\U00010000"]
    for key in reversed(listed):
        put(store, key)
    assert keys(store) == listed
    assert sorted(listed, key=str.encode) == listed


def test_pages_of_any_size_give_every_key_and_prefix_once(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "a/b/3", "b", "c/4", "c/5", "d/", "d/6", "e-1", "e-2"):
        put(store, key)
    for delimiter in ("", "/", "-"):
        whole = store.page(BUCKET, delimiter=delimiter)
        assert whole.last is None
        for limit in (1, 2, 3, 7):
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                page = store.page(BUCKET, delimiter=delimiter, after=after, limit=limit)
                found += sorted([*(info.key for info in page.objects), *page.prefixes])
                after = page.last
            assert found == sorted([*(info.key for info in whole.objects), *whole.prefixes])


def test_a_delimiter_of_any_kind_rolls_keys_up(store: ObjectStore) -> None:
    for key in ("year=2024", "year=2025", "month", "a/b/c", "a/b=d"):
        put(store, key)
    page = store.page(BUCKET, delimiter="=")
    assert page.prefixes == ("a/b=", "year=")
    assert [info.key for info in page.objects] == ["a/b/c", "month"]
    page = store.page(BUCKET, prefix="a/", delimiter="/")
    assert page.prefixes == ("a/b/",)
    assert [info.key for info in page.objects] == ["a/b=d"]
    page = store.page(BUCKET, prefix="a/b", delimiter="/")
    assert page.prefixes == ("a/b/",)


def test_a_page_of_nothing_is_empty(store: ObjectStore) -> None:
    put(store, "a")
    assert store.page(BUCKET, limit=0) == store.page(BUCKET, prefix="z")


def test_buckets_that_are_missing_or_misnamed_are_errors(store: ObjectStore) -> None:
    with pytest.raises(S3Error, match="does not exist"):
        store.find("nowhere", "key")
    with pytest.raises(S3Error, match="does not exist"):
        store.page("..")
    with pytest.raises(S3Error, match="not valid"):
        store.create_bucket("../up")


def test_a_bucket_is_deleted_only_when_it_holds_no_object(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "a/b")
    with pytest.raises(S3Error, match="not empty"):
        store.delete_bucket(BUCKET)
    store.delete(BUCKET, "a/b")
    (tmp_path / "s3" / BUCKET / "empty").mkdir()
    store.delete_bucket(BUCKET)
    assert store.buckets() == []


def test_tags_are_replaced_without_touching_the_object(store: ObjectStore) -> None:
    put(store, "key", b"content", ObjectMetadata("tag", {"content-type": "a/b"}, {"old": "1"}))
    put(store, "marker/")
    store.retag(BUCKET, "key", {"new": "2"})
    store.retag(BUCKET, "marker/", {"new": "3"})
    found, marker = store.find(BUCKET, "key"), store.find(BUCKET, "marker/")
    assert found is not None
    assert marker is not None
    assert found.facts == ObjectMetadata("tag", {"content-type": "a/b"}, {"new": "2"})
    assert marker.facts.tags == {"new": "3"}


def test_what_a_killed_process_left_in_staging_is_gone_at_the_next_start(
    store: ObjectStore, tmp_path: Path
) -> None:
    torn = store.stage()
    torn.write_bytes(b"half an obj")
    store.close()
    again = open_store(tmp_path)
    assert not torn.exists()
    assert keys(again) == []
    again.close()


def test_one_directory_has_one_store(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StoreInUseError, match="stop it, or use another directory"):
        open_store(tmp_path)
    store.close()
    open_store(tmp_path).close()
