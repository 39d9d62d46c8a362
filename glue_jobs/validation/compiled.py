"""The rules of a run, compiled: of tables whose rules cannot be compiled the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.catalogue import Catalogue
from catalog.yaml_lines import ContractError
from expectations.compile import compile_rules
from expectations.rules import Suite
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.validation.row_validator import RowValidator

NO_RULES = "this release knows no rules for it"


@dataclass(frozen=True)
class CompiledTables:
    """Tables with their compiled rules.

    Attributes:
        validators: By raw table.
        refused: By raw table whose rules cannot be compiled, the reason.
    """

    validators: Mapping[str, RowValidator]
    refused: Mapping[str, str]


def compile_tables(catalog: Catalogue, suites: Mapping[str, Suite], tables: Iterable[str]) -> CompiledTables:
    """Compile the rules of some tables, as their contracts are registered now.

    Args:
        catalog: The contracts.
        suites: The rules by raw table; a table without an entry waits.
        tables: The raw tables.
    """
    validators, refused = {}, {}
    for table in sorted(tables):
        try:
            if table not in suites:
                refused[table] = NO_RULES
                continue
            compiled = compile_rules(suites[table], catalog)
            validators[table] = RowValidator(suites[table], compiled.conditions)
        except (ContractError, UserError) as error:
            refused[table] = str(error)
    for table, reason in refused.items():
        log.error("validate.table_waits", table=table, reason=reason)
    return CompiledTables(validators, refused)
