-- Freshness of the warehouse
-- Answers: How old is the state of the business that the warehouse shows, and how many batches wait?
-- Avoids:
--   * calling a quiet source stale: where nothing waits, the last look at the source counts, changes or not;
--   * calling a stuck pipeline fresh: where something waits, the last loaded snapshot counts;
--   * reading the records of all time: it looks at seven days, and where nothing was seen in them says nothing.
WITH looked AS (
    SELECT max(captured_at) AS looked_at, max(last_batch) AS last_batch
    FROM totesys_ops.heartbeats
    WHERE captured_date >= current_date - INTERVAL '7' DAY
),
loaded AS (
    SELECT max(snapshot_at) AS snapshot_at, max(last_batch) AS last_batch
    FROM totesys_ops.batch_records
    WHERE stage = 'load' AND committed_date >= current_date - INTERVAL '7' DAY
)
SELECT
    looked.looked_at,
    loaded.snapshot_at AS loaded_snapshot_at,
    looked.last_batch AS last_captured_batch,
    loaded.last_batch AS last_loaded_batch,
    looked.last_batch - loaded.last_batch AS batches_waiting,
    date_diff(
        'second',
        IF(loaded.last_batch >= looked.last_batch, looked.looked_at, loaded.snapshot_at),
        CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp)
    ) AS freshness_seconds
FROM looked
CROSS JOIN loaded
