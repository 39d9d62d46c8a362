-- Payments due in the next 30 days, and overdue by age
-- Answers: Which payments are to come in or to go out soon, and which are late, and for how long?
-- Avoids:
--   * netting what others owe us against what we owe: each type of payment has rows of its own;
--   * adding up currencies;
--   * counting a payment twice, once open and once paid: it asks the current state;
--   * trusting the age blindly: what is due on a weekend, or on the day it was agreed, is never marked as paid.
SELECT
    t.payment_type_name AS payment_type,
    c.currency_code AS currency,
    CASE
        WHEN f.payment_date >= current_date THEN 'due within 30 days'
        WHEN f.payment_date >= current_date - INTERVAL '30' DAY THEN 'overdue by 1 to 30 days'
        WHEN f.payment_date >= current_date - INTERVAL '60' DAY THEN 'overdue by 31 to 60 days'
        WHEN f.payment_date >= current_date - INTERVAL '90' DAY THEN 'overdue by 61 to 90 days'
        ELSE 'overdue by more than 90 days'
    END AS due,
    count(*) AS payments,
    sum(f.payment_amount) AS amount,
    min(f.payment_date) AS earliest
FROM fact_payment_current AS f
JOIN dim_payment_type AS t ON t.payment_type_id = f.payment_type_id
JOIN dim_currency AS c ON c.currency_id = f.currency_id
WHERE NOT f.paid AND f.payment_date <= current_date + INTERVAL '30' DAY
GROUP BY 1, 2, 3
ORDER BY payment_type, currency, earliest DESC
