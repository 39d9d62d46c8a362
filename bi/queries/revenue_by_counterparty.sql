-- Revenue and units by counterparty and month
-- Answers: Who buys from us in each month, how much, and for how much in each currency?
-- Avoids:
--   * taking a name or a registered address for a company: several share one, so it groups by counterparty_id;
--   * counting an amended order twice, and adding up currencies.
SELECT
    f.created_month AS month,
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY f.created_month, p.counterparty_id, p.counterparty_legal_name, c.currency_code
ORDER BY month, p.counterparty_id, currency
