-- Revenue by month in ${currency}
-- Answers: How much did we sell in each month, all currencies together in ${currency}, and by rates of which days?
-- Avoids:
--   * adding up currencies: each order is converted, and rounded, before anything is added;
--   * hiding what could not be converted: an order without a rate is in no sum, and counted beside it;
--   * one rate for all: an order has the rate of the day on which it was created, or the last one before it;
--   * taking a month as final: a rate of its days may still be published.
SELECT
    f.created_month AS month,
    '${currency}' AS currency,
    count(*) AS orders,
    sum(f.amount_${code}) AS revenue,
    count(*) - count(f.amount_${code}) AS orders_without_rate,
    sum(IF(f.rate_is_final, 0, 1)) AS orders_not_final,
    min(f.rate_date) AS oldest_rate,
    max(f.rate_date) AS newest_rate
FROM fact_sales_order_${code} AS f
GROUP BY f.created_month
ORDER BY month
