"""Metrics are log lines in CloudWatch's embedded metric format."""

from __future__ import annotations

import json

import pytest

from glue_jobs.runtime import metrics


def test_a_line_states_its_metrics_dimensions_and_time() -> None:
    line = json.loads(
        json.dumps(metrics.embedded({"job": "j", "table": "t"}, {"rows": 3, "seconds": 0.5}, 12.3456))
    )

    assert (line["job"], line["table"], line["rows"], line["seconds"]) == ("j", "t", 3, 0.5)
    assert line["_aws"]["Timestamp"] == 12345
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == metrics.NAMESPACE
    assert directive["Dimensions"] == [["job", "table"]]
    assert directive["Metrics"] == [{"Name": "rows", "Unit": "Count"}, {"Name": "seconds", "Unit": "Seconds"}]


def test_a_name_is_not_a_dimension_and_a_value() -> None:
    with pytest.raises(ValueError, match="job cannot be"):
        metrics.embedded({"job": "j"}, {"job": 1}, 0)


def test_an_emitted_line_is_one_json_object_beside_the_log_s_own_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics.emit({"job": "j"}, {"rows": 1})

    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "metric"
    assert line["_aws"]["CloudWatchMetrics"]
