-- The loads of the last seven days
-- Answers: What did each load of the warehouse bring, when, and how long did it take?
-- Avoids:
--   * calling a quiet source stale: a load is recorded where something came, so the last one says when that was, and
--     the lake alone knows when the source was looked at last.
SELECT
    a.load_id,
    a.last_batch AS batch,
    a.snapshot_at,
    a.loaded_at,
    CAST(sum(CAST(counts.value ->> 'changed' AS bigint)) AS bigint) AS rows_loaded,
    a.seconds AS load_seconds
FROM load_audit AS a
LEFT JOIN LATERAL jsonb_each(a.tables) AS counts (name, value) ON true
WHERE a.loaded_at >= now() AT TIME ZONE 'UTC' - INTERVAL '7 days'
GROUP BY a.load_id, a.last_batch, a.snapshot_at, a.loaded_at, a.seconds
