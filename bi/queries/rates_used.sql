-- Exchange rates that figures in ${currency} use
-- Answers: By which rates were the sales of each month converted to ${currency}, of which days are these, and were they revised?
-- Avoids:
--   * rates that nothing was converted by: only those of days and currencies with sales;
--   * the day of the sale for that of the rate: on weekends the rate is of the last day before;
--   * hiding what has no rate: such sales have a row of their own, without rate and amount in ${currency};
--   * taking a rate as what it always was: it counts the versions of both legs, and says since when the last is known.
SELECT
    used.month,
    used.currency,
    used.rate_date,
    used.rate_to_${code},
    used.orders,
    used.amount,
    used.amount_${code},
    used.orders_not_final,
    max(legs.version_number) AS versions,
    max(legs.valid_from) AS known_since
FROM (
    SELECT
        f.created_month AS month,
        c.currency_code AS currency,
        f.rate_date,
        f.rate_to_${code},
        count(*) AS orders,
        sum(f.amount) AS amount,
        sum(f.amount_${code}) AS amount_${code},
        sum(IF(f.rate_is_final, 0, 1)) AS orders_not_final
    FROM fact_sales_order_${code} AS f
    JOIN dim_currency AS c ON c.currency_id = f.currency_id
    WHERE c.currency_code <> '${currency}'
    GROUP BY 1, 2, 3, 4
) AS used
LEFT JOIN fact_exchange_rate_history AS legs
       ON legs.rate_date = used.rate_date AND legs.provider = '${provider}'
      AND legs.currency_code IN (used.currency, '${currency}')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY month, currency, rate_date
