-- Amendments and deletions by day
-- Answers: How many records were amended, deleted or restored on each day, and of how many did last_updated not tell?
-- Avoids:
--   * trusting last_updated, which most amendments leave as it was: versions are compared with each other;
--   * calling creations changes;
--   * promising what nobody saw: the day is that of the capture (UTC), and of two amendments between two captures
--     only the last one is known.
WITH changed AS (
    SELECT 'sales order' AS record, valid_from, change_kind, changed_columns
    FROM fact_sales_order_history
    WHERE change_kind <> 'created'
    UNION ALL
    SELECT 'purchase order', valid_from, change_kind, changed_columns
    FROM fact_purchase_orders_history
    WHERE change_kind <> 'created'
    UNION ALL
    SELECT 'payment', valid_from, change_kind, changed_columns
    FROM fact_payment_history
    WHERE change_kind <> 'created'
)
SELECT
    CAST(valid_from AS date) AS day,
    record,
    change_kind,
    count(*) AS changes,
    sum(CASE WHEN change_kind = 'amended' AND changed_columns NOT LIKE '%last_updated%' THEN 1 ELSE 0 END) AS silent
FROM changed
GROUP BY CAST(valid_from AS date), record, change_kind
