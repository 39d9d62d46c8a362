    WITH legs AS (
        SELECT "${day}", "${whose}", "${base}", "${of_what}",
            CAST(CAST("${units}" AS decimal(28, 9)) * 1000000000 AS decimal(38, 0)) AS billionths
        FROM ${current} AS stated
        WHERE "${of_what}" <> "${base}"
        UNION ALL
        SELECT DISTINCT "${day}", "${whose}", "${base}", "${base}", CAST(1000000000 AS decimal(38, 0))
        FROM ${current} AS stated
    )
    -- What a unit of each currency is worth by what was published on one day; empty where a leg of that day is missing.
    SELECT "${day}", "${whose}", "${of_what}",
${cross_rate} AS "${rate}"
    FROM (
        SELECT legs."${day}", legs."${whose}", legs."${of_what}", legs.billionths AS theirs, own.billionths AS ours
        FROM legs
        LEFT JOIN legs AS own
               ON own."${of_what}" = '${currency}' AND own."${day}" = legs."${day}"
              AND own."${whose}" = legs."${whose}" AND own."${base}" = legs."${base}"
    ) AS both_legs
