-- Revenue and units by staff, department and month
-- Answers: Who sold how much in each month, in each currency, and in which department do they work?
-- Avoids:
--   * taking a name for a person: it groups by staff_id;
--   * reading the department as history: it is where the person works now, also for orders of before;
--   * counting an amended order twice, and adding up currencies.
SELECT
    f.created_month AS month,
    s.department_name AS department,
    s.staff_id,
    s.first_name,  -- personal
    s.last_name,  -- personal
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.units_sold) AS units,
    sum(f.units_sold * f.unit_price) AS revenue
FROM fact_sales_order_current AS f
JOIN dim_staff AS s ON s.staff_id = f.sales_staff_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY
    s.first_name,  -- personal
    s.last_name,  -- personal
    f.created_month,
    s.department_name,
    s.staff_id,
    c.currency_code
ORDER BY month, department, s.staff_id, currency
