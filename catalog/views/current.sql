-- The latest version of each record, deletions left out.
SELECT ${columns}
FROM (
    SELECT *, row_number() OVER (PARTITION BY ${record} ORDER BY batch_sequence DESC) AS recency
    FROM ${table}
) AS versions
WHERE recency = 1 AND NOT is_deleted
