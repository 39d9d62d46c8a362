-- The dimension as it is, rows that the source has deleted among them, since facts refer to these.
SELECT ${columns},
    ${key} IN (
        SELECT ${listed_key} FROM ${rejected} WHERE table_name = '${name}' AND ${listed_key} IS NOT NULL
    ) AS has_rejected_change
FROM ${table}
