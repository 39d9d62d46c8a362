-- Purchase orders as they are now
-- Answers: Which purchases is the spend of a chosen time made of, and from whom?
-- Avoids:
--   * counting an amended order twice, or a deleted one at all: it asks the current state, not the history;
--   * multiplying sums: quantity times price is taken order by order;
--   * taking a name for a company: its key is given too.
SELECT
    f.purchase_order_id AS purchase_order,
    f.created_date AS day,
    f.created_month AS month,
    c.currency_code AS currency,
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty,
    f.item_quantity * f.item_unit_price AS spend
FROM fact_purchase_orders_current AS f
JOIN dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
