-- The current rows with their amounts in one currency, at the rate of their day or the last one before it; where there is none, the rate and the amount are empty.
SELECT ${columns}, amount,
    CAST(amount * "${rate}" AS decimal(26, 2)) AS "${amount_reported}",
    "${rate}", rate_date, rate_is_final
FROM (
    SELECT facts.*,
        CAST(${amount} AS decimal(20, 2)) AS amount,
        CASE WHEN kinds."${code}" = '${currency}' THEN CAST(1 AS decimal(18, 12)) ELSE rates."${rate}" END AS "${rate}",
        rates."${rate_day}" AS rate_date,
        CASE WHEN kinds."${code}" = '${currency}' THEN true ELSE coalesce(rates.is_final, false) END AS rate_is_final
    FROM ${current} AS facts
    LEFT JOIN ${dimension} AS kinds ON kinds."${dimension_key}" = facts."${own_currency}"
    LEFT JOIN ${rates} AS rates
           ON rates."${calendar_key}" = facts."${own_day}" AND rates."${of_what}" = kinds."${code}"
          AND rates."${whose}" = '${provider}' AND kinds."${code}" <> '${currency}'
) AS converted
