-- The three best designs in each of the five largest countries
-- Answers: Where do we deliver most totes to, and which designs are they?
-- Avoids:
--   * ranking by money of several currencies: it ranks by totes;
--   * an answer that changes from run to run: designs that sold alike are ranked by their id, countries by name;
--   * reading the orders twice: totals of countries come from the same pass, by window functions;
--   * taking a name for a design, and counting an amended order twice.
WITH sales AS (
    SELECT
        l.country,
        f.design_id,
        sum(f.units_sold) AS units,
        sum(sum(f.units_sold)) OVER (PARTITION BY l.country) AS country_units,
        row_number() OVER (PARTITION BY l.country ORDER BY sum(f.units_sold) DESC, f.design_id) AS design_rank
    FROM fact_sales_order_current AS f
    JOIN dim_location AS l ON l.location_id = f.agreed_delivery_location_id
    GROUP BY l.country, f.design_id
),
ranked AS (
    SELECT *, dense_rank() OVER (ORDER BY country_units DESC, country) AS country_rank
    FROM sales
)
SELECT
    r.country_rank,
    r.country,
    r.country_units,
    r.design_rank,
    d.design_id,
    d.design_name,
    r.units
FROM ranked AS r
JOIN dim_design AS d ON d.design_id = r.design_id
WHERE r.country_rank <= 5 AND r.design_rank <= 3
ORDER BY r.country_rank, r.design_rank
