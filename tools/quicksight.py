"""Prints the dashboard as a CloudFormation template of Amazon QuickSight's resources, as JSON.

Terraform, or `aws cloudformation`, deploys it where an account subscribes to QuickSight (docs/dashboard.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bi.dashboard import load_dashboard
from bi.quicksight import template
from bi.select_lists import ENGINES
from catalog.yaml_lines import ContractError


def main(argv: Sequence[str]) -> int:
    """Print the template; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.quicksight", description=__doc__)
    parser.add_argument(
        "--from", dest="engine", choices=ENGINES, default="lake", help="what the dashboard reads"
    )
    engine = parser.parse_args(argv).engine
    try:
        found = template(load_dashboard(), engine)
    except ContractError as error:
        print(f"quicksight: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
