-- Weight by hub
-- Answers: How much was posted at each hub?
-- Avoids:
--   * counting a corrected parcel twice: it asks the current state, not the history.
SELECT h.hub_name AS hub, sum(f.weight) AS weight
FROM fact_parcel_current AS f
JOIN dim_hub AS h ON h.hub_code = f.hub_code
GROUP BY h.hub_name
ORDER BY hub
