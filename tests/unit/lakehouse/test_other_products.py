"""Servers that speak as PostgreSQL does are told from it by what they call themselves."""

from __future__ import annotations

import pytest

from lakehouse.database_checks import other_product


@pytest.mark.parametrize(
    ("version", "product"),
    [
        ("PostgreSQL 18.1 on x86_64-pc-linux-gnu, compiled by gcc", None),
        ("PostgreSQL 16.6 (Debian 16.6-1.pgdg120+1) on aarch64", None),
        ("CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024/05/15)", "CockroachDB"),
        ("PostgreSQL 11.2-YB-2.19.3.0-b0 on x86_64-pc-linux-gnu", "YugabyteDB"),
        ("PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.12103", "Amazon Redshift"),
        ("Hologres 2.0", "a server that calls itself 'Hologres 2.0'"),
    ],
)
def test_another_product_is_known_by_its_version(version: str, product: str | None) -> None:
    assert other_product(version) == product
