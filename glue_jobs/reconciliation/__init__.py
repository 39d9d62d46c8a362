"""Is the source what the lake holds, and the lake what the warehouse holds? Counted and compared to the row.

It shares no code with what builds the star: what a star row should be is derived from the contracts, in SQL
of its own, from the source as it is now.
"""

from glue_jobs.reconciliation.reconcile import reconcile, star_checksums
from glue_jobs.reconciliation.report import Comparison, Difference, Report, TableReport

__all__ = ["Comparison", "Difference", "Report", "TableReport", "reconcile", "star_checksums"]
