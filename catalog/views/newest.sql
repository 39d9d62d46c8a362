-- Of what is current the newest row of each thing, by when it happened and not by when it came.
SELECT ${columns}
FROM (
    SELECT facts.*, row_number() OVER (PARTITION BY ${of} ORDER BY ${by}) AS place
    FROM ${current} AS facts
) AS ordered
WHERE place = 1
