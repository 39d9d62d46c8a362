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
        SELECT by_day."day", ${of_days},
            ${shown_as_published},
            CASE WHEN by_day."${told}" IS NOT NULL THEN by_day."${day}" END AS "${day}",
            count(by_day."${told}") OVER (PARTITION BY ${of_days} ORDER BY by_day."day") AS published,
            max(by_day."${day}") OVER (PARTITION BY by_day."${whose}" ORDER BY by_day."day") AS newest,
            max(by_day."${day}") OVER (PARTITION BY by_day."${whose}") AS last_of_all
        FROM (
            -- Days and what was published on them, grouped. Of a join of the two PostgreSQL guesses few rows, and compares
            -- each with each.
            SELECT "day", ${of},
                ${shown_of_days},
                max("${day}") AS "${day}"
            FROM (
                SELECT days.${calendar_key} AS "day", ${of_kinds},
                    ${shown_as_nothing},
                    CAST(NULL AS date) AS "${day}"
                FROM ${calendar} AS days
                CROSS JOIN (SELECT DISTINCT ${of} FROM rows_of_days) AS kinds
                UNION ALL
                SELECT "${day}", ${of},
                    ${shown},
                    "${day}"
                FROM rows_of_days
                WHERE "${day}" IN (SELECT ${calendar_key} FROM ${calendar})
            ) AS days_and_rows
            GROUP BY "day", ${of}
        ) AS by_day
    ) AS days_of_each
    WINDOW known AS (PARTITION BY ${of}, published)
) AS as_known
