-- The latest version of each record, deletions left out.
SELECT ${columns},
    ${key} IN (
        SELECT ${listed_key} FROM ${rejected} WHERE table_name = '${name}' AND ${listed_key} IS NOT NULL
    ) AS has_rejected_change
FROM (
    SELECT *, row_number() OVER (PARTITION BY ${record} ORDER BY batch_sequence DESC) AS recency
    FROM ${table}
) AS versions
WHERE recency = 1 AND NOT is_deleted
