-- Which spend is missing from the other answers?
--
-- Unpriced requests have no known cost: add the model to the prices, and `spanledger reprice` sends the cost. Quarantined
-- requests have a cost, but lack attribution: a rule supplies it. `known_usd` is what is known of their cost.
-- To change: group by `e.model` or `e.error_code`.
--
-- It runs in the tests on DuckDB 2.0. `cargo xtask gen` writes this file from
-- xtask/src/generate/questions/unpriced_and_quarantined.sql.
SELECT
    e.state AS state,
    e.cost_reason AS reason,
    e.service_name AS service_name,
    e.emitter AS emitter,
    count(*) AS requests,
    count(*) - count(e.billed_usd) AS requests_without_cost,
    sum(e.billed_usd) AS known_usd
FROM (
    SELECT * FROM openai_events AS l WHERE l.billed_usd IS NULL
    UNION ALL
    SELECT * FROM openai_events_quarantined AS q
) AS e
GROUP BY 1, 2, 3, 4
ORDER BY requests DESC, 1, 2 NULLS FIRST, 3 NULLS FIRST, 4;
