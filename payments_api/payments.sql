-- Every payment as it is now: deleted ones left out, each with its counterparty by name.
SELECT
    f.payment_id,
    f.payment_date,
    f.payment_amount AS amount,
    c.currency_code AS currency,
    t.payment_type_name AS type,
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty_name,
    f.paid
FROM {schema}.fact_payment_current AS f
JOIN {schema}.dim_currency AS c ON c.currency_id = f.currency_id
JOIN {schema}.dim_payment_type AS t ON t.payment_type_id = f.payment_type_id
JOIN {schema}.dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
WHERE {conditions}
ORDER BY f.payment_date {order}, f.payment_id {order}
LIMIT %(limit)s
