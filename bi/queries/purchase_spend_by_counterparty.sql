-- Purchase spend by counterparty
-- Answers: From whom do we buy, how many items, and for how much in each currency?
-- Avoids:
--   * multiplying sums: quantity times price is taken order by order;
--   * counting an amended order twice, and adding up currencies;
--   * taking a name for a company: it groups by counterparty_id.
SELECT
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty,
    c.currency_code AS currency,
    count(*) AS orders,
    sum(f.item_quantity) AS items,
    sum(f.item_quantity * f.item_unit_price) AS spend
FROM fact_purchase_orders_current AS f
JOIN dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
GROUP BY p.counterparty_id, p.counterparty_legal_name, c.currency_code
ORDER BY p.counterparty_id, currency
