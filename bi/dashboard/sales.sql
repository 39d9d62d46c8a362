-- Sales orders as they are now, with what they are told apart by
-- Answers: Which orders are the figures of a chosen time, country, customer, department or design made of?
-- Avoids:
--   * counting an amended order twice, or a deleted one at all: it asks the current state, not the history;
--   * multiplying sums: units times price is taken order by order;
--   * taking a name for a person, a company or a design: their keys are given too;
--   * reading the department as history: it is where the person works now, also for orders of before.
SELECT
    f.sales_order_id AS sales_order,
    f.created_date AS day,
    f.created_month AS month,
    d.day_of_week,
    d.day_name,
    c.currency_code AS currency,
    l.country,
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty,
    g.design_id,
    g.design_name,
    s.department_name AS department,
    s.staff_id,
    s.first_name,  -- personal
    s.last_name,  -- personal
    1 AS orders,
    f.units_sold AS units,
    f.units_sold * f.unit_price AS revenue
FROM fact_sales_order_current AS f
JOIN dim_date AS d ON d.date_id = f.created_date
JOIN dim_currency AS c ON c.currency_id = f.currency_id
JOIN dim_location AS l ON l.location_id = f.agreed_delivery_location_id
JOIN dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
JOIN dim_design AS g ON g.design_id = f.design_id
JOIN dim_staff AS s ON s.staff_id = f.sales_staff_id
