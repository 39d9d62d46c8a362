-- Net cash by month in ${currency}
-- Answers: How much came in and went out in each month, and what remained, all currencies together in ${currency}?
-- Avoids:
--   * adding up currencies: each payment is converted by the rate of its day, and rounded, before anything is added;
--   * a nought where there is no rate: such a payment is in no sum, and counted beside it;
--   * money that has not moved: payments that are marked as paid alone;
--   * the wrong sign: refunds of purchases come in, refunds of sales go out.
SELECT
    date_format(f.payment_date, '%Y-%m') AS month,
    '${currency}' AS currency,
    sum(CASE WHEN t.payment_type_name IN ('SALES_RECEIPT', 'PURCHASE_REFUND') THEN f.amount_${code} END) AS money_in,
    sum(CASE WHEN t.payment_type_name IN ('SALES_REFUND', 'PURCHASE_PAYMENT') THEN f.amount_${code} END) AS money_out,
    sum(IF(t.payment_type_name IN ('SALES_RECEIPT', 'PURCHASE_REFUND'), 1, -1) * f.amount_${code}) AS net,
    count(*) AS payments,
    count(*) - count(f.amount_${code}) AS payments_without_rate,
    max(f.rate_date) AS newest_rate
FROM fact_payment_${code} AS f
JOIN dim_payment_type AS t ON t.payment_type_id = f.payment_type_id
WHERE f.paid
GROUP BY 1
ORDER BY month
