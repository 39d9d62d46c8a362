-- Deliveries of sales orders by month
-- Answers: Of the orders of each month, how many were delivered by the agreed day, how many later, and of how many has the carrier said nothing?
-- Avoids:
--   * taking what came last for what happened last: a late file changes no newest event;
--   * counting an order twice that is delivered in several parcels: it is delivered once all of them are;
--   * leaving out orders of which the carrier has said nothing: they have a column of their own.
SELECT
    f.created_month AS month,
    count(*) AS orders,
    sum(IF(d.under_way = 0 AND d.delivered_on <= f.agreed_delivery_date, 1, 0)) AS orders_on_time,
    sum(IF(d.under_way = 0 AND d.delivered_on > f.agreed_delivery_date, 1, 0)) AS orders_late,
    sum(IF(d.under_way > 0, 1, 0)) AS orders_under_way,
    sum(IF(d.sales_order_id IS NULL, 1, 0)) AS orders_without_news
FROM fact_sales_order_current AS f
LEFT JOIN (
    SELECT
        sales_order_id,
        sum(IF(status = 'delivered', 0, 1)) AS under_way,
        max(happened_date) AS delivered_on
    FROM delivery_status
    GROUP BY sales_order_id
) AS d ON d.sales_order_id = f.sales_order_id
GROUP BY f.created_month
ORDER BY month
