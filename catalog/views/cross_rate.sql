        CASE WHEN ours > 0 AND theirs > 0 AND ours <= theirs * 999999 THEN nullif(CAST(CAST(
            ((ours * 2000000000000 + theirs) - mod(ours * 2000000000000 + theirs, theirs * 2)) / (theirs * 2)
            AS decimal(18, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(18, 12)), 0) END
