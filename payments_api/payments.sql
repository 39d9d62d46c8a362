-- Payments as they are now: deleted ones left out, each with its counterparty by name and its amount in the reporting
-- currency. Names and rates are looked up for those alone that are answered.
SELECT
    f.payment_id,
    f.payment_date,
    f.payment_amount AS amount,
    c.currency_code AS currency,
    r.{amount_reported} AS amount_reported,
    r.rate_date,
    r.rate_is_final,
    t.payment_type_name AS type,
    p.counterparty_id,
    p.counterparty_legal_name AS counterparty_name,
    f.paid
FROM (
    SELECT
        f.payment_id,
        f.payment_date,
        f.payment_amount,
        f.currency_id,
        f.payment_type_id,
        f.counterparty_id,
        f.paid
    FROM {schema}.fact_payment_current AS f
    WHERE {conditions}
    ORDER BY f.payment_date {order}, f.payment_id {order}
    LIMIT %(limit)s
) AS f
JOIN {schema}.{reported_view} AS r ON r.payment_id = f.payment_id
JOIN {schema}.dim_currency AS c ON c.currency_id = f.currency_id
JOIN {schema}.dim_payment_type AS t ON t.payment_type_id = f.payment_type_id
JOIN {schema}.dim_counterparty AS p ON p.counterparty_id = f.counterparty_id
ORDER BY f.payment_date {order}, f.payment_id {order}
