"""QuickSight's resources: what the service's own model takes, holding every visual that is declared."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bi.dashboard import load_dashboard
from bi.quicksight import (
    QuickSightAccount,
    Requests,
    athena,
    requests,
    rows,
    template,
    warehouse,
)
from bi.select_lists import ENGINES, Engine
from tests.api_shapes import faults

ACCOUNT, REGION = "123456789012", "eu-west-2"
SAMPLES: dict[str, Any] = {
    "AWS::AccountId": ACCOUNT,
    "OwnerArn": f"arn:aws:quicksight:{REGION}:{ACCOUNT}:group/default/analysts",
    "ImportMode": "DIRECT_QUERY",
    "WorkGroup": "totesys",
    "WarehouseHost": "warehouse.example",
    "WarehousePort": 5432,
    "WarehouseDatabase": "warehouse",
    "WarehouseSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reader-AbCdEf",
    "VpcConnectionArn": f"arn:aws:quicksight:{REGION}:{ACCOUNT}:vpcConnection/warehouse",
}
DASHBOARD = load_dashboard()
OPERATIONS = {"DataSource": "CreateDataSource", "DataSet": "CreateDataSet", "Dashboard": "CreateDashboard"}


def arn(kind: str, identity: str) -> str:
    return f"arn:aws:quicksight:{REGION}:{ACCOUNT}:{kind.lower()}/{identity}"


def made(engine: Engine) -> Requests:
    connections = {
        "lake": athena("totesys"),
        "warehouse": warehouse(
            "warehouse.example", 5432, "warehouse", SAMPLES["WarehouseSecretArn"], SAMPLES["VpcConnectionArn"]
        ),
    }
    return requests(
        DASHBOARD,
        engine,
        QuickSightAccount(ACCOUNT, str(SAMPLES["OwnerArn"]), connections[engine], "DIRECT_QUERY", arn),
    )


def each(found: Requests) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "CreateDataSource", found.data_source
    for data_set in found.data_sets:
        yield "CreateDataSet", data_set
    yield "CreateDashboard", found.dashboard


@pytest.mark.parametrize("engine", ENGINES)
def test_every_request_is_one_that_the_services_own_model_takes(engine: Engine) -> None:
    for operation, request in each(made(engine)):
        assert faults("quicksight", operation, request) == []


def bad(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    request = copy.deepcopy(made("lake").dashboard)
    change(request)
    return request


def first_visual(request: dict[str, Any]) -> dict[str, Any]:
    visual: dict[str, Any] = request["Definition"]["Sheets"][0]["Visuals"][0]
    return visual


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.update(Colour="blue"), "Unknown parameter"),
        (lambda r: r.pop("Name"), "Missing required parameter"),
        (lambda r: r.update(DashboardId="with a blank"), "does not match"),
        (lambda r: r.update(AwsAccountId="1"), "valid min length: 12"),
        (lambda r: r["ValidationStrategy"].update(Mode="HOPEFUL"), "is none of STRICT, LENIENT"),
        (lambda r: r["Definition"]["Sheets"].extend(r["Definition"]["Sheets"] * 4), "is not between None"),
        (lambda r: first_visual(r).update(TableVisual={"VisualId": "x"}), "one of"),
        (lambda r: first_visual(r)["KPIVisual"]["Title"]["FormatText"].update(PlainText="t" * 513), "513"),
        (lambda r: r["Definition"]["Sheets"][0]["Layouts"].clear(), "valid min length: 1"),
    ],
)
def test_a_request_that_the_service_would_refuse_is_noticed(
    change: Callable[[dict[str, Any]], None], words: str
) -> None:
    assert any(words in fault for fault in faults("quicksight", "CreateDashboard", bad(change)))


# --- what is declared is there ----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_every_visual_that_is_declared_is_there_with_its_title_and_its_unit(engine: Engine) -> None:
    sheets = made(engine).dashboard["Definition"]["Sheets"]
    declared = DASHBOARD.sheets_on(engine)
    assert [(sheet["SheetId"], sheet["Name"]) for sheet in sheets] == [
        (name, sheet.title) for name, sheet in declared.items()
    ]
    for made_sheet, (key, sheet) in zip(sheets, declared.items(), strict=True):
        shown = {}
        for visual in made_sheet["Visuals"]:
            (content,) = visual.values()
            shown[content["VisualId"]] = content
        assert list(shown) == [f"{key}-{name}" for name in sheet.visuals]
        for name, visual in sheet.visuals.items():
            content = shown[f"{key}-{name}"]
            assert content["Title"]["FormatText"]["PlainText"] == visual.title
            stated = json.dumps([content["Subtitle"], content["VisualContentAltText"]])
            unit = DASHBOARD.unit(visual)
            assert unit is None or ("amounts" if unit == "money" else unit).lower() in stated.lower()
            compared = visual.kind == "key_figure" and DASHBOARD.range_of(sheet, visual) is not None
            for field in (*visual.values, *visual.columns):
                column = f"{DASHBOARD.shown(field).title}{' in the period' if compared else ''}"
                assert f'"ColumnName": "{column}"' in json.dumps(content)


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_that_is_referred_to_is_there(engine: Engine) -> None:
    found = made(engine)
    definition = found.dashboard["Definition"]
    columns = {}
    for data_set in found.data_sets:
        sql = data_set["PhysicalTableMap"]["sql"]["CustomSql"]
        renamed = {
            step["RenameColumnOperation"]["ColumnName"]: step["RenameColumnOperation"]["NewColumnName"]
            for step in data_set["LogicalTableMap"]["answer"]["DataTransforms"]
        }
        names = [renamed.get(column["Name"], column["Name"]) for column in sql["Columns"]]
        assert len(names) == len(set(names))
        columns[sql["Name"]] = set(names)
        assert sql["DataSourceArn"] == arn("DataSource", found.data_source["DataSourceId"])
    assert {one["Identifier"]: one["DataSetArn"] for one in definition["DataSetIdentifierDeclarations"]} == {
        data_set["PhysicalTableMap"]["sql"]["CustomSql"]["Name"]: arn("DataSet", data_set["DataSetId"])
        for data_set in found.data_sets
    }
    parameters = {one["Name"] for kind in definition["ParameterDeclarations"] for one in kind.values()}
    for calculated in definition["CalculatedFields"]:
        of = columns[calculated["DataSetIdentifier"]]
        assert set(re.findall(r"(?<!\$)\{([^}]+)\}", calculated["Expression"])) <= of
        assert set(re.findall(r"\$\{([^}]+)\}", calculated["Expression"])) <= parameters
        of.add(calculated["Name"])
    for used in nested(definition, "ColumnName"):
        assert used["ColumnName"] in columns[used["DataSetIdentifier"]]
    elements = {
        element["ElementId"] for sheet in definition["Sheets"] for element in nested(sheet, "ElementId")
    }
    made_ids = [
        one[key]
        for key in ("VisualId", "ParameterControlId", "FilterControlId")
        for one in nested(definition["Sheets"], key)
    ]
    assert sorted(made_ids) == sorted(elements)
    assert {one["SourceParameterName"] for one in nested(definition, "SourceParameterName")} == parameters
    assert {one["Parameter"] for one in nested(definition, "Parameter")} <= parameters
    sheets = {sheet["SheetId"] for sheet in definition["Sheets"]}
    assert {one["TargetSheetId"] for one in nested(definition, "TargetSheetId")} == {"orders"} <= sheets
    fields = {one["FieldId"] for one in nested(definition, "FieldId") if "Column" in one}
    for action in nested(definition, "SelectedFields"):
        assert set(action["SelectedFields"]) <= fields
    filters = [one["FilterId"] for one in nested(definition, "FilterId")]
    assert len(filters) == len(set(filters))
    assert {one["SourceFilterId"] for one in nested(definition, "SourceFilterId")} <= set(filters)
    for group in definition["FilterGroups"]:
        for scope in nested(group, "SheetId"):
            assert {f"{one}" for one in scope.get("VisualIds", [])} <= elements


def nested(value: Any, key: str) -> list[dict[str, Any]]:
    """Every dictionary below a value that has a key."""
    if isinstance(value, dict):
        inner = [found for member in value.values() for found in nested(member, key)]
        return [value, *inner] if key in value else inner
    return [found for item in value for found in nested(item, key)] if isinstance(value, list) else []


def test_key_figures_stand_on_top_and_a_broad_table_alone() -> None:
    sheets = DASHBOARD.declared.sheets
    assert rows(sheets["sales"])[0] == ["revenue", "orders", "totes"]
    assert rows(sheets["sales"])[-1][-1] == "revenue_by_design"
    assert rows(sheets["orders"]) == [["orders_listed"]]
    assert rows(sheets["trust"])[1:] == [
        ["rejected_by_day", "validated_by_table"],
        ["batches"],
        ["rows_by_load"],
        ["loads"],
    ]
    for engine in ENGINES:
        for sheet in made(engine).dashboard["Definition"]["Sheets"]:
            (layout,) = sheet["Layouts"]
            cells = [
                (row, column)
                for one in layout["Configuration"]["GridLayout"]["Elements"]
                for row in range(one["RowIndex"], one["RowIndex"] + one["RowSpan"])
                for column in range(one["ColumnIndex"], one["ColumnIndex"] + one["ColumnSpan"])
            ]
            assert len(cells) == len(set(cells))
            assert max(column for _, column in cells) == 35


def test_a_currency_is_always_chosen_where_money_is_shown_unless_it_is_shown_by_currency() -> None:
    definition = made("lake").dashboard["Definition"]
    (declared,) = nested(definition["ParameterDeclarations"], "StringParameterDeclaration")
    assert declared["StringParameterDeclaration"]["ParameterValueType"] == "SINGLE_VALUED"
    assert declared["StringParameterDeclaration"]["DefaultValues"] == {"StaticValues": ["GBP"]}
    narrowed = {
        visual
        for group in definition["FilterGroups"]
        if nested(group, "CustomFilterConfiguration")
        for scope in nested(group, "VisualIds")
        for visual in scope["VisualIds"]
    }
    for key, sheet in DASHBOARD.sheets_on("lake").items():
        for name, visual in sheet.visuals.items():
            if any(DASHBOARD.shown(field).unit == "money" for field in visual.fields):
                apart = "currency" in (visual.colour, *visual.columns)
                assert apart or f"{key}-{name}" in narrowed
    for control in nested(definition, "SelectableValues"):
        assert control["DisplayOptions"]["SelectAllOptions"]["Visibility"] == "HIDDEN"


def test_a_key_figure_compares_the_chosen_days_with_as_many_before_and_others_show_these_days() -> None:
    definition = made("lake").dashboard["Definition"]
    first, last = (
        one["DateTimeParameterDeclaration"]
        for one in nested(definition["ParameterDeclarations"], "DateTimeParameterDeclaration")
    )
    assert (first["Name"], last["Name"]) == ("PeriodFirst", "PeriodLast")
    now, before = (
        next(one["Expression"] for one in definition["CalculatedFields"] if one["Name"] == name)
        for name in ("Revenue in the period", "Revenue in the days before")
    )
    day = "{Day (UTC)}"
    assert now == f"ifelse({day} >= ${{PeriodFirst}} AND {day} <= ${{PeriodLast}}, {{Revenue}}, NULL)"
    days = "dateDiff(${PeriodFirst}, ${PeriodLast}, 'DD') + 1"
    assert f"{day} >= addDateTime(-({days}), 'DD', ${{PeriodFirst}})" in before
    assert f"{day} <= addDateTime(-1, 'DD', ${{PeriodFirst}})" in before
    (figure,) = [one for one in nested(definition, "VisualId") if one["VisualId"] == "sales-revenue"]
    shown = figure["ChartConfiguration"]
    assert shown["KPIOptions"]["Comparison"] == {"ComparisonMethod": "PERCENT_DIFFERENCE"}
    wells = {well: nested(shown["FieldWells"][well], "ColumnName") for well in ("Values", "TargetValues")}
    assert {well: [one["ColumnName"] for one in found] for well, found in wells.items()} == {
        "Values": ["Revenue in the period"],
        "TargetValues": ["Revenue in the days before"],
    }
    narrowed = {
        visual
        for group in definition["FilterGroups"]
        if nested(group, "TimeRangeFilter")
        for scope in nested(group, "VisualIds")
        for visual in scope["VisualIds"]
    }
    assert {"sales-revenue_by_month", "orders-orders_listed", "cash-spend_by_supplier"} <= narrowed
    assert "sales-revenue" not in narrowed


# --- the template -----------------------------------------------------------------------------------------


def resolved(value: Any) -> Any:
    """A template's value as CloudFormation would send it."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return SAMPLES[value["Ref"]]
        if set(value) == {"Fn::GetAtt"}:
            return arn("resource", value["Fn::GetAtt"][0])
        if set(value) == {"Fn::If"}:
            return resolved(value["Fn::If"][1])
        return {key: resolved(member) for key, member in value.items()}
    return [resolved(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("engine", ENGINES)
def test_the_template_makes_what_the_api_takes_and_refers_to_what_it_states(engine: Engine) -> None:
    whole = template(DASHBOARD, engine)
    for resource in whole["Resources"].values():
        operation = OPERATIONS[resource["Type"].removeprefix("AWS::QuickSight::")]
        assert faults("quicksight", operation, resolved(resource["Properties"])) == []
    assert {one["Ref"] for one in nested(whole, "Ref")} - {"AWS::AccountId", "AWS::NoValue"} == set(
        whole["Parameters"]
    )
    assert {one["Fn::GetAtt"][0] for one in nested(whole, "Fn::GetAtt")} <= set(whole["Resources"])
    assert all(name.isalnum() for name in (*whole["Resources"], *whole["Parameters"]))
    # Too large to be sent along: it is read from S3.
    # CloudFormation takes 51,200 bytes in a request; a larger template it reads from S3, up to 1 MB.
    assert 51_200 < len(json.dumps(whole)) < 1_000_000


def test_the_template_states_no_account_and_no_secret() -> None:
    for engine in ENGINES:
        text = json.dumps(template(DASHBOARD, engine))
        assert "arn:aws:" not in text
        assert "Password" not in text
