SHOW DATABASES
SHOW TABLES IN `shop`
DESCRIBE `shop`.`orders`;
DESCRIBE FORMATTED shop.orders
SHOW COLUMNS FROM orders IN shop
SHOW CREATE TABLE `shop`.`orders`
SHOW PARTITIONS shop.orders
SELECT DISTINCT table_schema AS "table_schema", table_name AS "table_name", CASE table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'EXTERNAL TABLE' THEN 'external' ELSE lower(table_type) END AS "table_type" FROM awsdatacatalog.information_schema.tables WHERE table_schema LIKE lower('SHOP%') AND table_name LIKE lower('ORD%') AND table_name NOT LIKE lower('')
SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default, ordinal_position, comment FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders'
SELECT * FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'shop'
SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('information_schema')
SELECT count(*) FROM "AwsDataCatalog"."shop"."orders"
SELECT * FROM "shop"."orders$partitions"
SELECT "source"."units" AS "units", count(*) AS "count" FROM (SELECT "shop"."orders"."units" AS "units" FROM "shop"."orders") AS "source" GROUP BY "source"."units" ORDER BY "source"."units" ASC
SELECT "shop"."orders"."order_id" AS "order_id" FROM "shop"."orders" ORDER BY 1 OFFSET 5 LIMIT 5
SELECT date_trunc('month', "shop"."orders"."created_at") AS "created_at", approx_percentile("units", 0.5) AS "median" FROM "shop"."orders" GROUP BY date_trunc('month', "shop"."orders"."created_at") ORDER BY 1
SELECT day_of_week("created_at") AS "day", count(DISTINCT "order_id") AS "COUNT_DISTINCT(order_id)" FROM "shop"."orders" WHERE "created_at" >= date_trunc('month', date_add('month', -4800, timestamp '2026-11-01 00:00:00.000')) GROUP BY 1 LIMIT 50000
