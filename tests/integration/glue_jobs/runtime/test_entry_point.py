"""How a job's process begins."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests import needs

ROOT = Path(__file__).resolve().parents[4]
CLIENT = "boto3.client('s3', region_name='eu-west-2')"


def test_no_warning_of_a_library_about_the_python_of_glue_stands_in_the_log_of_a_run() -> None:
    python = needs.runtime("3.9")

    def said(script: str) -> str:
        command = [str(python), "-c", f"import boto3\nfrom glue_jobs.runtime import entry_point\n{script}"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr

    assert "Boto3 will no longer support Python 3.9" in said(CLIENT)
    assert said(f"entry_point.run('a_job', lambda _: {CLIENT} and 0, [])") == ""
