-- Takings by boat
-- Answers: What did each boat take in?
-- Avoids:
--   * counting a corrected crossing twice: it asks the current state, not the history.
SELECT b.boat_name AS boat, sum(f.takings) AS takings
FROM fact_crossing_current AS f
JOIN dim_boat AS b ON b.boat_id = f.boat_id
GROUP BY b.boat_name
ORDER BY boat
