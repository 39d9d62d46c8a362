-- Amendments by day and column
-- Answers: How many records were amended on each day, and which of their columns?
-- Avoids:
--   * trusting last_updated, which most amendments leave as it was: versions are compared with each other;
--   * calling creations and deletions amendments;
--   * taking one amendment of two columns for one row: it counts for each column;
--   * promising what nobody saw: the day is that of the capture (UTC), and of two amendments between two captures
--     only the last one is known.
WITH amended AS (
    SELECT 'sales order' AS record, valid_from, changed_columns
    FROM fact_sales_order_history
    WHERE change_kind = 'amended'
    UNION ALL
    SELECT 'purchase order', valid_from, changed_columns
    FROM fact_purchase_orders_history
    WHERE change_kind = 'amended'
    UNION ALL
    SELECT 'payment', valid_from, changed_columns
    FROM fact_payment_history
    WHERE change_kind = 'amended'
)
SELECT
    CAST(a.valid_from AS date) AS day,
    a.record,
    changed.name AS changed_column,
    count(*) AS amendments
FROM amended AS a
CROSS JOIN UNNEST(split(a.changed_columns, ', ')) AS changed (name)
GROUP BY 1, 2, 3
ORDER BY day, a.record, changed_column
