-- Every version of each record: from when until when it was valid, and what it changed.
SELECT ${columns},
    row_number() OVER versions AS version_number,
    captured_at AS valid_from,
    lead(captured_at) OVER versions AS valid_to,
    NOT is_deleted AND lead(captured_at) OVER versions IS NULL AS is_current,
    CASE
        WHEN is_deleted THEN 'deleted'
        WHEN lag(batch_sequence) OVER versions IS NULL THEN 'created'
        WHEN lag(is_deleted) OVER versions THEN 'restored'
        ELSE 'amended'
    END AS change_kind,
    CASE
        WHEN lag(batch_sequence) OVER versions IS NOT NULL THEN nullif(concat_ws(', ',
            ${names_of_changed}
        ), '')
    END AS changed_columns
FROM ${table}
WINDOW versions AS (PARTITION BY ${record} ORDER BY batch_sequence)
