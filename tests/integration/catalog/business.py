"""A totesys with a few months of business in every table, what then changes, and its own audit.

The rows are made by arithmetic, so that they are the same whenever a test runs; only payments fall due around
the day of the test, since that is what is asked of them. Every row passes every rule.
"""

from __future__ import annotations

FIRST = """
INSERT INTO currency (currency_code, last_updated)
    SELECT c, now() FROM unnest(ARRAY['GBP','USD','EUR']) c;
INSERT INTO department (department_name, location, last_updated)
    SELECT (ARRAY['Sales','Purchasing','Production','Dispatch'])[i], 'Leeds', now()
    FROM generate_series(1, 4) i;
INSERT INTO address (address_line_1, city, postal_code, country, phone, last_updated)
    SELECT i || ' Road', 'Leeds', (10000 + i)::text,
           (ARRAY['Italy','Spain','France','Peru','Chad','Fiji','Oman'])[1 + i % 7], '0113 000000', now()
    FROM generate_series(1, 12) i;
INSERT INTO counterparty (counterparty_legal_name, legal_address_id, last_updated)
    SELECT CASE WHEN i > 2 THEN 'Twin Ltd' ELSE 'C' || i END, 1, now() FROM generate_series(1, 4) i;
INSERT INTO staff (first_name, last_name, department_id, email_address, last_updated)
    SELECT 'Sam', 'O''Neil', 1 + i % 4, 's' || i || '@terrifictotes.com', now() FROM generate_series(1, 6) i;
INSERT INTO design (design_name, file_location, file_name, last_updated)
    SELECT (ARRAY['Wooden','Steel'])[1 + i % 2], '/usr', 'wooden-20221103-a' || (100 + i) || '.json', now()
    FROM generate_series(1, 15) i;
INSERT INTO payment_type (payment_type_name, last_updated)
    SELECT t, now() FROM unnest(enum_range(NULL::"PaymentTypeName")) t;
INSERT INTO sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold,
                         unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
                         agreed_delivery_location_id)
    SELECT at, at, 1 + i * 7 % 15, 1 + i % 6, 1 + i % 4, 1000 + i * 37 % 900, 2 + i % 190 / 100.0,
           1 + i % 3, (at::date + i % 7)::text, (at::date + i % 6)::text, 1 + i * 5 % 12
    FROM (SELECT i, timestamp '2024-08-01 09:30:00.123' + i * interval '13 hours' AS at
          FROM generate_series(1, 240) i) x;
INSERT INTO purchase_order (created_at, last_updated, staff_id, counterparty_id, item_code, item_quantity,
                            item_unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
                            agreed_delivery_location_id)
    SELECT at, at, 1 + i % 6, 1 + i % 4, 'ITEM' || (100 + i), 1 + i * 11 % 900, 3 + i % 97 + i % 10 / 10.0,
           1 + i % 3, (at::date + i % 7)::text, (at::date + i % 6)::text, 1 + i % 12
    FROM (SELECT i, timestamp '2024-08-01 10:15:00.456' + i * interval '39 hours' AS at
          FROM generate_series(1, 80) i) x;
INSERT INTO transaction (created_at, last_updated, transaction_type, sales_order_id)
    SELECT created_at, created_at, 'SALE', sales_order_id FROM sales_order ORDER BY sales_order_id;
INSERT INTO transaction (created_at, last_updated, transaction_type, purchase_order_id)
    SELECT created_at, created_at, 'PURCHASE', purchase_order_id FROM purchase_order
    ORDER BY purchase_order_id;
INSERT INTO payment (created_at, last_updated, transaction_id, counterparty_id, payment_amount, currency_id,
                     payment_type_id, paid, payment_date, company_ac_number, counterparty_ac_number)
    SELECT t.created_at, t.created_at, t.transaction_id, coalesce(s.counterparty_id, p.counterparty_id),
           coalesce(s.units_sold * s.unit_price, p.item_quantity * p.item_unit_price),
           coalesce(s.currency_id, p.currency_id),
           CASE WHEN t.sales_order_id IS NOT NULL THEN 1 ELSE 3 END + (t.transaction_id % 29 = 0)::int,
           t.transaction_id % 3 = 0,
           CASE WHEN t.transaction_id % 4 = 1 THEN (current_date + t.transaction_id * 7 % 190 - 140)::text
                ELSE coalesce(s.agreed_payment_date, p.agreed_payment_date) END,
           12345678, 87654321
    FROM transaction t LEFT JOIN sales_order s USING (sales_order_id)
         LEFT JOIN purchase_order p USING (purchase_order_id)
    ORDER BY t.transaction_id;
"""
"""What the first capture finds."""

TABLES = (
    "address",
    "counterparty",
    "currency",
    "department",
    "design",
    "payment",
    "payment_type",
    "purchase_order",
    "sales_order",
    "staff",
    "transaction",
)

AUDIT = """
CREATE SCHEMA audit;
CREATE TABLE audit.touched (record text, key integer, UNIQUE (record, key));
CREATE TABLE audit.amended (record text, key integer, name text, before text, after text);
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    becomes jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
    INSERT INTO audit.touched
        VALUES (TG_TABLE_NAME, (coalesce(becomes, was) ->> (TG_TABLE_NAME || '_id'))::integer)
        ON CONFLICT DO NOTHING;
    INSERT INTO audit.amended
        SELECT TG_TABLE_NAME, (was ->> (TG_TABLE_NAME || '_id'))::integer, o.key, o.value, n.value
        FROM jsonb_each_text(was) o JOIN jsonb_each_text(becomes) n USING (key)
        WHERE o.value IS DISTINCT FROM n.value;
    RETURN NULL;
END $$;
""" + "\n".join(
    f"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION audit.note();"
    for table in TABLES
)
"""Notes in the source itself which rows are touched, and which columns of them amended."""

THEN = """
UPDATE sales_order SET design_id = design_id % 15 + 1 WHERE sales_order_id IN (7, 8, 9);
UPDATE sales_order SET staff_id = staff_id % 6 + 1, agreed_delivery_date = '2025-03-01'
    WHERE sales_order_id IN (9, 77);
UPDATE sales_order SET agreed_delivery_location_id = agreed_delivery_location_id % 12 + 1
    WHERE sales_order_id = 200;
UPDATE purchase_order SET staff_id = staff_id % 6 + 1 WHERE purchase_order_id IN (3, 33);
UPDATE payment SET paid = true, last_updated = '2024-12-20 07:55:11.042'
    WHERE payment_id IN (4, 10, 13, 16, 250);
UPDATE department SET location = 'York' WHERE department_id = 2;
DELETE FROM payment WHERE transaction_id = 5;
DELETE FROM transaction WHERE sales_order_id = 5;
DELETE FROM sales_order WHERE sales_order_id = 5;
INSERT INTO sales_order (created_at, last_updated, design_id, staff_id, counterparty_id, units_sold,
                         unit_price, currency_id, agreed_delivery_date, agreed_payment_date,
                         agreed_delivery_location_id)
    VALUES ('2024-12-10 09:30', '2024-12-10 09:30', 4, 2, 2, 9999, 3.33, 2, '2024-12-12', '2024-12-13', 3);
"""
"""What the second capture finds."""

_REVENUE = "count(*), sum(s.units_sold), sum(s.units_sold * s.unit_price)"
_SALES = "FROM sales_order s JOIN currency c USING (currency_id)"

ANSWERS = {
    "revenue_by_month": f"SELECT to_char(s.created_at, 'YYYY-MM'), c.currency_code, {_REVENUE} {_SALES} "
    "GROUP BY 1, 2 ORDER BY 1, 2",
    # No rates are fetched here: what is not in pounds is in no sum, and counted beside it.
    "revenue_by_month_reported": f"""SELECT to_char(s.created_at, 'YYYY-MM'), 'GBP', count(*),
        sum(s.units_sold * s.unit_price) FILTER (WHERE c.currency_code = 'GBP'),
        count(*) FILTER (WHERE c.currency_code <> 'GBP'), count(*) FILTER (WHERE c.currency_code <> 'GBP'),
        NULL, NULL {_SALES} GROUP BY 1 ORDER BY 1""",
    "net_cash_by_month_reported": """SELECT to_char(p.payment_date::date, 'YYYY-MM'), 'GBP',
        sum(p.payment_amount) FILTER (WHERE c.currency_code = 'GBP' AND p.payment_type_id IN (1, 4)),
        sum(p.payment_amount) FILTER (WHERE c.currency_code = 'GBP' AND p.payment_type_id IN (2, 3)),
        sum(CASE WHEN p.payment_type_id IN (1, 4) THEN 1 ELSE -1 END * p.payment_amount)
            FILTER (WHERE c.currency_code = 'GBP'),
        count(*), count(*) FILTER (WHERE c.currency_code <> 'GBP'), NULL
        FROM payment p JOIN currency c USING (currency_id) WHERE p.paid GROUP BY 1 ORDER BY 1""",
    "rates_used": f"""SELECT to_char(s.created_at, 'YYYY-MM'), c.currency_code, NULL, NULL, count(*),
        sum(s.units_sold * s.unit_price), NULL, count(*), NULL, NULL {_SALES}
        WHERE c.currency_code <> 'GBP' GROUP BY 1, 2 ORDER BY 1, 2""",
    # No carrier delivers here: nothing is said of any order.
    "deliveries_by_month": f"""SELECT to_char(s.created_at, 'YYYY-MM'), count(*), 0, 0, 0, count(*) {_SALES}
        GROUP BY 1 ORDER BY 1""",
    "revenue_by_design": f"SELECT d.design_id, d.design_name, c.currency_code, {_REVENUE} {_SALES} "
    "JOIN design d USING (design_id) GROUP BY 1, 2, 3 ORDER BY 1, 3",
    "revenue_by_delivery_country": f"SELECT a.country, c.currency_code, {_REVENUE} {_SALES} "
    "JOIN address a ON a.address_id = s.agreed_delivery_location_id GROUP BY 1, 2 ORDER BY 1, 2",
    "revenue_by_staff": f"""
        SELECT to_char(s.created_at, 'YYYY-MM'), d.department_name COLLATE "C", t.staff_id,
               t.first_name, t.last_name, c.currency_code, {_REVENUE} {_SALES} JOIN staff t USING (staff_id)
        JOIN department d USING (department_id)
        GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 6""",
    "revenue_by_counterparty": f"""SELECT to_char(s.created_at, 'YYYY-MM'), p.counterparty_id,
        p.counterparty_legal_name, c.currency_code, {_REVENUE} {_SALES}
        JOIN counterparty p USING (counterparty_id) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4""",
    "revenue_by_weekday": f"""SELECT extract(isodow FROM s.created_at)::integer,
        to_char(s.created_at, 'FMDay'), c.currency_code, {_REVENUE} {_SALES}
        GROUP BY 1, 2, 3 ORDER BY 1, 3""",
    "best_designs_by_country": """
        WITH countries AS (
            SELECT a.country, sum(s.units_sold) AS units FROM sales_order s
            JOIN address a ON a.address_id = s.agreed_delivery_location_id
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5)
        SELECT (SELECT count(*) FROM countries o WHERE (o.units, n.country) >= (n.units, o.country)),
               n.country, n.units, best.place, best.design_id, d.design_name, best.units
        FROM countries n CROSS JOIN LATERAL (
            SELECT s.design_id, sum(s.units_sold) AS units,
                   row_number() OVER (ORDER BY sum(s.units_sold) DESC, s.design_id) AS place
            FROM sales_order s JOIN address a ON a.address_id = s.agreed_delivery_location_id
            WHERE a.country = n.country GROUP BY 1 ORDER BY 3 LIMIT 3) best
        JOIN design d USING (design_id) ORDER BY 1, 4""",
    "payments_due": """
        SELECT t.payment_type_name::text, c.currency_code, age.name, count(*), sum(p.payment_amount),
               min(p.payment_date)
        FROM payment p JOIN payment_type t USING (payment_type_id) JOIN currency c USING (currency_id)
        JOIN (VALUES (-30, 0, 'due within 30 days'), (1, 30, 'overdue by 1 to 30 days'),
                     (31, 60, 'overdue by 31 to 60 days'), (61, 90, 'overdue by 61 to 90 days'),
                     (91, 1000000, 'overdue by more than 90 days')) age (least, most, name)
            ON %(today)s::date - p.payment_date::date BETWEEN age.least AND age.most
        WHERE NOT p.paid GROUP BY 1, 2, 3 ORDER BY 1, 2, 6 DESC""",
    "purchase_spend_by_counterparty": """
        SELECT p.counterparty_id, p.counterparty_legal_name, c.currency_code, count(*), sum(o.item_quantity),
               sum(o.item_quantity * o.item_unit_price)
        FROM purchase_order o JOIN counterparty p USING (counterparty_id) JOIN currency c USING (currency_id)
        GROUP BY 1, 2, 3 ORDER BY 1, 3""",
    "net_cash_by_month": """
        SELECT left(p.payment_date, 7), c.currency_code, sum(p.payment_amount * (sign = 1)::int),
               sum(p.payment_amount * (sign = -1)::int), sum(p.payment_amount * sign)
        FROM payment p JOIN currency c USING (currency_id)
        JOIN (VALUES (1, 1), (2, -1), (3, -1), (4, 1)) moved (payment_type_id, sign) USING (payment_type_id)
        WHERE p.paid GROUP BY 1, 2 ORDER BY 1, 2""",
    "amendments_by_day": """
        SELECT %(captured_day)s::date, replace(a.record, '_', ' '), star.name, count(*)
        FROM audit.amended a
        JOIN LATERAL (
            SELECT CASE WHEN a.record = 'sales_order' AND a.name = 'staff_id' THEN 'sales_staff_id'
                        ELSE a.name END
            WHERE a.name <> 'last_updated'
            UNION ALL SELECT 'last_updated_date'
            WHERE a.name = 'last_updated' AND a.before::timestamp::date <> a.after::timestamp::date
            UNION ALL SELECT 'last_updated_time'
            WHERE a.name = 'last_updated' AND a.before::timestamp::time <> a.after::timestamp::time
        ) star (name) ON true
        WHERE a.record IN ('sales_order', 'purchase_order', 'payment')
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
}
"""By question the answer that the source itself gives, in PostgreSQL and over its own tables."""
