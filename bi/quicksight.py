"""The dashboard as Amazon QuickSight's resources: a data source, data sets and the dashboard itself.

Requests are those of the service's own API (CreateDataSource, CreateDataSet, CreateDashboard). CloudFormation
calls the properties by the same names, so the template holds the same dictionaries with references in place
of what only the account knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from bi.dashboard import MONEY_UNIT, Dashboard, Filter, Query, Sheet, Visual
from bi.periods import PERIODS
from bi.select_lists import Engine, Kind

Value = Union[str, dict[str, Any]]
"""A text, or a reference that CloudFormation resolves to one."""

Json = dict[str, Any]

ENGINE_NAMES: Mapping[Engine, str] = {"lake": "Athena over the lake", "warehouse": "the warehouse"}

_COLUMN_TYPES: Mapping[Kind, str] = {
    "text": "STRING",
    "integer": "INTEGER",
    "decimal": "DECIMAL",
    "date": "DATETIME",
    "timestamp": "DATETIME",
    "boolean": "BOOLEAN",
}
_OWNED: Mapping[str, tuple[str, ...]] = {
    "DataSource": (
        "DescribeDataSource",
        "DescribeDataSourcePermissions",
        "PassDataSource",
        "UpdateDataSource",
        "DeleteDataSource",
        "UpdateDataSourcePermissions",
    ),
    "DataSet": (
        "DescribeDataSet",
        "DescribeDataSetPermissions",
        "PassDataSet",
        "DescribeIngestion",
        "ListIngestions",
        "UpdateDataSet",
        "DeleteDataSet",
        "CreateIngestion",
        "CancelIngestion",
        "UpdateDataSetPermissions",
    ),
    "Dashboard": (
        "DescribeDashboard",
        "ListDashboardVersions",
        "UpdateDashboardPermissions",
        "QueryDashboard",
        "UpdateDashboard",
        "DeleteDashboard",
        "DescribeDashboardPermissions",
        "UpdateDashboardPublishedVersion",
    ),
}
_GRID_COLUMNS = 36
_KEY_FIGURE_ROWS, _CHART_ROWS = 6, 12
_COLUMNS_OF_A_HALF = 4


@dataclass(frozen=True)
class QuickSightAccount:
    """What only the account knows.

    Attributes:
        account: Its number.
        owner: The ARN of the QuickSight user or group that owns everything.
        connection: Type, parameters and the like of the data source (`athena`, `warehouse`).
        import_mode: ``DIRECT_QUERY`` asks at every look, ``SPICE`` keeps a copy that is refreshed.
        arn: The ARN of a resource, from its kind (``DataSource``, ``DataSet``) and id.
    """

    account: Value
    owner: Value
    connection: Json
    import_mode: Value
    arn: Callable[[str, str], Value]


@dataclass(frozen=True)
class Requests:
    """The requests that make a dashboard, in the order in which they have to be made."""

    data_source: Json
    data_sets: tuple[Json, ...]
    dashboard: Json


def athena(work_group: Value) -> Json:
    """The connection to Athena, by a work group."""
    return {"Type": "ATHENA", "DataSourceParameters": {"AthenaParameters": {"WorkGroup": work_group}}}


def warehouse(host: Value, port: Any, database: Value, secret: Value, vpc: Optional[Value] = None) -> Json:
    """The connection to the warehouse, over TLS.

    Args:
        host: The server.
        port: Its port.
        database: The database.
        secret: The ARN of a secret with ``username`` and ``password`` of a role that only reads.
        vpc: The ARN of QuickSight's connection to the server's VPC; None where it is public.
    """
    parameters = {"Host": host, "Port": port, "Database": database}
    found: Json = {
        "Type": "POSTGRESQL",
        "DataSourceParameters": {"PostgreSqlParameters": parameters},
        "Credentials": {"SecretArn": secret},
        "SslProperties": {"DisableSsl": False},
    }
    return found if vpc is None else {**found, "VpcConnectionProperties": {"VpcConnectionArn": vpc}}


def requests(dashboard: Dashboard, engine: Engine, place: QuickSightAccount) -> Requests:
    """The requests that make the dashboard over an engine.

    Args:
        dashboard: What is declared.
        engine: Athena over the lake, or the warehouse.
        place: What only the account knows.
    """
    source = _id(dashboard, engine)
    queries = dashboard.queries_on(engine)
    title = f"{dashboard.declared.title} ({ENGINE_NAMES[engine]})"
    return Requests(
        {
            "AwsAccountId": place.account,
            "DataSourceId": source,
            "Name": title,
            **place.connection,
            "Permissions": _owned("DataSource", place),
        },
        tuple(_data_set(dashboard, query, engine, place) for query in queries.values()),
        {
            "AwsAccountId": place.account,
            "DashboardId": source,
            "Name": title,
            "Permissions": _owned("Dashboard", place),
            "Definition": definition(
                dashboard,
                engine,
                {name: place.arn("DataSet", _id(dashboard, engine, name)) for name in queries},
            ),
            "ValidationStrategy": {"Mode": "STRICT"},
        },
    )


def template(dashboard: Dashboard, engine: Engine) -> Json:
    """The same as a CloudFormation template; what only the account knows are its parameters.

    Args:
        dashboard: What is declared.
        engine: Athena over the lake, or the warehouse.
    """
    parameters, connection, conditions = _PARAMETERS[engine]
    logical = {_id(dashboard, engine): "DataSource"}
    for name in dashboard.queries_on(engine):
        logical[_id(dashboard, engine, name)] = f"DataSet{_camel(name)}"
    place = QuickSightAccount(
        {"Ref": "AWS::AccountId"},
        {"Ref": "OwnerArn"},
        connection,
        {"Ref": "ImportMode"},
        lambda _, identity: {"Fn::GetAtt": [logical[identity], "Arn"]},
    )
    made = requests(dashboard, engine, place)
    resources = {
        "DataSource": _resource("DataSource", made.data_source),
        **{logical[one["DataSetId"]]: _resource("DataSet", one) for one in made.data_sets},
        "Dashboard": _resource("Dashboard", made.dashboard),
    }
    title = dashboard.declared.title
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The dashboard {title} in Amazon QuickSight, over {ENGINE_NAMES[engine]}.",
        "Parameters": {
            "OwnerArn": {
                "Type": "String",
                "Description": "ARN of the QuickSight user or group that owns the dashboard and may share it",
                "AllowedPattern": "arn:[-a-z0-9]*:quicksight:[-a-z0-9]+:[0-9]{12}:(user|group)/.+",
            },
            "ImportMode": {
                "Type": "String",
                "Description": "DIRECT_QUERY asks at every look; SPICE keeps a copy, to be refreshed",
                "Default": "DIRECT_QUERY",
                "AllowedValues": ["DIRECT_QUERY", "SPICE"],
            },
            **parameters,
        },
        **({"Conditions": conditions} if conditions else {}),
        "Resources": resources,
        "Outputs": {"DashboardArn": {"Value": {"Fn::GetAtt": ["Dashboard", "Arn"]}}},
    }


_PARAMETERS: Mapping[Engine, tuple[Json, Json, Json]] = {
    "lake": (
        {"WorkGroup": {"Type": "String", "Description": "Athena work group that queries run in"}},
        athena({"Ref": "WorkGroup"}),
        {},
    ),
    "warehouse": (
        {
            "WarehouseHost": {"Type": "String", "Description": "Host of the warehouse"},
            "WarehousePort": {"Type": "Number", "Description": "Its port", "Default": 5432},
            "WarehouseDatabase": {"Type": "String", "Description": "Its database"},
            "WarehouseSecretArn": {
                "Type": "String",
                "Description": "Secret with username and password of a role that only reads",
            },
            "VpcConnectionArn": {
                "Type": "String",
                "Description": "QuickSight's connection to the host's VPC; empty where it is public",
                "Default": "",
            },
        },
        {
            **warehouse(
                {"Ref": "WarehouseHost"},
                {"Ref": "WarehousePort"},
                {"Ref": "WarehouseDatabase"},
                {"Ref": "WarehouseSecretArn"},
            ),
            "VpcConnectionProperties": {
                "Fn::If": [
                    "InVpc",
                    {"VpcConnectionArn": {"Ref": "VpcConnectionArn"}},
                    {"Ref": "AWS::NoValue"},
                ]
            },
        },
        {"InVpc": {"Fn::Not": [{"Fn::Equals": [{"Ref": "VpcConnectionArn"}, ""]}]}},
    ),
}


def definition(dashboard: Dashboard, engine: Engine, data_sets: Mapping[str, Value]) -> Json:
    """The dashboard's definition (DashboardVersionDefinition).

    Args:
        dashboard: What is declared.
        engine: Athena over the lake, or the warehouse.
        data_sets: The ARN of the data set of each query.
    """
    sheets = dashboard.sheets_on(engine)
    chosen = {name for sheet in sheets.values() for name in sheet.filters}
    controls = dashboard.declared.filters
    return {
        "DataSetIdentifierDeclarations": [
            {"Identifier": name, "DataSetArn": arn} for name, arn in data_sets.items()
        ],
        "ParameterDeclarations": [
            declared
            for name, control in controls.items()
            if name in chosen
            for declared in _parameters(name, control)
        ],
        "CalculatedFields": _calculated_fields(dashboard, sheets.values()),
        "FilterGroups": [
            group
            for key, sheet in sheets.items()
            for name in sheet.filters
            for group in _filter_groups(dashboard, key, sheet, name)
        ],
        "Sheets": [_sheet(dashboard, key, sheet) for key, sheet in sheets.items()],
        "Options": {"WeekStart": "MONDAY"},
    }


def _id(dashboard: Dashboard, engine: Engine, query: str = "") -> str:
    parts = (dashboard.declared.name, engine, query.replace("_", "-"))
    return "-".join(filter(None, parts))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _resource(kind: str, properties: Json) -> Json:
    return {"Type": f"AWS::QuickSight::{kind}", "Properties": properties}


def _owned(kind: str, place: QuickSightAccount) -> list[Json]:
    return [{"Principal": place.owner, "Actions": [f"quicksight:{action}" for action in _OWNED[kind]]}]


def _data_set(dashboard: Dashboard, query: Query, engine: Engine, place: QuickSightAccount) -> Json:
    fields = dashboard.declared.fields
    return {
        "AwsAccountId": place.account,
        "DataSetId": _id(dashboard, engine, query.name),
        "Name": f"{dashboard.declared.name}: {query.name} ({engine})",
        "ImportMode": place.import_mode,
        "PhysicalTableMap": {
            "sql": {
                "CustomSql": {
                    "DataSourceArn": place.arn("DataSource", _id(dashboard, engine)),
                    "Name": query.name,
                    "SqlQuery": query.statements[engine],
                    "Columns": [
                        {"Name": name, "Type": _COLUMN_TYPES[kind]} for name, kind in query.columns.items()
                    ],
                }
            }
        },
        "LogicalTableMap": {
            "answer": {
                "Alias": query.name,
                "Source": {"PhysicalTableId": "sql"},
                # Titles in place of names: axes, legends and tables then say what readers understand.
                "DataTransforms": [
                    {"RenameColumnOperation": {"ColumnName": name, "NewColumnName": fields[name].title}}
                    for name in query.columns
                    if name in fields
                ],
            }
        },
        "Permissions": _owned("DataSet", place),
    }


# --- sheets ------------------------------------------------------------------------------------------------


def _sheet(dashboard: Dashboard, key: str, sheet: Sheet) -> Json:
    visuals = {
        name: _visual(dashboard, sheet, f"{key}-{name}", visual) for name, visual in sheet.visuals.items()
    }
    found: Json = {
        "SheetId": key,
        "Name": sheet.title,
        "Description": sheet.about,
        "ContentType": "INTERACTIVE",
        "Visuals": list(visuals.values()),
        "Layouts": [
            {
                "Configuration": {
                    "GridLayout": {
                        "Elements": list(_grid(key, sheet)),
                        "CanvasSizeOptions": {"ScreenCanvasSizeOptions": {"ResizeOption": "RESPONSIVE"}},
                    }
                }
            }
        ],
    }
    controls = [(name, dashboard.declared.filters[name]) for name in sheet.filters]
    if not controls:
        return found
    return {
        **found,
        "ParameterControls": [
            made
            for name, control in controls
            if control.choose != "any"
            for made in _parameter_controls(dashboard, key, sheet, name, control)
        ],
        "FilterControls": [
            _filter_control(key, name, control) for name, control in controls if control.choose == "any"
        ],
        "SheetControlLayouts": [
            {
                "Configuration": {
                    "GridLayout": {
                        "Elements": [
                            {
                                "ElementId": identity,
                                "ElementType": "FILTER_CONTROL"
                                if control.choose == "any"
                                else "PARAMETER_CONTROL",
                                "ColumnSpan": 2,
                                "RowSpan": 1,
                            }
                            for name, control in controls
                            for identity in _control_ids(key, name, control)
                        ]
                    }
                }
            }
        ],
    }


def _grid(key: str, sheet: Sheet) -> Iterable[Json]:
    """Key figures side by side, everything else two in a row, what stands alone in a row as wide as it is."""
    row = 0
    for names in rows(sheet):
        figures = sheet.visuals[names[0]].kind == "key_figure"
        height = _KEY_FIGURE_ROWS if figures else _CHART_ROWS
        width = _GRID_COLUMNS // len(names)
        for place, name in enumerate(names):
            yield {
                "ElementId": f"{key}-{name}",
                "ElementType": "VISUAL",
                "ColumnIndex": place * width,
                "ColumnSpan": width,
                "RowIndex": row,
                "RowSpan": height,
            }
        row += height


def rows(sheet: Sheet) -> list[list[str]]:
    """Which visuals of a sheet stand side by side, from the top; a broad table stands alone."""
    figures = [name for name, visual in sheet.visuals.items() if visual.kind == "key_figure"]
    found = [figures] if figures else []
    beside: list[str] = []
    for name, visual in sheet.visuals.items():
        if name in figures:
            continue
        if len(visual.columns) > _COLUMNS_OF_A_HALF:
            found += [beside, [name]] if beside else [[name]]
            beside = []
        elif beside:
            found.append([*beside, name])
            beside = []
        else:
            beside = [name]
    return [*found, beside] if beside else found


# --- filters -----------------------------------------------------------------------------------------------


def _filtered(dashboard: Dashboard, sheet: Sheet, name: str) -> dict[str, list[str]]:
    """The visuals that a filter narrows, by their query."""
    found: dict[str, list[str]] = {}
    for key, visual in sheet.visuals.items():
        if dashboard.applies(name, visual):
            found.setdefault(visual.query, []).append(key)
    return found


FIRST, LAST = "First", "Last"
"""What the names of the parameters of a range end in."""


def _parameters(name: str, control: Filter) -> Iterable[Json]:
    """What is chosen by a filter, as parameters: they hold on every sheet."""
    if control.choose == "one":
        yield {
            "StringParameterDeclaration": {
                "Name": _camel(name),
                "ParameterValueType": "SINGLE_VALUED",
                "DefaultValues": {"StaticValues": [control.default]},
            }
        }
    if control.choose == "range":
        period = PERIODS[str(control.default)]
        for ending, expression in ((FIRST, period.first), (LAST, period.last)):
            yield {
                "DateTimeParameterDeclaration": {
                    "Name": _camel(name) + ending,
                    "TimeGranularity": "DAY",
                    "DefaultValues": {"RollingDate": {"Expression": expression}},
                }
            }


def _control_ids(key: str, name: str, control: Filter) -> list[str]:
    if control.choose == "range":
        return [f"{key}-{name}-{ending.lower()}-control" for ending in (FIRST, LAST)]
    return [f"{key}-{name}-control"]


def _calculated_fields(dashboard: Dashboard, sheets: Iterable[Sheet]) -> list[Json]:
    """What a key figure compares: its values in the chosen days, and in as many before them."""
    found: dict[tuple[str, str], Json] = {}
    for sheet in sheets:
        for visual in sheet.visuals.values():
            for is_before, name in enumerate(_compared(dashboard, sheet, visual)):
                expression = _in_range(dashboard, sheet, visual, is_before=bool(is_before))
                calculated = {"DataSetIdentifier": visual.query, "Name": name, "Expression": expression}
                found[visual.query, name] = calculated
    return list(found.values())


def _compared(dashboard: Dashboard, sheet: Sheet, visual: Visual) -> list[str]:
    """The names of a key figure's calculated fields; none where it has no range."""
    if visual.kind != "key_figure" or dashboard.range_of(sheet, visual) is None:
        return []
    title = dashboard.shown(visual.values[0]).title
    return [f"{title} in the period", f"{title} in the days before"]


def _in_range(dashboard: Dashboard, sheet: Sheet, visual: Visual, *, is_before: bool) -> str:
    name = next(
        one for one in sheet.filters if dashboard.declared.filters[one] == dashboard.range_of(sheet, visual)
    )
    day = dashboard.shown(dashboard.declared.filters[name].field).title
    first, last = (f"${{{_camel(name)}{ending}}}" for ending in (FIRST, LAST))
    if is_before:
        days = f"dateDiff({first}, {last}, 'DD') + 1"
        first, last = f"addDateTime(-({days}), 'DD', {first})", f"addDateTime(-1, 'DD', {first})"
    value = dashboard.shown(visual.values[0]).title
    return f"ifelse({{{day}}} >= {first} AND {{{day}}} <= {last}, {{{value}}}, NULL)"


def _filter_groups(dashboard: Dashboard, key: str, sheet: Sheet, name: str) -> Iterable[Json]:
    control = dashboard.declared.filters[name]
    by_query = _filtered(dashboard, sheet, name)
    if control.choose == "any":
        chosen = {
            "FilterListConfiguration": {"MatchOperator": "CONTAINS", "SelectAllOptions": "FILTER_ALL_VALUES"}
        }
        across = "ALL_DATASETS" if len(by_query) > 1 else "SINGLE_DATASET"
        query = next(iter(by_query))
        one = _category_filter(dashboard, f"{key}-{name}", query, control, chosen)
        yield _filter_group(f"{key}-{name}", key, one, {"Scope": "ALL_VISUALS"}, across)
        return
    # One for each data set, all led by the same parameters.
    for query, visuals in by_query.items():
        identity = f"{key}-{name}-{query}"
        if control.choose == "one":
            chosen = {
                "CustomFilterConfiguration": {
                    "MatchOperator": "EQUALS",
                    "ParameterName": _camel(name),
                    "NullOption": "NON_NULLS_ONLY",
                }
            }
            one = _category_filter(dashboard, identity, query, control, chosen)
            narrowed = visuals
        else:
            one = _range_filter(dashboard, identity, query, name, control)
            # Key figures look at the days before, too.
            narrowed = [visual for visual in visuals if sheet.visuals[visual].kind != "key_figure"]
        if narrowed:
            scope = {"Scope": "SELECTED_VISUALS", "VisualIds": [f"{key}-{visual}" for visual in narrowed]}
            yield _filter_group(identity, key, one, scope, "SINGLE_DATASET")


def _category_filter(dashboard: Dashboard, identity: str, query: str, control: Filter, chosen: Json) -> Json:
    return {
        "CategoryFilter": {
            "FilterId": f"{identity}-filter",
            "Column": _column(dashboard, query, control.field),
            "Configuration": chosen,
        }
    }


def _range_filter(dashboard: Dashboard, identity: str, query: str, name: str, control: Filter) -> Json:
    return {
        "TimeRangeFilter": {
            "FilterId": f"{identity}-filter",
            "Column": _column(dashboard, query, control.field),
            "IncludeMinimum": True,
            "IncludeMaximum": True,
            "RangeMinimumValue": {"Parameter": f"{_camel(name)}{FIRST}"},
            "RangeMaximumValue": {"Parameter": f"{_camel(name)}{LAST}"},
            "NullOption": "NON_NULLS_ONLY",
            "TimeGranularity": "DAY",
        }
    }


def _filter_group(identity: str, sheet: str, one: Json, scope: Json, across: str) -> Json:
    scopes = [{"SheetId": sheet, **scope}]
    return {
        "FilterGroupId": identity,
        "Filters": [one],
        "ScopeConfiguration": {"SelectedSheets": {"SheetVisualScopingConfigurations": scopes}},
        "Status": "ENABLED",
        "CrossDataset": across,
    }


def _parameter_controls(
    dashboard: Dashboard, key: str, sheet: Sheet, name: str, control: Filter
) -> Iterable[Json]:
    identities = _control_ids(key, name, control)
    if control.choose == "range":
        for identity, ending, word in zip(identities, (FIRST, LAST), ("from", "to")):
            yield {
                "DateTimePicker": {
                    "ParameterControlId": identity,
                    "Title": f"{control.title}: {word}",
                    "SourceParameterName": f"{_camel(name)}{ending}",
                }
            }
        return
    query = next(iter(_filtered(dashboard, sheet, name)))
    yield {
        "Dropdown": {
            "ParameterControlId": identities[0],
            "Title": control.title,
            "SourceParameterName": _camel(name),
            "Type": "SINGLE_SELECT",
            "SelectableValues": {"LinkToDataSetColumn": _column(dashboard, query, control.field)},
            "DisplayOptions": {"SelectAllOptions": {"Visibility": "HIDDEN"}},
        }
    }


def _filter_control(key: str, name: str, control: Filter) -> Json:
    return {
        "Dropdown": {
            "FilterControlId": f"{key}-{name}-control",
            "Title": control.title,
            "SourceFilterId": f"{key}-{name}-filter",
            "Type": "SINGLE_SELECT",
        }
    }


# --- visuals -----------------------------------------------------------------------------------------------


def _visual(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> Json:
    kind, configuration = _CHARTS[visual.kind](dashboard, sheet, identity, visual)
    caption = dashboard.caption(sheet, visual)
    subtitle = (
        {"Visibility": "VISIBLE", "FormatText": {"PlainText": caption}}
        if caption
        else {"Visibility": "HIDDEN"}
    )
    return {
        kind: {
            "VisualId": identity,
            "Title": {"Visibility": "VISIBLE", "FormatText": {"PlainText": visual.title}},
            "Subtitle": subtitle,
            "ChartConfiguration": configuration,
            "Actions": list(_actions(dashboard, sheet, identity, visual)),
            "VisualContentAltText": dashboard.description(sheet, visual),
        }
    }


def _actions(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> Iterable[Json]:
    """What a click does: it narrows the sheet to what was clicked, and the menu leads to the records."""
    if visual.kind == "key_figure":
        return
    narrowing = [
        field
        for field in (*visual.columns, visual.category, visual.colour)
        if field and dashboard.narrowed_by(sheet, visual, field)
    ]
    if narrowing:
        targets = {"SameSheetTargetVisualConfiguration": {"TargetVisualOptions": "ALL_VISUALS"}}
        yield _action(
            f"{identity}-narrow",
            "Narrow the sheet to it",
            "DATA_POINT_CLICK",
            {
                "FilterOperation": {
                    "SelectedFieldsConfiguration": {
                        "SelectedFields": [f"{identity}-{field}" for field in narrowing]
                    },
                    "TargetVisualsConfiguration": targets,
                }
            },
        )
    if sheet.details is not None:
        leads = {"LocalNavigationConfiguration": {"TargetSheetId": sheet.details}}
        title = dashboard.declared.sheets[sheet.details].title
        yield _action(f"{identity}-details", title, "DATA_POINT_MENU", {"NavigationOperation": leads})


def _action(identity: str, name: str, trigger: str, operation: Json) -> Json:
    return {
        "CustomActionId": identity,
        "Name": name,
        "Status": "ENABLED",
        "Trigger": trigger,
        "ActionOperations": [operation],
    }


def _key_figure(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> tuple[str, Json]:
    compared = _compared(dashboard, sheet, visual)
    if not compared:
        return "KPIVisual", {"FieldWells": {"Values": _measures(dashboard, identity, visual)}}
    (name,) = visual.values
    now, before = (
        _measured(dashboard, visual, name, f"{identity}-{name}{ending}", column)
        for ending, column in zip(("", "-before"), compared)
    )
    return "KPIVisual", {
        "FieldWells": {"Values": [now], "TargetValues": [before]},
        "KPIOptions": {
            "Comparison": {"ComparisonMethod": "PERCENT_DIFFERENCE"},
            "PrimaryValueDisplayType": "ACTUAL",
        },
    }


def _line(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> tuple[str, Json]:
    return "LineChartVisual", {
        "Type": "LINE",
        "FieldWells": {"LineChartAggregatedFieldWells": _wells(dashboard, identity, visual)},
        "SortConfiguration": {"CategorySort": _category_sort(dashboard, identity, visual)},
        "PrimaryYAxisLabelOptions": _axis(dashboard, sheet, visual),
    }


def _bars(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> tuple[str, Json]:
    ranked = visual.kind == "ranked_bar"
    limit = {"CategoryItemsLimit": {"ItemsLimit": visual.limit, "OtherCategories": "EXCLUDE"}}
    return "BarChartVisual", {
        "Orientation": "HORIZONTAL" if visual.is_horizontal else "VERTICAL",
        "BarsArrangement": "STACKED" if visual.kind == "stacked_bar" else "CLUSTERED",
        "FieldWells": {"BarChartAggregatedFieldWells": _wells(dashboard, identity, visual)},
        "SortConfiguration": {
            "CategorySort": _category_sort(dashboard, identity, visual),
            **(limit if ranked else {}),
        },
        "ValueLabelOptions": _axis(dashboard, sheet, visual),
    }


def _table(dashboard: Dashboard, sheet: Sheet, identity: str, visual: Visual) -> tuple[str, Json]:
    del sheet
    named = [name for name in visual.columns if not dashboard.is_value(name)]
    found: Json = {
        "FieldWells": {
            "TableAggregatedFieldWells": {
                "GroupBy": [_dimension(dashboard, identity, visual, name) for name in named],
                "Values": _measures(dashboard, identity, visual),
            }
        }
    }
    if visual.sort is not None:
        order = {"FieldId": f"{identity}-{visual.sort}", "Direction": _direction(visual)}
        found["SortConfiguration"] = {"RowSort": [{"FieldSort": order}]}
    return "TableVisual", found


_CHARTS: Mapping[str, Callable[[Dashboard, Sheet, str, Visual], tuple[str, Json]]] = {
    "key_figure": _key_figure,
    "line": _line,
    "bar": _bars,
    "stacked_bar": _bars,
    "ranked_bar": _bars,
    "table": _table,
}


def _wells(dashboard: Dashboard, identity: str, visual: Visual) -> Json:
    return {
        "Category": [_dimension(dashboard, identity, visual, name) for name in (visual.category,) if name],
        "Values": _measures(dashboard, identity, visual),
        "Colors": [_dimension(dashboard, identity, visual, name) for name in (visual.colour,) if name],
    }


def _direction(visual: Visual) -> str:
    return "DESC" if visual.descending else "ASC"


def _category_sort(dashboard: Dashboard, identity: str, visual: Visual) -> list[Json]:
    if visual.kind == "ranked_bar":
        return [{"FieldSort": {"FieldId": f"{identity}-{visual.values[0]}", "Direction": "DESC"}}]
    if visual.sort in (None, visual.category, *visual.values):
        field = visual.sort or visual.category
        return [{"FieldSort": {"FieldId": f"{identity}-{field}", "Direction": _direction(visual)}}]
    order = {
        "SortBy": _column(dashboard, visual.query, str(visual.sort)),
        "Direction": _direction(visual),
        "AggregationFunction": {"NumericalAggregationFunction": {"SimpleNumericalAggregation": "MAX"}},
    }
    return [{"ColumnSort": order}]


def _axis(dashboard: Dashboard, sheet: Sheet, visual: Visual) -> Json:
    return {"AxisLabelOptions": [{"CustomLabel": axis_title(dashboard, sheet, visual)}]}


def axis_title(dashboard: Dashboard, sheet: Sheet, visual: Visual, currency: Optional[str] = None) -> str:
    """What stands beside the axis of a chart's values, unit included unless the words say it already.

    Args:
        dashboard: What is declared.
        sheet: The visual's sheet.
        visual: The chart.
        currency: The one that is chosen, where it is known.
    """
    unit = dashboard.unit(visual)
    names = " and ".join(dashboard.shown(name).title for name in visual.values)
    if unit == MONEY_UNIT:
        chosen = dashboard.has_chosen_currency(sheet, visual)
        return f"{names} ({currency or 'chosen currency' if chosen else 'its own currency'})"
    return names if str(unit).lower() in names.lower().split() else f"{names} ({unit})"


def _measures(dashboard: Dashboard, identity: str, visual: Visual) -> list[Json]:
    names = visual.values or [name for name in visual.columns if dashboard.is_value(name)]
    return [_measure(dashboard, identity, visual, name) for name in names]


def _measure(dashboard: Dashboard, identity: str, visual: Visual, name: str) -> Json:
    return _measured(dashboard, visual, name, f"{identity}-{name}", dashboard.shown(name).title)


def _measured(dashboard: Dashboard, visual: Visual, name: str, identity: str, column: str) -> Json:
    """A field's value, from a column of the data set or one that is calculated of it."""
    field = {"FieldId": identity, "Column": {"DataSetIdentifier": visual.query, "ColumnName": column}}
    if dashboard.kind(visual, name) in ("date", "timestamp"):
        return {"DateMeasureField": {**field, "AggregationFunction": "MAX"}}
    shown = dashboard.shown(name)
    return {
        "NumericalMeasureField": {
            **field,
            "AggregationFunction": {"SimpleNumericalAggregation": shown.combine.upper()},
            "FormatConfiguration": {
                "FormatConfiguration": {
                    "NumberDisplayFormatConfiguration": {
                        "SeparatorConfiguration": {
                            "ThousandsSeparator": {"Symbol": "COMMA", "Visibility": "VISIBLE"}
                        },
                        "DecimalPlacesConfiguration": {"DecimalPlaces": 2 if shown.unit == MONEY_UNIT else 0},
                        **({"Suffix": " s"} if shown.unit == "seconds" else {}),
                    }
                }
            },
        }
    }


def _dimension(dashboard: Dashboard, identity: str, visual: Visual, name: str) -> Json:
    field: Json = {"FieldId": f"{identity}-{name}", "Column": _column(dashboard, visual.query, name)}
    kind = dashboard.kind(visual, name)
    if kind in ("date", "timestamp"):
        return {"DateDimensionField": {**field, "DateGranularity": "DAY" if kind == "date" else "SECOND"}}
    if kind in ("integer", "decimal"):
        return {"NumericalDimensionField": field}
    return {"CategoricalDimensionField": field}


def _column(dashboard: Dashboard, query: str, field: str) -> Json:
    return {"DataSetIdentifier": query, "ColumnName": dashboard.shown(field).title}
