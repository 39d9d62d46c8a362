"""Is the source what the lake holds, and the lake what the warehouse holds? Counted and compared to the row.

It shares no code with what builds the star, contracts and their grammar apart: what a star row should be is
derived from the source as it is now, in SQL of its own and by Python.
"""

from glue_jobs.reconciliation.comparison import reconcile, star_checksums
from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference, Report, TableReport

__all__ = ["Comparison", "Difference", "Report", "TableReport", "reconcile", "star_checksums"]
