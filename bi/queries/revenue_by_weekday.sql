-- Revenue and units by weekday
-- Answers: On which days of the week do orders come in, and for how much in each currency?
-- Avoids:
--   * the day on which an order was last edited: it is the day on which it was created (UTC);
--   * weekdays in the order of the alphabet: 1 is Monday;
--   * counting an amended order twice, and adding up currencies.
SELECT
    d.day_of_week,
    d.day_name,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_date AS d ON d.date_id = f.created_date
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY d.day_of_week, d.day_name, c.currency_code
ORDER BY d.day_of_week, currency
