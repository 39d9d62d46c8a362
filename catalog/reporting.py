"""The currency that amounts of all currencies are reported in, and whose rates they are converted by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Contract
from catalog.pipeline import Pipeline, load_pipeline
from catalog.project import contracts_folder, once_per_project
from catalog.yaml_lines import ContractError


@dataclass(frozen=True)
class Reporting:
    """What views in the reporting currency are made of.

    Attributes:
        currency: Its ISO 4217 code.
        provider: Whose rates are used.
        rates: The fact of rates.
        currencies: The dimension of currencies.
        code: The dimension's column of their codes.
    """

    currency: str
    provider: str
    rates: Contract
    currencies: Contract
    code: str

    @property
    def suffix(self) -> str:
        """How names end that carry the currency's code."""
        return self.currency.lower()


@once_per_project
def load_reporting() -> Optional[Reporting]:
    """What the project reports amounts in; nothing where no feed brings rates.

    Raises:
        ContractError: A fact is to be reported and cannot be, in words.
    """
    catalogue = load_catalogue()
    reporting = reporting_of(load_pipeline(), catalogue)
    for contract, reason in reporting_faults(reporting, catalogue):
        raise ContractError(contracts_folder() / contract.zone / f"{contract.table}.yaml", 1, reason)
    return reporting


def reporting_of(pipeline: Pipeline, catalogue: Catalogue) -> Optional[Reporting]:
    """What a pipeline reports amounts in, by the feed whose table a fact of rates is built from.

    Args:
        pipeline: The currency and the feeds.
        catalogue: The contracts.
    """
    feeds = {feed.table: feed for feed in pipeline.http_feeds.values()}
    for fact in catalogue.star_of_kind("fact"):
        table = fact.built_from.table if fact.built_from is not None else None
        if fact.daily is not None and fact.daily.cross_rates is not None and table in feeds:
            feed = feeds[table]
            name, _, code = feed.currencies.partition(".")
            return Reporting(pipeline.reporting_currency, feed.provider, fact, catalogue.star[name], code)
    return None


def reporting_faults(reporting: Optional[Reporting], catalogue: Catalogue) -> Iterator[tuple[Contract, str]]:
    """Facts that are to be reported and cannot be, each with why.

    Args:
        reporting: What they are reported in.
        catalogue: The contracts.
    """
    for fact in catalogue.star_of_kind("fact"):
        stated = fact.reported
        if stated is None:
            continue
        if reporting is None or reporting.rates.daily is None:
            yield fact, "it is reported, and no feed brings rates"
            return
        days = [one.table for one in reporting.rates.references if one.column == reporting.rates.daily.day]
        wanted = {(stated.currency, reporting.currencies.table), *((stated.day, day) for day in days)}
        missing = sorted(wanted - {(one.column, one.table) for one in fact.references})
        if missing:
            yield fact, f"{missing[0][0]} of what is reported does not refer to {missing[0][1]}"
