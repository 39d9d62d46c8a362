-- Payments that have been made
-- Answers: Which payments is the money that came in and went out in a chosen time made of?
-- Avoids:
--   * money that has not moved: payments that are marked as paid alone;
--   * the day of the order: it is the day on which the payment was due, on which it is marked;
--   * the wrong sign: refunds of purchases come in, refunds of sales go out;
--   * counting a payment once open and once paid: it asks the current state.
SELECT
    f.payment_id AS payment,
    f.payment_date AS day,
    date_format(f.payment_date, '%Y-%m') AS month,
    c.currency_code AS currency,
    IF(t.payment_type_name IN ('SALES_RECEIPT', 'PURCHASE_REFUND'), f.payment_amount, 0) AS money_in,
    IF(t.payment_type_name IN ('SALES_REFUND', 'PURCHASE_PAYMENT'), f.payment_amount, 0) AS money_out,
    IF(t.payment_type_name IN ('SALES_RECEIPT', 'PURCHASE_REFUND'), 1, -1) * f.payment_amount AS net
FROM fact_payment_current AS f
JOIN dim_payment_type AS t ON t.payment_type_id = f.payment_type_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
WHERE f.paid
