-- Revenue and units by delivery country
-- Answers: Where do the totes that we sell go to, and for how much in each currency?
-- Avoids:
--   * the country in which the buyer is registered: it is the place of delivery that each order states;
--   * counting an amended order twice: places of delivery are what is amended most;
--   * adding up currencies.
SELECT
    l.country,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_location AS l ON l.location_id = f.agreed_delivery_location_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY l.country, c.currency_code
ORDER BY l.country, currency
