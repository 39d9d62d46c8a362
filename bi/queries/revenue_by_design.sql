-- Revenue and units by design
-- Answers: Which designs sell, how many totes of each, and for how much in each currency?
-- Avoids:
--   * taking a name for a design: twelve names serve for hundreds of designs, so it groups by design_id;
--   * counting an amended order twice: an order whose design was changed counts for the new one alone;
--   * adding up currencies.
SELECT
    d.design_id,
    d.design_name,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_design AS d ON d.design_id = f.design_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY d.design_id, d.design_name, c.currency_code
ORDER BY d.design_id, currency
