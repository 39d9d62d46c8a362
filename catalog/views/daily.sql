-- Of every day of the calendar the newest row on or before it; none where that is older, by more than is allowed, than what was published by then.
WITH rows_of_days AS (
${rows_of_days}
)
SELECT "day" AS ${calendar_key}, ${of},
    ${shown_if_kept},
    CASE WHEN "${day}" >= newest - INTERVAL '${stale_days}' DAY THEN "${day}" END AS "${day}",
    "day" <= last_of_all AS is_final
FROM (
    SELECT "day", ${of}, newest, last_of_all,
        ${shown_as_known},
        max("${day}") OVER known AS "${day}"
    FROM (
        SELECT days.${calendar_key} AS "day", ${of_kinds},
            ${shown_as_published},
            CASE WHEN found."${told}" IS NOT NULL THEN found."${day}" END AS "${day}",
            count(found."${told}") OVER (PARTITION BY ${of_kinds} ORDER BY days.${calendar_key}) AS published,
            max(found."${day}") OVER (PARTITION BY ${whose_of_kinds} ORDER BY days.${calendar_key}) AS newest,
            max(found."${day}") OVER (PARTITION BY ${whose_of_kinds}) AS last_of_all
        FROM ${calendar} AS days
        CROSS JOIN (SELECT DISTINCT ${of} FROM rows_of_days) AS kinds
        LEFT JOIN rows_of_days AS found
               ON found."${day}" = days.${calendar_key} AND ${same_kind}
    ) AS days_of_each
    WINDOW known AS (PARTITION BY ${of}, published)
) AS as_known
