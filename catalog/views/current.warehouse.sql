-- The latest version of each record, deletions left out.
SELECT ${columns},
    ${key} IN (
        SELECT ${listed_key} FROM ${rejected} WHERE table_name = '${name}' AND ${listed_key} IS NOT NULL
    ) AS has_rejected_change
FROM ${table} AS versions
WHERE NOT is_deleted AND NOT EXISTS (
    SELECT 1 FROM ${table} AS newer
    WHERE ${same_record} AND newer.batch_sequence > versions.batch_sequence
)
