"""Where versions lie, and what their places say."""

from __future__ import annotations

import pytest

from catalog.catalogue import load_catalogue
from catalog.glue import table_input
from glue_jobs.lake import layout


@pytest.mark.parametrize("spec", ["", "created_month=2024-11"])
def test_the_place_of_a_version_says_which_commit_it_was_written_for(spec: str) -> None:
    fact = load_catalogue().star["fact_payment"]
    place = layout.star_location(fact, spec, layout.version_label(1234, layout.new_attempt()))
    assert layout.version_sequence(place) == 1234
    assert layout.version_sequence(f"s3://bucket/{place}".rstrip("/")) == 1234


def test_a_table_that_has_no_version_yet_is_of_no_commit() -> None:
    stated = table_input(load_catalogue().star["dim_date"], "bucket")
    assert layout.version_sequence(stated["StorageDescriptor"]["Location"]) == 0
