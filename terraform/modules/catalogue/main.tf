# Databases, tables and views, from the contracts: no column is stated here. What catalog/glue.py builds from the
# same files for the laptop is compared with every planned table.

locals {
  zones  = yamldecode(file("${var.contracts}/zones.yaml"))
  stated = { for path in fileset(var.contracts, "*/*.yaml") : trimsuffix(path, ".yaml") => yamldecode(file("${var.contracts}/${path}")) }

  # Each captured table has its dead letters: its rows as captured, and why they were rejected.
  contracts = merge(local.stated, local.copies, {
    for key, contract in local.stated : "dead_letter/${contract.table}" => {
      table   = contract.table
      zone    = "dead_letter"
      version = contract.version
      owner   = contract.owner
      grain   = "A row of ${contract.table} that validation rejected, exactly as it was captured."
      key     = contract.key
      columns = concat(contract.columns, local.zones.raw.lineage, local.zones.dead_letter.validation_columns)
    } if contract.zone == "raw"
  })

  # Of tables with personal columns, which stand in other databases, too: copies without these, below a prefix that
  # names which they are.
  shown_in = { for name, zone in local.zones : zone.copies => name if try(zone.copies, null) != null }
  personal = {
    for key, contract in local.stated : key => sort([
      for column in concat(
        contract.columns,
        [for column in try(local.zones[contract.zone].lineage, []) : column if try(contract.kind, "") != "dead_letters"],
        [for column in try(local.zones[contract.zone].dimension_lineage, []) : column if try(contract.kind, "") == "dimension"],
        ) : column.name if try(
        column.personal,
        local.raw_columns[column.source].personal,
        local.raw_columns["${contract.built_from.table}.${column.source}"].personal,
        anytrue([
          for name in regexall("[a-z_][a-z_0-9.]*", column.sql) :
          try(local.raw_columns[name].personal, local.raw_columns["${contract.built_from.table}.${name}"].personal, false)
        ]),
        false,
      )
    ]) if contains(keys(local.shown_in), contract.zone)
  }
  copies = {
    for key, names in local.personal : "${local.shown_in[local.stated[key].zone]}/${local.stated[key].table}" => merge(local.stated[key], {
      zone    = local.shown_in[local.stated[key].zone]
      copied  = local.stated[key].zone
      hides   = names
      columns = [for column in local.stated[key].columns : column if !contains(names, column.name)]
    }) if length(names) > 0
  }

  # Characters that Glue keeps.
  comment_limit     = 255
  description_limit = 2048

  # A star column that is a raw one has its type and its description, where it states none.
  raw_columns = merge([
    for contract in values(local.stated) :
    { for column in contract.columns : "${contract.table}.${column.name}" => column } if contract.zone == "raw"
  ]...)

  # Of each table: its own columns, its zone's, and those that stand in the path.
  columns = {
    for key, contract in local.contracts : key => [
      for column in concat(
        contract.columns,
        # Filtered, since the two sides of a condition would be of different types.
        [for column in try(local.zones[try(contract.copied, contract.zone)].lineage, []) : column if try(contract.kind, "") != "dead_letters"],
        [for column in try(local.zones[try(contract.copied, contract.zone)].dimension_lineage, []) : column if try(contract.kind, "") == "dimension"],
        ) : {
        name = column.name
        type = try(
          column.type,
          local.raw_columns[column.source].type,
          local.raw_columns["${contract.built_from.table}.${column.source}"].type,
        )
        description = try(
          column.description,
          local.raw_columns[column.source].description,
          local.raw_columns["${contract.built_from.table}.${column.source}"].description,
        )
      } if !contains(try(contract.hides, []), column.name)
    ]
  }

  cut_columns = {
    for key, contract in local.contracts : key => [
      for part in try([contract.partition], []) : {
        name        = part.name
        type        = part.granularity == "month" ? "text" : "date"
        description = "${part.granularity == "month" ? "Month (YYYY-MM)" : "Day"} of the source's ${part.source_column}, which never changes."
      }
    ]
  }

  partition_columns = {
    for key, contract in local.contracts : key => [
      for column in concat(
        local.cut_columns[key],
        try(contract.own_partition_columns, []),
        length(local.cut_columns[key]) > 0 ? [] : try(local.zones[try(contract.copied, contract.zone)].partition_columns, []),
      ) : { name = column.name, type = column.type, description = column.description }
    ]
  }

  tables = {
    for key, contract in local.contracts : key => {
      name        = contract.table
      database    = local.zones[contract.zone].database
      description = substr(contract.grain, 0, local.description_limit)
      owner       = contract.owner
      version     = contract.version
      # These gain a partition with every batch, for good; only so does Athena use an index of them.
      indexed = contains(["raw", "redacted_raw"], contract.zone)
      # Jobs point these to their live version; until the first there is none.
      swapped = contains(["star", "redacted_star"], contract.zone) && length(local.partition_columns[key]) == 0
      location = join("/", concat(
        ["s3://${var.buckets[local.zones[contract.zone].bucket].name}/${trimsuffix(local.zones[contract.zone].prefix, "/")}"],
        [for names in try([contract.hides], []) : substr(sha256(join("\n", names)), 0, 8)],
        [contract.table, ""],
      ))
      columns = [
        for column in local.columns[key] : {
          name    = column.name
          type    = startswith(column.type, "decimal") ? "${var.types["decimal"].glue}${trimprefix(column.type, "decimal")}" : var.types[column.type].glue
          comment = substr(column.description, 0, local.comment_limit)
        }
      ]
      partition_keys = [
        for column in local.partition_columns[key] : {
          name    = column.name
          type    = startswith(column.type, "decimal") ? "${var.types["decimal"].glue}${trimprefix(column.type, "decimal")}" : var.types[column.type].glue
          comment = substr(column.description, 0, local.comment_limit)
        }
      ]
    }
  }

  formats = {
    input  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
    serde  = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
  }
}

resource "aws_glue_catalog_database" "zone" {
  for_each = local.zones

  name        = each.value.database
  description = each.value.description
}

# Tables that stay where they are: partitions, or whole batches, come to lie below them.
resource "aws_glue_catalog_table" "fixed" {
  for_each = { for key, table in local.tables : key => table if !table.swapped }

  database_name = each.value.database
  name          = each.value.name
  description   = each.value.description
  owner         = each.value.owner
  table_type    = "EXTERNAL_TABLE"
  parameters = merge(
    { EXTERNAL = "TRUE", classification = "parquet", contract_version = each.value.version },
    { for name, value in { "partition_filtering.enabled" = "true" } : name => value if each.value.indexed },
  )

  dynamic "partition_keys" {
    for_each = each.value.partition_keys

    content {
      name    = partition_keys.value.name
      type    = partition_keys.value.type
      comment = partition_keys.value.comment
    }
  }

  storage_descriptor {
    location      = each.value.location
    input_format  = local.formats.input
    output_format = local.formats.output

    ser_de_info {
      serialization_library = local.formats.serde
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  depends_on = [aws_glue_catalog_database.zone]
}

# An index serves conditions on its first key: one begins with each column that a look-up may name alone.
resource "aws_glue_partition_index" "this" {
  for_each = merge([
    for key, table in local.tables : {
      for at, column in table.partition_keys : "${key}/${column.name}" => {
        table = key
        name  = "by_${column.name}"
        keys  = [for other in slice(table.partition_keys, at, length(table.partition_keys)) : other.name]
      }
    } if table.indexed
  ]...)

  database_name = aws_glue_catalog_table.fixed[each.value.table].database_name
  table_name    = aws_glue_catalog_table.fixed[each.value.table].name

  partition_index {
    index_name = each.value.name
    keys       = each.value.keys
  }
}

# Tables that jobs point to a new version with each build: a deployment leaves them where they point.
resource "aws_glue_catalog_table" "swapped" {
  for_each = { for key, table in local.tables : key => table if table.swapped }

  database_name = each.value.database
  name          = each.value.name
  description   = each.value.description
  owner         = each.value.owner
  table_type    = "EXTERNAL_TABLE"
  parameters    = { EXTERNAL = "TRUE", classification = "parquet", contract_version = each.value.version }

  storage_descriptor {
    location      = "${each.value.location}version=none/"
    input_format  = local.formats.input
    output_format = local.formats.output

    ser_de_info {
      serialization_library = local.formats.serde
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  lifecycle {
    ignore_changes = [storage_descriptor[0].location]
  }

  depends_on = [aws_glue_catalog_database.zone]
}

# Athena keeps a view as base64 of JSON with Trino's types, beside Hive's types outside. The query stands in
# ../catalog/views, in whose texts Terraform's own templates and Python's mean the same.
locals {
  further = yamldecode(file("${var.views}/columns.yaml"))

  # By kind of table, the views over it as their names end, and where their texts stand.
  view_kinds = {
    fact      = { current = "current.sql", history = "history.sql" }
    dimension = { current = "current.dimension.sql" }
  }

  viewed = {
    for key, contract in local.contracts : key => {
      contract = contract
      table    = "${local.zones[contract.zone].database}.${contract.table}"
      rejected = "${local.zones[contract.zone].database}.unresolved_dead_letters"
      shown    = concat(local.columns[key], local.partition_columns[key])
      # All versions of a record lie in one partition; a filter on it passes the window functions only so.
      record = concat([for column in local.partition_columns[key] : column.name], contract.key)
      business = [
        for column in contract.columns : column.name
        if !try(column.record_id, false) && !contains(contract.key, column.name)
      ]
      daily = try(contract.daily, null)
    } if contains(keys(local.view_kinds), try(contract.kind, ""))
  }

  # A row's key as one number or text, as catalog/keys.py has it, and the column of rejected changes that lists it.
  key_types = {
    for key, of in local.viewed : key => { for column in of.shown : column.name => column.type }
  }
  key_parts = {
    for key, of in local.viewed : key => [
      for name in of.contract.key : (
        startswith(local.key_types[key][name], "timestamp") ? "date_format(\"${name}\", '%Y-%m-%d %H:%i:%s.%f')" :
        local.key_types[key][name] != "text" ? "CAST(\"${name}\" AS varchar)" :
        length(of.contract.key) > 1 ? "replace(replace(\"${name}\", '~', '~0'), '/', '~1')" :
        "\"${name}\""
      )
    ]
  }
  keyed = {
    for key, of in local.viewed : key => (
      length(of.contract.key) == 1 && contains(["integer", "bigint"], local.key_types[key][of.contract.key[0]]) ?
      { shown = "\"${of.contract.key[0]}\"", listed = "row_key" } :
      {
        shown  = length(of.contract.key) == 1 ? local.key_parts[key][0] : "(${join(" || '/' || ", local.key_parts[key])})"
        listed = "row_key_text"
      }
    )
  }

  # Names that carry the reporting currency's code end so, and in columns.yaml in an underscore.
  code     = lower(var.reporting.currency)
  reported = { for column in local.further.reported : column.name => merge(column, { name = "${column.name}${endswith(column.name, "_") ? local.code : ""}" }) }

  # The fact of rates that a feed brings, if there is one: whose rates are used, and which dimension has the currencies.
  rates = one([
    for key, of in local.viewed : merge(of.daily, {
      key        = key
      view       = "${of.table}_${local.code}"
      provider   = var.reporting.feeds[of.contract.built_from.table].provider
      currencies = split(".", var.reporting.feeds[of.contract.built_from.table].currencies)[0]
      code       = split(".", var.reporting.feeds[of.contract.built_from.table].currencies)[1]
    }) if try(of.daily.cross_rates, null) != null && contains(keys(var.reporting.feeds), try(of.contract.built_from.table, ""))
  ])

  # What is shown for every day: by view, the rows of days, and the columns that are shown of them.
  shown_daily = merge(
    {
      for key, of in local.viewed : "${key}_daily" => {
        of    = key
        rows  = "    SELECT * FROM ${of.table}_current AS published"
        shows = flatten([for name in of.daily.shows : [for column in of.shown : column if column.name == name]])
      } if of.daily != null
    },
    local.rates == null ? {} : {
      "${local.rates.key}_${local.code}" = {
        of = local.rates.key
        rows = trimsuffix(templatefile("${var.views}/cross_rates.sql", {
          current    = "${local.viewed[local.rates.key].table}_current"
          day        = local.rates.day
          whose      = local.rates.whose
          of_what    = local.rates.of[0]
          base       = local.rates.cross_rates.base
          units      = local.rates.cross_rates.units
          rate       = local.reported.rate_to_.name
          currency   = var.reporting.currency
          cross_rate = trimsuffix(file("${var.views}/cross_rate.sql"), "\n")
        }), "\n")
        shows = [local.reported.rate_to_]
      }
    },
  )

  daily_views = [
    for key, view in local.shown_daily : merge(view, {
      key    = key
      ending = trimprefix(key, "${view.of}_")
      text   = "daily.sql"
      columns = concat(
        [for column in local.viewed[view.of].shown : merge(column, { name = local.viewed[view.of].daily.calendar_key, description = "The day." }) if column.name == local.viewed[view.of].daily.day],
        flatten([
          for name in concat([local.viewed[view.of].daily.whose], local.viewed[view.of].daily.of) :
          [for column in local.viewed[view.of].shown : column if column.name == name]
        ]),
        view.shows,
        [for column in local.viewed[view.of].shown : column if column.name == local.viewed[view.of].daily.day],
        local.further.daily,
      )
      parts = {
        rows_of_days       = view.rows
        day                = local.viewed[view.of].daily.day
        calendar           = "${local.zones[local.viewed[view.of].contract.zone].database}.${one([for reference in local.viewed[view.of].contract.references : reference.table if reference.column == local.viewed[view.of].daily.day])}"
        calendar_key       = local.viewed[view.of].daily.calendar_key
        stale_days         = tostring(local.viewed[view.of].daily.stale_days)
        of                 = join(", ", [for name in concat([local.viewed[view.of].daily.whose], local.viewed[view.of].daily.of) : "\"${name}\""])
        of_kinds           = join(", ", [for name in concat([local.viewed[view.of].daily.whose], local.viewed[view.of].daily.of) : "kinds.\"${name}\""])
        of_days            = join(", ", [for name in concat([local.viewed[view.of].daily.whose], local.viewed[view.of].daily.of) : "by_day.\"${name}\""])
        whose              = local.viewed[view.of].daily.whose
        told               = view.shows[length(view.shows) - 1].name
        shown              = join(",\n                    ", [for column in view.shows : "\"${column.name}\""])
        shown_as_nothing   = join(",\n                    ", [for column in view.shows : "NULL AS \"${column.name}\""])
        shown_of_days      = join(",\n                ", [for column in view.shows : "max(\"${column.name}\") AS \"${column.name}\""])
        shown_as_published = join(",\n            ", [for column in view.shows : "by_day.\"${column.name}\""])
        shown_as_known     = join(",\n        ", [for column in view.shows : "max(\"${column.name}\") OVER known AS \"${column.name}\""])
        shown_if_kept = join(",\n    ", [
          for column in view.shows :
          "CASE WHEN \"${local.viewed[view.of].daily.day}\" >= newest - INTERVAL '${local.viewed[view.of].daily.stale_days}' DAY THEN \"${column.name}\" END AS \"${column.name}\""
        ])
      }
    })
  ]

  # What facts amount to in the reporting currency.
  reported_views = local.rates == null ? [] : [
    for key, of in local.viewed : {
      key     = "${key}_${local.code}"
      of      = key
      ending  = local.code
      text    = "reported.sql"
      columns = concat(of.shown, local.further.current, [for column in local.further.reported : local.reported[column.name]])
      parts = {
        columns = join(", ", [for column in concat(of.shown, local.further.current) : "\"${column.name}\""])
        amount = join(" * ", flatten([
          for name in of.contract.reported.amount : [
            for column in of.shown : "CAST(facts.\"${name}\" AS decimal(20, ${try(regex(",\\s*([0-9]+)\\)", column.type)[0], "0")}))" if column.name == name
          ]
        ]))
        amount_reported = local.reported.amount_.name
        rate            = local.reported.rate_to_.name
        currency        = var.reporting.currency
        provider        = local.rates.provider
        current         = "${of.table}_current"
        dimension       = "${local.zones[of.contract.zone].database}.${local.rates.currencies}"
        dimension_key   = local.contracts["${of.contract.zone}/${local.rates.currencies}"].key[0]
        code            = local.rates.code
        rates           = local.rates.view
        own_currency    = of.contract.reported.currency
        own_day         = of.contract.reported.day
        calendar_key    = local.rates.calendar_key
        whose           = local.rates.whose
        of_what         = local.rates.of[0]
        rate_day        = local.rates.day
      }
    } if try(of.contract.reported, null) != null
  ]

  # Of events the newest of each thing.
  newest_views = [
    for key, of in local.viewed : {
      key     = "${key}_newest"
      of      = key
      ending  = "newest"
      text    = "newest.sql"
      columns = concat(of.shown, local.further.current)
      parts = {
        columns = join(", ", [for column in concat(of.shown, local.further.current) : "\"${column.name}\""])
        current = "${of.table}_current"
        of      = join(", ", [for name in of.contract.newest.of : "\"${name}\""])
        by      = join(", ", [for name in of.contract.newest.by : "\"${name}\" DESC"])
      }
    } if try(of.contract.newest, null) != null
  ]

  plain_views = flatten([
    for key, of in local.viewed : [
      for kind, text in local.view_kinds[of.contract.kind] : {
        key     = "${key}_${kind}"
        of      = key
        ending  = kind
        text    = text
        columns = concat(of.shown, local.further[kind])
        parts = {
          columns    = join(", ", [for column in of.shown : "\"${column.name}\""])
          table      = of.table
          name       = of.contract.table
          key        = local.keyed[key].shown
          listed_key = local.keyed[key].listed
          rejected   = of.rejected
          record     = join(", ", [for name in of.record : "\"${name}\""])
          names_of_changed = join(",\n            ", [
            for name in of.business :
            "CASE WHEN \"${name}\" IS DISTINCT FROM lag(\"${name}\") OVER versions THEN '${name}' END"
          ])
        }
      }
    ]
  ])

  drawn = {
    for view in concat(local.plain_views, local.daily_views, local.newest_views, local.reported_views) : view.key => {
      of       = view.of
      name     = view.ending == "newest" ? local.viewed[view.of].contract.newest.view : "${local.viewed[view.of].contract.table}_${view.ending}"
      database = local.zones[local.viewed[view.of].contract.zone].database
      means    = local.viewed[view.of].contract.grain
      columns  = view.columns
      lines    = split("\n", trimspace(templatefile("${var.views}/${view.text}", view.parts)))
    }
  }

  views = {
    for key, view in local.drawn : key => merge(view, {
      description = "${join(" ", [for line in view.lines : trimprefix(line, "-- ") if startswith(line, "--")])} A row of the table: ${view.means}"
      sql         = join("\n", [for line in view.lines : line if !startswith(line, "--")])
    })
  }
}

# Where no column of a table is personal, a view of it, and of each view over it, stands beside the copies of the others.
# It is read with the rights of who asks.
locals {
  shown = {
    for view in flatten([
      for key, names in local.personal : [
        for name, of in merge(
          { (local.stated[key].table) = { columns = concat(local.columns[key], local.partition_columns[key]), description = local.stated[key].grain } },
          { for view in values(local.views) : view.name => { columns = view.columns, description = view.description } if view.of == key },
        ) : merge(of, { name = name, from = local.zones[local.stated[key].zone].database, database = local.zones[local.shown_in[local.stated[key].zone]].database })
      ] if length(names) == 0
      ]) : "${view.database}/${view.name}" => merge(view, {
      sql = "SELECT ${join(", ", [for column in view.columns : "\"${column.name}\""])}\nFROM ${view.from}.${view.name}"
    })
  }
}

resource "aws_glue_catalog_table" "view" {
  for_each = merge(local.views, local.shown)

  database_name = each.value.database
  name          = each.value.name
  description   = substr(each.value.description, 0, local.description_limit)
  table_type    = "VIRTUAL_VIEW"
  parameters    = { presto_view = "true", comment = "Presto View" }

  view_original_text = "/* Presto View: ${base64encode(jsonencode({
    originalSql = each.value.sql
    catalog     = "awsdatacatalog"
    schema      = each.value.database
    columns = [
      for column in each.value.columns : {
        name = column.name
        type = startswith(column.type, "decimal") ? "${var.types["decimal"].trino}${trimprefix(column.type, "decimal")}" : var.types[column.type].trino
      }
    ]
  }))} */"
  view_expanded_text = "/* Presto View */"

  storage_descriptor {
    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = startswith(columns.value.type, "decimal") ? "${var.types["decimal"].glue}${trimprefix(columns.value.type, "decimal")}" : var.types[columns.value.type].glue
        comment = substr(columns.value.description, 0, local.comment_limit)
      }
    }
  }

  depends_on = [aws_glue_catalog_database.zone]
}
