-- Revenue and units by month and currency
-- Answers: How many orders and totes did we sell in each month, and for how much in each currency?
-- Avoids:
--   * counting an amended order twice, or a deleted one at all: it asks the current state, not the history;
--   * adding up pounds, dollars and euros: each currency has a row of its own;
--   * multiplying sums: units times price is taken order by order;
--   * reading everything for one month: the month is the partition, so WHERE month = '2024-11' around it reads one.
SELECT
    f.created_month AS month,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY f.created_month, c.currency_code
ORDER BY month, currency
