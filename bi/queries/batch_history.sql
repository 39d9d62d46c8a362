-- The batches of the last seven days
-- Answers: What did each capture bring, and how long did it take to the warehouse?
-- Avoids:
--   * reading the records of all time: stage and day are partitions, and it names both;
--   * looking for a load of each batch: one load may bring several, so the first that covers a batch counts;
--   * hiding what waits: a batch that is in no load yet has no time of arrival.
WITH captured AS (
    SELECT last_batch AS batch, max(snapshot_at) AS snapshot_at, sum(rows_read) AS rows_captured
    FROM totesys_ops.batch_records
    WHERE stage = 'capture' AND committed_date >= current_date - INTERVAL '7' DAY
    GROUP BY last_batch
),
loaded AS (
    SELECT first_batch, last_batch, max(committed_at) AS loaded_at
    FROM totesys_ops.batch_records
    WHERE stage = 'load' AND committed_date >= current_date - INTERVAL '7' DAY
    GROUP BY first_batch, last_batch
)
SELECT
    c.batch,
    c.snapshot_at,
    c.rows_captured,
    min(l.loaded_at) AS loaded_at,
    date_diff('second', c.snapshot_at, min(l.loaded_at)) AS seconds_to_warehouse
FROM captured AS c
LEFT JOIN loaded AS l ON c.batch BETWEEN l.first_batch AND l.last_batch
GROUP BY c.batch, c.snapshot_at, c.rows_captured
ORDER BY c.batch DESC
