-- The dimension as it is, rows that the source has deleted among them, since facts refer to these.
SELECT ${columns},
    "${key}" IN (
        SELECT row_key FROM ${rejected} WHERE table_name = '${name}' AND row_key IS NOT NULL
    ) AS has_rejected_change
FROM ${table}
