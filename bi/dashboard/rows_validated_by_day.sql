-- Rows validated in the last 30 days
-- Answers: How many captured rows were validated on each day, and how many of them went to the dead letters?
-- Avoids:
--   * reading the records of all time: stage and day are partitions, and it names both;
--   * calling a rejected row lost, or still open: it is kept whole, and may have been replayed or replaced since.
SELECT
    committed_date AS day,
    table_name AS source_table,
    sum(rows_read) AS rows_validated,
    sum(rows_rejected) AS rows_rejected
FROM totesys_ops.batch_records
WHERE stage = 'validate' AND committed_date >= current_date - INTERVAL '30' DAY
GROUP BY committed_date, table_name
