"""What lies in the prefixes that Athena reads, beside what commits name there.

Athena reads every object below a partition's address: it would read one that no commit names as well, and not
miss one that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.model import Contract
from glue_jobs.lake.commits import DataObject
from glue_jobs.reconciliation.compare import EXAMPLES
from glue_jobs.reconciliation.lake_rows import Lake, live_partitions
from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference
from glue_jobs.runtime.s3 import list_objects


@dataclass(frozen=True)
class Listing:
    """The objects of a star table's live prefixes.

    Attributes:
        named: Those that commits name.
        sizes: By key, the bytes of those that are there.
    """

    named: tuple[DataObject, ...]
    sizes: dict[str, int]

    @property
    def present(self) -> tuple[DataObject, ...]:
        """Those that commits name and that are there."""
        return tuple(data for data in self.named if data.key in self.sizes)

    def comparison(self) -> Comparison:
        """Commits and prefixes as two sides; keys are keys of objects."""
        named = {data.key: data.bytes for data in self.named}
        found = {
            "missing": sorted(named.keys() - self.sizes.keys()),
            "extra": sorted(self.sizes.keys() - named.keys()),
            "different": sorted(
                key for key in named.keys() & self.sizes.keys() if named[key] != self.sizes[key]
            ),
        }
        examples = [
            Difference(kind, key, waiting=False) for kind, keys in found.items() for key in keys[:EXAMPLES]
        ]
        counts = {kind: len(keys) for kind, keys in found.items()}
        return Comparison("commits", "prefixes", examples=tuple(examples), **counts)


def list_live_prefixes(lake: Lake, contract: Contract) -> Listing:
    """List every live prefix of a star table.

    Raises:
        UserError: A live partition was written by no commit.
    """
    named: list[DataObject] = []
    sizes: dict[str, int] = {}
    live = [found for stage in contract.stages for found in live_partitions(lake, contract, stage)]
    for location, objects in live:
        named += objects
        there = list_objects(lake.clients.s3, lake.clients.bucket(contract), location)
        sizes.update((found["Key"], found["Size"]) for found in there)
    return Listing(tuple(named), sizes)
